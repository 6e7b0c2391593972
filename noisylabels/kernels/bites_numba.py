"""Compiled loops of :mod:`noisylabels.kernels.bites`: how far a bite reaches is found by halving."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel
from noisylabels.kernels.words_numba import root


@kernel
def _beside(row: int, height: int, place: Any, steps: Any) -> Any:
    """Squared distance of a row from a place."""
    dz, dy = (row // height - place[0]) * steps[0], (row % height - place[1]) * steps[1]
    return dz * dz + dy * dy


@kernel
def _within(runs: Any, some: Any, beside: Any, squared: int, x: int, step: int) -> int:
    """How many pixels of some runs lie in a ball around an x; the rows are so far beside it."""
    count = 0
    for n in range(len(some)):
        if beside[n] <= squared:
            half = root(squared - beside[n]) // step
            count += max(0, min(runs[some[n], 2], x + half) - max(runs[some[n], 1], x - half) + 1)
    return count


@kernel
def _reach(runs: Any, rows: Any, some: Any, most: int, shape: Any, place: Any, steps: Any) -> int:
    """The largest squared distance within which there are at most so many pixels; -1 if one is too many."""
    low, high = -1, 0
    for axis in range(3):
        high += (shape[axis] * steps[axis]) ** 2
    beside = np.empty(len(some), dtype=np.int64)
    for n in range(len(some)):
        beside[n] = _beside(rows[some[n]], shape[1], place, steps)
    if _within(runs, some, beside, high, place[2], steps[2]) <= most:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if _within(runs, some, beside, middle, place[2], steps[2]) <= most:
            low = middle
        else:
            high = middle
    return low


@kernel
def bite(out: Any, runs: Any, begin: Any, objects: Any, places: Any, pixels: Any, steps: Any) -> Any:
    """Clear what is bitten off; the runs that are left."""
    rows = np.empty(len(runs), dtype=np.int64)
    for row in range(len(begin) - 1):
        rows[begin[row] : begin[row + 1]] = row
    start = np.zeros(len(pixels) + 1, dtype=np.int64)  # runs of bitten objects, one object after the other
    for k in objects:
        start[k + 1] += pixels[k] > 0
    for k in range(len(pixels)):
        start[k + 1] += start[k]
    order, at = np.empty(start[-1], dtype=np.int64), start.copy()
    for i in range(len(runs)):
        k = objects[i]
        if pixels[k] > 0:
            order[at[k]] = i
            at[k] += 1
    squared = np.full(len(pixels), -1, dtype=np.int64)
    for k in range(1, len(pixels)):
        if pixels[k] > 0:
            some = order[start[k] : start[k + 1]]
            squared[k] = _reach(runs, rows, some, pixels[k], out.shape, places[k], steps)
    return _left(out, runs, begin, rows, objects, places, squared, steps, len(order))


@kernel
def _left(
    out: Any, runs: Any, begin: Any, rows: Any, objects: Any, places: Any, squared: Any, steps: Any, more: int
) -> Any:
    """Clear the balls; the runs without them: of each at most two pieces."""
    height, width = out.shape[1], out.shape[2]
    flat = out.reshape(-1)
    table = np.empty((len(runs) + more, 3), dtype=np.int32)
    owners = np.empty(len(runs) + more, dtype=np.int32)
    starts = np.zeros(len(begin), dtype=np.int64)
    n = 0
    for i in range(len(runs)):
        k, first, last = objects[i], np.int64(runs[i, 1]), np.int64(runs[i, 2])
        a, b = last + 1, last  # the piece that goes
        if squared[k] >= 0:
            rest = squared[k] - _beside(rows[i], height, places[k], steps)
            if rest >= 0:
                half = root(rest) // steps[2]
                a, b = max(first, places[k, 2] - half), min(last, places[k, 2] + half)
                if a > b:
                    a, b = last + 1, last
        for at in range(rows[i] * width + a, rows[i] * width + b + 1):
            flat[at] = 0
        for low, high in ((first, a - 1), (b + 1, last)):
            if low <= high:
                table[n, 0], table[n, 1], table[n, 2], owners[n] = runs[i, 0], low, high, k
                starts[rows[i] + 1] += 1
                n += 1
    for row in range(len(begin) - 1):
        starts[row + 1] += starts[row]
    return table[:n].copy(), starts, owners[:n].copy()
