"""The smallest rotated box around every object of a plane, in integer arithmetic.

The twin is the loop below run as plain Python; the kernel is the same loop compiled.
"""

from typing import Any

import numpy as np

from noisylabels.geometry import Ints
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.hulls import RowEnds, hull_points


def smallest_boxes(corners: RowEnds) -> tuple[Ints, Ints]:
    """The box of least area around the corners of every object.

    One side lies along a side of the convex hull; of equal boxes the first along the hull is taken, down the
    left side and up the right one.

    Args:
        corners: of the pixels, as rows of objects; corner (y, x) is that before pixel (y, x).

    Returns:
        ``side`` (n, 2): direction (y, x) of one side, in integers.
        ``extent`` (n, 2, 2): lowest and highest product of twice a corner's place, where pixel (0, 0) has its
            centre at 0, with that direction, and with the direction (-x, y) across.
    """
    y, x, begin = hull_points(corners)
    side = np.zeros((len(corners.top), 2), dtype=np.int64)
    extent = np.zeros((len(corners.top), 2, 2), dtype=np.int64)
    fast = compiled("boxes")
    (fast.search if fast is not None else search)(2 * y - 1, 2 * x - 1, begin, side, extent)
    return side, extent


def search(y: Ints, x: Ints, begin: Any, side: Ints, extent: Ints) -> None:
    """Fill ``side`` and ``extent``; the corners of hull k are begin[k] .. begin[k + 1]."""
    for k in range(len(side)):
        first, last = begin[k], begin[k + 1]
        least = np.inf
        for edge in range(first, last):
            end = edge + 1 if edge + 1 < last else first
            sy, sx = y[end] - y[edge], x[end] - x[edge]
            low, high = y[first] * sy + x[first] * sx, y[first] * sy + x[first] * sx
            left, right = x[first] * sy - y[first] * sx, x[first] * sy - y[first] * sx
            for j in range(first + 1, last):
                along = y[j] * sy + x[j] * sx
                across = x[j] * sy - y[j] * sx
                low, high = min(low, along), max(high, along)
                left, right = min(left, across), max(right, across)
            area = (high - low) * (right - left) / (sy * sy + sx * sx)
            if area < least:
                least = area
                side[k, 0], side[k, 1] = sy, sx
                extent[k, 0, 0], extent[k, 0, 1] = low, high
                extent[k, 1, 0], extent[k, 1, 1] = left, right
