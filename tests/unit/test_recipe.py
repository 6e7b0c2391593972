import inspect
from dataclasses import replace
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noisylabels import recipe as recipe_module
from noisylabels.errors import UsageError
from noisylabels.recipe import OneOf, Option, Recipe, Selection, Step, Target

TEXT = """\
[recipe]
seed = 7
splits = ["train"]

[recipe.selection]
fraction = 0.5

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
    selection=Selection(0.5),
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
    whole, real = (Recipe(7, RECIPE.steps, Selection(fraction=f, objects=f)) for f in (1, 1.0))
    assert whole.digest == real.digest == Recipe(7, RECIPE.steps).digest
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
        (("fraction = 0.5", 'fraction = "much"'), "takes a number, not 'much'"),
        (
            ("[recipe.selection]\nfraction = 0.5", "fraction = 0.5"),
            r"stands in the table \[recipe.selection\]",
        ),
        (("fraction = 0.5", "fractoin = 0.5"), "did you mean 'fraction'"),
        (("fraction = 0.5", "fraction = 0.5\ncount = 3"), "one of fraction, count and clean"),
        (("fraction = 0.5", "count = -3"), "touched cases is a whole number from 0 on"),
        (("fraction = 0.5", 'by = "grup"'), "did you mean 'group'"),
        (("fraction = 0.5", "objects = 2"), "share of objects is a number from 0 to 1"),
        (("seed = 7", "seed = 7.5"), "7.5 is no whole number"),
        (("seed = 7", "seed = 7\nannotators = -1"), "annotators is a whole number from 0 on"),
        (("seed = 7", 'seed = 7\nshare = "grp"'), "did you mean 'group'"),
        (("seed = 7", "seed = 7\nsegment = [6, 3]"), "rising range of whole numbers from 1 on, not 6:3"),
        (("[recipe.selection]", "[recipe.target]\nvalue = 0.5\n[recipe.selection]"), "needs --metric"),
        (
            ("[recipe.selection]", '[recipe.target]\nmetric = "dice"\nvalue = 1.5\n[recipe.selection]'),
            "target of dice is a number or a rising range from 0 to 1, not 1.5:1.5",
        ),
        (('mode = "ellipse"', "one_of = []"), "key of a recipe's choice: 'version'"),
        (("seed = 7", "seed = ["), "not TOML"),
        (('splits = ["train"]', "splits = []"), "at least one part"),
        (('splits = ["train"]', 'splits = "train"'), "'train' is no list"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(UsageError, match=message) as caught:
        Recipe.from_toml(TEXT.replace(*change))
    assert "\n" not in str(caught.value)


def test_a_recipe_without_steps_is_none():
    with pytest.raises(UsageError, match="at least one step"):
        Recipe.from_toml("[recipe]\nseed = 0\nsteps = []\n")


def test_in_a_few_words():
    assert RECIPE.text == "pair-flip, rate 0.3, unit pixel, then ellipse, fraction 0.5"
    assert Recipe(0, (Step("dilate", {"radius_px": [1.0, 8.0]}, 1),)).text == "dilate, radius px 1:8"


CHOICE = OneOf(
    (
        Option(0.25, Step("dilate", {"radius_px": [1.0, 3.0]}, 1)),
        Option(0.5, Step("erode", {}, 1)),
        Option(0.25, Step.nothing()),
    ),
    "object",
)
FULL = """\
[recipe]
seed = 7
splits = ["train"]
annotators = 2
share = "segment"
segment = [2, 4]

[recipe.selection]
count = 8
by = "group"
per_class = true
objects = 0.6

[recipe.target]
metric = "dice"
value = [0.7, 0.8]
tolerance = 0.02

[[recipe.steps]]
per = "object"

[[recipe.steps.one_of]]
weight = 0.25
mode = "dilate"
version = 1

[recipe.steps.one_of.params]
radius_px = [1.0, 3.0]

[[recipe.steps.one_of]]
weight = 0.5
mode = "erode"
version = 1

[recipe.steps.one_of.params]

