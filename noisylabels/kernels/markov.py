"""The random walk of an outline: kept as two lists of pixels, never searched for again.

A pixel can change if it has a face neighbour on the other side of the outline. Each side keeps a list of
those; a step goes through one of them and mends both around the few pixels that changed. Whether a pixel
changes is told by the word at (pixel, step, object), see :mod:`noisylabels.kernels.philox`, so the order of
the lists is of no account, and words are made for listed pixels only.

``state`` is a byte for every pixel. While an object moves: whether the pixel is on the other side than in
the clean map, whether it is listed, and how many neighbours across the outline it has. What is left after
all objects of a class: ``GROWN`` where one came, ``LOST`` where one went.
"""

from typing import NamedTuple

import numpy as np

from noisylabels.case import IGNORE, LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels import philox
from noisylabels.kernels.choice import compiled

GROWN, LOST = 4, 8

FLIPS = 0xFFFFFFFF
"""The step under which independent flips are drawn."""

_EVERYWHERE = 0xFFFFFFFF_FFFFFFFF
_FACES = np.array([(0, 0, -1), (0, 0, 1), (0, -1, 0), (0, 1, 0), (-1, 0, 0), (1, 0, 0)])
_BACK = np.array([1, 0, 3, 2, 5, 4])


class Law(NamedTuple):
    """The probabilities of the walk, as 32-bit thresholds, and where its words come from.

    Attributes:
        key: 64 bits.
        grow: of a step to grow.
        rate: of a pixel that can change to do so.
        keep: whether a step that would take the last own pixels of an object is left out.
    """

    key: int
    grow: int
    rate: int
    keep: bool


class Units(NamedTuple):
    """The objects of one class, as runs along x.

    Attributes:
        numbers: what each draws under, ascending, (n,).
        first: where the runs of each begin, (n + 1,).
        runs: row (z Y + y), first and last x of every run, sorted by object and then in C order, (m, 3).
    """

    numbers: Ints
    first: Ints
    runs: Ints


def run(
    labels: LabelMap, units: Units, steps: int, per: float, opens: Mask, law: Law, state: LabelMap
) -> Ints:
    """Let the objects of one class grow and shrink, each on its own map, and note what came and went.

    Args:
        labels: class of every pixel, (Z, Y, X).
        units: the objects.
        steps: how many steps each takes; for a radius of 100 where ``per`` is above 0.
        per: the radius of an object is this times its pixels over its faces towards other labels.
        opens: which classes they may cover, their own among them, (256,).
        law: the probabilities.
        state: 0 everywhere; ``GROWN`` and ``LOST`` are written to it, (Z, Y, X).

    Returns:
        First and one past the last index of what changed along every axis, (3, 2); empty where first >= last.
    """
    box = np.array([[size, 0] for size in labels.shape])
    fast = compiled("markov")
    if fast is not None:
        key = np.array(philox.halves(law.key), dtype=np.uint64)
        fast.run(
            labels, units.runs, units.first, units.numbers, steps, per, opens, key, np.uint64(law.grow),
            np.uint64(law.rate), law.keep, state.reshape(-1), box,
        )  # fmt: skip
        return box
    front = _Front(labels, units, steps, per, opens)
    for step in range(int(front.steps.max(initial=0))):
        front.step(step, law)
    flat = state.reshape(-1)
    came, gone = front.changes()
    flat[came] |= np.uint8(GROWN)
    flat[gone] |= np.uint8(LOST)
    for axis, places in enumerate(np.unravel_index(np.concatenate([came, gone]), labels.shape)):
        if len(places):
            box[axis] = places.min(), places.max() + 1
    return box


