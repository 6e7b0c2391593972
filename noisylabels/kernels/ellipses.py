"""Paint filled ellipses and ellipsoids, row by row, and sum over the contours that they are fitted to."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, outline
from noisylabels.kernels.choice import compiled, plain
from noisylabels.kernels.components import RunTable, numbers

Floats = NDArray[np.float64]


class Ellipses(NamedTuple):
    """Filled ellipses (D = 2) or ellipsoids (D = 3): the pixels p with (p - centre)' form (p - centre) <= 1.

    Attributes:
        classes: class that each one is painted with, (n,) uint8.
        centre: (n, D), in pixels and axis order.
        form: symmetric positive definite, (n, D, D).
        reach: half the side of the bounding box along every axis, (n, D).
        slices: where the canvas has an axis more than D: the slice of each one along axis 0, (n,) int64.
    """

    classes: NDArray[np.uint8]
    centre: Floats
    form: Floats
    reach: Floats
    slices: Ints


def paint(canvas: LabelMap, ellipses: Ellipses) -> LabelMap:
    """Paint in ascending order of the class over a canvas, clipped to the frame.

    A canvas pixel of a higher class lies above the ellipse and stays, and so does ``IGNORE``: the result is
    the highest class of all that cover a pixel.

    Args:
        canvas: classes, (Y, X) or (Z, Y, X); not changed.
        ellipses: D as the canvas has axes, or one less.
    """
    volume = canvas.reshape((-1, *canvas.shape[-2:])).copy()
    count, missing = len(ellipses.classes), 3 - ellipses.centre.shape[1]
    centre, reach, form = np.zeros((count, 3)), np.zeros((count, 3)), np.zeros((count, 3, 3))
    centre[:, missing:], reach[:, missing:] = ellipses.centre, ellipses.reach
    form[:, missing:, missing:] = ellipses.form
    if missing:
        centre[:, 0] = ellipses.slices
    # One row more on both sides: the bound may be rounded, the quadratic below decides.
    end = np.array(volume.shape, dtype=np.float64)
    low = np.clip(np.ceil(centre - reach) - 1, 0, end).astype(np.int64)
    high = np.clip(np.floor(centre + reach) + 1, -1, end - 1).astype(np.int64)
    if missing:
        low[:, 0] = high[:, 0] = ellipses.slices
    fast = compiled("ellipses")
    if fast is not None:
        fast.paint(volume, ellipses.classes, centre, form, low, high)
    else:
        _paint(volume, ellipses.classes, centre, form, low, high)
    return volume.reshape(canvas.shape)


def _paint(
    volume: LabelMap,
    classes: NDArray[np.uint8],
    centre: Floats,
    form: Floats,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> None:
    """The twin: all rows of all ellipses at once; spans are counted in and out along the flat volume."""
    _, height, width = volume.shape
    rows = np.maximum(high - low + 1, 0)
    owner = np.repeat(np.arange(len(classes)), rows[:, 0] * rows[:, 1])
    nth = np.arange(len(owner)) - np.repeat(
        np.cumsum(rows[:, 0] * rows[:, 1]) - rows[:, 0] * rows[:, 1], rows[:, 0] * rows[:, 1]
    )
    z = low[owner, 0] + nth // rows[owner, 1]
    y = low[owner, 1] + nth % rows[owner, 1]
    q = form[owner]
    dz, dy = z - centre[owner, 0], y - centre[owner, 1]
    a = q[:, 2, 2]
    slope = q[:, 0, 2] * dz + q[:, 1, 2] * dy
    rest = q[:, 0, 0] * dz * dz + 2.0 * q[:, 0, 1] * dz * dy + q[:, 1, 1] * dy * dy - 1.0
    inside = slope * slope - a * rest
    half = np.sqrt(np.maximum(inside, 0.0)) / a
    middle = centre[owner, 2] - slope / a
    first = np.maximum(np.ceil(middle - half), 0.0)
    last = np.minimum(np.floor(middle + half), width - 1.0)
    real = (inside >= 0) & (first <= last)
    row = (z * height + y) * width
    flat = volume.reshape(-1)
    for value in np.unique(classes):
        mine = real & (classes[owner] == value)
        change = np.bincount((row + first.astype(np.int64))[mine], minlength=flat.size + 1)
        change -= np.bincount((row + last.astype(np.int64))[mine] + 1, minlength=flat.size + 1)
        covered = np.cumsum(change[:-1]) > 0
        flat[covered & (flat < value)] = value  # IGNORE is 255, above every class


DEGREES = tuple((i, j) for i in range(5) for j in range(5 - i))
"""The powers of x and y that are summed over contours."""


def contour_sums(labels: LabelMap, table: RunTable, origin: Ints) -> Ints:
    """Exact sums of x**i y**j over the contour pixels of every object, for i + j <= 4.

    Contour pixels have a face neighbour outside the object or lie on the frame.

    Args:
        labels: (Y, X).
        table: the runs of its objects.
        origin: the pixel (y, x) from which x and y are counted, (n, 2).

    Returns:
        (n, 15), in the order of ``DEGREES``.
    """
    sums = np.zeros((len(origin), len(DEGREES)), dtype=np.int64)
    fast = compiled("ellipses")
    if fast is not None:
        fast.contour_sums(plain(labels), *table, origin, sums)
        return sums
    ids = numbers(table, slice(0, len(labels)), labels.shape[1])
    y, x = np.nonzero(outline(np.pad(ids, 1))[1:-1, 1:-1] & (ids > 0))
    owner = ids[y, x].astype(np.int64) - 1
    y, x = y - origin[owner, 0], x - origin[owner, 1]
    for k, (i, j) in enumerate(DEGREES):
        np.add.at(sums[:, k], owner, x**i * y**j)
    return sums
