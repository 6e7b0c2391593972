"""Stamps: shapes that are put somewhere else, as straight segments about an anchor pixel."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled

Floats = NDArray[np.float64]


class Stamps(NamedTuple):
    """Shapes, cut into straight segments.

    Attributes:
        segments: z, y, x of the first pixel about the anchor, axis that the segment runs along (1 or 2), and
            its pixels, (n, 5) int32; put together by stamp.
        begin: where the segments of every stamp begin, (stamps + 1,) int64.
        classes: class of every stamp, (stamps,) uint8.
    """

    segments: NDArray[np.int32]
    begin: Ints
    classes: NDArray[np.uint8]


class Balloons(NamedTuple):
    """Smooth shapes around an anchor: the pixels d away with |d| <= radius (1 + sum of waves).

    Wave k is swing_k P_k(s), s the cosine between d and axis k, and P the Legendre polynomials of degree 2,
    3 and 4; in a plane the Chebyshev polynomials, which are cosines of 2, 3 and 4 times the angle.

    Attributes:
        radius: in thousandths, (n,).
        swing: (n, 3); absolute values sum to less than 1.
        axes: unit vectors, (n, 3, 3): wave, then z, y, x.
        reach: pixels from the anchor to the sides of a box that holds the shape, (n, 3).
    """

    radius: Floats
    swing: Floats
    axes: Floats
    reach: Ints


_WAVES = {
    2: ((2.0, -1.0), (4.0, -3.0), (8.0, -8.0, 1.0)),
    3: ((1.5, -0.5), (2.5, -1.5), (4.375, -3.75, 0.375)),
}
"""Coefficients of s**2, 1; s**3, s; s**4, s**2, 1: Chebyshev (a plane) and Legendre (a volume)."""


def inflate(balloons: Balloons, steps: tuple[int, int, int], ndim: int) -> tuple[NDArray[np.int32], Ints]:
    """The segments of balloons, along x.

    Args:
        balloons: n of them.
        steps: size of a pixel in thousandths.
        ndim: 2 for flat ones, whose reach along z is 0.

    Returns:
        Segments and where those of every balloon begin, as in :class:`Stamps`.
    """
    waves = np.array([value for wave in _WAVES[ndim] for value in wave])
    fast = compiled("stamps")
    if fast is not None:
        segments, begin = fast.inflate(*balloons, waves, *steps)
        return segments, begin
    found = []
    for k, reach in enumerate(balloons.reach):
        dz, dy, dx = (
            np.arange(-far, far + 1).reshape([-1 if a == axis else 1 for a in range(3)]) * float(step)
            for axis, (far, step) in enumerate(zip(reach.tolist(), steps, strict=True))
        )
        length = np.sqrt(dz * dz + dy * dy + dx * dx)
        unit = 1.0 / np.where(length == 0, 1.0, length)
        a, b, c = ((dz * v[0] + dy * v[1] + dx * v[2]) * unit for v in balloons.axes[k])
        w = waves
        aa, bb, cc = a * a, b * b, c * c
        size = 1.0 + balloons.swing[k, 0] * (w[0] * aa + w[1])
        size = size + balloons.swing[k, 1] * (b * (w[2] * bb + w[3]))
        size = size + balloons.swing[k, 2] * (cc * (w[4] * cc + w[5]) + w[6])
        inside = np.pad(length <= balloons.radius[k] * size, ((0, 0), (0, 0), (1, 1)))
        z, y, first = np.nonzero(inside[:, :, 1:-1] & ~inside[:, :, :-2])
        last = np.nonzero(inside[:, :, 1:-1] & ~inside[:, :, 2:])[2]
        z, y, x = z - reach[0], y - reach[1], first - reach[2]
        found.append(np.column_stack([z, y, x, np.full_like(z, 2), last - first + 1]).astype(np.int32))
    begin = np.cumsum([0, *map(len, found)]).astype(np.int64)
    return np.concatenate([np.zeros((0, 5), dtype=np.int32), *found]), begin


def _pixels(stamps: Stamps, k: int, anchor: int, shape: tuple[int, ...]) -> tuple[list[Ints], Mask]:
    """Places of stamp k at a flat anchor, (z, y, x), and whether each lies inside the frame: for the twins."""
    mine = stamps.segments[stamps.begin[k] : stamps.begin[k + 1]].astype(np.int64)
    nth = np.arange(int(mine[:, 4].sum())) - np.repeat(np.cumsum(mine[:, 4]) - mine[:, 4], mine[:, 4])
    rest = np.repeat(mine, mine[:, 4], axis=0)
    middle = np.unravel_index(anchor, shape)
    places = [rest[:, axis] + int(middle[axis]) + nth * (rest[:, 3] == axis) for axis in range(3)]
    inside = np.logical_and.reduce([(p >= 0) & (p < n) for p, n in zip(places, shape, strict=True)])
    return places, inside


def settle(out: LabelMap, on: int, stamps: Stamps, order: Ints, anchors: Ints) -> None:
    """Paint stamps one after the other, each at the best of several places, in place.

    That is the first at which the whole stamp lies on the class ``on`` and touches (corners count) no pixel
    of its own class; if there is none, the first of those at which most of it lies on ``on``. If that is less
    than half of it, it is not painted. Earlier stamps are in the way of later ones.

    Args:
        out: what is painted on, (Z, Y, X); pixels of other classes than ``on`` stay.
        on: the class that is covered.
        stamps: n of them.
        order: their numbers in the order of painting.
        anchors: flat index of every anchor to try, (n, T).
    """
    fast = compiled("stamps")
    if fast is not None:
        fast.settle(out, on, *stamps, order, anchors)
        return
    near = np.indices((3, 3, 3)).reshape(3, -1) - 1
    for k in order.tolist():
        most, best = -1, 0
        for anchor in anchors[k].tolist():
            places, inside = _pixels(stamps, k, anchor, out.shape)
            z, y, x = (p[inside] for p in places)
            count = int((out[z, y, x] == on).sum())
            whole = False
            if count == len(inside):
                beside = [
                    np.clip(p[:, None] + d[None], 0, n - 1)
                    for p, d, n in zip((z, y, x), near, out.shape, strict=True)
                ]
                whole = not (out[tuple(beside)] == stamps.classes[k]).any()
            if whole or count > most:
                most, best = count, anchor
            if whole:
                break
        places, inside = _pixels(stamps, k, best, out.shape)
        if 2 * most >= len(inside):
            z, y, x = (p[inside] for p in places)
            free = out[z, y, x] == on
            out[z[free], y[free], x[free]] = stamps.classes[k]
