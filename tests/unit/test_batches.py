"""A batch is a function of seed, epoch and index; augmentation of a case depends on no other case."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import small_case, small_dataset, small_info, small_split

from noisylabels.case import IGNORE
from noisylabels.catalogue import MODES
from noisylabels.errors import InvalidData
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import write_dataset
from noisylabels.store.splits import Split
from noisylabels_plugins.batches import AUGMENTATIONS, TrainingSet, normalise


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Twelve cases of 24 x 30, eight of them for training."""
    return small_dataset(tmp_path_factory.mktemp("batches") / "clean", count=12, ignore=True)


@pytest.fixture(scope="module")
def noisy(clean):
    mode = MODES.load("symmetric")
    recipe = Recipe(0, (Step.of("symmetric", mode, mode.Params(rate=0.3, unit="pixel")),))
    return noisy_dataset(clean, recipe, clean.path.parent / "noisy")


def training(dataset, seed=0, augment=AUGMENTATIONS, labels=None):
    return TrainingSet(dataset, labels or dataset, seed, augment)


def equal(one, other):
    return (
        one.case_ids == other.case_ids
        and torch.equal(one.image, other.image)
        and torch.equal(one.labels, other.labels)
    )


def test_a_batch_is_what_the_contract_says(clean):
    batch = training(clean).batch(0, 0, 3)
    assert (batch.image.shape, batch.image.dtype) == ((3, 3, 24, 30), torch.float32)
    assert (batch.labels.shape, batch.labels.dtype) == ((3, 24, 30), torch.int64)
    assert set(batch.labels.unique().tolist()) <= {0, 1, 2, 3, IGNORE}


def test_a_batch_does_not_depend_on_what_was_asked_before(clean):
    one, other = training(clean), training(clean)
    wanted = {(epoch, index): one.batch(epoch, index, 3) for epoch in (0, 1, 2) for index in (0, 1, 2)}
    for epoch, index in [(2, 1), (0, 2), (1, 0), (2, 1)]:
        assert equal(other.batch(epoch, index, 3), wanted[epoch, index])
    assert not equal(wanted[0, 0], wanted[1, 0])
    assert not equal(training(clean, seed=1).batch(0, 0, 3), wanted[0, 0])


def test_an_epoch_holds_every_training_case_once(clean):
    data = training(clean)
    assert data.steps_per_epoch(3) == 3
    orders = set()
    for epoch in range(5):
        ids = [i for index in range(3) for i in data.batch(epoch, index, 3).case_ids]
        assert sorted(ids) == clean.ids("train")
        orders.add(tuple(ids))
    assert len(orders) == 5


def test_augmentation_of_a_case_is_keyed_by_case_and_epoch(clean):
    """Another batch size puts a case beside other cases at another place, and changes nothing about it."""
    data = training(clean)

    def of_every_case(size, epoch):
        batches = [data.batch(epoch, index, size) for index in range(data.steps_per_epoch(size))]
        return {i: (b.image[k], b.labels[k]) for b in batches for k, i in enumerate(b.case_ids)}

    by_three, by_eight, later = of_every_case(3, 4), of_every_case(8, 4), of_every_case(3, 5)
    for case_id, (image, labels) in by_three.items():
        assert torch.equal(by_eight[case_id][0], image)
        assert torch.equal(by_eight[case_id][1], labels)
        assert not torch.equal(later[case_id][0], image)


def test_another_augmentation_does_not_move_the_others(clean):
    flips = training(clean, augment=("flip",)), training(clean, augment=("flip", "intensity"))
    for epoch in range(3):
        one, both = (data.batch(epoch, 0, 8) for data in flips)
        assert torch.equal(one.labels, both.labels)
        for plain, changed in zip(one.image, both.image, strict=True):
            gain, offset = np.polyfit(plain.flatten().numpy(), changed.flatten().numpy(), 1)
            assert 0.8 <= gain <= 1.2
            assert -0.2 <= offset <= 0.2
            np.testing.assert_allclose(changed, gain * plain + offset, atol=1e-4)


def test_half_of_the_images_are_flipped_with_their_labels(clean):
    data, plain = training(clean, augment=("flip",)), training(clean, augment=())
    flipped = []
    for epoch in range(20):
        for index in range(8):
            got, wanted = data.batch(epoch, index, 1), plain.batch(epoch, index, 1)
            turned = not torch.equal(got.labels, wanted.labels) or not torch.equal(got.image, wanted.image)
            flipped.append(turned)
            if turned:
                assert torch.equal(got.labels.flip(2), wanted.labels)
                assert torch.equal(got.image.flip(3), wanted.image)
    assert 0.35 < sum(flipped) / len(flipped) < 0.65


