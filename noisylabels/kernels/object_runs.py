"""Objects as runs along the fastest axis: what is done to whole objects needs no map of their numbers.

An object is a connected component (corners touch). A body of a million pixels is some thousand runs, and
fifty thousand specks are fifty thousand: the arrays are short, and numpy works on all objects at once.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled, plain
from noisylabels.kernels.components import component_runs

Numbers = NDArray[np.int32]

_SOME = 1 << 22
"""Pixels that are looked at together; bounds the memory."""


class Spans(NamedTuple):
    """Runs of pixels in C order.

    Attributes:
        row: number of the row, z Y + y, (n,) int32.
        first: first x, (n,) int32.
        last: last x, included, (n,) int32.
    """

    row: Numbers
    first: Numbers
    last: Numbers

    def taken(self, which: Mask | Ints) -> "Spans":
        """Some of them: by mask or index."""
        return Spans(self.row[which], self.first[which], self.last[which])

    def lengths(self) -> Ints:
        """Pixels of every run, (n,)."""
        return self.last.astype(np.int64) - self.first + 1


class Runs(NamedTuple):
    """The runs of all objects, in C order; objects are numbered by their first pixel, from 0 on.

    Attributes:
        spans: where the runs are, n of them.
        owner: number of the object of every run, (n,) int32.
        classes: class of every object, (objects,) uint8.
    """

    spans: Spans
    owner: Numbers
    classes: NDArray[np.uint8]

    def sizes(self) -> Ints:
        """Pixels of every object, (objects,); float sums of integers are exact here."""
        total = np.bincount(self.owner, self.spans.lengths(), len(self.classes))
        return total.astype(np.int64)


def as_volume(labels: LabelMap) -> LabelMap:
    """(Y, X) as (1, Y, X), in C order and writeable; a copy only where it must be."""
    return plain(labels).reshape((-1, *labels.shape[-2:]))


def runs_of(labels: LabelMap, classes: Iterable[int]) -> Runs:
    """The objects of some classes.

    Args:
        labels: (Y, X) or (Z, Y, X).
        classes: the classes whose objects are wanted.
    """
    table, of_class = component_runs(labels, classes)
    row = np.repeat(np.arange(len(table.begin) - 1, dtype=np.int32), np.diff(table.begin))
    spans = Spans(row, np.ascontiguousarray(table.runs[:, 1]), np.ascontiguousarray(table.runs[:, 2]))
    return Runs(spans, table.objects - np.int32(1), of_class)


def spans_of(labels: LabelMap, value: int) -> Spans:
    """The runs of pixels of one value, which may be the background.

    Args:
        labels: (Y, X) or (Z, Y, X).
        value: 0 to 255.
    """
    rows = labels.reshape(-1, labels.shape[-1])
    some = max(1, _SOME // rows.shape[1])
    found = []
    for start in range(0, len(rows), some):
        there = rows[start : start + some] == value
        turn = np.zeros((len(there), there.shape[1] + 1), dtype=np.bool_)
        turn[:, 0], turn[:, -1] = there[:, 0], there[:, -1]
        turn[:, 1:-1] = there[:, 1:] != there[:, :-1]
        row, at = (places.astype(np.int32) for places in np.nonzero(turn))  # begin and end in turn
        found.append(Spans(row[::2] + np.int32(start), at[::2], at[1::2] - np.int32(1)))
    return Spans(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def pixels_of(spans: Spans, width: int) -> tuple[Ints, Ints]:
    """Every pixel of some runs: for the twins.

    Args:
        spans: the runs.
        width: X.

    Returns:
        The run of every pixel, and its flat index.
    """
    length = spans.lengths()
    run = np.repeat(np.arange(len(length)), length)
    nth = np.arange(len(run)) - np.repeat(np.cumsum(length) - length, length)
    return run, spans.row.astype(np.int64)[run] * width + spans.first[run] + nth


def fill(volume: LabelMap, spans: Spans, values: NDArray[np.uint8], empty: bool = False) -> None:
    """Write a value into every run, in place.

    Args:
        volume: (Z, Y, X), in C order.
        spans: the runs.
        values: of every run, (n,).
        empty: write only where there is 0.
    """
    fast = compiled("object_runs")
    if fast is not None:
        fast.fill(volume, *spans, values, empty)
        return
    run, pixel = pixels_of(spans, volume.shape[-1])
    flat = volume.reshape(-1)
    flat[pixel] = np.where(empty & (flat[pixel] != 0), flat[pixel], values[run])


def touched(labels: LabelMap, after: LabelMap, spans: Spans, owner: Numbers, shape: tuple[int, int]) -> Ints:
    """How many faces of objects touch what class.

    Args:
        labels: classes, (Z, Y, X); pixels of the object's own class are inside, ``IGNORE`` is not counted.
        after: the labels that are counted outside, the same shape.
        spans: the runs of the objects.
        owner: row of the result that every run counts for, (n,) int32.
        shape: of the result: objects, classes.

    Returns:
        Numbers of faces.
    """
    count = np.zeros(shape, dtype=np.int64)
    fast = compiled("object_runs")
    if fast is not None:
        fast.touched(labels, after, *spans, owner, count)
        return count
    run, pixel = pixels_of(spans, labels.shape[-1])
    places = np.unravel_index(pixel, labels.shape)
    flat, seen = labels.reshape(-1), after.reshape(-1)
    for axis, stride in enumerate((labels.shape[1] * labels.shape[2], labels.shape[2], 1)):
        for step in (-1, 1):
            at = places[axis] + step
            inside = (at >= 0) & (at < labels.shape[axis])
            mine, beyond = pixel[inside], pixel[inside] + step * stride
            counts = (flat[beyond] != flat[mine]) & (flat[beyond] != IGNORE)
            np.add.at(count, (owner[run[inside][counts]], seen[beyond[counts]]), 1)
    return count
