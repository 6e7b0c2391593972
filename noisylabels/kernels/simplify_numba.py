"""Compiled loop of :mod:`noisylabels.kernels.simplify`: every ring by itself, pieces on a stack."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _distance(py: float, px: float, ay: float, ax: float, by: float, bx: float) -> float:
    """Squared distance of a point to the piece of line from a to b."""
    uy, ux, vy, vx = py - ay, px - ax, by - ay, bx - ax
    long = vy * vy + vx * vx
    along = uy * vy + ux * vx
    if along <= 0.0:
        return uy * uy + ux * ux
    if along >= long:
        return (py - by) * (py - by) + (px - bx) * (px - bx)
    across = uy * vx - ux * vy
    return across * across / long


@kernel
def _farthest(points: Any, begin: int, size: int, start: int) -> int:
    """Place in its ring of the first point farthest from the one at ``start``."""
    best, found = -1.0, 0
    for i in range(size):
        y, x = (
            points[begin + i, 0] - points[begin + start, 0],
            points[begin + i, 1] - points[begin + start, 1],
        )
        if y * y + x * x > best:
            best, found = y * y + x * x, i
    return found


@kernel
def choose(points: Any, begin: Any, limit: float, keep: Any) -> None:
    """Mark the points that stay."""
    longest = 0
    for k in range(len(begin) - 1):
        longest = max(longest, begin[k + 1] - begin[k])
    stack = np.empty((longest + 4, 3), dtype=np.int64)
    for k in range(len(begin) - 1):
        base, size = begin[k], begin[k + 1] - begin[k]
        one = _farthest(points, base, size, 0)
        start = _farthest(points, base, size, one)
        keep[base + one] = True
        keep[base + start] = True
        half = (one - start) % size
        stack[0, 0], stack[0, 1], stack[0, 2] = 0, half, 1
        stack[1, 0], stack[1, 1], stack[1, 2] = half, size, 1
        height = 2
        while height > 0:  # places are counted from the start
            height -= 1
            first, last, forced = stack[height, 0], stack[height, 1], stack[height, 2]
            a, b = base + (start + first) % size, base + (start + last) % size
            best, found = 0.0 if forced == 1 else limit, -1
            for place in range(first + 1, last):
                i = start + place
                i = base + (i - size if i >= size else i)
                far = _distance(
                    points[i, 0], points[i, 1], points[a, 0], points[a, 1], points[b, 0], points[b, 1]
                )
                if far > best:
                    best, found = far, place
            if found >= 0:
                keep[base + (start + found) % size] = True
                stack[height, 0], stack[height, 1], stack[height, 2] = first, found, 0
                stack[height + 1, 0], stack[height + 1, 1], stack[height + 1, 2] = found, last, 0
                height += 2
