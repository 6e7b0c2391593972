from dataclasses import replace

import pytest

from noisylabels.catalogue import MODES
from noisylabels.errors import Mismatch, UsageError
from noisylabels.recipe import OneOf, Option, Recipe, Step

CHOICE = OneOf(
    (
        Option(0.25, Step("dilate", {"radius_px": [1.0, 3.0]}, 1)),
        Option(0.5, Step("erode", {}, 1)),
        Option(0.25, Step.nothing()),
    ),
    "object",
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((Option(1, Step.nothing()),), "2 to 255 options, not 1"),
        ((Option(0, Step.nothing()), Option(0, Step("erode", {}, 1))), "a weight above 0"),
    ],
)
def test_a_choice_needs_something_to_choose_from(options, message):
    with pytest.raises(UsageError, match=message):
        OneOf(options)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_weights_are_numbers(weight):
    with pytest.raises(UsageError, match="weight of an option"):
        Option(weight, Step.nothing())


def test_a_choice_is_per_something():
    with pytest.raises(UsageError, match="did you mean 'object'"):
        replace(CHOICE, per="objects")


def test_nothing_is_no_mode_of_its_own():
    with pytest.raises(UsageError, match="lacks 'version'"):
        Recipe.from_toml('[recipe]\nseed = 0\n[[recipe.steps]]\nmode = "none"\n')


CLASSES = ("background", "shaft", "wrist", "clasper")


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (["wrist", "shaft"], [2, 1]),
        (["wrist", 1], [2, 1]),
        ("wrist:1", [2, "1"]),
        ("clasper", [3]),
        ([1, 2], [1, 2]),
        ("1:2", "1:2"),
        ("none", "none"),
    ],
)
def test_classes_may_be_named(given, want):
    choice = OneOf((Option(1, Step("ellipse", {"classes": given}, 1)), Option(1, Step.nothing())))
    named = Recipe(0, (Step("ellipse", {"classes": given, "fit": "box"}, 1), choice))
    numbered = named.for_classes(CLASSES)
    assert numbered.steps[0].params == {"classes": want, "fit": "box"}
    assert numbered.steps[1].options[0].step.params == {"classes": want}
    assert numbered.for_classes(CLASSES) == numbered
    module = MODES.load("ellipse")
    numbered.steps[0].params_for(module)


def test_a_mistyped_class_is_named():
    with pytest.raises(UsageError, match="no class 'wirst'; did you mean 'wrist'"):
        Recipe(0, (Step("ellipse", {"classes": ["wirst"]}, 1),)).for_classes(CLASSES)


def test_words_of_a_mode_are_no_classes():
    step = Step("ellipse", {"fit": "moments"}, 1)
    assert step.for_classes(("background", "moments")) == step


def test_a_step_is_of_one_version():
    module = MODES.load("ellipse")
    step = Step.of("ellipse", module, module.EXAMPLE)
    assert step.params_for(module) == module.EXAMPLE
    with pytest.raises(Mismatch, match="version 99 of the mode 'ellipse', and this is version"):
        Step("ellipse", {}, 99).params_for(module)
