"""Grow and shrink objects by balls: only boundary runs are looked at, and a ball is a union of runs.

A pixel that a ball reaches is reached from the object's pixel nearest to it, and from there every step
towards it leaves the object. So a boundary run needs to reach only to those sides on which its neighbours
are outside.

``*_sources`` finds the runs, ``grow`` and ``shrink`` let them reach. A source is a row of nine integers: z,
y, first x, last x, lowest and highest sign of its offsets along z and along y, and its owner (the value in
``ids``). The compiled and the plain half may cut the same boundary into other runs; what they reach is the
same.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import FAR, Ints, Mask
from noisylabels.kernels.choice import compiled

Ids = NDArray[np.int32] | NDArray[np.uint8]
Sources = NDArray[np.int32]

Z, Y, FIRST, LAST, OWNER = 0, 1, 2, 3, 8

_FACES = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))


class Reaches(NamedTuple):
    """How far each source reaches, as runs along x.

    Attributes:
        table: which entry of ``left`` and ``right`` a source takes, (n,) int64.
        left: pixels towards lower x at every offset along z and y, (B, 2 Rz + 1, 2 Ry + 1) int64; -1 for
            none.
        right: the same towards higher x.
    """

    table: Ints
    left: Ints
    right: Ints


def grow_sources(labels: LabelMap, ids: Ids, pruned: bool) -> Sources:
    """Boundary runs of all objects, from which they grow.

    Args:
        labels: class of every pixel, (Z, Y, X); the outlines of objects are those of their classes.
        ids: number of the object of every pixel; ``labels`` itself where a class is one object.
        pruned: whether a run reaches only to its open sides, which is enough where an object has one element;
            else to all sides.
    """
    fast = compiled("boundaries")
    if fast is not None:
        return np.asarray(fast.grow_sources(labels, ids, pruned))
    found = np.zeros((*labels.shape, 6), dtype=bool)
    for k, face in enumerate(_FACES):
        inside, beyond = _pairs(labels.shape, face)
        found[..., k][inside] = (labels[inside] != 0) & (labels[inside] != labels[beyond])
    z, y, x = np.nonzero(found.any(axis=3))
    side = found[z, y, x].astype(np.int32)
    if not pruned:
        side[:] = 1
    limits = side[:, :4] * np.array([-1, 1, -1, 1], dtype=np.int32)
    return np.column_stack([z, y, x, x, limits, ids[z, y, x]]).astype(np.int32)


def shrink_sources(labels: LabelMap, ids: Ids, blocked: Mask, pruned: bool) -> Sources:
    """Runs of pixels that touch an object from outside, from which it is eaten away.

    Args:
        labels: class of every pixel, (Z, Y, X).
        ids: number of the object of every pixel; ``labels`` itself where a class is one object.
        blocked: (256, 256); where [class of the object, class outside] is true, that neighbour eats nothing.
        pruned: as in :func:`grow_sources`; wrong where a pixel is blocked.
    """
    fast = compiled("boundaries")
    if fast is not None:
        return np.asarray(fast.shrink_sources(labels, ids, blocked, pruned))
    every = []
    for face in _FACES:
        inside, beyond = _pairs(labels.shape, face)
        mine, other = labels[inside], labels[beyond]
        eaten = (mine != 0) & (mine != other) & ~blocked[mine, other]
        z, y, x = (axis + s.start for axis, s in zip(np.nonzero(eaten), beyond, strict=True))
        owner = ids[inside][eaten]
        dz, dy, _ = face
        signs = (-1, 1, -1, 1)
        if pruned:  # back towards the object
            signs = (-dz, -dz, -1, 1) if dz else (0, 0, -dy, -dy)
        limits = np.broadcast_to(np.array(signs), (len(z), 4))
        every.append(np.column_stack([z, y, x, x, limits, owner]))
    return np.concatenate(every).astype(np.int32)


def grow(
    top: LabelMap, closed: LabelMap, sources: Sources, ranks: NDArray[np.uint8], reaches: Reaches
) -> None:
    """Raise every pixel that a source reaches to the source's rank, if it is lower; in place.

    Args:
        top: rank of every pixel, (Z, Y, X).
        closed: not 0 where a pixel stays as it is, the same shape.
        sources: from :func:`grow_sources`.
        ranks: of every source, (n,).
        reaches: of every source.
    """
    fast = compiled("balls")
    if fast is not None:
        fast.grow(top, closed, sources, ranks, *reaches)
        return
    flat = top.reshape(-1)
    for rank in np.unique(ranks):
        change = np.zeros(flat.size + 1, dtype=np.int32)
        for n, row, first, last in _spans(top.shape, sources, reaches):
            mine = ranks[n] == rank
            np.add.at(change, (row + first)[mine], 1)
            np.add.at(change, (row + last + 1)[mine], -1)
        covered = np.cumsum(change[:-1]) > 0
        flat[covered & (flat < rank) & (closed.reshape(-1) == 0)] = rank


def shrink(
    labels: LabelMap,
    ids: Ids,
    sources: Sources,
    reaches: Reaches,
    steps: tuple[int, int, int],
    core: tuple[slice, slice] | None = None,
) -> Ints:
    """What eats away each pixel: the nearest source of its object that reaches it, of equal ones the lowest.

    Args:
        labels: class of every pixel, (Z, Y, X).
        ids: object of every pixel, the same shape.
        sources: from :func:`shrink_sources`.
        reaches: of every source.
        steps: size of a pixel in thousandths, as in :mod:`noisylabels.geometry`.
        core: the z and y that are wanted; all by default. The answer takes eight times the memory of the labels.

    Returns:
        256 times the squared distance plus the class, for the pixels of the core; ``FAR`` where nothing reaches.
    """
    fast = compiled("balls")
    if fast is not None:
        z, y = core or (slice(0, labels.shape[0]), slice(0, labels.shape[1]))
        best = np.full((z.stop - z.start, y.stop - y.start, labels.shape[2]), FAR)
        fast.shrink(best, z.start, y.start, labels, ids, sources, *reaches, *steps)
        return best
    best = np.full(labels.shape, FAR)
    sz, sy, sx = steps
    for owner, pixel, x in _reached(ids, sources, reaches):
        z, y = pixel // (labels.shape[1] * labels.shape[2]), pixel // labels.shape[2] % labels.shape[1]
        source = sources[owner].astype(np.int64)
        nearest = np.clip(x, source[:, FIRST], source[:, LAST])
        dz, dy, dx = (z - source[:, Z]) * sz, (y - source[:, Y]) * sy, (x - nearest) * sx
        key = (dz * dz + dy * dy + dx * dx) * 256 + labels[source[:, Z], source[:, Y], nearest]
        np.minimum.at(best.reshape(-1), pixel, key)
    return best if core is None else best[core]


def erase(out: LabelMap, ids: Ids, sources: Sources, reaches: Reaches) -> None:
    """Clear every pixel that a source of its own object reaches, in place; arguments as in :func:`shrink`.

    Here as in :func:`grow` a source may lie beyond the frame, where the arrays are a part of a larger map.
    """
    fast = compiled("balls")
    if fast is not None:
        fast.erase(out, ids, sources, *reaches)
        return
    for _, pixel, _ in _reached(ids, sources, reaches):
        out.reshape(-1)[pixel] = 0


def _reached(ids: Ids, sources: Sources, reaches: Reaches) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Pixels of their own object that sources reach: the source, the flat index and x of each."""
    for n, row, first, last in _spans(ids.shape, sources, reaches):
        length = last - first + 1
        owner, of_row = np.repeat(n, length), np.repeat(row, length)
        x = np.arange(len(owner)) - np.repeat(np.cumsum(length) - last - 1, length)
        mine = ids.reshape(-1)[of_row + x] == sources[owner, OWNER]
        yield owner[mine], (of_row + x)[mine], x[mine]


