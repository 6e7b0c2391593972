"""Recipes as they are typed, read from files and named as presets, through the command line."""

import csv
import re
import tomllib
from pathlib import Path

import pytest
from small import small_dataset

from noisylabels import presets
from noisylabels.catalogue import MODES
from noisylabels.selection import Selection
from noisylabels.store.dataset import Dataset


@pytest.mark.parametrize(
    ("words", "table"),
    [
        (("--count", 2), {"count": 2}),
        (("--clean", 2, "--by", "group"), {"clean": 2, "by": "group"}),
        (
            ("--fraction", 0.5, "--rounding", "floor", "--per-class"),
            {"fraction": 0.5, "rounding": "floor", "per_class": True},
        ),
        (("--objects", 0.5), {"fraction": 1.0, "objects": 0.5}),
    ],
)  # fmt: skip
def test_selections_as_typed(noisylabels, here, words, table):
    small_dataset(here / "d")
    assert noisylabels("corrupt", "d", "--mode", "ellipse", "--out", "n", *words).code == 0
    assert tomllib.loads((here / "n" / "recipe.toml").read_text())["recipe"]["selection"] == table


def test_what_is_typed_wins_over_a_recipe_and_over_a_preset(noisylabels, here):
    small_dataset(here / "d")
    (here / "mine.toml").write_text(RECIPE)
    assert noisylabels("corrupt", "d", "--recipe", "mine.toml").out == "d-mine\n"
    made = Dataset.open("d-mine").recipe
    assert (made.selection, made.target.value) == (Selection(clean=2), (0.02, 0.1))
    words = (
        "--count",
        3,
        "--target",
        "wrong-pixels=0.05",
        "--tolerance",
        0.02,
        "--seed",
        9,
        "--annotators",
        2,
    )
    assert noisylabels("corrupt", "d", "--recipe", "mine.toml", "--out", "n", *words).code == 0
    made = Dataset.open("n").recipe
    assert (made.seed, made.selection, made.annotators) == (9, Selection(count=3), 2)
    assert (made.target.metric, made.target.value, made.target.tolerance) == (
        "wrong_pixels",
        (0.05, 0.05),
        0.02,
    )
    assert sorted(p.name for p in (here / "n" / "readers").iterdir()) == ["1", "2"]
    answer = noisylabels(
        "corrupt", "d", "--preset", "coseg_type1_50", "--clean", 1, "--split-parts", "train,val"
    )
    assert (answer.code, answer.out) == (0, "d-coseg-type1-50\n"), answer.err
    made = Dataset.open("d-coseg-type1-50")
    assert made.recipe.selection == Selection(clean=1)
    assert made.recipe.splits == ("train", "val")
    assert len(made.entries) == 7


RECIPE = """
[recipe]
seed = 4

[recipe.selection]
clean = 2

[recipe.target]
metric = "wrong_pixels"
value = [0.02, 0.1]

[[recipe.steps]]
mode = "symmetric"
version = 1
params = { unit = "pixel", classes = ["liver", "tumour"] }

[[recipe.steps]]
per = "object"
one_of = [
    { weight = 1, mode = "dilate", version = 1 },
    { weight = 3, mode = "none" },
]
"""
"""Class names, a choice, a selection and a target, as one writes them by hand."""


def test_classes_by_name(noisylabels, here):
    small_dataset(here / "d")
    words = ("corrupt", "d", "--mode", "ellipse", "--classes")
    assert noisylabels(*words, "liver,tumour", "--out", "names").code == 0
    assert noisylabels(*words, "1,3", "--out", "numbers").code == 0
    assert Dataset.open("names").recipe == Dataset.open("numbers").recipe
    assert Dataset.open("names").digest == Dataset.open("numbers").digest


def test_a_target_is_met_and_one_that_cannot_be_is_said(noisylabels, here):
    small_dataset(here / "d")
    words = ("corrupt", "d", "--mode", "symmetric", "--unit", "pixel", "--background", "no", "--target")
    answer = noisylabels(*words, "dice=0.75", "--tolerance", 0.05, "--out", "n")
    assert answer.code == 0, answer.err
    assert "out of reach for 1 of 6 label maps" in answer.err, "case_004 is empty"
    with (here / "n" / "cases.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert sum(abs(float(row["reached"]) - 0.75) <= 0.05 for row in rows) == 5
    answer = noisylabels(*words, "wrong_foreground=9", "--out", "m")
    assert (answer.code, answer.out) == (0, "m\n")
    assert (
        "The target of wrong_foreground was out of reach for 6 of 6 label maps: they have the nearest"
        in answer.err
    )


@pytest.mark.parametrize(
    "words", [("--executor", "serial"), ("--jobs", 2), ("--executor", "processes", "--jobs", 1)]
)
def test_executors_make_the_same(noisylabels, here, words):
    small_dataset(here / "d")
    assert noisylabels("corrupt", "d", "--mode", "boundary", "--out", "one").code == 0
    assert noisylabels("corrupt", "d", "--mode", "boundary", "--out", "two", *words).code == 0
    assert Dataset.open("one").digest == Dataset.open("two").digest


def test_presets_are_listed_and_shown_as_recipe_files(noisylabels, here):
    listed = noisylabels("presets")
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == [p.name for p in presets.every()]
    for name in ("jcas-ellipse", "coseg-type1-10"):
        shown = noisylabels("presets", name)
        assert shown.code == 0
        for part in ("# Source: ", "# The source states: ", "# Our reading: ", "# For: "):
            assert part in shown.out
        (here / "shown.toml").write_text(shown.out)
        small_dataset(here / name)
        assert noisylabels("corrupt", name, "--recipe", "shown.toml", "--out", f"{name}-1").code == 0
        assert noisylabels("corrupt", name, "--preset", name, "--out", f"{name}-2").code == 0
        assert Dataset.open(f"{name}-1").recipe == Dataset.open(f"{name}-2").recipe


def test_a_profile_is_read_from_its_file(noisylabels, here):
    """As for every parameter that a mode allows to be given as a file."""
    if "like" not in MODES.names():
        pytest.skip("there is no such mode")
    small_dataset(here / "d")
    text = MODES.load("like").Params().profile
    (here / "p.txt").write_text(text)
    for given, out in ((text, "one"), ("p.txt", "two")):
        assert noisylabels("corrupt", "d", "--mode", "like", "--profile", given, "--out", out).code == 0
    assert Dataset.open("one").recipe == Dataset.open("two").recipe


DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("number", range(3))
def test_recipes_of_the_documentation_run(noisylabels, here, number):
    examples = re.findall(r"```toml\n(.*?)```", (DOCS / "recipes.md").read_text(), re.DOTALL)
    assert len(examples) == 3
    small_dataset(here / "d")
    (here / "mine.toml").write_text(examples[number])
    answer = noisylabels("corrupt", "d", "--recipe", "mine.toml")
    assert (answer.code, answer.out) == (0, "d-mine\n"), answer.err
    if not number:
        assert noisylabels("corrupt", "d", "--mode", "ellipse", "--fraction", 0.5, "--out", "n").code == 0
        assert Dataset.open("n").digest == Dataset.open("d-mine").digest
