"""Compiled loop of :mod:`noisylabels.kernels.contours`: follow every outline from its first left side."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _longer(array: Any, size: int) -> Any:
    """The first ``size`` rows in an array of twice the length."""
    wider = np.empty((2 * len(array) + 8, array.shape[1]), dtype=array.dtype)
    for i in range(size):
        for k in range(array.shape[1]):
            wider[i, k] = array[i, k]
    return wider


@kernel
def _follow(plane: Any, seen: Any, corners: Any, n: int, y: int, x: int) -> Any:
    """Append the ring that begins with the left side of pixel (y, x).

    Returns:
        The corners, how many there are, the signed area, and how many sides after the first go one way.
    """
    ahead_y, ahead_x = (-1, 0, 1, 0), (0, 1, 0, -1)
    start_y, start_x = (1, 0, 0, 1), (0, 0, 1, 1)
    height, width = plane.shape
    own, begin = plane[y, x], n
    py, px, turn, area, second, same = y, x, 0, 0, -1, 0
    while True:
        if n == len(corners):
            corners = _longer(corners, n)
        corners[n, 0] = py + start_y[turn]
        corners[n, 1] = px + start_x[turn]
        n += 1
        if turn == 0:
            seen[py, px] = 1
            area -= px
        elif turn == 2:
            area += px + 1
        if n == begin + 2:
            second = turn
        if n - begin == same + 2 and turn == second:
            same += 1
        ay, ax = py + ahead_y[turn], px + ahead_x[turn]
        ly, lx = ay + ahead_y[turn - 1], ax + ahead_x[turn - 1]
        if 0 <= ly < height and 0 <= lx < width and plane[ly, lx] == own:
            py, px, turn = ly, lx, (turn + 3) % 4
        elif 0 <= ay < height and 0 <= ax < width and plane[ay, ax] == own:
            py, px = ay, ax
        else:
            turn = (turn + 1) % 4
        if turn == 0 and py == y and px == x:
            return corners, n, area, same


@kernel
def _put(plane: Any, runs: Any, objects: Any, begin: Any, wanted: Any) -> None:
    """Write the numbers of the wanted objects into the rows of one slice."""
    for y in range(len(plane)):
        for run in range(begin[y], begin[y + 1]):
            number = objects[run] if wanted[objects[run]] else 0
            for x in range(runs[run, 1], runs[run, 2] + 1):
                plane[y, x] = number


@kernel
def trace(runs: Any, begin: Any, objects: Any, wanted: Any, height: int, width: int) -> Any:
    """Corners, and end, slice, owner, hole and lead of every ring; a left side is where a run begins."""
    corners = np.empty((4096, 2), dtype=np.int32)
    rings = np.empty((256, 5), dtype=np.int64)
    plane = np.zeros((height, width), dtype=np.int32)  # numbers of the objects in a slice
    seen = np.zeros((height, width), dtype=np.uint8)
    none = np.zeros_like(wanted)
    n, count = 0, 0
    for top in range(0, len(begin) - 1, height):
        rows = begin[top : top + height + 1]
        _put(plane, runs, objects, rows, wanted)
        for y in range(height):
            for run in range(rows[y], rows[y + 1]):
                x = runs[run, 1]
                if plane[y, x] == 0 or seen[y, x] != 0:
                    continue
                corners, n, area, same = _follow(plane, seen, corners, n, y, x)
                if count == len(rings):
                    rings = _longer(rings, count)
                rings[count, 0], rings[count, 1], rings[count, 2] = n, top // height, plane[y, x]
                rings[count, 3], rings[count, 4] = area < 0, 1 + same // 2
                count += 1
            for run in range(rows[y], rows[y + 1]):
                seen[y, runs[run, 1]] = 0
        _put(plane, runs, objects, rows, none)
    return corners[:n].copy(), rings[:count].copy()
