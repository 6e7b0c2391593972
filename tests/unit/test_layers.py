"""Annotators, shared draws and choices of a recipe, as they come to lie in a noisy dataset."""

import shutil
import types
from dataclasses import replace

import numpy as np
import pytest
from small import small_case, small_dataset, small_info

from noisylabels import work
from noisylabels.apply import corrupted
from noisylabels.catalogue import MODES, Catalogue
from noisylabels.errors import InvalidData, UsageError
from noisylabels.generate import noisy_dataset, plan, preview_case
from noisylabels.metrics.noise import PooledNoise, measure
from noisylabels.recipe import OneOf, Option, Recipe, Selection, Step
from noisylabels.store.dataset import Dataset, write_dataset


def step(mode="symmetric", **params):
    module = MODES.load(mode)
    return Step.of(mode, module, module.Params(**params))


def recipe(seed=0, fraction=1.0, **more):
    return Recipe(seed, (step(rate=0.4, unit="pixel"),), Selection(fraction), **more)


@pytest.fixture
def clean(tmp_path):
    return small_dataset(tmp_path / "clean", count=12, ignore=True)


def _interrupt_after(monkeypatch, count):
    left = iter(range(count))

    def interrupted(*words):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return corrupted(*words)

    monkeypatch.setattr(work, "corrupted", interrupted)


def test_annotators_are_readers_and_the_first_gives_the_labels(clean, tmp_path):
    noisy = noisy_dataset(clean, recipe(fraction=0.75, annotators=3), tmp_path / "noisy")
    two = noisy_dataset(clean, recipe(fraction=0.75, annotators=2), tmp_path / "two")
    assert sorted(p.name for p in (noisy.path / "readers").iterdir()) == ["1", "2", "3"]
    for case_id in noisy.ids():
        case = noisy.load(case_id)
        assert list(case.readers) == ["1", "2", "3"]
        np.testing.assert_array_equal(case.readers["1"], case.labels)
        for k in "12":
            np.testing.assert_array_equal(two.load(case_id).readers[k], case.readers[k])
        row = noisy.entries[case_id].measured
        different = any((case.readers["1"] != case.readers[k]).any() for k in "23")
        assert different == (row["chosen"] == "yes")
        found = [
            measure(case.readers[a], case.readers[b], case.classes, None).mean_dice
            for a, b in ("12", "13", "23")
        ]
        assert float(row["dice_between_annotators"]) == pytest.approx(np.mean(found), abs=1e-6)
    table = noisy.measured["annotators"]
    assert table["count"] == 3
    assert 0.2 < table["dice_between"] < 1
    assert PooledNoise.from_dict(noisy.measured).cases == 8
    one = noisy_dataset(clean, recipe(annotators=1), tmp_path / "one")
    assert list(one.load("case_000").readers) == ["1"]
    assert "annotators" not in one.measured


def test_a_damaged_annotator_is_noticed_and_made_again(clean, tmp_path, monkeypatch):
    want = noisy_dataset(clean, recipe(annotators=2), tmp_path / "want").digest
    _interrupt_after(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt):
        noisy_dataset(clean, recipe(annotators=2), tmp_path / "noisy")
    monkeypatch.undo()
    (tmp_path / ".noisy.part" / "result" / "readers" / "2" / "case_001.png").write_bytes(b"half")
    noisy = noisy_dataset(clean, recipe(annotators=2), tmp_path / "noisy")
    assert noisy.digest == want
    shutil.copy(noisy.path / "readers/1/case_000.png", noisy.path / "readers/2/case_000.png")
    with pytest.raises(InvalidData, match=r"readers/2/case_000\.png was changed"):
        Dataset.open(noisy.path).load("case_000")
    assert not Dataset.open(noisy.path).load("case_000", readers=False).readers


def with_readers(folder):
    """A dataset whose cases have a reader who sees everything as class 1."""
    cases = [small_case(i) for i in range(4)]
    cases = [replace(c, readers={"anna": np.minimum(c.labels, 1)}) for c in cases]
    return write_dataset(
        cases,
        small_info(),
        folder,
        {"default": {"train": [c.case_id for c in cases[:3]], "test": ["case_003"]}},
    )


