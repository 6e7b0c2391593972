"""Compiled loop of :mod:`noisylabels.kernels.polygons`: winding numbers of one object at a time.

Every side adds its sign where it crosses a row of centres; the sum along the row is the winding number.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _wind(winding: Any, low: Any, high: Any, y0: int, x0: int, y1: int, x1: int) -> Any:
    """Count one side in; returns its first row and the row after its last."""
    height, width = winding.shape[0], winding.shape[1] - 1
    sign = -1
    if y1 < y0:
        y0, x0, y1, x1, sign = y1, x1, y0, x0, 1
    first, last = max((y0 + 127) // 256, 0), min((y1 + 127) // 256, height)  # 256 row + 128 >= y
    if first >= last:
        return height, 0
    dy = y1 - y0
    slope = 256 * (x1 - x0)
    whole, rest = slope // (256 * dy), slope % (256 * dy)
    over = x0 * dy + (256 * first + 128 - y0) * (x1 - x0) - 128 * dy + 256 * dy - 1
    column, left = over // (256 * dy), over % (256 * dy)
    for row in range(first, last):
        at = min(max(column, 0), width)
        winding[row, at] += sign
        low[row] = min(low[row], at)
        high[row] = max(high[row], at)
        column += whole
        left += rest
        if left >= 256 * dy:
            left -= 256 * dy
            column += 1
    return first, last


@kernel
def fill(
    out: Any, labels: Any, fixed: Any, points: Any, begin: Any, first: Any, slices: Any, classes: Any
) -> None:
    """Raise the pixels of every object."""
    height, width = out.shape[1], out.shape[2]
    winding = np.zeros((height, width + 1), dtype=np.int32)
    low = np.full(height, width + 1, dtype=np.int64)
    high = np.full(height, -1, dtype=np.int64)
    for g in range(len(slices)):
        top, bottom = height, 0
        for ring in range(first[g], first[g + 1]):
            last = begin[ring + 1] - 1
            y0, x0 = points[last, 0], points[last, 1]
            for i in range(begin[ring], last + 1):
                y1, x1 = points[i, 0], points[i, 1]
                if (y0 + 127) // 256 != (y1 + 127) // 256:
                    a, b = _wind(winding, low, high, y0, x0, y1, x1)
                    top, bottom = min(top, a), max(bottom, b)
                y0, x0 = y1, x1
        c = classes[g]
        for row in range(top, bottom):
            line, clean, wind = out[slices[g], row], labels[slices[g], row], winding[row]
            total = 0
            for x in range(low[row], min(high[row], width - 1) + 1):
                total += wind[x]
                wind[x] = 0
                if total > 0 and line[x] < c and not fixed[clean[x]]:
                    line[x] = c
            wind[width] = 0
            low[row] = width + 1
            high[row] = -1