def _pairs(shape: tuple[int, ...], face: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of all pixels with a neighbour at ``face`` inside the frame, and of those neighbours."""
    ends = list(zip(face, shape, strict=True))
    inside = tuple(slice(max(0, -step), size - max(0, step)) for step, size in ends)
    return inside, tuple(slice(max(0, step), size - max(0, -step)) for step, size in ends)


def _spans(
    shape: tuple[int, ...], sources: Sources, reaches: Reaches
) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """For every offset of rows: which sources reach there, the flat start of the row, first and last x."""
    depth, height, width = shape
    z, y, first, last, z_low, z_high, y_low, y_high, _ = sources.T.astype(np.int64)
    middle_z, middle_y = reaches.left.shape[1] // 2, reaches.left.shape[2] // 2
    for dz in range(-middle_z, middle_z + 1):
        for dy in range(-middle_y, middle_y + 1):
            left = reaches.left[reaches.table, dz + middle_z, dy + middle_y]
            right = reaches.right[reaches.table, dz + middle_z, dy + middle_y]
            there = (left >= 0) & (z + dz >= 0) & (z + dz < depth) & (y + dy >= 0) & (y + dy < height)
            there &= (z_low <= np.sign(dz)) & (np.sign(dz) <= z_high)
            there &= (y_low <= np.sign(dy)) & (np.sign(dy) <= y_high)
            n = np.flatnonzero(there)
            row = ((z[n] + dz) * height + y[n] + dy) * width
            yield n, row, np.maximum(first[n] - left[n], 0), np.minimum(last[n] + right[n], width - 1)