[[recipe.steps.one_of]]
weight = 0.25
mode = "none"
"""


def test_every_layer_as_text():
    full = Recipe(
        7,
        (CHOICE,),
        Selection(count=8, by="group", per_class=True, objects=0.6),
        annotators=2,
        share="segment",
        segment=(2, 4),
        target=Target("dice", (0.7, 0.8), 0.02),
    )
    assert full.to_toml() == FULL
    assert Recipe.from_toml(FULL) == full
    assert full.text == (
        "one of (0.25 dilate, radius px 1:3; 0.5 erode; 0.25 none) per object, target dice 0.7:0.8, "
        "8 touched by group per class, 0.6 of the objects, draws shared by segment of 2:4 cases, 2 annotators"
    )
    assert Recipe.from_toml(FULL.replace("[0.7, 0.8]", "0.7")).target.value == (0.7, 0.7)


STEP = st.builds(
    Step,
    st.sampled_from(["dilate", "pair-flip", "somebody-elses"]),
    st.dictionaries(
        st.sampled_from("abc"),
        st.one_of(
            st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.lists(st.floats(0, 9))
        ),
    ),
    st.integers(1, 9),
)
OPTION = st.builds(Option, st.floats(0.001, 10), st.one_of(STEP, st.just(Step.nothing())))
CHOICES = st.builds(
    OneOf, st.lists(OPTION, min_size=2, max_size=4).map(tuple), st.sampled_from(["case", "class", "object"])
)
SELECTION = st.builds(
    lambda how, **rest: Selection(**how, **rest),
    st.one_of(
        st.builds(dict, fraction=st.floats(0, 1)),
        st.builds(dict, count=st.integers(0, 9)),
        st.builds(dict, clean=st.integers(0, 9)),
    ),
    by=st.sampled_from(["case", "group"]),
    per_class=st.booleans(),
    objects=st.floats(0, 1),
    rounding=st.sampled_from(["nearest", "floor"]),
)
RANGE = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).map(tuple)
RECIPES = st.builds(
    Recipe,
    st.integers(-(2**60), 2**60),
    st.lists(st.one_of(STEP, CHOICES), min_size=1, max_size=3).map(tuple),
    SELECTION,
    st.sampled_from([("train",), ("val", "train")]),
    st.integers(0, 3),
    st.sampled_from(["case", "group", "segment"]),
    st.tuples(st.integers(1, 5), st.integers(1, 5)).map(sorted).map(tuple),
    st.one_of(
        st.none(),
        st.builds(Target, st.sampled_from(["dice", "shift_px", "wrong_foreground"]), RANGE, st.floats(0, 1)),
    ),
)


@given(recipe=RECIPES)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_recipe_survives_its_text(recipe):
    again = Recipe.from_toml(recipe.to_toml())
    assert again == recipe
    assert again.digest == recipe.digest
    assert again.to_toml() == recipe.to_toml()
    assert "\n" not in recipe.text or any("\n" in str(s) for s in recipe.steps)


def test_the_description_is_a_recipe():
    text = inspect.cleandoc(recipe_module.__doc__).partition("\n\n")[2].partition("Only ``seed``")[0]
    read = Recipe.from_toml(dedent(text))
    assert read.for_classes(("background", "shaft", "wrist", "clasper")).steps[0].params["classes"] == [2, 3]
    left_out = Recipe(0, read.steps, Selection(0.5), target=Target("dice", (0.7, 0.8)))
    assert read == left_out, "what is written there is what is left out"


def test_digests_differ_where_anything_differs():
    changes = [
        {"annotators": 1},
        {"share": "group"},
        {"share": "segment"},
        {"share": "segment", "segment": (1, 2)},
        {"target": Target("dice", (0.5, 0.5))},
        {"target": Target("jaccard", (0.5, 0.5))},
        {"steps": (CHOICE,)},
        {"steps": (replace(CHOICE, per="class"),)},
        *(
            {"selection": replace(Selection(), **how)}
            for how in ({"count": 3}, {"clean": 3}, {"objects": 0.5})
        ),
        *({"selection": Selection(0.5, **how)} for how in ({"by": "group"}, {"per_class": True})),
        {"selection": Selection(0.5, rounding="floor")},
    ]
    assert len({RECIPE.digest, *(replace(RECIPE, **change).digest for change in changes)}) == 1 + len(changes)
