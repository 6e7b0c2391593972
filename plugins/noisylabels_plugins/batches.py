"""Dataset -> batches: decoded once, normalised, augmented by an address instead of an order."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData
from noisylabels.store.dataset import Dataset
from noisylabels_plugins.api import Batch
from noisylabels_plugins.cache import decoded
from noisylabels_plugins.samplers import SAMPLERS
from noisylabels_plugins.trusted import NOBODY, Trusted

AUGMENTATIONS = ("flip", "intensity", "shift")
"""What may be done to a training image: flip (last axis, probability 1/2), intensity (gain and offset by up to 20 % of
the standard deviation), shift (by up to an eighth of the size along every axis; what comes in is 0, the mean, and
IGNORE)."""


class Item(NamedTuple):
    """A case in an epoch.

    Attributes:
        case_id: its name.
        before: how often it came before in the same epoch.
    """

    case_id: str
    before: int = 0


class TrainingSet:
    """Training cases of a dataset, decoded once.

    Cases of different shapes are cropped (at a random place, by address) to the smallest shape.

    Args:
        images: which images and splits.
        labels: where the labels come from; the same dataset, or its clean parent.
        seed: seed of order and augmentation.
        augment: which of ``AUGMENTATIONS`` to apply.
        sampler: how batches are put together, a name of ``SAMPLERS``.
        trusted: ids of cases whose labels are known to be clean.
        min_batch: cases that the network needs in a batch; a last batch with fewer joins the one before.
        cache: where decoded cases are kept, see :func:`cache.decoded`.

    Attributes:
        images: of every case, (C, *S), as they are on disk.
        labels: of every case, (*S), those that are trained on.
        shape: of a training image, *S.
        class_counts: pixels of every class in them.
        holds: which classes every case has in them, (K,).
        mean: of every channel over all training images; likewise ``sd``.
    """

    def __init__(
        self,
        images: Dataset,
        labels: Dataset,
        seed: int,
        augment: tuple[str, ...],
        sampler: str = "shuffle",
        trusted: Trusted = NOBODY,
        *,
        min_batch: int = 1,
        cache: str | None = None,
    ) -> None:
        self.seed, self.augment, self.sampler = seed, augment, SAMPLERS[sampler]
        self.trusted, self.min_batch = trusted.ids, min_batch
        self.ids = images.ids("train")
        if not self.ids:
            raise InvalidData(f"{images.path} has no training case; a split named 'train' must list some.")
        bare = [case_id for case_id in self.ids if labels.noisy and case_id not in labels.entries]
        if bare:
            raise InvalidData(
                f"{labels.path} has no noisy labels for {len(bare)} training cases ({bare[0]}, ...): the split was "
                "changed after it was made; make it anew with noisylabels corrupt."
            )
        if len(self.ids) < min_batch:
            raise InvalidData(
                f"{images.path} has {len(self.ids)} training case, and the network needs {min_batch} in a batch."
            )

        def load(case_id: str) -> tuple[NDArray[Any], LabelMap]:
            case = images.load(case_id, readers=False)
            if case.image is None:
                raise InvalidData(f"Case {case_id} of {images.path} has no image to train on.")
            source = images.clean if case_id in trusted.replaced else labels
            own = case if source is images else source.load(case_id, image=False, readers=False)
            return case.image, own.labels

        facts = (images.clean.digest, images.digest, labels.digest, *sorted(trusted.replaced))
        self.images, self.labels = decoded(load, self.ids, facts, cache)
        shapes = np.array([labels.shape for labels in self.labels.values()])
        self.shape: tuple[int, ...] = tuple(shapes.min(0).tolist())
        size = len(images.info.classes)
        counts = {k: np.bincount(one.ravel(), minlength=256)[:size] for k, one in self.labels.items()}
        self.class_counts: tuple[int, ...] = tuple(np.sum(list(counts.values()), 0).tolist())
        self.holds = {case_id: count > 0 for case_id, count in counts.items()}
        self.mean, self.sd = _moments(self.images.values())
        self._epoch: tuple[tuple[int, int], list[list[Item]]] = ((-1, -1), [])

    def steps_per_epoch(self, batch_size: int) -> int:
        """Updates in one pass; the last batch may be smaller."""
        return len(self._batches(0, batch_size))

    def items(self, epoch: int, index: int, batch_size: int) -> list[Item]:
        """The cases of batch ``index`` of an epoch."""
        return self._batches(epoch, batch_size)[index]

    def batch(self, epoch: int, index: int, batch_size: int) -> Batch:
        """Batch ``index`` of an epoch; a function of its arguments alone."""
        return self.make(self.items(epoch, index, batch_size), epoch)

    def plain_batches(self, batch_size: int) -> Iterator[Batch]:
        """All cases once, in their own order, without augmentation."""
        for start in range(0, len(self.ids), batch_size):
            yield self.make([Item(one) for one in self.ids[start : start + batch_size]], None)

    def make(self, items: Sequence[Item], epoch: int | None) -> Batch:
        """A batch of these cases, augmented as in this epoch; None for no augmentation."""
        image = np.empty((len(items), len(self.mean), *self.shape), np.float32)
        labels = np.empty((len(items), *self.shape), np.int64)
        for place, item in enumerate(items):
            self._fill(image[place], labels[place], item, epoch)
        return Batch(
            image=torch.from_numpy(image),
            labels=torch.from_numpy(labels),
            case_ids=tuple(item.case_id for item in items),
        )

    def _batches(self, epoch: int, batch_size: int) -> list[list[Item]]:
        """The batches of an epoch; kept until another one is asked for."""
        key, found = self._epoch
        if key != (epoch, batch_size):
            batches = self.sampler(self, epoch, batch_size)
            if len(batches) > 1 and len(batches[-1]) < self.min_batch:
                batches = [*batches[:-2], batches[-2] + batches[-1]]
            seen = Counter[str]()
            found = [[_next(case_id, seen) for case_id in batch] for batch in batches]
            self._epoch = (epoch, batch_size), found
        return found

    def _fill(
        self, image_out: NDArray[np.float32], labels_out: NDArray[np.int64], item: Item, epoch: int | None
    ) -> None:
        """Write a case into its place in a batch: everything is a view of the stored arrays until then."""
        image, labels = self.images[item.case_id], self.labels[item.case_id]
        # A case that comes again in an epoch looks different.
        again = (str(item.before),) if item.before else ()
        draws = Draws(self.seed, "augment", item.case_id, str(epoch), *again)
        if labels.shape != self.shape:
            image, labels = _crop(image, labels, self.shape, draws.at("crop"))
        done = self.augment if epoch is not None else ()
        if "flip" in done and draws.at("flip").uniform() < 0.5:
            image, labels = image[..., ::-1], labels[..., ::-1]
        if "shift" in done:
            image_out.fill(0)  # the mean
            labels_out.fill(IGNORE)
            to, source = _shift(self.shape, draws.at("shift"))
            image_out, labels_out = image_out[(slice(None), *to)], labels_out[to]
            image, labels = image[(slice(None), *source)], labels[source]
        normalise(image, self.mean, self.sd, image_out)
        labels_out[...] = labels
        if "intensity" in done:
            gain, offset = draws.at("intensity").uniform((2,), -0.2, 0.2)
            image_out *= np.float32(1 + gain)
            image_out += np.float32(offset)


def _next(case_id: str, seen: Counter[str]) -> Item:
    seen[case_id] += 1
    return Item(case_id, seen[case_id] - 1)


def normalise(
    image: NDArray[Any],
    mean: NDArray[np.float32],
    sd: NDArray[np.float32],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Zero mean and unit deviation of every channel over the training set; (C, *S) in and out."""
    ones = (1,) * (image.ndim - 1)
    if np.result_type(image, mean) != np.float32:
        image = image.astype(np.float32)
    found = np.subtract(image, mean.reshape(-1, *ones), out=out)
    found /= sd.reshape(-1, *ones)
    return found


