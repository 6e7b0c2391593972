"""Batches in numbers: what is normalised with what, and that labels go where their image goes."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import small_case, small_info, small_split

from noisylabels.case import IGNORE
from noisylabels.store.dataset import write_dataset
from noisylabels_plugins.batches import AUGMENTATIONS, TrainingSet, normalise
from noisylabels_plugins.trusted import Trusted

SHAPES = [(24, 30), (20, 40), (33, 28), (24, 30), (26, 31), (24, 30), (60, 50), (24, 30)]


def seen_in(labels):
    """An image that shows its labels: the first channel is the class, the second one 7 more."""
    return np.stack([labels % 8, labels % 8 + 7]).astype(np.uint8)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Cases of several sizes whose pixels tell their class; validation and test cases are far brighter."""
    cases = []
    for number, shape in enumerate(SHAPES):
        one = small_case(number, shape=shape, channels=2)
        image = seen_in(one.labels) + (100 if number > 5 else 0)
        cases.append(replace(one, image=image.astype(np.uint8)))
    place = tmp_path_factory.mktemp("exact") / "d"
    return write_dataset(cases, small_info(channels=2), place, {"default": small_split(8)})


def pixels(dataset):
    return np.concatenate([dataset.load(i).image.reshape(2, -1) for i in dataset.ids("train")], 1).astype(
        float
    )


def test_every_pixel_of_the_training_images_counts_once(shown):
    data = TrainingSet(shown, shown, 0, ())
    assert data.mean == pytest.approx(pixels(shown).mean(1), rel=1e-6)
    assert data.sd == pytest.approx(pixels(shown).std(1), rel=1e-6)
    assert data.ids == shown.ids("train")
    assert data.shape == (20, 28)


@pytest.mark.parametrize("augment", [(), ("flip",), ("shift",), ("flip", "shift")])
def test_a_label_stays_on_its_pixel(shown, augment):
    data = TrainingSet(shown, shown, 0, augment)
    for epoch in range(6):
        for index in range(data.steps_per_epoch(3)):
            batch = data.batch(epoch, index, 3)
            known = batch.labels != IGNORE
            for channel, more in ((0, 0), (1, 7)):
                value = batch.image[:, channel] * float(data.sd[channel]) + float(data.mean[channel])
                torch.testing.assert_close(
                    value[known], batch.labels[known].float() + more, atol=1e-3, rtol=0
                )


def test_intensity_is_drawn_by_seed_and_within_its_bounds(shown):
    def gains(seed):
        """Gain and offset of every case and epoch, from images that are known without."""
        found = {}
        for data in (TrainingSet(shown, shown, seed, ()), TrainingSet(shown, shown, seed, ("intensity",))):
            for epoch in range(8):
                batch = data.batch(epoch, 0, 6)
                for case_id, image in zip(batch.case_ids, batch.image, strict=True):
                    found.setdefault((case_id, epoch), []).append(image[0].flatten().double().numpy())
        return {key: np.polyfit(x, y, 1) for key, (x, y) in found.items() if np.ptp(x) > 0}

    by_case, others = gains(0), gains(1)
    one = np.array([by_case[key] for key in by_case.keys() & others.keys()])
    other = np.array([others[key] for key in by_case.keys() & others.keys()])
    for low, high, values in ((0.8, 1.2, one[:, 0]), (-0.2, 0.2, one[:, 1])):
        assert values.min() >= low - 1e-5
        assert values.max() <= high + 1e-5
        assert np.ptp(values) > 0.3, "both ways"
    assert len(one) > 30
    assert np.isclose(one[:, 0], other[:, 0]).mean() < 0.2


def test_a_case_that_comes_again_in_an_epoch_looks_different(shown):
    """Trusted cases of a two-stream sampler come in every batch."""
    ids = shown.ids("train")
    data = TrainingSet(shown, shown, 0, AUGMENTATIONS, "two-stream", Trusted(frozenset(ids[1:2])))
    looks = {}
    for index in range(data.steps_per_epoch(2)):
        batch = data.batch(0, index, 2)
        for case_id, image in zip(batch.case_ids, batch.image, strict=True):
            looks.setdefault(case_id, set()).add(image.numpy().tobytes())
    assert {case_id: len(seen) for case_id, seen in looks.items()} == {
        i: 5 if i == ids[1] else 1 for i in ids
    }


@pytest.mark.parametrize(("size", "least", "sizes"), [(4, 1, [4, 2]), (4, 2, [4, 2]), (4, 3, [6]), (5, 1, [5, 1]),
                                                     (5, 2, [6]), (3, 2, [3, 3]), (6, 2, [6])])  # fmt: skip
def test_a_rest_too_small_for_the_network_joins_the_batch_before_it(shown, size, least, sizes):
    data = TrainingSet(shown, shown, 0, (), min_batch=least)
    assert data.steps_per_epoch(size) == len(sizes)
    batches = [data.batch(2, index, size).case_ids for index in range(len(sizes))]
    assert [len(ids) for ids in batches] == sizes
    assert Counter(i for ids in batches for i in ids) == Counter(data.ids)


def test_which_classes_a_case_holds(shown):
    data = TrainingSet(shown, shown, 0, ())
    for case_id in data.ids:
        present = set(np.unique(shown.load(case_id, image=False).labels).tolist()) - {IGNORE}
        assert [k for k, has in enumerate(data.holds[case_id]) if has] == sorted(present)


def test_batches_of_another_size_are_asked_for_in_between(shown):
    data = TrainingSet(shown, shown, 0, ())
    for size in (2, 6, 3):
        ids = [i for index in range(data.steps_per_epoch(size)) for i in data.batch(0, index, size).case_ids]
        assert sorted(ids) == data.ids
        assert len(data.batch(0, 0, size).case_ids) == size


def test_a_window_may_lie_at_either_end(tmp_path):
    """One case is wider by a single column: it is left out on the one side or on the other."""
    cases = [small_case(0, shape=(6, 7)), small_case(1, shape=(6, 8))]
    parts = {"train": ["case_000", "case_001"], "val": [], "test": []}
    dataset = write_dataset(cases, small_info(), tmp_path / "d", {"default": parts})
    data = TrainingSet(dataset, dataset, 0, ())
    raw = normalise(dataset.load("case_001").image, data.mean, data.sd)
    starts = set()
    for epoch in range(20):
        batch = data.batch(epoch, 0, 2)
        part = batch.image[batch.case_ids.index("case_001")].numpy()
        starts |= {start for start in (0, 1) if np.array_equal(part, raw[..., start : start + 7])}
    assert starts == {0, 1}
