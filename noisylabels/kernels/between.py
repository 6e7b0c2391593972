"""What lies between two drawn slices of an object: nothing, the nearest of the two, or a shape in between.

Distances are exact squared integers, and so are the comparisons: no root is taken.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, Mask, squared_distances
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.object_runs import Spans, pixels_of

MISSING, NEAREST, INTERPOLATE = 0, 1, 2


class Sections(NamedTuple):
    """Objects, cut by slices.

    Attributes:
        spans: their runs, put together by object.
        begin: where the runs of every object begin, (objects + 1,).
        classes: class of every object; 0 for one that is left out.
    """

    spans: Spans
    begin: Ints
    classes: NDArray[np.uint8]


def redraw(
    out: LabelMap,
    labels: LabelMap,
    free: Mask,
    objects: Sections,
    drawn: Mask,
    kept: bool,
    how: int,
    upper: bool,
    steps: tuple[int, int],
) -> None:
    """Paint objects into the slices that are not drawn, in place; where they overlap the higher class.

    Between the drawn slices a < z < b of an object, pixel p is inside by ``INTERPOLATE`` if

        (b - z) s_a(p) + (z - a) s_b(p) > 0,

    s being the signed distance in a slice: to the nearest pixel outside the object for a pixel inside, minus
    that to the nearest one inside for a pixel outside; at most a diagonal of the slice, which counts where
    the object fills the slice. Where the sum is 0, the nearer slice decides.

    Args:
        out: (Z, Y, X); without the objects in the slices that are not drawn.
        labels: clean classes, the same shape.
        free: which classes may be painted over, (256,).
        objects: what is painted.
        drawn: which slices are drawn, and are left as they are, (Z,).
        kept: whether the first and the last slice of every object are drawn too.
        how: MISSING, NEAREST or INTERPOLATE.
        upper: which of two equally near slices counts as the nearer.
        steps: size of a pixel along y and x.
    """
    fast = compiled("between")
    if fast is not None:
        spans, begin, classes = objects
        fast.redraw(out, labels, free, *spans, begin, classes, drawn, kept, how, upper, *steps)
        return
    height, width = out.shape[1:]
    for k, colour in enumerate(objects.classes.tolist()):
        if colour == 0:
            continue
        mine = np.arange(objects.begin[k], objects.begin[k + 1])
        _, pixel = pixels_of(objects.spans.taken(mine), width)
        z, y, x = np.unravel_index(pixel, out.shape)
        z0, z1 = int(z.min()), int(z.max())
        body = np.zeros((z1 - z0 + 1, height, width), dtype=bool)
        body[z - z0, y, x] = True
        seen = drawn[z0 : z1 + 1].copy()
        seen[[0, -1]] |= kept
        for at, shape in _shapes(body, seen, how, upper, steps):
            here = out[z0 + at]
            if not drawn[z0 + at]:
                here[shape & free[labels[z0 + at]] & (here < colour)] = colour


def _shapes(
    body: Mask, seen: Mask, how: int, upper: bool, steps: tuple[int, int]
) -> Iterator[tuple[int, Mask]]:
    """Slices, and what an object has there."""
    places = np.flatnonzero(seen).tolist()
    for z in places:
        yield z, body[z]
    for a, b in pairwise(places):
        for at in range(a + 1, b):
            yield at, _section(body[a], body[b], at - a, b - at, how, upper, steps)


def close(out: LabelMap, gaps: LabelMap, rank: Ints) -> None:
    """Let classes grow into gaps, slice by slice, face to face, one pixel all around at a time; in place.

    Args:
        out: (Z, Y, X); a pixel that is not 0 is no gap.
        gaps: not 0 where there may be one, the same shape.
        rank: of every class, (256,); of several the one of highest rank grows, one below 0 does not.
    """
    fast = compiled("between")
    if fast is not None:
        fast.close(out, gaps, rank)
        return
    for plane, gap in zip(out, gaps, strict=True):
        before = -1
        while before != (before := int(np.count_nonzero(plane))):
            around = np.pad(plane, 1)
            sides = np.stack([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]])
            best = np.take_along_axis(sides, rank[sides].argmax(axis=0)[None], axis=0)[0]
            grown = (gap != 0) & (plane == 0) & (rank[best] >= 0)
            plane[grown] = best[grown]


def _section(
    below: Mask, above: Mask, down: int, up: int, how: int, upper: bool, steps: tuple[int, int]
) -> Mask:
    """The slice that is ``down`` slices above one and ``up`` slices below another."""
    if how == MISSING:
        return np.zeros_like(below)
    nearer = above if up < down or (up == down and upper) else below
    if how == NEAREST:
        return nearer
    far = sum((n * s) ** 2 for n, s in zip(below.shape, steps, strict=True))
    one, other = (
        np.minimum(np.where(m, squared_distances(~m, steps), squared_distances(m, steps)), far) * w * w
        for m, w in ((below, up), (above, down))
    )
    decided = np.where(one > other, below, np.where(one < other, above, nearer))
    return np.where(below == above, below, decided)
