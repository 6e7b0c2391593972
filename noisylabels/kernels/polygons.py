"""Fill polygons with integer coordinates, exactly.

Coordinates are 1/256 of a pixel (``FINE``); the frame begins at 0, and the centre of pixel (y, x) lies at
(256 y + 128, 256 x + 128). A pixel belongs to the polygons of an object if they wind round its centre more
often clockwise than the other way (positive winding number). So holes turn the other way than outer rings,
and an outline that crosses itself treats the object and what is around it alike: the flap of a twisted outer
ring is outside just as the flap of a twisted hole is inside, and neither is preferred.

A centre on a side belongs to the polygon to the right of that side or, where the side is horizontal, below
it. So polygons that share a side share no pixel and leave none out.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels import spans
from noisylabels.kernels.choice import compiled

FINE = 256
"""Steps of a coordinate in one pixel."""


class Polygons(NamedTuple):
    """Closed polygons, several of which make an object: object g has the rings first[g] .. first[g + 1].

    Attributes:
        points: vertices (y, x) in 1/256 px, (m, 2) int64, at most 2**28 either way.
        begin: where every ring begins, (r + 1,) int64.
        first: first ring of every object, (g + 1,) int64.
        slices: slice of every object, (g,) int64.
        classes: class of every object, (g,) uint8.
    """

    points: Ints
    begin: Ints
    first: Ints
    slices: Ints
    classes: NDArray[np.uint8]


def fill(out: LabelMap, labels: LabelMap, fixed: Mask, polygons: Polygons) -> None:
    """Raise every pixel of the polygons to their class where it is lower; in place, clipped to the frame.

    Args:
        out: (Z, Y, X).
        labels: the clean labels, the same shape.
        fixed: (256,); where the clean class of a pixel is fixed, the pixel stays.
        polygons: what to fill.
    """
    fast = compiled("polygons")
    if fast is not None:
        fast.fill(out, labels, fixed, *polygons)
    else:
        spans.paint(out, labels, fixed, *_spans(polygons, out.shape[1], out.shape[2]))


def _spans(polygons: Polygons, height: int, width: int) -> tuple[Ints, Ints, Ints, NDArray[np.uint8]]:
    """Runs of pixels of positive winding number: row, first and last x, class."""
    points, begin, first, slices, classes = polygons
    after = np.arange(1, len(points) + 1)
    after[begin[1:] - 1] = begin[:-1]
    owner = np.repeat(np.repeat(np.arange(len(slices)), np.diff(first)), np.diff(begin))
    (y0, x0), (y1, x1) = points.T, points[after].T
    sign = np.where(y1 < y0, 1, -1)
    top, left = np.where(y1 < y0, (y1, x1), (y0, x0))
    low, right = np.where(y1 < y0, (y0, x0), (y1, x1))
    row0 = np.maximum(-((FINE // 2 - top) // FINE), 0)  # the first row whose centre is not above
    row1 = np.minimum(-((FINE // 2 - low) // FINE), height)
    rows = np.maximum(row1 - row0, 0)
    edge = np.repeat(np.arange(len(points)), rows)
    row = row0[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(rows) - rows, rows)
    dy = (low - top)[edge]
    over = left[edge] * dy + (FINE * row + FINE // 2 - top[edge]) * (right - left)[edge]
    column = np.clip(-((FINE // 2 * dy - over) // (FINE * dy)), 0, width)
    order = np.lexsort((column, row, owner[edge]))
    row, column, of = row[order], column[order], owner[edge][order]
    inside = np.flatnonzero(np.cumsum(sign[edge][order]) > 0)
    return (
        slices[of[inside]] * height + row[inside],
        column[inside],
        column[inside + 1] - 1,
        classes[of[inside]],
    )
