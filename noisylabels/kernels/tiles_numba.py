"""Which tiles of a deformed map hold one value: where a tile's pixels can come from, and what is there.

Bounds alone are found here, with room for rounding; they decide how much is looked at, never what a pixel becomes.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel

MIXED = 256  # what a tile of several values is noted as; any other number is the one value of all its pixels


@kernel
def survey(labels: Any, side: Any) -> Any:
    """The one value of every tile, or ``MIXED``, and which values occur, (256,).

    ``side`` is the size of a tile (z, y, x), powers of two, x at least 8. The first row of a row of tiles is kept in a
    buffer of whole words; the other rows are compared with it.
    """
    depth, height, width = labels.shape
    sz, sy, sx = side
    nz, ny, nx = (depth + sz - 1) // sz, (height + sy - 1) // sy, (width + sx - 1) // sx
    tiles, found = np.empty((nz, ny, nx), dtype=np.int16), np.zeros(256, dtype=np.bool_)
    flat = labels.reshape(-1)
    first, differ = np.zeros(nx * sx, dtype=np.uint8), np.zeros(nx * sx, dtype=np.uint8)
    first_words, differ_words = first.view(np.uint64), differ.view(np.uint64)
    for tz in range(nz):
        for ty in range(ny):
            start = (tz * sz * height + ty * sy) * width
            first[:width] = flat[start : start + width]
            first[width:] = flat[start + (nx - 1) * sx]
            differ[:] = 0
            for z in range(tz * sz, min(tz * sz + sz, depth)):
                for y in range(ty * sy, min(ty * sy + sy, height)):
                    start = (z * height + y) * width
                    here = flat[start : start + width]
                    for x in range(len(here)):
                        differ[x] |= here[x] ^ first[x]
            for tx in range(nx):
                value, mixed = first[tx * sx], np.uint64(0)
                pattern = np.uint64(0x0101010101010101) * np.uint64(value)
                for k in range(tx * sx // 8, (tx + 1) * sx // 8):
                    mixed |= differ_words[k] | (first_words[k] ^ pattern)
                tiles[tz, ty, tx] = value
                found[value] = True
                if mixed != 0:
                    tiles[tz, ty, tx] = MIXED
                    _mark(found, labels, side, tz, ty, tx)
    return tiles, found


@kernel
def _mark(found: Any, labels: Any, side: Any, tz: int, ty: int, tx: int) -> None:
    """Mark the values in a tile."""
    depth, height, width = labels.shape
    sz, sy, sx = side
    for z in range(tz * sz, min(tz * sz + sz, depth)):
        for y in range(ty * sy, min(ty * sy + sy, height)):
            for x in range(tx * sx, min(tx * sx + sx, width)):
                found[labels[z, y, x]] = True


@kernel
def uneven_before(tiles: Any) -> Any:
    """How many tiles before each one, along all axes, are not of one value together with the next; sums, one longer.

    So a box of tiles a to b (not included), and the next ones, holds one value if its sum is 0.
    """
    nz, ny, nx = tiles.shape
    sums = np.zeros((nz + 1, ny + 1, nx + 1), dtype=np.int32)
    for z in range(nz):
        for y in range(ny):
            line = 0
            for x in range(nx):
                value, alike = tiles[z, y, x], True
                for k in range(z, min(z + 2, nz)):
                    for j in range(y, min(y + 2, ny)):
                        for i in range(x, min(x + 2, nx)):
                            alike = alike and tiles[k, j, i] == value
                line += 0 if alike and value != MIXED else 1
                before = sums[z, y + 1, x + 1] + sums[z + 1, y, x + 1] - sums[z, y, x + 1]
                sums[z + 1, y + 1, x + 1] = before + line
    return sums


@kernel
def _hull(values: Any, outer: int, n: int, inner: int) -> Any:
    """Bezier points in place of n B-spline coefficients along the middle axis of three; all flat.

    Four for every cell, ends shared. They enclose the spline far more closely: coefficients swing to 27 times the
    displacements.
    """
    m = 3 * (n - 3) + 1
    out = np.empty(outer * m * inner)
    for i in range(outer):
        for k in range(n - 2):
            for j in range(inner):
                at, to = (i * n + k) * inner + j, (i * m + 3 * k) * inner + j
                before, here, after = values[at], values[at + inner], values[at + 2 * inner]
                out[to] = (before + 4.0 * here + after) / 6.0
                if k < n - 3:
                    out[to + inner] = (2.0 * here + after) / 3.0
                    out[to + 2 * inner] = (here + 2.0 * after) / 3.0
    return out


@kernel
def slopes_of(coefficients: Any, shape: Any) -> Any:
    """Most that the displacement along an axis (row) changes from pixel to pixel along another (column), (3, 3)."""
    _, gz, gy, gx = coefficients.shape
    bz, by, bx = 3 * (gz - 3) + 1, 3 * (gy - 3) + 1, 3 * (gx - 3) + 1
    points = _hull(coefficients.reshape(-1), 3, gz, gy * gx)
    points = _hull(points, 3 * bz, gy, gx)
    points = _hull(points, 3 * bz * by, gx, 1)
    slopes = np.zeros((3, 3))
    for axis in range(3):
        for i in range(bz * by * bx):
            at = axis * bz * by * bx + i
            if i % bx > 0:
                slopes[axis, 2] = max(slopes[axis, 2], abs(points[at] - points[at - 1]))
            if i // bx % by > 0:
                slopes[axis, 1] = max(slopes[axis, 1], abs(points[at] - points[at - bx]))
            if i >= by * bx:
                slopes[axis, 0] = max(slopes[axis, 0], abs(points[at] - points[at - by * bx]))
        slopes[axis, 0] *= 3.0 * (gz - 3) / max(shape[0] - 1, 1)
        slopes[axis, 1] *= 3.0 * (gy - 3) / max(shape[1] - 1, 1)
        slopes[axis, 2] *= 3.0 * (gx - 3) / max(shape[2] - 1, 1)
    return slopes


@kernel
def reach_of(slopes: Any, side: Any) -> Any:
    """How far from where its middle comes from the pixels of a tile can come from, (3,), with room for rounding."""
    reach = np.empty(3)
    for axis in range(3):
        across = (
            slopes[axis, 0] * (side[0] // 2)
            + slopes[axis, 1] * (side[1] // 2)
            + slopes[axis, 2] * (side[2] // 2)
        )
        reach[axis] = across + side[axis] // 2 + 1.0
    return reach


@kernel
def _span(at: float, reach: float, size: int, per_pixel: float) -> Any:
    """First and last tile along an axis, and whether it lies inside the frame (0), sticks out (1) or is out (2)."""
    low, high, last = at - reach, at + reach, size - 1.0
    cut = 0
    if low < 0.0 or high > last:
        cut = 2 if high < 0.0 or low > last else 1
        low, high = max(0.0, min(low, last)), max(0.0, min(high, last))
    return np.int64(low * per_pixel), np.int64(high * per_pixel), cut


@kernel
def fates_of(
    fates: Any, tiles: Any, uneven: Any, reach: Any, cubics: Any, cells: Any, offsets: Any, z: int, y: int, shape: Any,
    side: Any, constant: bool,
) -> int:  # fmt: skip
    """The one value that all pixels of a tile take, or ``MIXED``, for a row of tiles; and how many are mixed.

    ``cubics`` are those of the row of pixels in their middle, which is z, y.
    """
    depth, height, width = shape
    sx, mixed = side[2], 0
    per_z, per_y, per_x = 1.0 / side[0], 1.0 / side[1], 1.0 / sx
    z0, z1, cut_z = 0, 0, 0
    for tx in range(len(fates)):
        x = (tx * sx + min(tx * sx + sx, width) - 1) // 2
        t, k = offsets[x], cells[x]
        if depth > 1:
            at = z + (((cubics[k, 0, 3] * t + cubics[k, 0, 2]) * t + cubics[k, 0, 1]) * t + cubics[k, 0, 0])
            z0, z1, cut_z = _span(at, reach[0], depth, per_z)
        at = y + (((cubics[k, 1, 3] * t + cubics[k, 1, 2]) * t + cubics[k, 1, 1]) * t + cubics[k, 1, 0])
        y0, y1, cut_y = _span(at, reach[1], height, per_y)
        at = x + (((cubics[k, 2, 3] * t + cubics[k, 2, 2]) * t + cubics[k, 2, 1]) * t + cubics[k, 2, 0])
        x0, x1, cut_x = _span(at, reach[2], width, per_x)
        value, cut = tiles[z0, y0, x0], max(cut_z, cut_y, cut_x)
        z1, y1, x1 = max(z1, z0 + 1), max(y1, y0 + 1), max(x1, x0 + 1)
        within = uneven[z1, y1, x1] - uneven[z1, y0, x1] - uneven[z1, y1, x0] + uneven[z1, y0, x0]
        if z0 > 0:
            within -= uneven[z0, y1, x1] - uneven[z0, y0, x1] - uneven[z0, y1, x0] + uneven[z0, y0, x0]
        if constant and cut == 2:
            value = 0
        elif within != 0 or (constant and cut == 1 and value != 0):
            value = MIXED
        fates[tx] = value
        mixed += value == MIXED
    return mixed
