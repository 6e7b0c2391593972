import pytest

from noisylabels.catalogue import MODES
from noisylabels.errors import Mismatch, UsageError
from noisylabels.recipe import Recipe, Step

TEXT = """\
[recipe]
seed = 7
fraction = 0.5
splits = ["train"]

[[recipe.steps]]
mode = "pair-flip"
version = 1

[recipe.steps.params]
rate = 0.3
unit = "pixel"

[[recipe.steps]]
mode = "ellipse"
version = 1

[recipe.steps.params]
"""
RECIPE = Recipe(
    seed=7,
    fraction=0.5,
    steps=(Step("pair-flip", {"rate": 0.3, "unit": "pixel"}, 1), Step("ellipse", {}, 1)),
)


def test_text_and_recipe_are_the_same():
    assert RECIPE.to_toml() == TEXT
    assert Recipe.from_toml(TEXT) == RECIPE


def test_digest_is_of_the_values_not_of_the_spelling():
    spelled = TEXT.replace(
        "[recipe]\nseed = 7", '[made_with]\nnoisylabels = "9"\n\n[recipe]\nseed = 0x7  # a comment'
    )
    assert Recipe.from_toml(spelled).digest == RECIPE.digest
    assert Recipe(seed=7, fraction=1, steps=RECIPE.steps).digest == Recipe(7, RECIPE.steps, 1.0).digest
    digests = {
        Recipe.from_toml(TEXT.replace(*change)).digest
        for change in [
            ("", ""),
            ("seed = 7", "seed = 8"),
            ("0.5", "0.25"),
            ("0.3", "0.4"),
            ("ellipse", "dilate"),
            ('["train"]', '["train", "val"]'),
            ("version = 1", "version = 2"),
        ]
    }
    assert len(digests) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seed = 7", "sead = 7"), "no key of a recipe: 'sead'; did you mean 'seed'"),
        (("mode =", "mod ="), "step: 'mod'; did you mean 'mode'"),
        (("[recipe]", "[recipee]"), "did you mean 'recipe'"),
        (("seed = 7", ""), "lacks 'seed'"),
        (('mode = "ellipse"', ""), "lacks 'mode'"),
        (("fraction = 0.5", "fraction = 1.5"), "from 0 to 1, not 1.5"),
        (("fraction = 0.5", 'fraction = "much"'), "wrong kind"),
        (("seed = 7", "seed = ["), "not TOML"),
        (('splits = ["train"]', "splits = []"), "at least one part"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(UsageError, match=message) as caught:
        Recipe.from_toml(TEXT.replace(*change))
    assert "\n" not in str(caught.value)


def test_a_recipe_without_steps_is_none():
    with pytest.raises(UsageError, match="at least one step"):
        Recipe.from_toml("[recipe]\nseed = 0\nsteps = []\n")


def test_a_step_is_of_one_version():
    module = MODES.load("ellipse")
    step = Step.of("ellipse", module, module.EXAMPLE)
    assert step.params_for(module) == module.EXAMPLE
    with pytest.raises(Mismatch, match="version 99 of the mode 'ellipse', and this is version"):
        Step("ellipse", {}, 99).params_for(module)


def test_in_a_few_words():
    assert RECIPE.text == "pair-flip, rate 0.3, unit pixel, then ellipse, fraction 0.5"
    assert Recipe(0, (Step("dilate", {"radius_px": [1.0, 8.0]}, 1),)).text == "dilate, radius px 1:8"
