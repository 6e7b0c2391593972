"""Straight cuts through objects."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.object_runs import Numbers, Spans, pixels_of

Floats = NDArray[np.float64]


class Cuts(NamedTuple):
    """One straight slab for every object: the pixels p with -half <= (p - centre) . slope < half.

    Attributes:
        centre: z, y, x, (n, 3).
        slope: (n, 3).
        half: (n,).
    """

    centre: Floats
    slope: Floats
    half: Floats


def _height(spans: Spans, owner: Numbers, cuts: Cuts, shape: tuple[int, ...]) -> tuple[Numbers, Ints, Floats]:
    """Object, flat index and (p - centre) . slope of every pixel: for the twins."""
    run, pixel = pixels_of(spans, shape[2])
    k = owner[run]
    z, y, x = np.unravel_index(pixel, shape)
    (cz, cy, cx), (vz, vy, vx) = cuts.centre[k].T, cuts.slope[k].T
    return k, pixel, (z - cz) * vz + (y - cy) * vy + (x - cx) * vx


def sides(spans: Spans, owner: Numbers, cuts: Cuts, shape: tuple[int, ...]) -> Ints:
    """How many pixels of every object lie on either side of its slab.

    Args:
        spans: the runs of the objects.
        owner: object of every run.
        cuts: of every object, n.
        shape: (Z, Y, X).

    Returns:
        (n, 2).
    """
    count = np.zeros((len(cuts.half), 2), dtype=np.int64)
    fast = compiled("cuts")
    if fast is not None:
        fast.sides(*spans, owner, *cuts, shape[1], count)
        return count
    k, _, height = _height(spans, owner, cuts, shape)
    for side, there in enumerate((height < -cuts.half[k], height >= cuts.half[k])):
        count[:, side] = np.bincount(k[there], minlength=len(count))
    return count


def cut(out: LabelMap, spans: Spans, owner: Numbers, cuts: Cuts) -> None:
    """Clear the slab of every object, in place.

    Args:
        out: (Z, Y, X), in C order.
        spans: the runs of the objects.
        owner: object of every run.
        cuts: of every object.
    """
    fast = compiled("cuts")
    if fast is not None:
        fast.cut(out, *spans, owner, *cuts)
        return
    k, pixel, height = _height(spans, owner, cuts, out.shape)
    out.reshape(-1)[pixel[(-cuts.half[k] <= height) & (height < cuts.half[k])]] = 0