def test_a_shift_pads_with_ignore_and_the_mean(clean):
    data, plain = training(clean, augment=("shift",)), training(clean, augment=())
    moves = set()
    for epoch in range(6):
        batch, still = data.batch(epoch, 0, 8), plain.batch(epoch, 0, 8)
        for image, labels, before, was in zip(
            batch.image, batch.labels, still.image, still.labels, strict=True
        ):
            (rows, columns) = move = found_move(before, image)
            moves.add(move)
            came_in = torch.ones(24, 30, dtype=torch.bool)
            came_in[max(0, rows) : 24 + min(0, rows), max(0, columns) : 30 + min(0, columns)] = False
            assert (labels[came_in] == IGNORE).all()
            assert not image[:, came_in].any(), "0 is the mean of a normalised image"
            rolled = was.roll(move, (0, 1))
            assert torch.equal(labels[~came_in], rolled[~came_in])
            assert abs(rows) <= 3
            assert abs(columns) <= 4
    assert len(moves) > 20


def found_move(before, after):
    """By how many rows and columns an image was moved."""
    for rows in range(-4, 5):
        for columns in range(-5, 6):
            inner = (slice(None), slice(5, -5), slice(6, -6))
            if torch.equal(before.roll((rows, columns), (1, 2))[inner], after[inner]):
                return rows, columns
    raise AssertionError("not a shift")


def test_plain_batches_are_all_cases_in_order_without_augmentation(clean):
    data = training(clean)
    batches = list(data.plain_batches(3))
    assert [i for b in batches for i in b.case_ids] == clean.ids("train")
    assert [len(b.image) for b in batches] == [3, 3, 2]
    case = clean.load("case_001")
    np.testing.assert_array_equal(batches[0].labels[1], case.labels)
    np.testing.assert_array_equal(batches[0].image[1], normalise(case.image, data.mean, data.sd))


def test_images_are_normalised_by_the_training_set(clean):
    data = training(clean, augment=())
    images = np.concatenate([b.image.numpy() for b in data.plain_batches(8)]).astype(np.float64)
    np.testing.assert_allclose(images.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(images.std((0, 2, 3)), 1, atol=1e-5)


def test_a_channel_without_contrast_stays_finite(tmp_path):
    cases = [small_case(i, channels=2) for i in range(8)]
    cases = [replace(c, image=np.stack([c.image[0], np.full_like(c.image[0], 7)])) for c in cases]
    dataset = write_dataset(cases, small_info(channels=2), tmp_path / "d", {"default": small_split(8)})
    batch = training(dataset, augment=()).batch(0, 0, 6)
    assert torch.isfinite(batch.image).all()
    assert batch.image[:, 0].std() > 0.5
    assert not batch.image[:, 1].any()


def test_class_counts_are_those_of_the_labels_trained_on(clean, noisy):
    for labels in (noisy, clean):
        counted = Counter()
        for case_id in noisy.ids("train"):
            counted.update(labels.load(case_id, image=False).labels.ravel().tolist())
        assert counted.pop(IGNORE) > 0
        data = training(noisy, labels=labels)
        assert data.class_counts == tuple(counted[k] for k in range(4))
    assert training(noisy).class_counts != training(noisy, labels=clean).class_counts


def test_noisy_and_clean_labels_come_with_the_same_images(clean, noisy):
    noise, upper = training(noisy), training(noisy, labels=clean)
    one, other = noise.batch(1, 0, 8), upper.batch(1, 0, 8)
    assert torch.equal(one.image, other.image)
    assert not torch.equal(one.labels, other.labels)
    same = training(clean).batch(1, 0, 8)
    assert equal(same, other)


def test_cases_of_several_sizes_are_cropped_to_the_smallest(tmp_path):
    shapes = [(24, 30), (20, 40), (33, 28), (24, 30), (24, 30), (26, 31), (24, 30), (24, 30)]
    cases = [small_case(i, shape=shape) for i, shape in enumerate(shapes)]
    dataset = write_dataset(cases, small_info(), tmp_path / "d", {"default": small_split(8)})
    data = training(dataset, augment=())
    assert data.shape == (20, 28)
    places = set()
    for epoch in range(8):
        for index in range(6):
            batch = data.batch(epoch, index, 1)
            case = dataset.load(batch.case_ids[0])
            image = normalise(case.image, data.mean, data.sd)
            places.add((batch.case_ids[0], window_of(image, batch.image[0].numpy())))
    assert len(places) > 24, "the place of the window changes with the epoch"
    assert {("case_001", (0, x)) for x in range(13)} & places, "no room in one direction"


def window_of(image, part):
    """Where a part lies in an image."""
    rows, columns = part.shape[1:]
    for y in range(image.shape[1] - rows + 1):
        for x in range(image.shape[2] - columns + 1):
            if (image[:, y : y + rows, x : x + columns] == part).all():
                return y, x
    raise AssertionError("not a part of the image")


def test_a_dataset_without_training_cases_is_refused(tmp_path):
    parts = {"train": [], "val": ["case_000"], "test": ["case_001"]}
    split = Split(parts=parts, rule="none", source="tests")
    dataset = write_dataset([small_case(0), small_case(1)], small_info(), tmp_path / "d", {"default": split})
    with pytest.raises(InvalidData, match="no training case"):
        training(dataset)
