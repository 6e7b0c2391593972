"""Compiled loops of :mod:`noisylabels.kernels.moves`."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _run_at(runs: Any, low: int, high: int, x: int) -> int:
    """The run among low .. high - 1 that holds x; there is one."""
    while high - low > 1:
        middle = (low + high) // 2
        if runs[middle, 1] <= x:
            low = middle
        else:
            high = middle
    return low


@kernel
def _within(first: float, slope: float, low: int, high: int, start: int, end: int) -> Any:
    """The part of start .. end in which first + slope * (x - start) may lie between low - 1 and high + 1."""
    if abs(slope) < 1e-6:
        return start, end
    a, b = (low - 1.0 - first) / slope, (high + 1.0 - first) / slope
    near, far = min(a, b), max(a, b)
    if far < 0.0 or near > end - start:
        return start, start - 1
    return start + np.int64(max(near, 0.0)), start + np.int64(min(far + 1.0, float(end - start)))


@kernel
def _paint(
    out: Any, labels: Any, runs: Any, begin: Any, objects: Any, owner: Any, free: Any, k: int, box: Any, to: Any,
    matrix: Any, about: Any, landing: Any,
) -> int:  # fmt: skip
    """Paint object k, and say how many of its pixels were painted."""
    _, height, width = labels.shape
    flat, canvas = labels.reshape(-1), out.reshape(-1)
    painted = 0
    mz, my, mx = matrix[0, 2], matrix[1, 2], matrix[2, 2]
    for z in range(to[0, 0], to[1, 0] + 1):
        dz = z - landing[0]
        for y in range(to[0, 1], to[1, 1] + 1):
            dy = y - landing[1]
            az = about[0] + (matrix[0, 0] * dz + matrix[0, 1] * dy)
            ay = about[1] + (matrix[1, 0] * dz + matrix[1, 1] * dy)
            ax = about[2] + (matrix[2, 0] * dz + matrix[2, 1] * dy)
            x0, x1 = to[0, 2], to[1, 2]
            dx = x0 - landing[2]
            z0, z1 = _within(az + mz * dx, mz, box[0, 0], box[1, 0], x0, x1)
            y0, y1 = _within(ay + my * dx, my, box[0, 1], box[1, 1], x0, x1)
            x0, x1 = _within(ax + mx * dx, mx, box[0, 2], box[1, 2], x0, x1)
            x0, x1 = max(x0, y0, z0), min(x1, y1, z1)
            row = (z * height + y) * width
            seen, first, last, mine = -1, 0, -1, False
            for x in range(x0, x1 + 1):
                dx = x - landing[2]
                sz, sy = np.int64(np.floor(az + mz * dx + 0.5)), np.int64(np.floor(ay + my * dx + 0.5))
                sx = np.int64(np.floor(ax + mx * dx + 0.5))
                if sz < box[0, 0] or sz > box[1, 0] or sy < box[0, 1] or sy > box[1, 1]:
                    continue
                if sx < box[0, 2] or sx > box[1, 2]:
                    continue
                source = sz * height + sy
                value = flat[source * width + sx]
                if owner[value] < 0 or not free[flat[row + x]]:
                    continue
                if len(objects) == 0:
                    mine = owner[value] == k
                elif source != seen or sx < first or sx > last:
                    i = _run_at(runs, begin[source], begin[source + 1], sx)
                    seen, first, last, mine = source, runs[i, 1], runs[i, 2], objects[i] == k + 1
                if mine:
                    canvas[row + x] = value
                    painted += 1
    return painted


@kernel
def place(
    out: Any, labels: Any, runs: Any, begin: Any, objects: Any, owner: Any, free: Any, order: Any, box: Any, to: Any,
    matrix: Any, about: Any, landing: Any,
) -> None:  # fmt: skip
    """Paint all objects; one that would vanish where it was."""
    still = np.eye(3)
    for k in order:
        painted = _paint(
            out, labels, runs, begin, objects, owner, free, k, box[k], to[k], matrix[k], about[k], landing[k]
        )
        if painted == 0:
            _paint(
                out, labels, runs, begin, objects, owner, free, k, box[k], box[k], still, about[k], about[k]
            )
