"""Looks before the work: --dry-run says, --preview draws, and neither leaves anything else."""

import pytest
from PIL import Image
from small import small_dataset

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


def everything(folder):
    return {p: p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(noisylabels, here):
    small_dataset(here / "d")
    (here / "mine.toml").write_text(RECIPE)
    before = everything(here)
    answer = noisylabels("corrupt", "d", "--recipe", "mine.toml", "--dry-run")
    assert answer.code == 0, answer.err
    for part in (
        "small: 8 cases",
        "symmetric, version 1", "rate 0.5", "unit pixel", "classes 1:3",
        "one of these, drawn per object", "25.0% dilate", "radius px 1:8", "75.0% nothing",
        "4 of 6 in train are touched (2 left clean)",
        "wrong_pixels drawn from 0.02 to 0.1, within 0.01",
        "seed      4",
        "d-mine: 6 label maps; it is not there yet",
        "reads     labels\n",
        "of work, in one process",
        "MiB for each process",
        "on 4 of 6 cases",
    ):  # fmt: skip
        assert part in answer.out, answer.out
    assert everything(here) == before
    more = ("--annotators", 3, "--share-draws", "group", "--jobs", 2)
    answer = noisylabels("corrupt", "d", "--mode", "ellipse", "--out", "n", "--dry-run", *more)
    for part in (
        "n: 6 label maps and those of 3 annotators",
        "shared by group",
        "with 2 processes",
        "6 of 6 in train are touched (all)",
    ):
        assert part in answer.out
    assert everything(here) == before


def test_a_dry_run_of_what_is_there(noisylabels, here):
    small_dataset(here / "d")
    assert noisylabels("corrupt", "d", "--mode", "ellipse").code == 0
    answer = noisylabels("corrupt", "d", "--mode", "ellipse", "--dry-run")
    assert "is already there, made by the same recipe: nothing to do" in answer.out
    assert noisylabels("corrupt", "d", "--mode", "ellipse", "--seed", 1, "--dry-run").code == 2


@pytest.mark.parametrize("shape", [(24, 30), (6, 20, 24)])
def test_a_preview_is_one_picture_and_nothing_else(noisylabels, here, shape):
    small_dataset(here / "d", ending=".nii.gz", channels=1, shape=shape)
    before = everything(here)
    words = ("corrupt", "d", "--mode", "boundary", "--preview", 4)
    answer = noisylabels(*words)
    assert (answer.code, answer.out) == (0, "d-boundary-preview.png\n"), answer.err
    first = (here / "d-boundary-preview.png").read_bytes()
    with Image.open(here / "d-boundary-preview.png") as picture:
        assert min(picture.size) > 200
    assert {p: v for p, v in everything(here).items() if p.name != "d-boundary-preview.png"} == before
    assert noisylabels(*words, "--seed", 1).code == 0, "an earlier preview may be replaced"
    assert (here / "d-boundary-preview.png").read_bytes() != first
    assert noisylabels("corrupt", "d", "--preset", "coseg-type1-50", "--preview", 64, "--out", "x").out == (
        "x-preview.png\n"
    )


@pytest.mark.parametrize("words", [("--dry-run",), ("--preview", 2)])
def test_a_look_without_a_dataset_leaves_no_dataset(noisylabels, here, few_phantoms, words):
    answer = noisylabels("corrupt", "--mode", "ellipse", *words)
    assert answer.code == 0, answer.err
    assert "drawn for this look only" in answer.err
    assert [p.name for p in here.iterdir()] == ["phantoms-ellipse-preview.png"] * (len(words) > 1)
    assert noisylabels("corrupt", "--mode", "ellipse").code == 0
    assert "using the phantoms in ./phantoms" in noisylabels("corrupt", "--mode", "ellipse", "--dry-run").err