def _moments(images: Collection[NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of every channel over all pixels of all images; a deviation of 0 counts as 1."""
    count = sum(image[0].size for image in images)
    mean = sum(_flat(image).sum(1) for image in images) / count
    variance = sum(np.square(_flat(image) - mean[:, None]).sum(1) for image in images) / count
    sd = np.sqrt(variance)
    return mean.astype(np.float32), np.where(sd > 0, sd, 1).astype(np.float32)


def _flat(image: NDArray[Any]) -> NDArray[np.float64]:
    return image.reshape(len(image), -1).astype(np.float64)


def _crop(
    image: NDArray[Any], labels: LabelMap, shape: tuple[int, ...], draws: Draws
) -> tuple[NDArray[Any], LabelMap]:
    room = [have - want for have, want in zip(labels.shape, shape, strict=True)]
    where = draws.uniform((len(room),))
    window = tuple(
        slice(start, start + want)
        for start, want in zip(
            (int(w * (r + 1)) for w, r in zip(where, room, strict=True)), shape, strict=True
        )
    )
    return image[(slice(None), *window)], labels[window]


def _shift(shape: tuple[int, ...], draws: Draws) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """A move by up to an eighth of the size along every axis: where to, and where from."""
    where = draws.uniform((len(shape),), -0.125, 0.125)
    steps = [round(float(w) * size) for w, size in zip(where, shape, strict=True)]
    to = tuple(slice(max(0, s), n + min(0, s)) for s, n in zip(steps, shape, strict=True))
    source = tuple(slice(max(0, -s), n + min(0, -s)) for s, n in zip(steps, shape, strict=True))
    return to, source
