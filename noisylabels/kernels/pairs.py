"""Pairs of objects that lie close together, and the bridges between them.

Distances are between pixel centres, as exact squared integers (see :mod:`noisylabels.geometry`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import FAR, Ints, Mask, ball, squared_distances
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.object_runs import Numbers, Runs, Spans, pixels_of

Steps = tuple[int, int, int]

SLAB = 1 << 21
"""Pixels of a bridge that are looked at together; bounds the memory."""


class Pairs(NamedTuple):
    """Pairs of objects, each with its two nearest runs; of equal ones the first.

    Attributes:
        one: the object of lower number, (n,) int64; sorted.
        other: the other object, (n,) int64.
        square: squared distance of the two, thousandths, (n,) int64.
        here: number of the run of the pair that comes first in C order, (n,) int64.
        there: number of the other run, (n,) int64.
    """

    one: Ints
    other: Ints
    square: Ints
    here: Ints
    there: Ints


def near_pairs(
    runs: Runs, shape: tuple[int, ...], eligible: Mask, reach: int, steps: Steps, across: bool
) -> Pairs:
    """All pairs of objects that are no further apart than ``reach``.

    Args:
        runs: the objects.
        shape: of the volume, (Z, Y, X).
        eligible: which objects may be in a pair, (objects,).
        reach: in thousandths.
        steps: size of a pixel in thousandths.
        across: whether the two may be of different classes.
    """
    squared = np.array([reach * reach])
    half = ball(squared, steps)[0]
    begin = np.searchsorted(runs.spans.row, np.arange(shape[0] * shape[1] + 1))
    kind = np.where(eligible, 1 if across else runs.classes.astype(np.int64), 0)
    fast = compiled("pairs")
    if fast is not None:
        found = fast.near(*runs.spans, runs.owner, begin, kind, shape[0], shape[1], half, *steps)
    else:
        found = _near(runs.spans, runs.owner, begin, kind, shape, half, steps)
    order = np.lexsort((found[1], found[0]))
    return Pairs(*(column[order] for column in found))


def _near(
    spans: Spans, owner: Numbers, begin: Ints, kind: Ints, shape: tuple[int, ...], half: Ints, steps: Steps
) -> list[Ints]:
    """The twin: row offset by row offset, all runs at once."""
    row, first, last = (a.astype(np.int64) for a in spans)
    z, y = row // shape[1], row % shape[1]
    mz, my = half.shape[0] // 2, half.shape[1] // 2
    rows: list[Ints] = []
    for dz in range(mz + 1):
        for dy in range(-my if dz else 0, my + 1):
            far = half[dz + mz, dy + my]
            i = np.flatnonzero((z + dz < shape[0]) & (y + dy >= 0) & (y + dy < shape[1]) & (far >= 0))
            start, end = begin[row[i] + dz * shape[1] + dy], begin[row[i] + dz * shape[1] + dy + 1]
            if dz == dy == 0:
                start = i + 1
            count = np.maximum(end - start, 0)
            i = np.repeat(i, count)
            j = np.repeat(start - np.cumsum(count) + count, count) + np.arange(len(i))
            dx = np.maximum(np.maximum(first[j] - last[i], first[i] - last[j]), 0)
            near = (
                (dx <= far)
                & (owner[i] != owner[j])
                & (kind[owner[i]] == kind[owner[j]])
                & (kind[owner[i]] > 0)
            )
            i, j, dx = i[near], j[near], dx[near]
            a, b = np.minimum(owner[i], owner[j]), np.maximum(owner[i], owner[j])
            square = (dz * steps[0]) ** 2 + (dy * steps[1]) ** 2 + (dx * steps[2]) ** 2
            rows.append(np.stack([a, b, square, i, j]))
    table = np.concatenate(rows, axis=1)
    table = table[:, np.lexsort(table[::-1])]
    new = np.ones(table.shape[1], dtype=bool)
    new[1:] = (table[:2, 1:] != table[:2, :-1]).any(axis=0)
    return list(table[:, new])


def bridge(
    out: LabelMap, labels: LabelMap, on: int, spans: Spans, begin: Ints, pairs: Pairs, colours: NDArray[np.uint8],
    swell: int, steps: Steps,
) -> None:  # fmt: skip
    """Paint the pixels between the objects of every pair, in place.

    They are those whose distances to both sum to at most the distance of the two and ``swell``. Where several
    bridges cross, the highest class lies on top.

    Args:
        out: what is painted on, (Z, Y, X).
        labels: clean classes, the same shape.
        on: the clean class that bridges are built on.
        spans: the runs put together by object.
        begin: where the runs of every object begin, (objects + 1,).
        pairs: n of them.
        colours: class of every bridge, (n,).
        swell: in thousandths.
        steps: size of a pixel in thousandths.
    """
    if len(pairs.one) == 0:
        return
    limit = np.sqrt(pairs.square.astype(np.float64)) + swell
    boxes = _common(spans, begin, pairs, limit.astype(np.int64), steps, labels.shape)
    both = np.stack([pairs.one, pairs.other], axis=1)
    widest = int(limit.max())
    fast = compiled("pairs")
    if fast is not None:
        half = ball(np.array([widest * widest]), steps)[0]
        fast.bridge(out, labels, on, *spans, begin, both, boxes, colours, half, limit, *steps, SLAB)
        return
    for k, box in enumerate(boxes):
        if (box[:, 0] >= box[:, 1]).any():
            continue
        near = [_distances(spans, begin, one, box, labels.shape, widest, steps) for one in both[k].tolist()]
        total = np.sqrt(near[0].astype(np.float64)) + np.sqrt(near[1].astype(np.float64))
        cut = tuple(slice(low, high) for low, high in box.tolist())
        inside = (total <= limit[k]) & (labels[cut] == on) & ((out[cut] == on) | (out[cut] < colours[k]))
        out[cut][inside] = colours[k]


def _common(
    spans: Spans, begin: Ints, pairs: Pairs, reach: Ints, steps: Steps, shape: tuple[int, ...]
) -> Ints:
    """The box within reach of both objects of every pair, (n, 3, 2): first index and end; may be empty."""
    row = spans.row.astype(np.int64)
    low, high = (row // shape[1], row % shape[1], spans.first), (row // shape[1], row % shape[1], spans.last)
    box = np.zeros((len(reach), 3, 2), dtype=np.int64)
    for axis in range(3):
        wide = reach // steps[axis]
        start, end = np.minimum.reduceat(low[axis], begin[:-1]), np.maximum.reduceat(high[axis], begin[:-1])
        box[:, axis, 0] = np.maximum(np.maximum(start[pairs.one], start[pairs.other]) - wide, 0)
        box[:, axis, 1] = np.minimum(np.minimum(end[pairs.one], end[pairs.other]) + wide + 1, shape[axis])
    return box


def _distances(
    spans: Spans, begin: Ints, k: int, box: Ints, shape: tuple[int, ...], reach: int, steps: Steps
) -> Ints:
    """Squared distances of the pixels of a box to object k, exact up to ``reach`` and ``FAR`` beyond."""
    wide = [reach // step for step in steps]
    low = [max(int(box[a, 0]) - wide[a], 0) for a in range(3)]
    high = [min(int(box[a, 1]) + wide[a], shape[a]) for a in range(3)]
    mask = np.zeros([h - b for b, h in zip(low, high, strict=True)], dtype=bool)
    _, pixel = pixels_of(spans.taken(np.arange(begin[k], begin[k + 1])), shape[2])
    places = np.stack(np.unravel_index(pixel, shape)) - np.array(low)[:, None]
    inside = ((places >= 0) & (places < np.array(mask.shape)[:, None])).all(axis=0)
    mask[tuple(places[:, inside])] = True
    square = squared_distances(mask, steps)
    cut = tuple(slice(int(box[a, 0]) - low[a], int(box[a, 1]) - low[a]) for a in range(3))
    return np.where(square[cut] <= reach * reach, square[cut], FAR)


def lines(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The pixels between pairs of pixels, along straight lines in which each touches the next.

    Args:
        start: (n, 3).
        end: (n, 3).

    Returns:
        The pair of every pixel, and its place (m, 3); the ends are left out.
    """
    away = end - start
    count = np.abs(away).max(axis=1, initial=0)
    between = np.maximum(count - 1, 0)
    pair = np.repeat(np.arange(len(start)), between)
    nth = np.arange(len(pair)) - np.repeat(np.cumsum(between) - between, between) + 1
    length = count[pair][:, None]
    return pair, start[pair] + (2 * nth[:, None] * away[pair] + length) // (2 * length)