class _Front:
    """The twin: the pixels near the outlines of all objects of a class at once, in arrays that grow.

    A cell is a pixel seen by one object. Cells know the places of their neighbours in the arrays (-1: not a
    cell, so as in the clean map); every pixel on either side of an outline is a cell.
    """

    def __init__(self, labels: LabelMap, units: Units, steps: int, per: float, opens: Mask) -> None:
        self.labels, self.opens, self.numbers = labels.reshape(-1), opens, units.numbers
        self.shape = labels.shape
        length = units.runs[:, 2] - units.runs[:, 1] + 1
        start = units.runs[:, 0] * self.shape[2] + units.runs[:, 1] - (np.cumsum(length) - length)
        pixel = np.repeat(start, length) + np.arange(length.sum())
        unit = np.repeat(np.repeat(np.arange(len(units.numbers)), np.diff(units.first)), length)
        self.owner = np.full(self.labels.size, -1)
        self.owner[pixel] = unit
        self.sizes = np.bincount(unit, minlength=len(units.numbers))
        beside = self._neighbours(pixel)
        faces = (beside >= 0) & (self.labels[beside] != IGNORE) & (self.owner[beside] != unit[:, None])
        self.steps = np.full(len(self.sizes), steps)
        if per > 0:
            count = np.bincount(unit, faces.sum(axis=1), len(self.sizes))
            radius = per * self.sizes / np.maximum(count, 1)
            self.steps = np.floor(steps * radius / 100.0 + 0.5).astype(np.int64)
        self.codes, self.order = (np.empty(0, dtype=np.int64) for _ in range(2))  # sorted, and their cells
        self.unit, self.pixel = (np.empty(0, dtype=np.int64) for _ in range(2))
        self.inside, self.clean = (np.empty(0, dtype=bool) for _ in range(2))
        self.near, self.still = np.empty((0, 6), dtype=np.int64), np.empty((0, 6), dtype=np.int8)
        edge = faces.any(axis=1)
        self._add(unit[edge], pixel[edge])
        self._add_around(np.arange(len(self.pixel)))

    def step(self, number: int, law: Law) -> None:
        """One step of every object that is not done."""
        words = philox.words(law.key, np.full(len(self.numbers), _EVERYWHERE), number, self.numbers)
        grows = words[:, 0] < np.uint64(law.grow)
        beside = np.where(self.near >= 0, np.where(self.inside[self.near], 1, 2), self.still)
        open_to = (beside == np.where(self.inside, 2, 1)[:, None]).any(axis=1)
        can = open_to & (self.inside != grows[self.unit]) & (self.steps[self.unit] > number)
        cells = np.flatnonzero(can & (self.inside | self.opens[self.labels[self.pixel]]))
        drawn = philox.words(law.key, self.pixel[cells], number, self.numbers[self.unit[cells]])
        cells = cells[drawn[:, 0] < np.uint64(law.rate)]
        if law.keep:
            left = self.sizes - self._count(np.flatnonzero(self.clean & ~self.inside))
            last = ~grows & (self._count(cells[self.clean[cells]]) == left)
            cells = cells[~last[self.unit[cells]]]
        self.inside[cells] ^= True
        self._add_around(cells)

    def changes(self) -> tuple[Ints, Ints]:
        """Pixels that some object came to, and own pixels that one lost."""
        return (
            np.unique(self.pixel[self.inside & ~self.clean]),
            np.unique(self.pixel[self.clean & ~self.inside]),
        )

    def _count(self, cells: Ints) -> Ints:
        """How many of these cells each object has."""
        return np.bincount(self.unit[cells], minlength=len(self.numbers))

    def _neighbours(self, pixel: Ints) -> Ints:
        """Flat places of the face neighbours, (n, 6); -1 beyond the frame."""
        at = np.stack(np.unravel_index(pixel, self.shape), axis=1)[:, None, :] + _FACES[None]
        inside = ((at >= 0) & (at < np.array(self.shape))).all(axis=2)
        flat = (at[..., 0] * self.shape[1] + at[..., 1]) * self.shape[2] + at[..., 2]
        return np.where(inside, flat, -1)

    def _find(self, codes: Ints) -> Ints:
        """The cells of these codes, -1 for none."""
        if len(self.codes) == 0:
            return np.full(codes.shape, -1)
        place = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[place] == codes, self.order[place], -1)

    def _add_around(self, cells: Ints) -> None:
        """Make cells of all neighbours of these that have a label."""
        beside = self._neighbours(self.pixel[cells])
        unit = np.broadcast_to(self.unit[cells][:, None], beside.shape)
        there = (beside >= 0) & (self.labels[beside] != IGNORE)
        self._add(unit[there], beside[there])

    def _add(self, unit: Ints, pixel: Ints) -> None:
        codes = np.unique(unit * self.labels.size + pixel)
        codes = codes[self._find(codes) < 0]
        if len(codes) == 0:
            return
        unit, pixel = codes // self.labels.size, codes % self.labels.size
        cells = np.arange(len(self.pixel), len(self.pixel) + len(codes))
        place = np.searchsorted(self.codes, codes)
        self.codes, self.order = np.insert(self.codes, place, codes), np.insert(self.order, place, cells)
        own = self.owner[pixel] == unit
        self.unit, self.pixel = np.append(self.unit, unit), np.append(self.pixel, pixel)
        self.inside, self.clean = np.append(self.inside, own), np.append(self.clean, own)
        beside = self._neighbours(pixel)
        at = np.maximum(beside, 0)
        value = np.where(self.owner[at] == unit[:, None], 1, 2)
        value[(beside < 0) | (self.labels[at] == IGNORE)] = 0
        near = np.where(value > 0, self._find(unit[:, None] * self.labels.size + at), -1)
        self.near, self.still = np.append(self.near, near, axis=0), np.append(self.still, value, axis=0)
        n, side = np.nonzero(near >= 0)
        self.near[near[n, side], _BACK[side]] = cells[n]


def flip(labels: LabelMap, of_class: int, opens: Mask, key: int, rate: int, state: LabelMap) -> None:
    """Flip every pixel that the class may cover with a probability, in ``state``.

    Args:
        labels: class of every pixel, (Z, Y, X).
        of_class: the class.
        opens: which classes it may cover.
        key: 64 bits.
        rate: 32-bit threshold.
        state: ``GROWN`` and ``LOST``, changed in place.
    """
    fast = compiled("markov")
    if fast is not None:
        first, second = philox.halves(key)
        fast.flip(labels.reshape(-1), of_class, opens, first, second, np.uint64(rate), state.reshape(-1))
        return
    blocks = philox.words(key, np.arange(-(-labels.size // 4)), FLIPS, of_class)
    hit = (blocks.ravel()[: labels.size] < np.uint64(rate)).reshape(labels.shape) & opens[labels]
    own = labels == of_class
    now = inside(labels, of_class, state)
    state[hit] = np.where(now == own, np.where(own, LOST, GROWN), 0)[hit]


def inside(labels: LabelMap, of_class: int, state: LabelMap) -> Mask:
    """Where the class is now."""
    return np.asarray(((labels == of_class) & (state & LOST == 0)) | (state & GROWN != 0))
