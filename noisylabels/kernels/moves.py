"""Move objects, each by an affine map of its own: every pixel of the frame takes what it finds at its source.

A pixel p of an object comes from the pixel nearest to about + matrix (p - landing). Matrices are multiples of 2**-24
and positions of 2**-10, so in a frame of up to some thousand pixels every coordinate is exact, and which of two equally
near pixels is taken (the one with the higher index) is the same for all pixels of an object.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.components import RunTable, numbers

Floats = NDArray[np.float64]

_CHUNK = 2**18  # pixels that the twin looks at at a time


class Moves(NamedTuple):
    """How objects move; n of them, whatever an object is: a component, a class or all classes together.

    Attributes:
        order: the objects that move, in the order in which they are painted, (m,).
        box: first and last pixel along every axis, (n, 2, 3).
        to: the same of where they may land, cut at the frame; may be too large, (n, 2, 3).
        matrix: (n, 3, 3), from a pixel to its source.
        about: the source of ``landing``, (n, 3).
        landing: (n, 3).
    """

    order: Ints
    box: Ints
    to: Ints
    matrix: Floats
    about: Floats
    landing: Floats


def place(
    out: LabelMap, labels: LabelMap, table: RunTable, owner: NDArray[np.int32], free: Mask, moves: Moves
) -> None:
    """Paint moved objects, in place.

    An object of which no pixel would be painted is painted where it was.

    Args:
        out: what lies below, (Z, Y, X): the labels without what moves.
        labels: the labels, (Z, Y, X).
        table: their runs; with the component of every run if that is what an object is (number 1 is object 0).
        owner: object of every class, -1 for none, (256,); where components are objects, any number from 0 on.
        free: whether pixels of a class may be painted, (256,).
        moves: of all objects.
    """
    fast = compiled("moves")
    if fast is not None:
        fast.place(out, labels, *table, owner, free, *moves)
        return
    if len(table.objects) > 0:
        ids = numbers(table, slice(0, len(table.begin) - 1), labels.shape[2]).reshape(labels.shape) - 1
        ids = np.where(owner[labels] >= 0, ids, -1)
    else:
        ids = owner[labels]
    painted = np.zeros(len(moves.box), dtype=np.int64)
    for k, _, _ in _found(ids, free[labels], moves):
        painted += np.bincount(k, minlength=len(painted))
    still = painted == 0
    some = still[:, None, None]
    resting = moves._replace(
        to=np.where(some, moves.box, moves.to),
        matrix=np.where(some, np.eye(3), moves.matrix),
        landing=np.where(still[:, None], moves.about, moves.landing),
    )
    flat, to = labels.reshape(-1), out.reshape(-1)
    for _, source, target in _found(ids, free[labels], resting):
        to[target] = flat[source]  # of equal targets the last one counts


def _found(ids: NDArray[np.int32], free: Mask, moves: Moves) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Objects, flat sources and flat targets of all pixels that are painted, some rows at a time, in painting order."""
    shape = np.array(ids.shape)
    box = moves.to[moves.order]
    size = np.maximum(box[:, 1] - box[:, 0] + 1, 0)
    rows = np.where(size[:, 2] > 0, size[:, 0] * size[:, 1], 0)
    nth_object = np.repeat(np.arange(len(rows)), rows)
    nth = np.arange(len(nth_object)) - np.repeat(np.cumsum(rows) - rows, rows)
    z = box[nth_object, 0, 0] + nth // size[nth_object, 1]
    y = box[nth_object, 0, 1] + nth % size[nth_object, 1]
    length = size[nth_object, 2]
    ends = np.cumsum(length)
    start = 0
    while start < len(length):
        stop = int(np.searchsorted(ends, (ends[start - 1] if start else 0) + _CHUNK)) + 1
        part = slice(start, stop)
        row = np.repeat(np.arange(len(length))[part], length[part])
        along = np.arange(len(row)) - np.repeat(np.cumsum(length[part]) - length[part], length[part])
        k = moves.order[nth_object[row]]
        at = np.stack([z[row], y[row], box[nth_object[row], 0, 2] + along])
        away = [at[axis] - moves.landing[k, axis] for axis in range(3)]
        source = []
        for axis in range(3):
            across = moves.matrix[k, axis, 0] * away[0] + moves.matrix[k, axis, 1] * away[1]
            place = (moves.about[k, axis] + across) + moves.matrix[k, axis, 2] * away[2]
            source.append(np.floor(place + 0.5).astype(np.int64))
        inside = np.ones(len(row), dtype=bool)
        for axis in range(3):
            inside &= (source[axis] >= moves.box[k, 0, axis]) & (source[axis] <= moves.box[k, 1, axis])
        from_, to = (
            (np.where(inside, p[0], 0) * shape[1] + np.where(inside, p[1], 0)) * shape[2]
            + np.where(inside, p[2], 0)
            for p in (source, at)
        )
        inside &= (ids.reshape(-1)[from_] == k) & free.reshape(-1)[to]
        yield k[inside], from_[inside], to[inside]
        start = stop
