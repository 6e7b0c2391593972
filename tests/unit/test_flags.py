from dataclasses import dataclass
from typing import Literal

import click
import pytest
from click.testing import CliRunner

from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels_cli import flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters.

    Attributes:
        rate: share of pixels.
        radius_px: range in px.
        radius_mm: range in mm.
        fit: which.
        background: tri-state.
        slow: a switch.
        classes: some classes.
    """

    rate: float = 0.5
    radius_px: tuple[float, float] | None = (1.0, 8.0)
    radius_mm: tuple[float, float] | None = None
    fit: Literal["moments", "box"] = "moments"
    background: bool | None = None
    slow: bool = False
    classes: tuple[int, ...] | None = None


def run(*args):
    read = []

    @click.command(
        cls=flags.FlagCommand,
        choose=lambda typed: [flags.Group("Flags of it", Params)] if typed.get("name") == "it" else [],
    )
    @click.argument("name", required=False)
    @click.option("--out")
    def command(name, out, **given):
        read.append(flags.read(Params, given, "mode 'it'"))

    result = CliRunner().invoke(command, list(args), standalone_mode=False)
    return read[0] if read else result


@pytest.mark.parametrize(
    ("typed", "want"),
    [
        ((), Params()),
        (("--rate", "0.2"), Params(rate=0.2)),
        (("--rate=0.2", "--out", "x"), Params(rate=0.2)),
        (("--radius-px", "2:4"), Params(radius_px=(2.0, 4.0))),
        (("--radius-mm", "2:4"), Params(radius_px=None, radius_mm=(2.0, 4.0))),
        (("--fit", "box", "--background", "no", "--slow"), Params(fit="box", background=False, slow=True)),
        (("--no-slow", "--classes", "1,3"), Params(classes=(1, 3))),
    ],
)
def test_flags_become_the_dataclass(typed, want):
    assert run("it", *typed) == want
    if typed:
        assert run("--out", "y", "it", *typed) == want


def test_both_lengths_stay_both():
    got = run("it", "--radius-px", "1:2", "--radius-mm", "3:4")
    assert (got.radius_px, got.radius_mm) == ((1.0, 2.0), (3.0, 4.0))


def test_help_shows_names_values_texts_and_defaults():
    text = run("it", "--help").output
    for part in (
        "Flags of it",
        "--rate X", "share of pixels.  [default: 0.5]",
        "--radius-px LOW:HIGH", "[default: 1:8]",
        "--fit moments|box",
        "--background yes|no",
        "--slow / --no-slow",
        "--classes N,N,...",
        "--out",
    ):  # fmt: skip
        assert part in text
    assert "--rate" not in run("--help").output


def test_without_the_word_the_flags_do_not_exist():
    assert isinstance(run("other", "--rate", "1").exception, click.NoSuchOption)


def test_wrong_values_are_usage_errors():
    result = run("it", "--rate", "lots")
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "--rate takes a number, not 'lots'."


def test_a_flag_that_would_hide_one_of_the_command_is_refused():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Clash:
        """Attributes:
        out: a word of the command.
        """

        out: str = ""

    @click.command(cls=flags.FlagCommand, choose=lambda typed: [flags.Group("Flags of it", Clash)])
    @click.option("--out")
    def command(out):
        raise AssertionError

    with pytest.raises(NoisyLabelsError, match="--out is a flag of the command too"):
        CliRunner().invoke(command, [], standalone_mode=False, catch_exceptions=False)
