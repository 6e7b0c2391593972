"""Smooth displacement fields: cubic splines through the displacements of a coarse grid of control points.

The control points lie corner to corner; the spline takes their values where they are and is mirrored at the border of
the grid, as the package elasticdeform has it (cubic B-splines with prefilter). In one dimension, with 3 points::

    o           o           o      control points
    . . . . . . . . . . . . .      13 pixels

A linear part (a rotation, a shift) can be added to the coefficients: a cubic spline holds it without error.

Coordinates are found here and in elasticdeform in another order of operations, so they may differ in the last digits:
by about 1e-13 px. Labels differ only where such a coordinate lies that close to the middle between two pixels, or to
the border of the frame. Random coordinates do so once in 10**12; but at the control points the displacement is the
grid's own, and at other regular places a simple fraction of it, so a grid of round numbers would hit middles exactly.
Hence :func:`rounded_grid`: displacements are multiples of 2**-10 px plus a fixed share of that step, the golden
section, which no fraction with a denominator q comes nearer to than 0.4 / q**2. Then no place where the spline's
weights are fractions with a denominator up to 10,000 is closer than 4e-12 px to a middle.
"""

from fractions import Fraction
from functools import cache, lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from noisylabels.kernels.warps import Field
from noisylabels.parts.turns import PLACE_STEP, rounded

Floats = NDArray[np.float64]

NUDGE = 0.3819660112501051 * PLACE_STEP
"""What every displacement has beyond a multiple of 2**-10 px: (3 - sqrt 5) / 2 of it, 0.0004 px."""


def rounded_grid(displacements: Floats) -> Floats:
    """Displacements to the nearest multiple of 2**-10 px, plus 0.0004 px."""
    return rounded(displacements, PLACE_STEP) + NUDGE


@cache
def _prefilter(points: int) -> Floats:
    """What the value at each of ``points`` knots (row) gives to each B-spline coefficient (column), one past each end.

    Rounded from the exact one, the inverse of a band matrix with 4/6 on the diagonal, 1/6 beside it and 2/6 in the
    corners; mirrored at the ends.
    """
    rows = []
    for i in range(points):
        band = [Fraction(0)] * points
        band[i] = Fraction(4, 6)
        for j in (i - 1, i + 1):
            band[abs(j) if j < points else 2 * points - 2 - j] += Fraction(1, 6)
        rows.append(band + [Fraction(int(i == k)) for k in range(points)])
    for i in range(points):  # Gauss and Jordan; the diagonal is never 0
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(points):
            if k != i:
                rows[k] = [a - rows[k][i] * b for a, b in zip(rows[k], rows[i], strict=True)]
    inverse = [[float(value) for value in row[points:]] for row in rows]
    return np.array([inverse[1], *inverse, inverse[-2]]).T.copy()


def _coefficients(values: Floats, axis: int) -> Floats:
    """B-spline coefficients along an axis, with one more on both sides."""
    before, points, behind = values.shape[:axis], values.shape[axis], values.shape[axis + 1 :]
    wide = values.reshape(prod(before), points, prod(behind))
    weights = _prefilter(points)[:, :, None]
    total = wide[:, :1] * weights[0]
    for k in range(1, points):  # one control point after the other: a fixed order
        total = total + wide[:, k : k + 1] * weights[k]
    return np.asarray(total.reshape(*before, points + 2, *behind))


@lru_cache(maxsize=64)
def _places(size: int, points: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """For every pixel of an axis: the first of its four coefficients, its offset in the cell, and their weights.

    The offset is 0 to 1 (1 at the last pixel); the weights, (size, 4), are 1, 0, 0, 0 where there is one control point.
    """
    if points == 1:
        return (
            np.zeros(size, dtype=np.int64),
            np.zeros(size),
            np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (size, 1)),
        )
    place = (points - 1.0) * np.arange(size, dtype=np.float64) / (size - 1.0)
    cell = np.minimum(place.astype(np.int64), points - 2)
    t: Floats = place - cell.astype(np.float64)
    u: Floats = 1.0 - t
    near, far = (t * t * (t - 2.0) * 3.0 + 4.0) / 6.0, (u * u * (u - 2.0) * 3.0 + 4.0) / 6.0
    before = u * u * u / 6.0
    return cell, t, np.stack([before, near, far, 1.0 - before - near - far], axis=1)


def field(grid: Floats, shape: tuple[int, ...], linear: Floats | None = None) -> Field:
    """The field of a grid.

    Args:
        grid: displacements in pixels, (A, ...): one for each of the A axes that are longer than a pixel, at the control
            points along these axes (at least 2).
        shape: the frame, (Y, X) or (Z, Y, X).
        linear: matrix and shift, (A, A + 1): linear displacement of a pixel by its place, added to that of the grid.
    """
    whole = (1,) * (3 - len(shape)) + tuple(shape)
    long = [axis for axis, size in enumerate(whole) if size > 1]
    coefficients = grid
    for axis in range(1, grid.ndim):
        coefficients = _coefficients(coefficients, axis)
    if linear is not None:
        coefficients = coefficients + _linear(grid.shape[1:], [whole[axis] for axis in long], linear)
    points = [1, 1, 1]
    for axis, count in zip(long, grid.shape[1:], strict=True):
        points[axis] = count
    full = np.zeros((3, *(4 if count == 1 else count + 2 for count in points)))
    full[long] = coefficients.reshape(-1, *(1 if count == 1 else count + 2 for count in points))
    z, y, x = (_places(size, count) for size, count in zip(whole, points, strict=True))
    return Field(full, (z[0], y[0], x[0]), (z[2], y[2]), x[1])


def _linear(points: tuple[int, ...], sizes: list[int], linear: Floats) -> Floats:
    """Coefficients of a linear displacement, (A, ...): its values at the knots, those beyond the border too."""
    total = linear[:, -1].reshape(-1, *(1,) * len(points))
    for axis, (count, size) in enumerate(zip(points, sizes, strict=True)):
        knots = np.arange(-1, count + 1) * (size - 1.0) / (count - 1.0)
        line = knots.reshape((1,) * (axis + 1) + (-1,) + (1,) * (len(points) - axis - 1))
        total = total + linear[:, axis].reshape(-1, *(1,) * len(points)) * line
    return np.asarray(total)
