from dataclasses import dataclass
from typing import Literal

import pytest

from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError
from noisylabels.params import attribute_texts, build, parameters, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Everything that is allowed.

    Attributes:
        rate: a share,
            over two lines: with a colon.
        count: how many.
        fit: which fit.
        radius_px: a range in px.
        radius_mm: a range in mm.
        classes: which classes.
        background: yes, no, or as the mode thinks.
        slow: a switch.
        name: a text.

    More text that is no attribute:
        nothing: at all.
    """

    rate: float = 0.5
    count: int = 3
    fit: Literal["moments", "box"] = "moments"
    radius_px: tuple[float, float] | None = (1.0, 8.0)
    radius_mm: tuple[float, float] | None = None
    classes: tuple[int, ...] | None = None
    background: bool | None = None
    slow: bool = False
    name: str = "x"


@dataclass(frozen=True)
class Strict:
    """One that must be given."""

    rate: float


def test_types_defaults_and_help_are_read():
    found = {p.name: p for p in parameters(Params)}
    assert list(found) == list(Params.__dataclass_fields__)
    assert found["rate"].help == "a share, over two lines: with a colon."
    assert (found["fit"].choices, found["fit"].scalar) == (("moments", "box"), str)
    assert (found["radius_px"].length, found["radius_px"].optional, found["radius_px"].default) == (
        2,
        True,
        (1, 8),
    )
    assert (found["classes"].length, found["classes"].scalar) == (0, int)
    assert found["background"].optional
    assert found["radius_mm"].flag == "--radius-mm"
    assert "nothing" not in attribute_texts(Params.__doc__)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("rate", "0.25", 0.25),
        ("rate", 1, 1.0),
        ("count", "4", 4),
        ("count", 4.0, 4),
        ("fit", "box", "box"),
        ("radius_px", "1:8", (1.0, 8.0)),
        ("radius_px", "2", (2.0, 2.0)),
        ("radius_px", [1, 2.5], (1.0, 2.5)),
        ("radius_px", 3, (3.0, 3.0)),
        ("radius_px", "none", None),
        ("classes", "1,3", (1, 3)),
        ("classes", "2", (2,)),
        ("classes", [], ()),
        ("background", "no", False),
        ("background", True, True),
        ("background", "none", None),
        ("slow", "yes", True),
        ("name", "none of it", "none of it"),
    ],
)
def test_plain_values_become_typed(name, given, value):
    got = getattr(build(Params, {name: given}, "mode 'm'"), name)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": "half"}, "--rate takes a number, not 'half'"),
        ({"rate": True}, "--rate takes a number, not True"),
        ({"rate": "none"}, "--rate needs a value"),
        ({"count": "1.5"}, "--count takes a whole number, not '1.5'"),
        ({"count": 1.5}, "--count takes a whole number, not 1.5"),
        ({"fit": "moment"}, "did you mean 'moments'"),
        ({"radius_px": "1:2:3"}, "--radius-px takes 2 numbers as in 1:8, not '1:2:3'"),
        ({"radius_px": "a:b"}, "--radius-px takes a number, not 'a'"),
        ({"background": "maybe"}, "--background is yes or no, not 'maybe'"),
        ({"rtae": 1}, "no parameter of mode 'm': 'rtae'; did you mean 'rate'"),
    ],
)
def test_wrong_values_are_named(given, message):
    with pytest.raises(UsageError, match=message):
        build(Params, given, "mode 'm'")


def test_what_must_be_given_is_asked_for():
    with pytest.raises(UsageError, match="Mode 'm' needs --rate"):
        build(Strict, {}, "mode 'm'")


def test_plain_is_the_inverse_of_build():
    for params in (Params(), Params(radius_px=None, radius_mm=(1.0, 2.0), classes=(1, 2), background=False)):
        assert build(Params, plain(params), "mode 'm'") == params
    assert plain(Params(radius_px=None))["radius_px"] == "none"
    assert "radius_mm" not in plain(Params())


def test_unknown_types_are_a_mistake_in_the_module():
    @dataclass(frozen=True)
    class Odd:
        table: dict

    with pytest.raises(TypeError, match="has no text form"):
        parameters(Odd)


@pytest.mark.parametrize("mode", MODES.names())
def test_every_mode_has_help_for_every_parameter_and_survives_a_recipe(mode):
    module = MODES.load(mode)
    for parameter in parameters(module.Params):
        assert parameter.help, f"{mode}: {parameter.name} is missing under Attributes:"
    for params in (module.Params(), module.EXAMPLE):
        assert build(module.Params, plain(params), f"mode '{mode}'") == params
