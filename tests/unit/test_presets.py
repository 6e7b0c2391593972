"""Presets: every one says what it is, builds, and runs on a toy that has its classes."""

import re
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import toys
from mode_facts import facts

from noisylabels import presets
from noisylabels.apply import corrupted
from noisylabels.case import IGNORE
from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError
from noisylabels.recipe import Recipe
from noisylabels.selection import Selection
from noisylabels.steps import every_step
from noisylabels.targets import Target

EVERY = presets.every()


def modes(document):
    """The modes that a recipe table names."""
    for step in document["steps"]:
        yield from (option["mode"] for option in step.get("one_of", [step]) if option["mode"] != "none")


def test_names_are_words_to_type():
    names = [preset.name for preset in EVERY]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name) for name in names)
    assert presets.names() == sorted(names)
    for family in (
        "jcas",
        "coseg",
        "mcpm",
        "pint",
        "mtcl",
        "sp",
        "sc",
        "pymic",
        "confident",
        "tfal",
        "coco",
        "cell",
    ):
        assert any(name.startswith(family) for name in names), family


@pytest.mark.parametrize("preset", EVERY, ids=lambda preset: preset.name)
def test_a_preset_says_what_it_is_and_runs(preset):
    for text in (getattr(preset, name) for name in presets.TEXTS):
        assert text.strip()
        assert "$" not in text, "a word of the family was not replaced"
    assert len(preset.title) <= 80
    recipe = preset.recipe
    numbered = recipe.for_classes(toys.CLASSES)
    for step in every_step(numbered.steps):
        step.params_for(MODES.load(step.mode))
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    dims = set.intersection(*(set(facts(mode).dims) for mode in modes(preset.document)))
    for case in (toys.scene(), toys.volume()):
        if case.labels.ndim in dims:
            made = corrupted(case, numbered, "toy", annotator=0 if recipe.annotators else None)
            assert made.labels.shape == case.labels.shape
            np.testing.assert_array_equal(made.labels == IGNORE, case.labels == IGNORE)
    assert dims


def test_the_page_of_the_documentation_is_made_of_them():
    spec = spec_from_file_location("make_presets", Path(__file__).parents[2] / "docs" / "make_presets.py")
    make = module_from_spec(spec)
    spec.loader.exec_module(make)
    assert make.FILE.read_text(encoding="utf-8") == make.text(), "run python docs/make_presets.py"


def test_numbers_of_the_sources():
    def recipe(name):
        return presets.load(name).recipe

    assert recipe("coseg-type1-30").selection == Selection(fraction=0.3)
    assert recipe("coseg_type1_30").steps[0].params["radius_px"] == [1, 8]
    assert recipe("jcas-asymmetric50").steps[0].params["rate"] == 0.5
    assert recipe("pint-la-75").selection.fraction == 0.75


def test_numbers_of_the_generators():
    def document(name):
        return presets.load(name).document

    assert document("mtcl-la-16")["selection"] == {"clean": 16}
    assert document("sp-jsrt-a70-b50")["target"] == {"metric": "wrong_foreground", "value": [0.5, 0.5]}
    assert document("sp-jsrt-a30-b70")["selection"] == {"fraction": 0.3, "rounding": "floor"}
    assert document("tfal-30")["selection"] == {"fraction": 0.3, "by": "group", "rounding": "floor"}
    for name, rest in (("easy", 0.4), ("medium", 0.25), ("hard", 0.1)):
        weights = [option["weight"] for option in document(f"coco-n-{name}")["steps"][0]["one_of"]]
        assert sum(weights) == pytest.approx(1)
        assert weights[-1] == rest
    assert Target(**document("sp-jsrt-a50-b50")["target"]).value == (0.5, 0.5)


def test_a_mistyped_name_gets_a_suggestion():
    with pytest.raises(UsageError, match="no preset 'jcas-elipse'; did you mean 'jcas-ellipse'"):
        presets.load("jcas-elipse")


def test_a_family_fills_its_words_and_keeps_the_kind_of_a_value():
    text = """
title = "Family $number"
source = "s"
states = "$share of them"
reading = "r"
data = "d"

[variants]
one = { number = 1, share = 0.5 }

[recipe.selection]
fraction = "$share"

[[recipe.steps]]
mode = "dilate"
params = { radius_px = ["$number", "$number"] }
"""
    (one,) = presets._read("f", text)
    assert (one.name, one.family, one.title, one.states) == ("f-one", "f", "Family 1", "0.5 of them")
    assert one.recipe.selection.fraction == 0.5
    assert one.recipe.steps[0].params == {"radius_px": [1, 1]}
    with pytest.raises(KeyError):
        presets._read("f", text.replace('"$number", "$number"', '"$nmber", 1'))
    assert (
        tomllib.loads(one.recipe.to_toml())["recipe"]["steps"][0]["version"] == MODES.load("dilate").VERSION
    )
