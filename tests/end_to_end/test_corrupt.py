"""From nothing to measured noise, through the command line."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from mode_facts import facts
from small import small_case, small_dataset, small_info, small_split

from noisylabels import work
from noisylabels.catalogue import MODES
from noisylabels.store.dataset import Dataset, write_dataset


def test_the_command_of_the_design_in_an_empty_folder(noisylabels, here, few_phantoms):
    answer = noisylabels("corrupt", "--mode", "asymmetric")
    assert answer.code == 0
    assert answer.out == "phantoms-asymmetric\n", "stdout is the folder, for scripts"
    assert "embedded phantoms to ./phantoms" in answer.err
    assert "of the pixels are wrong" in answer.err
    noisy = Dataset.open(here / "phantoms-asymmetric")
    assert noisy.parent.path.resolve() == (here / "phantoms").resolve()
    assert noisy.measured["wrong_pixels"] > 0
    assert sorted(p.name for p in here.iterdir()) == ["phantoms", "phantoms-asymmetric"]


def test_again_says_already_there_and_changes_nothing(noisylabels, here, few_phantoms):
    noisylabels("corrupt", "--mode", "asymmetric")
    before = {p: p.stat().st_mtime_ns for p in here.rglob("*")}
    answer = noisylabels("corrupt", "--mode", "asymmetric")
    assert (answer.code, answer.out) == (0, "phantoms-asymmetric\n")
    assert "already there" in answer.err
    assert "using the phantoms in ./phantoms" in answer.err
    assert {p: p.stat().st_mtime_ns for p in here.rglob("*")} == before
    other = noisylabels("corrupt", "--mode", "asymmetric", "--seed", 1)
    assert (other.code, other.out) == (2, "")
    assert {p: p.stat().st_mtime_ns for p in here.rglob("*")} == before


def dataset_for(mode, out):
    """A small dataset of the fewest axes that the mode takes, with two readers."""
    shape = {2: (24, 30), 3: (6, 24, 30)}[min(facts(mode).dims)]
    cases = [small_case(i, shape=shape, channels=1) for i in range(8)]
    with_readers = [
        replace(case, readers={str(k): np.roll(case.labels, k, axis=-1) for k in (1, 2)}) for case in cases
    ]
    info = small_info(".png" if len(shape) == 2 else ".nii.gz", channels=1)
    return write_dataset(with_readers, info, out, {"default": small_split(8)})


@pytest.mark.parametrize("mode", MODES.names())
def test_every_mode_runs_as_typed_and_its_recipe_makes_the_same(noisylabels, here, mode):
    dataset_for(mode, here / "data" / "small")
    assert noisylabels("corrupt", "data/small", "--mode", mode, "--seed", 3).code == 0
    made = Dataset.open(here / f"small-{mode}")
    answer = noisylabels("corrupt", "data/small", "--recipe", f"small-{mode}/recipe.toml", "--out", "again")
    assert answer.code == 0, answer.err
    assert Dataset.open(here / "again").digest == made.digest
    assert Dataset.open(here / "again").recipe == made.recipe


def test_flags_reach_the_recipe(noisylabels, here):
    small_dataset(here / "d")
    words = [
        "corrupt",
        "d",
        "--mode",
        "symmetric",
        "--rate",
        "0.25",
        "--unit",
        "pixel",
        "--seed",
        "4",
        "--fraction",
        "0.5",
        "--out",
        "n",
        "--jobs",
        "1",
    ]
    assert noisylabels(*words).code == 0
    recipe = tomllib.loads((here / "n" / "recipe.toml").read_text())["recipe"]
    assert (recipe["seed"], recipe["selection"]) == (4, {"fraction": 0.5})
    assert recipe["steps"][0]["params"]["rate"] == 0.25
    assert noisylabels("corrupt", "d", "--recipe", "n/recipe.toml", "--seed", 5, "--out", "m").code == 0
    assert Dataset.open("m").recipe.seed == 5
    assert Dataset.open("m").recipe.selection.fraction == 0.5


def test_quiet_says_nothing_but_data(noisylabels, here):
    small_dataset(here / "d")
    answer = noisylabels("corrupt", "d", "--mode", "ellipse", "--quiet")
    assert answer == (0, "d-ellipse\n", "")


def test_inspect_shows_requested_and_realised(noisylabels, here):
    small_dataset(here / "d")
    noisylabels("corrupt", "d", "--mode", "symmetric", "--rate", 0.3, "--unit", "pixel")
    text = noisylabels("inspect", "d-symmetric").out
    for part in (
        "requested",
        "realised",
        "rate 0.3",
        "T[true, given]",
        "Affinity",
        "tumour",
        "vanished",
        "Dice",
    ):
        assert part in text
    facts = json.loads(noisylabels("inspect", "d-symmetric", "--json").out)
    assert facts["measured"] == Dataset.open("d-symmetric").measured
    assert facts["requested"]["steps"][0]["mode"] == "symmetric"


def test_inspect_shows_a_clean_dataset(noisylabels, here):
    dataset = small_dataset(here / "d")
    text = noisylabels("inspect", "d").out
    for part in ("8 cases of 24x30", "liver", "default", dataset.digest[:12]):
        assert part in text
    facts = json.loads(noisylabels("inspect", "d", "--json").out)
    assert facts["splits"]["default"] == {"train": 6, "val": 1, "test": 1}
    assert sum(row["pixels"] for row in facts["classes"]) == 8 * 24 * 30


def test_modes_are_listed_and_shown(noisylabels):
    listed = noisylabels("modes").out
    for mode in MODES.names():
        assert f"\n{mode} " in listed
        shown = noisylabels("modes", mode).out
        assert "Source:" in shown
        assert "--" in shown
    assert noisylabels("modes", "pair_flip").out == noisylabels("modes", "pair-flip").out


def test_phantoms_of_any_size(noisylabels, here):
    answer = noisylabels("phantom", "--cases", 9, "--size", "32x40", "--seed", 2, "--out", "p")
    assert (answer.code, answer.out) == (0, "p\n")
    assert Dataset.open("p").load("phantom_0000").image.shape == (3, 32, 40)


def test_an_interrupted_run_goes_on(noisylabels, here, monkeypatch):
    small_dataset(here / "d")
    calls = iter(range(3))

    def interrupted(case, *_):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return work.Made(case.labels)

    with monkeypatch.context() as patch:
        patch.setattr(work, "corrupted", interrupted)
        answer = noisylabels("corrupt", "d", "--mode", "symmetric", "--rate", 0)
    assert answer.code == 130
    assert answer.err.strip().endswith("noisylabels: Interrupted.")
    assert not (here / "d-symmetric").exists()
    assert noisylabels("corrupt", "d", "--mode", "symmetric", "--rate", 0).code == 0
    assert Dataset.open("d-symmetric").measured["wrong_pixels"] == 0
