"""The smallest rotated box around every object of a 2-D map, in integer arithmetic.

The twin is the loop below run as plain Python; the kernel is the same loop compiled.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.geometry import Ints
from noisylabels.kernels.choice import compiled


def smallest_boxes(ids: NDArray[np.int32], count: int) -> tuple[Ints, Ints]:
    """The box of least area around the pixel squares of every object.

    One side lies along a side of the convex hull; of equal boxes the first along the hull is taken.

    Args:
        ids: number of the object of every pixel, 1 .. count, 0 where there is none; (Y, X).
        count: n.

    Returns:
        ``side`` (n, 2): direction (y, x) of one side, in integers.
        ``extent`` (n, 2, 2): lowest and highest product of twice a corner's coordinates with that
            direction, and with the
        direction (-x, y) across.
    """
    padded = np.pad(ids, ((0, 0), (1, 1)))
    here = padded[:, 1:-1]
    ends = []
    for neighbour, shift in ((padded[:, :-2], -1), (padded[:, 2:], 1)):
        y, x = np.nonzero((here > 0) & (here != neighbour))
        owner = here[y, x].astype(np.int64) - 1
        ends += [np.stack([owner, 2 * y + up, 2 * x + shift]) for up in (-1, 1)]
    corners = np.concatenate(ends, axis=1)
    corners = np.ascontiguousarray(corners[:, np.lexsort(corners[::-1])])
    begin = np.searchsorted(corners[0], np.arange(count + 1))
    side = np.zeros((count, 2), dtype=np.int64)
    extent = np.zeros((count, 2, 2), dtype=np.int64)
    fast = compiled("boxes")
    (fast.search if fast is not None else search)(corners[1:], begin, side, extent)
    return side, extent


def search(corners: Ints, begin: Any, side: Ints, extent: Ints) -> None:
    """Fill ``side`` and ``extent``; corners (2, m), y and x, sorted within begin[k] .. begin[k + 1]."""
    y, x = corners[0], corners[1]
    hull = np.empty(corners.shape[1] + 1, dtype=np.int64)
    for k in range(len(side)):
        # Andrew's chain: one way along the sorted corners, then back.
        size, floor = 0, 2
        first, last = begin[k], begin[k + 1] - 1
        for step in range(2 * (last - first) + 1):
            i = first + step if step <= last - first else 2 * last - first - step
            if step == last - first + 1:
                floor = size + 1
            while size >= floor:
                a, b = hull[size - 2], hull[size - 1]
                if (y[b] - y[a]) * (x[i] - x[a]) - (x[b] - x[a]) * (y[i] - y[a]) > 0:
                    break
                size -= 1
            if size == 0 or y[hull[size - 1]] != y[i] or x[hull[size - 1]] != x[i]:
                hull[size] = i
                size += 1
        least = np.inf
        for edge in range(size - 1):
            sy, sx = y[hull[edge + 1]] - y[hull[edge]], x[hull[edge + 1]] - x[hull[edge]]
            low, high = y[hull[0]] * sy + x[hull[0]] * sx, y[hull[0]] * sy + x[hull[0]] * sx
            left, right = x[hull[0]] * sy - y[hull[0]] * sx, x[hull[0]] * sy - y[hull[0]] * sx
            for j in range(1, size - 1):
                along = y[hull[j]] * sy + x[hull[j]] * sx
                across = x[hull[j]] * sy - y[hull[j]] * sx
                low, high = min(low, along), max(high, along)
                left, right = min(left, across), max(right, across)
            area = (high - low) * (right - left) / (sy * sy + sx * sx)
            if area < least:
                least = area
                side[k, 0], side[k, 1] = sy, sx
                extent[k, 0, 0], extent[k, 0, 1] = low, high
                extent[k, 1, 0], extent[k, 1, 1] = left, right
