"""Dataset -> batches: decoded once, normalised, augmented by an address instead of an order."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData
from noisylabels.store.dataset import Dataset
from noisylabels_plugins.api import Batch

AUGMENTATIONS = ("flip", "intensity", "shift")
"""What may be done to a training image: flip (last axis, probability 1/2), intensity (gain and offset by up to 20 % of
the standard deviation), shift (by up to an eighth of the size along every axis)."""


class TrainingSet:
    """Training cases of a dataset, held decoded in memory.

    Cases of different shapes are cropped (at a random place, by address) or padded with IGNORE to the smallest shape.

    Args:
        images: which images and splits.
        labels: where the labels come from; the same dataset, or its clean parent.
        seed: seed of order and augmentation.
        augment: which of ``AUGMENTATIONS`` to apply.
    """

    def __init__(self, images: Dataset, labels: Dataset, seed: int, augment: tuple[str, ...]) -> None:
        self.seed, self.augment = seed, augment
        self.ids = images.ids("train")
        if not self.ids:
            raise InvalidData(f"{images.path} has no training case; a split named 'train' must list some.")
        self.images: dict[str, NDArray[Any]] = {}
        self.labels: dict[str, LabelMap] = {}
        for case_id in self.ids:
            case = images.load(case_id)
            if case.image is None:
                raise InvalidData(f"Case {case_id} of {images.path} has no image to train on.")
            self.images[case_id] = case.image
            self.labels[case_id] = (
                case.labels if labels is images else labels.load(case_id, image=False).labels
            )
        shapes = np.array([labels.shape for labels in self.labels.values()])
        self.shape: tuple[int, ...] = tuple(shapes.min(0).tolist())
        counts = sum(np.bincount(labels.ravel(), minlength=256) for labels in self.labels.values())
        self.class_counts: tuple[int, ...] = tuple(np.asarray(counts)[: len(images.info.classes)].tolist())
        self.mean, self.sd = _moments(list(self.images.values()))

    def steps_per_epoch(self, batch_size: int) -> int:
        """Updates in one pass; the last batch may be smaller."""
        return -(-len(self.ids) // batch_size)

    def order(self, epoch: int) -> list[str]:
        """Case ids in the order of an epoch."""
        permutation = Draws(self.seed, "order", str(epoch)).permutation(len(self.ids))
        return [self.ids[index] for index in permutation]

    def batch(self, epoch: int, index: int, batch_size: int) -> Batch:
        """Batch ``index`` of an epoch; a function of its arguments alone."""
        return self._make(self.order(epoch)[index * batch_size : (index + 1) * batch_size], epoch)

    def plain_batches(self, batch_size: int) -> Iterator[Batch]:
        """All cases once, in their own order, without augmentation."""
        for start in range(0, len(self.ids), batch_size):
            yield self._make(self.ids[start : start + batch_size], None)

    def _make(self, ids: list[str], epoch: int | None) -> Batch:
        pairs = [self._case(case_id, epoch) for case_id in ids]
        return Batch(
            image=torch.from_numpy(np.stack([image for image, _ in pairs])),
            labels=torch.from_numpy(np.stack([labels for _, labels in pairs]).astype(np.int64)),
            case_ids=tuple(ids),
        )

    def _case(self, case_id: str, epoch: int | None) -> tuple[NDArray[np.float32], LabelMap]:
        image = normalise(self.images[case_id], self.mean, self.sd)
        labels = self.labels[case_id]
        draws = Draws(self.seed, "augment", case_id, str(epoch))
        if labels.shape != self.shape:
            image, labels = _crop(image, labels, self.shape, draws.at("crop"))
        if epoch is None:
            return image, labels
        if "flip" in self.augment and draws.at("flip").uniform() < 0.5:
            image, labels = image[..., ::-1], labels[..., ::-1]
        if "intensity" in self.augment:
            gain, offset = draws.at("intensity").uniform((2,), -0.2, 0.2)
            image = (image * np.float32(1 + gain) + np.float32(offset)).astype(np.float32)
        if "shift" in self.augment:
            image, labels = _shift(image, labels, draws.at("shift"))
        return np.ascontiguousarray(image), np.ascontiguousarray(labels)


def normalise(image: NDArray[Any], mean: NDArray[np.float32], sd: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit deviation of every channel over the training set; (C, *S) in and out."""
    ones = (1,) * (image.ndim - 1)
    return np.asarray((image.astype(np.float32) - mean.reshape(-1, *ones)) / sd.reshape(-1, *ones))


def _moments(images: list[NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of every channel over all pixels of all images; a deviation of 0 counts as 1."""
    flat = [image.reshape(len(image), -1).astype(np.float64) for image in images]
    count = sum(image.shape[1] for image in flat)
    mean = sum(image.sum(1) for image in flat) / count
    variance = sum(np.square(image - mean[:, None]).sum(1) for image in flat) / count
    sd = np.sqrt(variance)
    return mean.astype(np.float32), np.where(sd > 0, sd, 1).astype(np.float32)


def _crop(
    image: NDArray[np.float32], labels: LabelMap, shape: tuple[int, ...], draws: Draws
) -> tuple[NDArray[np.float32], LabelMap]:
    room = [have - want for have, want in zip(labels.shape, shape, strict=True)]
    where = draws.uniform((len(room),))
    window = tuple(
        slice(start, start + want)
        for start, want in zip(
            (int(w * (r + 1)) for w, r in zip(where, room, strict=True)), shape, strict=True
        )
    )
    return image[(slice(None), *window)], labels[window]


def _shift(
    image: NDArray[np.float32], labels: LabelMap, draws: Draws
) -> tuple[NDArray[np.float32], LabelMap]:
    """Move by up to an eighth of the size along every axis; what comes in is 0 (the mean) and IGNORE."""
    where = draws.uniform((labels.ndim,), -0.125, 0.125)
    moved_image, moved_labels = np.zeros_like(image), np.full_like(labels, IGNORE)
    steps = [round(float(w) * size) for w, size in zip(where, labels.shape, strict=True)]
    to = tuple(slice(max(0, s), n + min(0, s)) for s, n in zip(steps, labels.shape, strict=True))
    source = tuple(slice(max(0, -s), n + min(0, -s)) for s, n in zip(steps, labels.shape, strict=True))
    moved_image[(slice(None), *to)] = image[(slice(None), *source)]
    moved_labels[to] = labels[source]
    return moved_image, moved_labels
