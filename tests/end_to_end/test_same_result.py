"""The same labels whatever the number of workers, the order, the subset, and how often the run was killed."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small import small_case, small_info, small_split

from noisylabels import generate
from noisylabels.catalogue import MODES
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import OneOf, Option, Recipe, Selection, Step, Target
from noisylabels.store.dataset import Dataset, write_dataset
from noisylabels.store.work import WorkFolder

COUNT = 40


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def step(mode, **params):
    module = MODES.load(mode)
    return Step.of(mode, module, module.Params(**params))


def three_steps(fraction=0.75):
    """Three steps, so that addresses of steps matter too."""
    steps = (
        step("symmetric", rate=0.1, unit="pixel"),
        step("asymmetric", rate=0.5, unit="component"),
        step("boundary"),
    )
    return Recipe(11, steps, Selection(fraction))


def every_layer(fraction=0.75):
    """Choices per object, shared draws, classes and objects of their own, annotators, and a solved strength."""
    flips = step("asymmetric", rate=0.2, unit="pixel", background=False)
    options = (
        Option(0.5, flips),
        Option(0.3, step("dilate", radius_px=(1.0, 3.0))),
        Option(0.2, Step.nothing()),
    )
    return Recipe(
        11,
        (OneOf(options, "object"), step("symmetric", rate=0.05, unit="pixel")),
        Selection(fraction, by="group", per_class=True, objects=0.8),
        annotators=2,
        share="segment",
        segment=(2, 3),
        target=Target("dice", (0.6, 0.95)),
    )


PLANE = {"ending": ".png", "shape": (48, 60)}
VOLUME = {"ending": ".nii.gz", "channels": 1, "shape": (12, 20, 24), "spacing": (2.0, 1.0, 1.0)}
KINDS = {
    "2-D": (PLANE, COUNT, three_steps),
    "3-D": (VOLUME, COUNT, three_steps),
    "layers": ({"ending": ".png", "shape": (24, 30)}, 20, every_layer),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def recipe(kind):
    return KINDS[kind][2]


@pytest.fixture(scope="module")
def clean(kind, tmp_path_factory):
    """Cases in groups of five."""
    options, count, _ = KINDS[kind]
    options = dict(options)
    ending, channels = options.pop("ending"), options.get("channels", 3)
    cases = (replace(small_case(i, ignore=True, **options), group=f"group {i // 5}") for i in range(count))
    out = tmp_path_factory.mktemp(kind) / "d"
    return write_dataset(cases, small_info(ending, channels), out, {"default": small_split(count)})


@pytest.fixture(scope="module")
def want(clean, recipe):
    """The files of one undisturbed run."""
    return tree(noisy_dataset(clean, recipe(), clean.path.parent / "want").path)


def test_two_workers(clean, recipe, want):
    two = noisy_dataset(clean, recipe(), clean.path.parent / "two", jobs=2)
    assert tree(two.path) == want


def test_reversed_order(clean, recipe, want, monkeypatch):
    in_order = generate.map_cases
    monkeypatch.setattr(generate, "map_cases", lambda fn, ids, *how: in_order(fn, list(ids)[::-1], *how))
    assert tree(noisy_dataset(clean, recipe(), clean.path.parent / "reversed").path) == want


def test_a_subset(clean, recipe, want):
    """A dataset of every third group: what its cases become does not depend on the others that there were."""
    full = Dataset.open(clean.path.parent / "want")
    groups = sorted({clean.entries[case_id].group for case_id in clean.ids("train")})[::3]
    kept = [case_id for case_id in clean.ids("train") if clean.entries[case_id].group in groups]
    ending = clean.info.ending
    some = write_dataset(
        [clean.load(case_id) for case_id in clean.ids() if clean.entries[case_id].group in groups],
        clean.info,
        clean.path.parent / "some",
        {"default": {"train": kept}},
    )
    noisy = noisy_dataset(some, recipe(fraction=1.0), clean.path.parent / "some-noisy")
    whole = noisy_dataset(clean, recipe(fraction=1.0), clean.path.parent / "whole")
    for case_id in kept:
        assert noisy.entries[case_id].labels_digest == whole.entries[case_id].labels_digest
        names = clean.info.classes[1:]
        row = full.entries[case_id].measured
        if all(row.get(f"chosen_{name}", row["chosen"]) == "yes" for name in names):
            assert noisy.entries[case_id].labels_digest == full.entries[case_id].labels_digest
        label = f"labelsTr/{case_id}{ending}"
        assert (noisy.path / label).read_bytes() == (whole.path / label).read_bytes()


DRIVER = """
import sys
from pathlib import Path
from noisylabels import generate
from noisylabels.recipe import Recipe
from noisylabels.store.dataset import Dataset

