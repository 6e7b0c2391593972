"""Compiled loops of :mod:`noisylabels.kernels.between`.

Only a pixel that two drawn slices disagree on needs its distances, and only in the box of the two sections.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _paint(
    out: Any, labels: Any, free: Any, row: Any, first: Any, last: Any, begin: int, end: int, z: int, colour: int
) -> None:  # fmt: skip
    """Paint the runs begin .. end - 1 of a slice into slice z."""
    for i in range(begin, end):
        y = row[i] % out.shape[1]
        for x in range(first[i], last[i] + 1):
            if free[labels[z, y, x]] and out[z, y, x] < colour:
                out[z, y, x] = colour


@kernel
def _mask(
    mask: Any, row: Any, first: Any, last: Any, begin: int, end: int, height: int, y0: int, x0: int
) -> None:
    """Draw the runs begin .. end - 1 into an empty box that starts at (y0, x0)."""
    for i in range(begin, end):
        y = row[i] % height - y0
        for x in range(first[i] - x0, last[i] + 1 - x0):
            mask[y, x] = True


@kernel
def _away(mask: Any) -> Any:
    """For every pixel how many rows away, in its column, one of the other kind is; -1 where there is none."""
    ny, nx = mask.shape
    away = np.full(mask.shape, -1)
    for y in range(1, ny):
        for x in range(nx):
            if mask[y, x] != mask[y - 1, x]:
                away[y, x] = 1
            elif away[y - 1, x] > 0:
                away[y, x] = away[y - 1, x] + 1
    for y in range(ny - 2, -1, -1):
        for x in range(nx):
            down = 1 if mask[y, x] != mask[y + 1, x] else away[y + 1, x] + 1
            if down > 0 and (away[y, x] < 0 or down < away[y, x]):
                away[y, x] = down
    return away


@kernel
def _square(mask: Any, away: Any, y: int, x: int, far: int, sy: int, sx: int) -> int:
    """Squared distance to the nearest pixel of the other kind; at most ``far``."""
    kind, best = mask[y, x], far
    if away[y, x] > 0:
        best = min(best, away[y, x] * sy * away[y, x] * sy)
    dx = 1
    while dx * sx * dx * sx < best and (x - dx >= 0 or x + dx < mask.shape[1]):
        for at in (x - dx, x + dx):
            if 0 <= at < mask.shape[1]:
                dy = 0 if mask[y, at] != kind else away[y, at]
                if dy >= 0:
                    best = min(best, dx * sx * dx * sx + dy * sy * dy * sy)
        dx += 1
    return best


@kernel
def _bounds(
    row: Any, first: Any, last: Any, begin: int, middle: int, end_low: int, end: int, height: int, width: int
) -> Any:
    """The box of two sections with a margin of 1 px, cut at the frame."""
    y0, y1, x0, x1 = height, 0, width, 0
    for i in range(begin, middle + end - end_low):
        at = i if i < middle else i - middle + end_low
        y = row[at] % height
        y0, y1, x0, x1 = min(y0, y), max(y1, y), min(x0, first[at]), max(x1, last[at])
    return max(y0 - 1, 0), min(y1 + 2, height), max(x0 - 1, 0), min(x1 + 2, width)


@kernel
def _interpolate(
    out: Any, labels: Any, free: Any, row: Any, first: Any, last: Any, begin: int, middle: int,
    end_low: int, end: int, a: int, b: int, colour: int, upper: bool, sy: int, sx: int,
) -> None:  # fmt: skip
    """Paint what lies between slice a, with the runs begin .. middle - 1, and b, with end_low .. end - 1."""
    height, width = np.int64(out.shape[1]), np.int64(out.shape[2])
    far = height * sy * height * sy + width * sx * width * sx
    y0, y1, x0, x1 = _bounds(row, first, last, begin, middle, end_low, end, height, width)
    shape = (y1 - y0, x1 - x0)
    below, above = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    _mask(below, row, first, last, begin, middle, height, y0, x0)
    _mask(above, row, first, last, end_low, end, height, y0, x0)
    away_below, away_above = _away(below), _away(above)
    left, right = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    for y in range(shape[0]):
        for x in range(shape[1]):
            if below[y, x] != above[y, x]:
                left[y, x] = _square(below, away_below, y, x, far, sy, sx)
                right[y, x] = _square(above, away_above, y, x, far, sy, sx)
    for z in range(a + 1, b):
        up, down = b - z, z - a
        nearer = up < down or (up == down and upper)
        for y in range(shape[0]):
            for x in range(shape[1]):
                inside = below[y, x]
                if inside != above[y, x]:
                    one, other = left[y, x] * up * up, right[y, x] * down * down
                    if one < other or (one == other and nearer):
                        inside = above[y, x]
                if inside and free[labels[z, y0 + y, x0 + x]] and out[z, y0 + y, x0 + x] < colour:
                    out[z, y0 + y, x0 + x] = colour


@kernel
def redraw(
    out: Any, labels: Any, free: Any, row: Any, first: Any, last: Any, begin: Any, classes: Any, drawn: Any,
    kept: bool, how: int, upper: bool, sy: int, sx: int,
) -> None:  # fmt: skip
    """Paint the objects; ``how`` is 0 for missing, 1 for nearest, 2 for interpolate."""
    height = out.shape[1]
    for k in range(len(classes)):
        colour, low, end = classes[k], begin[k], begin[k + 1]
        if colour == 0:
            continue
        start, stop = row[low] // height, row[end - 1] // height
        a, a_low, a_high = -1, low, low
        for z in range(start, stop + 1):
            high = low
            while high < end and row[high] // height == z:
                high += 1
            if drawn[z] or (kept and z in (start, stop)):
                if not drawn[z]:
                    _paint(out, labels, free, row, first, last, low, high, z, colour)
                if a >= 0 and how == 2 and z - a > 1:
                    _interpolate(
                        out, labels, free, row, first, last, a_low, a_high, low, high, a, z, colour, upper, sy, sx
                    )  # fmt: skip
                if a >= 0 and how == 1:
                    for at in range(a + 1, z):
                        over = z - at < at - a or (z - at == at - a and upper)
                        from_low, from_high = (low, high) if over else (a_low, a_high)
                        _paint(out, labels, free, row, first, last, from_low, from_high, at, colour)
                a, a_low, a_high = z, low, high
            low = high


@kernel
def _highest(plane: Any, rank: Any, y: int, x: int) -> Any:
    """Of the classes at the four sides the one of highest rank; 0 where all are below 0."""
    best = np.uint8(0)
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        if 0 <= y + dy < plane.shape[0] and 0 <= x + dx < plane.shape[1]:
            other = plane[y + dy, x + dx]
            if rank[other] >= 0 and (best == 0 or rank[other] > rank[best]):
                best = other
    return best


@kernel
def close(out: Any, gaps: Any, rank: Any) -> None:
    """Let the classes around gaps grow into them, one pixel all around at a time."""
    depth, height, width = out.shape
    places, given = np.empty(height * width, dtype=np.int64), np.empty(height * width, dtype=np.uint8)
    for z in range(depth):
        left, plane = 0, out[z]
        for y in range(height):
            for x in range(width):
                if gaps[z, y, x] != 0 and plane[y, x] == 0:
                    places[left] = y * width + x
                    left += 1
        grown = left > 0
        while grown:
            grown = False
            for i in range(left):
                given[i] = _highest(plane, rank, places[i] // width, places[i] % width)
            kept = 0
            for i in range(left):
                at = places[i]
                if given[i] != 0:
                    plane[at // width, at % width] = given[i]
                    grown = True
                else:
                    places[kept] = at
                    kept += 1
            left = kept
