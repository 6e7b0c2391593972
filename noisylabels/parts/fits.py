"""Ellipses around objects: from their moments, from their contour, or in their smallest box.

The fit decides how much an ellipse labels beyond its object, more than anything else. Area of the ellipse
over that of the object, for a bar of 20 x 120 px and for a V of two strokes of 10 x 100 px::

                  bar     V
    moments      1.05   3.9
    contour      1.19  15.5
    box          0.79   3.1

Only + - * / sqrt in a fixed order, on all objects at once: no eigenvalue routine, no BLAS.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.kernels.boxes import smallest_boxes
from noisylabels.kernels.components import component_runs
from noisylabels.kernels.components import moments as exact_moments
from noisylabels.kernels.ellipses import DEGREES, Ellipses, contour_sums
from noisylabels.kernels.hulls import row_ends

Floats = NDArray[np.float64]

Fit: TypeAlias = Callable[[LabelMap, Sequence[int], int], Ellipses]
"""Ellipses around the components of some classes; several slices may lie below each other in one plane, with an
empty row after each: then the number of rows from one slice to the next is given, else 0."""

_ROWS = 2**15
"""So many rows at most lie below each other: sums of their squares stay exact in floats."""


def slice_by_slice(fit: Fit, labels: LabelMap, classes: Sequence[int]) -> Ellipses:
    """Ellipses of the components of every slice.

    Args:
        fit: how they are fitted.
        labels: (Z, Y, X).
        classes: the classes whose components are wanted.
    """
    depth, height, width = labels.shape
    many = max(1, _ROWS // (height + 1))
    found = []
    for first in range(0, depth, many):
        below = np.pad(labels[first : first + many], ((0, 0), (0, 1), (0, 0))).reshape(-1, width)
        part = fit(below, classes, height + 1)
        found.append(part._replace(slices=part.slices + first))
    return Ellipses(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _inverse(m: Floats) -> Floats:
    """Inverses of symmetric matrices, (n, 2, 2) or (n, 3, 3), by cofactors."""
    if m.shape[1] == 2:
        det = m[:, 0, 0] * m[:, 1, 1] - m[:, 0, 1] * m[:, 0, 1]
        rows = [[m[:, 1, 1], -m[:, 0, 1]], [-m[:, 0, 1], m[:, 0, 0]]]
    else:
        (a, b, c), (_, d, e), f = (m[:, 0, i] for i in range(3)), (m[:, 1, i] for i in range(3)), m[:, 2, 2]
        rows = [
            [d * f - e * e, c * e - b * f, b * e - c * d],
            [c * e - b * f, a * f - c * c, b * c - a * e],
            [b * e - c * d, b * c - a * e, a * d - b * b],
        ]
        det = a * rows[0][0] + b * rows[0][1] + c * rows[0][2]
    return np.stack([np.stack([cell / det for cell in row], axis=1) for row in rows], axis=1)


def from_moments(labels: LabelMap, classes: Sequence[int], rows: int = 0) -> Ellipses:
    """For every component the ellipse (3-D: ellipsoid) with the same centre and second moments.

    A solid ellipse of half axis a has the variance a**2 / (D + 2) along it, so the ellipse is
    (p - mean)' M**-1 (p - mean) <= D + 2. A pixel counts as a square, which adds 1/12 to the variances; so
    a component of one pixel gives that pixel.

    Args:
        labels: (Y, X) or (Z, Y, X).
        classes: the classes whose components are wanted.
        rows: from one slice to the next, where slices lie below each other; else 0.
    """
    found = exact_moments(labels, classes)
    ndim = labels.ndim
    pixels = found.pixels[:, None]
    origin = found.first // pixels  # integer sums about a pixel near the centre stay small and exact
    first = found.first - origin * pixels
    cross = origin[:, :, None] * found.first[:, None, :]
    square = origin[:, :, None] * origin[:, None, :] * found.pixels[:, None, None]
    second = found.second - cross - cross.transpose(0, 2, 1) + square
    mean = first / pixels
    m = second / found.pixels[:, None, None] - mean[:, :, None] * mean[:, None, :] + np.eye(ndim) / 12
    m = m * (ndim + 2)
    reach = np.sqrt(np.stack([m[:, i, i] for i in range(ndim)], axis=1))
    slices = np.zeros_like(found.pixels)
    if rows:
        slices, origin[:, 0] = origin[:, 0] // rows, origin[:, 0] % rows
    return Ellipses(found.classes, origin + mean, _inverse(m), reach, slices)


def _solve(matrix: list[list[Floats]], right: list[Floats]) -> list[Floats]:
    """Solve symmetric positive definite systems, one for every object, by elimination without pivots."""
    size = len(right)
    rows = [[*row, r] for row, r in zip(matrix, right, strict=True)]
    for k in range(size):
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [low - factor * high for low, high in zip(rows[i], rows[k], strict=True)]
    found = list(right)
    for k in reversed(range(size)):
        rest = rows[k][size]
        for i in range(k + 1, size):
            rest = rest - rows[k][i] * found[i]
        found[k] = rest / rows[k][k]
    return found


_MONOMIALS = ((2, 0), (1, 1), (0, 2), (1, 0), (0, 1), (0, 0))


def _conics(sums: dict[tuple[int, int], Floats]) -> tuple[list[Floats], Floats, Floats]:
    """Least squares conics a u2 + b uv + c v2 = 1, u = x - cx, v = y - cy, from the power sums of the points.

    The centre is that of the conic of least squares with five free terms; a, b and c are then fitted again
    about it.
    """
    scatter = [[sums[p[0] + q[0], p[1] + q[1]] for q in _MONOMIALS] for p in _MONOMIALS]
    a, b, c, d, e = _solve([row[:5] for row in scatter[:5]], scatter[5][:5])
    curved = 4 * a * c - b * b
    cx, cy = (b * e - 2 * c * d) / curved, (b * d - 2 * a * e) / curved
    one, none = np.ones_like(cx), np.zeros_like(cx)
    shifted = [
        [one, none, none, -2 * cx, none, cx * cx],
        [none, one, none, -cy, -cx, cx * cy],
        [none, none, one, none, -2 * cy, cy * cy],
    ]

    def dot(left: list[Floats], right: list[Floats]) -> Floats:
        return sum((one * other for one, other in zip(left, right, strict=True)), none)

    half = [[dot(row, line) for line in scatter] for row in shifted]
    matrix = [[dot(row, line) for row in shifted] for line in half]
    return _solve(matrix, [line[5] for line in half]), cx, cy


def from_contour(labels: LabelMap, classes: Sequence[int], rows: int = 0) -> Ellipses:
    """For every component of a plane the ellipse fitted to its contour pixels by algebraic least squares.

    Contour pixels have a face neighbour outside the component or lie on the frame. A component with fewer
    than six of them, or whose best conic is no ellipse, takes the ellipse of its moments. The ellipses
    agree with those of OpenCV's ``fitEllipse`` within about 1 % in area.

    Args:
        labels: (Y, X).
        classes: the classes whose components are wanted.
        rows: from one slice to the next, where slices lie below each other; else 0.
    """
    plain = from_moments(labels, classes, rows)
    origin = np.floor(plain.centre).astype(np.int64)
    at = origin + np.stack([plain.slices * rows, np.zeros_like(plain.slices)], axis=1)
    exact = contour_sums(labels, component_runs(labels, classes)[0], at)
    # Scaled by a power of two near the object's size, so that no term drowns another; this rounds nothing.
    _, exponent = np.frexp(np.maximum(plain.reach[:, 0], plain.reach[:, 1]))
    unit = np.ldexp(1.0, exponent)
    sums = {
        (i, j): np.ldexp(exact[:, k].astype(np.float64), -(i + j) * exponent)
        for k, (i, j) in enumerate(DEGREES)
    }
    with np.errstate(all="ignore"):  # a degenerate contour gives no finite conic; `good` leaves it out
        (a, b, c), cx, cy = _conics(sums)
        form = np.stack([np.stack([c, b / 2], axis=1), np.stack([b / 2, a], axis=1)], axis=1)
        det = (a * c - b * b / 4) * (unit * unit)
        reach = np.sqrt(np.stack([a / det, c / det], axis=1)) * unit[:, None] * unit[:, None]
        centre = origin + np.stack([cy * unit, cx * unit], axis=1)
        good = (exact[:, 0] >= 6) & (det > 0) & (a > 0) & np.isfinite(reach + centre).all(axis=1)
    return Ellipses(
        plain.classes,
        np.where(good[:, None], centre, plain.centre),
        np.where(good[:, None, None], form / (unit * unit)[:, None, None], plain.form),
        np.where(good[:, None], reach, plain.reach),
        plain.slices,
    )


def from_box(labels: LabelMap, classes: Sequence[int], rows: int = 0) -> Ellipses:
    """For every component of a plane the ellipse that touches the sides of its smallest rotated box.

    Args:
        labels: (Y, X).
        classes: the classes whose components are wanted.
        rows: from one slice to the next, where slices lie below each other; else 0.
    """
    table, of_class = component_runs(labels, classes)
    owner = table.objects.astype(np.int64) - 1
    row = np.repeat(np.arange(len(table.begin) - 1), np.diff(table.begin))
    slices = np.zeros(len(of_class), dtype=np.int64)
    if rows:
        slices[owner], row = row // rows, row % rows
    first, last = table.runs[:, 1].astype(np.int64), table.runs[:, 2].astype(np.int64)
    corners = (np.tile(owner, 2), np.concatenate([row, row + 1]), np.tile(first, 2), np.tile(last + 1, 2))
    side, extent = smallest_boxes(row_ends(*corners, len(of_class)))
    length = (side * side).sum(axis=1).astype(np.float64)
    along, across = side.astype(np.float64), np.stack([-side[:, 1], side[:, 0]], axis=1).astype(np.float64)
    middle = (extent[:, :, 0] + extent[:, :, 1]) / 4
    half = (extent[:, :, 1] - extent[:, :, 0]) / 4
    centre = (middle[:, :1] * along + middle[:, 1:] * across) / length[:, None]
    outer = [v[:, :, None] * v[:, None, :] for v in (along, across)]
    form = sum(o / (h * h)[:, None, None] for o, h in zip(outer, half.T, strict=True))
    spread = sum(o * ((h / length) * (h / length))[:, None, None] for o, h in zip(outer, half.T, strict=True))
    reach = np.sqrt(np.stack([spread[:, 0, 0], spread[:, 1, 1]], axis=1))
    return Ellipses(of_class, centre, form, reach, slices)