if __name__ == "__main__":
    clean, recipe, out, jobs = sys.argv[1:]
    generate.noisy_dataset(Dataset.open(clean), Recipe.from_toml(Path(recipe).read_text()), out, int(jobs))
"""


def _start(folder, clean, recipe, out, jobs):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    (folder / "driver.py").write_text(DRIVER)
    (folder / "recipe.toml").write_text(recipe.to_toml())
    words = [folder / "driver.py", clean.path, folder / "recipe.toml", out, str(jobs)]
    return subprocess.Popen([sys.executable, *words], env=environment, start_new_session=True)


def _records(out):
    return len(list((out.parent / f".{out.name}.part" / "records").glob("*.json")))


def _kill_after(process, out, records, seconds):
    """Kill the process, workers and all, a moment after so many cases are finished; whether it was faster."""
    with process:
        while process.poll() is None and _records(out) < records:
            time.sleep(0.001)
        time.sleep(seconds)
        finished = process.poll() is not None
        if not finished:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return finished


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_and_resumed(clean, recipe, want, tmp_path, jobs):
    """SIGKILL at moments that are drawn anew in every run; the folder is named after the seed."""
    seed = random.SystemRandom().randrange(10**6)
    out = clean.path.parent / f"killed-{jobs}-{seed}"
    moments = random.Random(seed)
    kills = before = 0
    for _ in range(3):
        more, seconds = moments.randrange(10), moments.uniform(0, 0.03)
        if _kill_after(_start(tmp_path, clean, recipe(), out, jobs), out, before + more, seconds):
            break
        kills += 1
        assert out.exists() or _records(out) >= before, "nothing that was finished is lost"
        before = _records(out)
    assert kills
    if not out.exists():
        noisy_dataset(clean, recipe(), out, jobs=1)
    assert tree(out) == want, f"seed {seed}, {kills} kills"


def test_killed_after_every_single_write(tmp_path, monkeypatch):
    """A process that dies at any of its writes, before or after the rename, and then the same run again."""
    clean = write_dataset(
        [small_case(i) for i in range(3)],
        small_info(),
        tmp_path / "d",
        {"default": {"train": [f"case_{i:03d}" for i in range(3)]}},
    )
    recipe = replace(three_steps(), annotators=2)
    want = tree(noisy_dataset(clean, recipe, tmp_path / "want").path)
    rename = Path.replace
    for moment in range(2 * 16):
        out = tmp_path / f"out-{moment}"
        left = iter(range(moment // 2))

        def dies(self, target, moment=moment, left=left):
            if next(left, None) is None:
                if moment % 2:
                    rename(self, target)
                raise SystemExit(137)
            return rename(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dies)
            patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
            patch.setattr(WorkFolder, "leave", lambda self: None)
            with pytest.raises(SystemExit):
                noisy_dataset(clean, recipe, out)
        assert not out.exists()
        assert tree(noisy_dataset(clean, recipe, out).path) == want
        assert not (tmp_path / f".out-{moment}.part").exists()


@pytest.mark.parametrize("recipe", [three_steps(), every_layer()])
def test_labels_do_not_depend_on_the_place_or_the_encoding(tmp_path, recipe):
    """The same arrays as PNG and as NIfTI, in two places: the same noisy labels, by digest."""
    ids = [f"case_{i:03d}" for i in range(6)]
    found = []
    for ending in (".png", ".nii.gz"):
        folder = tmp_path / ending[1:4] / "d"
        dataset = write_dataset(
            [small_case(i, channels=1) for i in range(6)],
            small_info(ending, 1),
            folder,
            {"default": {"train": ids}},
        )
        noisy = noisy_dataset(dataset, recipe, folder.parent / "n")
        found.append([np.asarray(noisy.load(i).labels) for i in ids])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
