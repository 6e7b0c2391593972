"""A cache folder never gives a run the images or labels of another one, and memory is asked before it is taken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small import small_dataset

from noisylabels.catalogue import MODES
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import write_dataset
from noisylabels_plugins import cache
from noisylabels_plugins.batches import TrainingSet
from noisylabels_plugins.trusted import NOBODY, Trusted


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cached")
    mode = MODES.load("symmetric")
    step = Step.of("symmetric", mode, mode.Params(rate=0.4, unit="pixel"))
    return noisy_dataset(small_dataset(folder / "clean"), Recipe(0, (step,)), folder / "noisy")


def test_noisy_clean_and_partly_replaced_labels_have_places_of_their_own(noisy, tmp_path):
    one, two = noisy.ids("train")[:2]
    asked = [
        (noisy, NOBODY),
        (noisy.clean, NOBODY),
        (noisy, Trusted(frozenset([one]), frozenset([one]))),
        (noisy, Trusted(frozenset([two]), frozenset([two]))),
        (noisy, Trusted(frozenset([one]), frozenset())),
    ]
    for labels, trusted in [*asked, *asked]:
        plain, mapped = (
            TrainingSet(noisy, labels, 0, (), trusted=trusted, cache=cache) for cache in (None, str(tmp_path))
        )
        assert plain.class_counts == mapped.class_counts
        for case_id in plain.ids:
            source = noisy.clean if case_id in trusted.replaced else labels
            np.testing.assert_array_equal(mapped.labels[case_id], plain.labels[case_id])
            np.testing.assert_array_equal(plain.labels[case_id], source.load(case_id).labels)
    assert len(list(tmp_path.iterdir())) == 4, "trusted labels that stay as they are need no copy"


def test_the_same_labels_with_other_images_have_another_place(noisy, tmp_path):
    found = []
    for name, more in (("one", 0), ("other", 20)):
        cases = [noisy.clean.load(case_id) for case_id in noisy.clean.ids()]
        cases = [replace(case, image=case.image + np.uint8(more)) for case in cases]
        clean = write_dataset(cases, noisy.info, tmp_path / name, noisy.splits)
        again = noisy_dataset(clean, noisy.recipe, tmp_path / f"{name}-noisy")
        data = TrainingSet(again, again, 0, (), cache=str(tmp_path / "cache"))
        found.append(data.images[data.ids[0]])
    np.testing.assert_array_equal(found[0] + np.uint8(20), found[1])


def loaded(case_id):
    """A case of 200 bytes that is like no other."""
    return np.full((1, 10, 10), ord(case_id), np.uint8), np.full((10, 10), ord(case_id) + 1, np.uint8)


def test_cases_facts_and_their_order_decide_the_place(tmp_path):
    """A split is no part of a dataset's digest: the same facts may stand for other cases."""
    for ids, facts in ((["a", "b"], "x"), (["a", "c"], "x"), (["a", "b"], "y")):
        for _ in range(2):
            found = cache.decoded(loaded, ids, [facts], str(tmp_path))
            assert list(found.images) == list(found.labels) == ids
            for case_id in ids:
                np.testing.assert_array_equal(found.images[case_id], loaded(case_id)[0])
                np.testing.assert_array_equal(found.labels[case_id], loaded(case_id)[1])
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(("room", "mapped"), [(399, True), (400, False)])
def test_all_cases_must_fit_together(tmp_path, monkeypatch, room, mapped):
    monkeypatch.setattr(cache, "room", lambda: room)
    monkeypatch.setattr(cache, "user_cache", lambda: tmp_path)
    found = cache.decoded(loaded, ["a", "b"], ["x"], "auto")
    assert isinstance(found.images["b"].base, np.memmap) == mapped
    assert len(list(tmp_path.iterdir())) == mapped


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({"meminfo": "MemTotal: 9000 kB\nMemAvailable:  5000 kB\n"}, 5000 * 1024),
        ({"meminfo": "MemAvailable: 5000 kB\n", "memory.max": "3000000\n"}, 3000000),
        ({"meminfo": "MemAvailable: 5000 kB\n", "memory.max": "max\n"}, 5000 * 1024),
        ({}, 8 * 2**30),
    ],
    ids=["machine", "container", "container without a limit", "another system"],
)
def test_room_is_told_by_machine_and_container(tmp_path, monkeypatch, files, free):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cache, "Path", lambda path: tmp_path / Path(path).name)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert cache.room() == pytest.approx(cache.SHARE * free)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert cache.room() == pytest.approx(cache.SHARE * free / 4)
