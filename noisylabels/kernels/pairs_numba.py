"""Compiled loops of :mod:`noisylabels.kernels.pairs`."""

from typing import Any

import numpy as np

from noisylabels.geometry import FAR
from noisylabels.kernels.jit import kernel


@kernel
def _slot(keys: Any, key: int) -> Any:
    """Where a key stands or may be written in an open hash table, whose size is a power of two; -1 is free."""
    mask = len(keys) - 1
    at = (key * np.int64(-7046029254386353131) >> np.int64(20)) & mask
    while keys[at] != -1 and keys[at] != key:
        at = (at + 1) & mask
    return at


@kernel
def _twice(keys: Any, values: Any) -> Any:
    """The table in one of twice the size."""
    wider = np.full(2 * len(keys), -1, dtype=np.int64)
    moved = np.empty((2 * len(keys), 3), dtype=np.int64)
    for i in range(len(keys)):
        if keys[i] != -1:
            at = _slot(wider, keys[i])
            wider[at] = keys[i]
            for k in range(3):
                moved[at, k] = values[i, k]
    return wider, moved


@kernel
def _start(rising: Any, low: int, high: int, x: int) -> int:
    """The first of low .. high - 1 that is not below ``x``."""
    while low < high:
        middle = (low + high) // 2
        if rising[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _note(keys: Any, values: Any, key: int, square: int, i: int, j: int) -> int:
    """Keep two runs of a pair if none nearer is known; 1 where the pair is new."""
    at = _slot(keys, key)
    new = keys[at] == -1
    if new or square < values[at, 0]:
        keys[at], values[at, 0], values[at, 1], values[at, 2] = key, square, i, j
    return int(new)


@kernel
def near(
    row: Any, first: Any, last: Any, owner: Any, begin: Any, kind: Any, depth: int, height: int, half: Any,
    sz: int, sy: int, sx: int,
) -> Any:  # fmt: skip
    """Lower and higher object, square, first and second run of every pair, (5, n); of equal runs the first."""
    mz, my = half.shape[0] // 2, half.shape[1] // 2
    keys, values, used = np.full(1024, -1, dtype=np.int64), np.empty((1024, 3), dtype=np.int64), 0
    for i in range(len(row)):
        mine = owner[i]
        if kind[mine] == 0:
            continue
        z, y = row[i] // height, row[i] % height
        for dz in range(min(mz, depth - 1 - z) + 1):
            for dy in range(max(-my, -y) if dz else 0, min(my, height - 1 - y) + 1):
                far, beyond = half[dz + mz, dy + my], row[i] + dz * height + dy
                low, end = i + 1 if dz == 0 and dy == 0 else begin[beyond], begin[beyond + 1]
                rest = dz * sz * dz * sz + dy * sy * dy * sy
                for j in range(_start(last, low, end, first[i] - far) if far >= 0 else end, end):
                    if first[j] > last[i] + far:
                        break
                    other = owner[j]
                    if other != mine and kind[other] == kind[mine]:
                        dx = max(0, first[j] - last[i], first[i] - last[j]) * sx
                        key = min(mine, other) * np.int64(len(kind)) + max(mine, other)
                        used += _note(keys, values, key, rest + dx * dx, i, j)
                if 2 * used > len(keys):
                    keys, values = _twice(keys, values)
    return _listed(keys, values, used, len(kind))


@kernel
def _listed(keys: Any, values: Any, used: int, objects: int) -> Any:
    """The table as columns."""
    found = np.empty((5, used), dtype=np.int64)
    n = 0
    for at in range(len(keys)):
        if keys[at] != -1:
            found[0, n], found[1, n] = keys[at] // objects, keys[at] % objects
            found[2, n], found[3, n], found[4, n] = values[at, 0], values[at, 1], values[at, 2]
            n += 1
    return found


@kernel
def _spread(
    best: Any, row: Any, first: Any, last: Any, begin: int, end: int, height: int, low: Any, half: Any,
    sz: int, sy: int, sx: int,
) -> None:  # fmt: skip
    """Lower ``best``, a box that starts at ``low``, to the squared distance to the runs begin .. end - 1."""
    mz, my = half.shape[0] // 2, half.shape[1] // 2
    nz, ny, nx = best.shape
    for i in range(_start(row, begin, end, (low[0] - mz) * height), end):
        z, y = row[i] // height - low[0], row[i] % height - low[1]
        if z >= nz + mz:
            break
        for dz in range(max(-mz, -z), min(mz, nz - 1 - z) + 1):
            for dy in range(max(-my, -y), min(my, ny - 1 - y) + 1):
                far = half[dz + mz, dy + my]
                if far < 0:
                    continue
                rest = dz * sz * dz * sz + dy * sy * dy * sy
                left, right = first[i] - low[2], last[i] - low[2]
                for x in range(max(left - far, 0), min(right + far, nx - 1) + 1):
                    dx = (x - min(max(x, left), right)) * sx
                    best[z + dz, y + dy, x] = min(best[z + dz, y + dy, x], rest + dx * dx)


@kernel
def bridge(
    out: Any, labels: Any, on: int, row: Any, first: Any, last: Any, begin: Any, pairs: Any, boxes: Any, colours: Any,
    half: Any, limit: Any, sz: int, sy: int, sx: int, slab: int,
) -> None:  # fmt: skip
    """Paint the bridges, some slices at a time."""
    height = labels.shape[1]
    low = np.empty(3, dtype=np.int64)
    for k in range(len(pairs)):
        ny, nx = boxes[k, 1, 1] - boxes[k, 1, 0], boxes[k, 2, 1] - boxes[k, 2, 0]
        if ny <= 0 or nx <= 0:
            continue
        thick = max(1, slab // (ny * nx))
        for start in range(boxes[k, 0, 0], boxes[k, 0, 1], thick):
            nz = min(thick, boxes[k, 0, 1] - start)
            low[0], low[1], low[2] = start, boxes[k, 1, 0], boxes[k, 2, 0]
            near_one, near_other = np.full((nz, ny, nx), FAR), np.full((nz, ny, nx), FAR)
            a, b = pairs[k, 0], pairs[k, 1]
            _spread(near_one, row, first, last, begin[a], begin[a + 1], height, low, half, sz, sy, sx)
            _spread(near_other, row, first, last, begin[b], begin[b + 1], height, low, half, sz, sy, sx)
            for z in range(nz):
                for y in range(ny):
                    for x in range(nx):
                        one, other = near_one[z, y, x], near_other[z, y, x]
                        if one == FAR or other == FAR or np.sqrt(one) + np.sqrt(other) > limit[k]:
                            continue
                        pz, py, px = start + z, low[1] + y, low[2] + x
                        before = out[pz, py, px]
                        if labels[pz, py, px] == on and (before == on or before < colours[k]):
                            out[pz, py, px] = colours[k]
