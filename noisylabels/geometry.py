"""Shapes on the pixel grid: boxes, components, outlines, exact squared distances and balls. Pure functions.

Distances are compared as integers. A *step* is the size of a pixel along an axis in thousandths: 1000 for a
pixel (lengths in px), the spacing in whole micrometres for millimetres (rounded half to even, at least 1).
With steps s and an offset d of whole pixels the squared distance is the integer sum of (d_i s_i)**2.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.errors import UsageError

Mask: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]

FAR = np.iinfo(np.int64).max
"""The squared distance to a set that is empty."""


class Components(NamedTuple):
    """Connected components of a label map.

    Attributes:
        ids: number of the component of every pixel, 1 .. n, and 0 where there is none; int32, the shape of
            the labels.
        classes: class of component 1, 2, ..., (n,) uint8.
    """

    ids: NDArray[np.int32]
    classes: NDArray[np.uint8]


def bounding_box(mask: Mask, margin: Sequence[int] | None = None) -> tuple[slice, ...] | None:
    """The smallest box that holds every true pixel, plus a margin, cut at the frame; None if there is none.

    Args:
        mask: (Y, X) or (Z, Y, X).
        margin: pixels to add on both sides of every axis.
    """
    box = []
    for axis, size in enumerate(mask.shape):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        where = np.flatnonzero(mask.any(axis=others))
        if where.size == 0:
            return None
        wide = margin[axis] if margin is not None else 0
        box.append(slice(max(0, int(where[0]) - wide), min(size, int(where[-1]) + 1 + wide)))
    return tuple(box)


def components(labels: LabelMap, classes: Iterable[int]) -> Components:
    """Connected components, class by class; pixels that touch at a corner belong together (8 or 26 near).

    They are numbered by their first pixel in C order, whatever their class.

    Args:
        labels: (Y, X) or (Z, Y, X).
        classes: the classes whose components are wanted.

    Returns:
        The components; none where no pixel is of a wanted class.
    """
    from scipy.ndimage import label

    ids = np.zeros(labels.shape, dtype=np.int64)
    found = 0
    of_class = [0]
    for c in classes:
        numbered, count = label(labels == c, structure=np.ones((3,) * labels.ndim))
        ids[numbered > 0] = numbered[numbered > 0] + found
        found += count
        of_class += [c] * count
    pixels = np.flatnonzero(ids)[::-1]
    first = np.zeros(found + 1, dtype=np.int64)
    first[ids.ravel()[pixels]] = pixels  # the last writer wins: the first pixel in C order
    order = np.argsort(first[1:], kind="stable") + 1
    rank = np.zeros(found + 1, dtype=np.int32)
    rank[order] = np.arange(1, found + 1)
    return Components(rank[ids], np.array(of_class, dtype=np.uint8)[order])


def outline(ids: NDArray[Any]) -> Mask:
    """Pixels with a face neighbour of another value inside the frame.

    Args:
        ids: any integer map, (Y, X) or (Z, Y, X).
    """
    edge = np.zeros(ids.shape, dtype=bool)
    for axis in range(ids.ndim):
        low, high = [slice(None)] * ids.ndim, [slice(None)] * ids.ndim
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        differs = ids[tuple(low)] != ids[tuple(high)]
        edge[tuple(low)] |= differs
        edge[tuple(high)] |= differs
    return edge


def steps_px(ndim: int) -> tuple[int, ...]:
    """The steps of lengths in pixels."""
    return (1000,) * ndim


def steps_mm(spacing: Sequence[float]) -> tuple[int, ...]:
    """The steps of lengths in millimetres: the spacing in whole micrometres.

    Raises:
        UsageError: an axis is finer than half a micrometre.
    """
    steps = tuple(int(np.rint(s * 1000)) for s in spacing)
    if min(steps) < 1:
        raise UsageError(
            f"The spacing {tuple(spacing)} mm is finer than a micrometre; give the length in px."
        )
    return steps


def squared_distances(mask: Mask, steps: Sequence[int]) -> Ints:
    """Exact squared distance of every pixel to the nearest true one, in squared thousandths.

    Args:
        mask: the set, (Y, X) or (Z, Y, X).
        steps: from :func:`steps_px` or :func:`steps_mm`.

    Returns:
        int64, the shape of the mask; ``FAR`` everywhere if the set is empty.
    """
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return np.full(mask.shape, FAR)
    nearest = distance_transform_edt(~mask, sampling=steps, return_distances=False, return_indices=True)
    here = np.indices(mask.shape)
    away = (here - nearest).astype(np.int64) * np.array(steps).reshape(-1, *(1,) * mask.ndim)
    return np.asarray((away * away).sum(axis=0))


def band(mask: Mask, radius: int, steps: Sequence[int]) -> Mask:
    """Pixels within ``radius`` of the other side: the strip along a boundary, inside and outside.

    Args:
        mask: the set, (Y, X) or (Z, Y, X); an empty or full one has no boundary and gives an empty strip.
        radius: in thousandths of the unit of ``steps``.
        steps: from :func:`steps_px` or :func:`steps_mm`.
    """
    near = squared_distances(mask, steps) <= radius * radius
    return np.asarray((near & ~mask) | ((squared_distances(~mask, steps) <= radius * radius) & mask))


def integer_root(n: Ints) -> Ints:
    """The largest integer whose square is at most n, for 0 <= n < 2**62."""
    root = np.sqrt(n.astype(np.float64)).astype(np.int64)
    root -= root * root > n  # sqrt of the rounded float may be one too high or too low
    root += (root + 1) * (root + 1) <= n
    return root


def ball(squared: Ints, steps: Sequence[int], rows: tuple[int, int] | None = None) -> Ints:
    """Euclidean balls as runs along the last axis: every offset d with sum (d_i s_i)**2 <= r**2.

    Args:
        squared: r**2 in squared thousandths, (B,).
        steps: from :func:`steps_px` or :func:`steps_mm`; (sz, sy, sx) or (sy, sx).
        rows: leave out offsets beyond these in z and y, which no pixel of a frame can have.

    Returns:
        How far the run reaches on both sides, (B, 2 Rz + 1, 2 Ry + 1), in pixels; -1 where the ball has no
        run. Rz (0 in 2-D) and Ry are the rows that the largest ball reaches.

    A disc of radius 2 px::

        . . # . .      0
        . # # # .      1
        # # # # #      2
        . # # # .      1
        . . # . .      0
    """
    sz, sy, sx = (1, *steps)[-3:]
    largest = int(integer_root(squared.max(initial=0, keepdims=True))[0])
    rz, ry = largest // sz if len(steps) == 3 else 0, largest // sy
    if rows is not None:
        rz, ry = min(rz, rows[0]), min(ry, rows[1])
    z = (np.arange(-rz, rz + 1) * sz)[:, None]
    y = (np.arange(-ry, ry + 1) * sy)[None, :]
    left = squared[:, None, None] - (z * z + y * y)
    return np.where(left < 0, -1, integer_root(np.maximum(left, 0) // (sx * sx)))


def half_ellipsoids(
    radii: NDArray[np.float64], steps: Sequence[int], rows: tuple[int, int] | None = None
) -> tuple[Ints, Ints]:
    """Balls with a radius of their own in each of the 2 D directions, as runs along the last axis.

    An offset d belongs to one if sum (d_i s_i / r_i)**2 <= 1 + 2**-30, with the r_i of the side that d_i
    points to; the slack keeps pixels that lie exactly on the surface. A radius of 0 allows no step to that
    side.

    Args:
        radii: in thousandths, (B, D, 2): towards lower and towards higher indices of every axis.
        steps: from :func:`steps_px` or :func:`steps_mm`.
        rows: leave out offsets beyond these in z and y, which no pixel of a frame can have.

    Returns:
        How far the run reaches to the left and to the right, both (B, 2 Rz + 1, 2 Ry + 1); -1 where there
        is none.
    """
    missing = 3 - radii.shape[1]
    full = np.pad(radii, ((0, 0), (missing, 0), (0, 0)))
    all_steps = (1,) * missing + tuple(steps)
    room = np.full((len(full), 1, 1), 1.0 + 2.0**-30)
    for axis in (0, 1):
        most = int(full[:, axis].max(initial=0) // all_steps[axis])
        most = most if rows is None else min(most, rows[axis])
        offset = np.arange(-most, most + 1)
        side = full[:, axis][:, (offset > 0).astype(np.int64)]
        far = np.where(side > 0, np.abs(offset) * all_steps[axis] / np.where(side > 0, side, 1.0), 2.0)
        far = np.where(offset == 0, 0.0, far)
        room = room - np.expand_dims(far * far, 2 - axis)
    root = np.sqrt(np.maximum(room, 0.0))
    both = [np.floor(root * full[:, 2, side][:, None, None] / all_steps[2]) for side in (0, 1)]
    left, right = (np.where(room < 0, -1, half).astype(np.int64) for half in both)
    return left, right
