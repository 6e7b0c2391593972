"""Compiled loops of :mod:`noisylabels.kernels.warps`; what concerns tiles is in ``tiles_numba``.

The index of the pixel that is fetched is built up in floating point, where the loops along a row run on whole
vectors; it is far below 2**53, so it is exact.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel
from noisylabels.kernels.tiles_numba import (
    MIXED,
    fates_of,
    reach_of,
    slopes_of,
    uneven_before,
)

BLOCK = 16  # pixels that a loop takes at once: rows of floats are padded to whole blocks


@kernel
def keep(out: Any, labels: Any, stays: Any) -> None:
    """Copy the pixels of the values that stay; flat."""
    for i in range(len(labels)):
        if stays[labels[i]]:
            out[i] = labels[i]


@kernel
def _planes(planes: Any, coefficients: Any, first: int, w: Any) -> None:
    """Coefficients over (y, x) at one z, for every axis."""
    _, _, height, width = coefficients.shape
    for axis in range(3):
        for y in range(height):
            for x in range(width):
                total = coefficients[axis, first, y, x] * w[0] + coefficients[axis, first + 1, y, x] * w[1]
                total = total + coefficients[axis, first + 2, y, x] * w[2]
                planes[axis, y, x] = total + coefficients[axis, first + 3, y, x] * w[3]


@kernel
def _row(cubics: Any, sums: Any, planes: Any, first: int, w: Any) -> None:
    """Cubic polynomials along x of one row, for every axis and cell: constant, linear, square, cube."""
    _, _, width = planes.shape
    for axis in range(3):
        for x in range(width):
            total = planes[axis, first, x] * w[0] + planes[axis, first + 1, x] * w[1]
            total = total + planes[axis, first + 2, x] * w[2]
            sums[x] = total + planes[axis, first + 3, x] * w[3]
        for k in range(width - 3):
            c0, c1, c2, c3 = sums[k], sums[k + 1], sums[k + 2], sums[k + 3]
            cubics[k, axis, 0] = ((c0 + 4.0 * c1) + c2) / 6.0
            cubics[k, axis, 1] = (c2 - c0) * 0.5
            cubics[k, axis, 2] = ((c0 - 2.0 * c1) + c2) * 0.5
            cubics[k, axis, 3] = ((c3 - c0) + 3.0 * (c1 - c2)) / 6.0


@kernel
def _indices(
    index: Any, cubic: Any, z: int, y: int, places: Any, offsets: Any, shape: Any, constant: bool
) -> None:
    """Flat index of what each of some pixels of a row takes, all in one cell; -1 beyond the frame."""
    b0, b1, b2, b3 = cubic[1, 0], cubic[1, 1], cubic[1, 2], cubic[1, 3]
    c0, c1, c2, c3 = cubic[2, 0], cubic[2, 1], cubic[2, 2], cubic[2, 3]
    depth, height, width = shape
    top_y, top_x, at_y, stride = height - 1.0, width - 1.0, float(y), float(width)
    for i in range(len(index)):
        t = offsets[i]
        b = at_y + (((b3 * t + b2) * t + b1) * t + b0)
        c = places[i] + (((c3 * t + c2) * t + c1) * t + c0)
        inside = (b >= 0.0) & (b <= top_y) & (c >= 0.0) & (c <= top_x)
        b = max(0.0, min(b, top_y))
        c = max(0.0, min(c, top_x))
        found = np.floor(b + 0.5) * stride + np.floor(c + 0.5)
        index[i] = found if inside | (not constant) else -1.0
    if depth == 1:
        return
    a0, a1, a2, a3 = cubic[0, 0], cubic[0, 1], cubic[0, 2], cubic[0, 3]
    top_z, at_z, area = depth - 1.0, float(z), float(height * width)
    for i in range(len(index)):
        t = offsets[i]
        a = at_z + (((a3 * t + a2) * t + a1) * t + a0)
        inside = (a >= 0.0) & (a <= top_z) & (index[i] >= 0.0)
        a = max(0.0, min(a, top_z))
        found = index[i] + np.floor(a + 0.5) * area
        index[i] = found if inside | (not constant) else -1.0


@kernel
def _fetch(out: Any, labels: Any, index: Any, constant: bool) -> None:
    """Fill some pixels of a row; ``labels`` is flat."""
    if constant:
        for i in range(len(out)):
            at = index[i]
            value = labels[np.uint64(np.int64(max(at, 0.0)))]
            out[i] = value if at >= 0.0 else np.uint8(0)
    else:
        for i in range(len(out)):
            out[i] = labels[np.uint64(np.int64(index[i]))]


@kernel
def _fill_row(
    out: Any, labels: Any, fates: Any, cubics: Any, line: Any, z: int, y: int, shape: Any, sx: int, constant: bool
) -> None:  # fmt: skip
    """Fill one row of pixels, ``out``, by runs of tiles of one fate; ``line`` is what all rows share."""
    cells, ends, places, offsets, index = line
    count, first = len(fates), 0
    while first < count:
        tx = first + 1
        while tx < count and fates[tx] == fates[first]:
            tx += 1
        x0, x1 = first * sx, min(tx * sx, len(out))
        part = out[x0:x1]
        if fates[first] == MIXED:
            begin = x0
            # Cell by cell, in whole blocks: what is too much is written over by the next cell, or not used.
            while begin < x1:
                k = cells[begin]
                end = min(ends[k], x1)
                stop = begin + (end - begin + BLOCK - 1) // BLOCK * BLOCK
                some = slice(begin, stop)
                _indices(index[some], cubics[k], z, y, places[some], offsets[some], shape, constant)
                begin = end
            _fetch(part, labels, index[x0:x1], constant)
        else:
            value = np.uint8(fates[first])
            for i in range(len(part)):
                part[i] = value
        first = tx


@kernel
def warp(
    out: Any, labels: Any, tiles: Any, side: Any, coefficients: Any, cells_z: Any, cells_y: Any, cells_x: Any,
    weights_z: Any, weights_y: Any, offsets: Any, constant: bool,
) -> None:  # fmt: skip
    """Fill ``out``, one row of tiles after the other; ``tiles`` are those of the labels, of size ``side``."""
    shape = labels.shape
    depth, height, width = shape
    sz, sy, sx = side
    lines, columns = coefficients.shape[2], coefficients.shape[3]
    uneven = uneven_before(tiles)
    to, flat = out.reshape(-1), labels.reshape(-1)
    ends = np.zeros(columns, dtype=np.int64)
    places, within = np.zeros(width + BLOCK), np.zeros(width + BLOCK)
    for x in range(width):
        ends[cells_x[x]] = x + 1
        places[x], within[x] = x, offsets[x]
    line = (cells_x, ends, places, within, np.empty(width + BLOCK))
    planes = np.empty((sz, 3, lines, columns))
    cubics, sums = np.empty((columns - 3, 3, 4)), np.empty(columns)
    fates, reach = np.empty(tiles.shape[2], dtype=np.int64), reach_of(slopes_of(coefficients, shape), side)
    for tz in range(tiles.shape[0]):
        z0, z1 = tz * sz, min(tz * sz + sz, depth)
        for z in range(z0, z1):
            _planes(planes[z - z0], coefficients, cells_z[z], weights_z[z])
        for ty in range(tiles.shape[1]):
            y0, y1 = ty * sy, min(ty * sy + sy, height)
            z, y = (z0 + z1 - 1) // 2, (y0 + y1 - 1) // 2
            _row(cubics, sums, planes[z - z0], cells_y[y], weights_y[y])
            mixed = fates_of(
                fates, tiles, uneven, reach, cubics, cells_x, offsets, z, y, shape, side, constant
            )
            for z in range(z0, z1):
                for y in range(y0, y1):
                    if mixed > 0:
                        _row(cubics, sums, planes[z - z0], cells_y[y], weights_y[y])
                    row = to[(z * height + y) * width : (z * height + y + 1) * width]
                    _fill_row(row, flat, fates, cubics, line, z, y, shape, sx, constant)