def test_readers_come_from_the_parent_unless_there_are_annotators(tmp_path):
    clean = with_readers(tmp_path / "clean")
    plain = noisy_dataset(clean, recipe(), tmp_path / "plain")
    several = noisy_dataset(clean, recipe(annotators=2), tmp_path / "several")
    assert list(plain.load("case_000").readers) == ["anna"]
    assert list(several.load("case_000").readers) == ["1", "2"]
    assert list(several.load("case_003").readers) == ["anna"]
    for dataset in (clean, plain, several):
        assert not dataset.load("case_003", readers=False).readers
        assert not dataset.load("case_000", readers=False).readers


@pytest.mark.parametrize("needs", [(), ("image",), ("readers",), ("image", "readers")])
def test_only_what_a_mode_needs_is_read(tmp_path, monkeypatch, needs):
    clean = with_readers(tmp_path / "clean")
    seen = []
    good = MODES.load("symmetric")

    def corrupt(case, params, draws):
        seen.append((case.image is not None, bool(case.readers)))
        return case.labels.copy()

    module = types.SimpleNamespace(
        VERSION=1, Params=good.Params, corrupt=corrupt, **({"NEEDS": frozenset(needs)} if needs else {})
    )
    monkeypatch.setattr(Catalogue, "load", lambda self, name: module)
    choice = OneOf((Option(1, step(rate=0.5)), Option(0, step(rate=0.1))), "case")
    noisy_dataset(clean, Recipe(0, (choice,)), tmp_path / "noisy")
    assert seen == [("image" in needs, "readers" in needs)] * 3


def test_a_preview_is_what_will_be_written(clean, tmp_path):
    whole = Recipe(
        3,
        (
            step(rate=0.3, unit="pixel"),
            OneOf((Option(1, step("dilate")), Option(1, Step.nothing())), "object"),
        ),
        Selection(0.5, per_class=True, objects=0.7),
        share="group",
        annotators=2,
    )
    noisy = noisy_dataset(clean, whole, tmp_path / "noisy")
    names = sorted(p.name for p in tmp_path.iterdir())
    chosen = plan(clean, whole).chosen
    for case_id in noisy.ids():
        case, labels = preview_case(clean, whole, case_id)
        assert case.image is not None
        np.testing.assert_array_equal(case.labels, clean.load(case_id).labels)
        np.testing.assert_array_equal(labels, noisy.load(case_id).labels)
        row = noisy.entries[case_id].measured
        assert row["chosen"] == ("yes" if case_id in chosen else "no")
        for c, name in enumerate(clean.info.classes[1:], start=1):
            assert row[f"chosen_{name}"] == ("yes" if c in (chosen.get(case_id) or ()) else "no")
    assert names == sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(UsageError, match="no case to be made noisy: 'case_0'; did you mean"):
        preview_case(clean, whole, "case_0")


def test_neighbours_share_their_draws(tmp_path):
    """Twelve frames with the same labels: as many different results as there are runs, in order."""
    frames = [replace(small_case(0), case_id=f"frame_{i}", group="video") for i in range(12)]
    ids = [frame.case_id for frame in frames]
    clean = write_dataset(frames, small_info(), tmp_path / "clean", {"default": {"train": ids}})

    def results(name, **more):
        noisy = noisy_dataset(clean, recipe(**more), tmp_path / name)
        return [noisy.entries[i].labels_digest for i in ids]

    assert len(set(results("alone"))) == 12
    assert len(set(results("group", share="group"))) == 1
    runs = results("segments", share="segment", segment=(2, 4))
    changes = [i for i in range(1, 12) if runs[i] != runs[i - 1]]
    assert len(set(runs)) == len(changes) + 1
    assert 3 <= len(set(runs)) <= 6
    clean_digest = clean.entries["frame_0"].labels_digest
    half = results("half", share="group", fraction=0.5)
    assert sorted(half).count(clean_digest) == 6
    assert len(set(half)) == 2


def test_class_names_are_numbers_on_disk(clean, tmp_path):
    named = Recipe(0, (Step("dilate", {"classes": ["tumour", "liver"]}, 1),))
    noisy = noisy_dataset(clean, named, tmp_path / "noisy")
    assert noisy.recipe == named.for_classes(clean.info.classes)
    assert noisy.recipe.steps[0].params["classes"] == [3, 1]
    with pytest.raises(UsageError, match="did you mean 'tumour'"):
        noisy_dataset(clean, Recipe(0, (Step("dilate", {"classes": ["tumor"]}, 1),)), tmp_path / "more")
