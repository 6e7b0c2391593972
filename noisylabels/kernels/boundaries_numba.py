"""Compiled loops of :mod:`noisylabels.kernels.balls`: the boundary runs.

Rows are addressed in flat arrays: a slice for every run would cost more than the run.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _room(table: Any, n: int, need: int) -> Any:
    """The table, or a longer copy of its first n rows that has room for ``need`` more."""
    if n + need <= len(table):
        return table
    longer = np.empty((2 * len(table) + need, 9), dtype=np.int32)
    for i in range(n):  # a slice would do, but takes numba seven seconds to compile
        for k in range(9):
            longer[i, k] = table[i, k]
    return longer


@kernel
def _add(
    table: Any, n: int, z: int, y: int, first: int, last: int, z_low: int, z_high: int, y_low: int,
    y_high: int, owner: int,
) -> int:  # fmt: skip
    """Write row n and count on."""
    table[n, 0], table[n, 1], table[n, 2], table[n, 3] = z, y, first, last
    table[n, 4], table[n, 5], table[n, 6], table[n, 7], table[n, 8] = z_low, z_high, y_low, y_high, owner
    return n + 1


@kernel
def _words(labels: Any) -> Any:
    """The label map as flat words of eight pixels; empty where a row holds no whole number of them."""
    if labels.shape[2] % 8:
        return np.empty(0, dtype=np.uint64)
    return labels.reshape(-1).view(np.uint64)


@kernel
def _skip(a: Any, b: Any, c: Any, d: Any, e: Any, words: Any, at: int, end: int, value: int) -> int:
    """Pass over whole words of ``value`` from ``at`` on that lie among such words in other rows.

    The numbers a to e are how far those rows (and this one) are from ``at``; without words nothing is passed.
    """
    if at % 8 or len(words) == 0:
        return at
    pattern = np.uint64(0x0101010101010101) * np.uint64(value)
    k, last = at // 8, end // 8
    a, b, c, d, e = a // 8, b // 8, c // 8, d // 8, e // 8
    while (
        k < last and words[k + a] == pattern and words[k + b] == pattern
        and words[k + c] == pattern and words[k + d] == pattern and words[k + e] == pattern
    ):  # fmt: skip
        k += 1
    return 8 * k


@kernel
def _add_ends(
    table: Any,
    n: int,
    z: int,
    y: int,
    first: int,
    end: int,
    flat: Any,
    row: int,
    width: int,
    side: int,
    owner: int,
) -> int:
    """Write those ends of the run first .. end - 1 that touch something else."""
    if first > 0 and flat[row + first - 1] != flat[row + first]:
        n = _add(table, n, z, y, first, first, -side, side, -side, side, owner)
    if end < width and flat[row + end] != flat[row + first]:
        n = _add(table, n, z, y, end - 1, end - 1, -side, side, -side, side, owner)
    return n


@kernel
def grow_sources(labels: Any, ids: Any, pruned: bool) -> Any:
    """Boundary runs; of a run whose neighbours in other rows are inside, the two ends at most."""
    depth, height, width = labels.shape
    flat, owners, words = labels.reshape(-1), ids.reshape(-1), _words(labels)
    table = np.empty((1024, 9), dtype=np.int32)
    n = 0
    side = 0 if pruned else 1
    for z in range(depth):
        for y in range(height):
            table = _room(table, n, 2 * width)
            row = (z * height + y) * width
            before, behind = -height * width * (z > 0), height * width * (z < depth - 1)
            above, below = -width * (y > 0), width * (y < height - 1)
            at, end = row, row + width
            while at < end:
                value = flat[at]
                if value == 0:
                    at = max(at + 1, _skip(0, 0, 0, 0, 0, words, at, end, 0))
                    continue
                a = at
                zl, zh = flat[at + before] != value, flat[at + behind] != value
                yl, yh = flat[at + above] != value, flat[at + below] != value
                inner = not (zl or zh or yl or yh)
                at += 1
                while (
                    at < end and flat[at] == value
                    and (flat[at + before] != value) == zl and (flat[at + behind] != value) == zh
                    and (flat[at + above] != value) == yl and (flat[at + below] != value) == yh
                ):  # fmt: skip
                    at += 1
                    if inner:
                        at = _skip(0, before, behind, above, below, words, at, end, value)
                if inner:
                    n = _add_ends(table, n, z, y, a - row, at - row, flat, row, width, side, owners[a])
                elif pruned:
                    n = _add(
                        table, n, z, y, a - row, at - 1 - row, -int(zl), int(zh), -int(yl), int(yh), owners[a]
                    )
                else:
                    n = _add(table, n, z, y, a - row, at - 1 - row, -1, 1, -1, 1, owners[a])
    return table[:n]


@kernel
def _eaters(
    table: Any, n: int, flat: Any, words: Any, owners: Any, blocked: Any, height: int, width: int, z: int, y: int,
    dz: int, dy: int,
) -> int:  # fmt: skip
    """Runs in row (z + dz, y + dy) that touch objects in row (z, y)."""
    row = (z * height + y) * width
    far = (dz * height + dy) * width
    at, end = row, row + width
    while at < end:
        value = flat[at]
        if value == flat[at + far] or value == 0 or blocked[value, flat[at + far]]:
            at = max(at + 1, _skip(0, far * (value != 0), 0, 0, 0, words, at, end, value))
            continue
        a = at
        at += 1
        while (
            at < end and flat[at] == value and value != flat[at + far] and not blocked[value, flat[at + far]]
        ):
            at += 1
        n = _add(table, n, z + dz, y + dy, a - row, at - 1 - row, -1, 1, -1, 1, owners[a])
    return n


@kernel
def _side_eaters(
    table: Any,
    n: int,
    flat: Any,
    words: Any,
    owners: Any,
    blocked: Any,
    height: int,
    width: int,
    z: int,
    y: int,
) -> int:
    """Pixels that touch an object of their own row."""
    row = (z * height + y) * width
    at, end = row + 1, row + width
    while at < end:
        one, other = flat[at - 1], flat[at]
        if one == other:
            at = max(at + 1, _skip(0, 0, 0, 0, 0, words, at, end, other))
            continue
        x = at - row
        if one != 0 and not blocked[one, other]:
            n = _add(table, n, z, y, x, x, -1, 1, -1, 1, owners[at - 1])
        if other != 0 and not blocked[other, one]:
            n = _add(table, n, z, y, x - 1, x - 1, -1, 1, -1, 1, owners[at])
        at += 1
    return n


@kernel
def _turned(labels: Any, runs: Any) -> Any:
    """The pixels beyond boundary runs that grow, as sources that reach back."""
    _, height, width = labels.shape
    flat = labels.reshape(-1)
    table = np.empty((6 * len(runs), 9), dtype=np.int32)
    n = 0
    for i in range(len(runs)):
        z, y, first, last, owner = runs[i, 0], runs[i, 1], runs[i, 2], runs[i, 3], runs[i, 8]
        if runs[i, 4] < 0:
            n = _add(table, n, z - 1, y, first, last, 1, 1, -1, 1, owner)
        if runs[i, 5] > 0:
            n = _add(table, n, z + 1, y, first, last, -1, -1, -1, 1, owner)
        if runs[i, 6] < 0:
            n = _add(table, n, z, y - 1, first, last, 0, 0, 1, 1, owner)
        if runs[i, 7] > 0:
            n = _add(table, n, z, y + 1, first, last, 0, 0, -1, -1, owner)
        row = (z * height + y) * width
        if first > 0 and flat[row + first - 1] != flat[row + first]:
            n = _add(table, n, z, y, first - 1, first - 1, 0, 0, 0, 0, owner)
        if last < width - 1 and flat[row + last + 1] != flat[row + last]:
            n = _add(table, n, z, y, last + 1, last + 1, 0, 0, 0, 0, owner)
    return table[:n]


@kernel
def shrink_sources(labels: Any, ids: Any, blocked: Any, pruned: bool) -> Any:
    """Runs that touch an object, face by face; pruned means that nothing is blocked."""
    if pruned:
        return _turned(labels, grow_sources(labels, ids, True))
    depth, height, width = labels.shape
    flat, owners, words = labels.reshape(-1), ids.reshape(-1), _words(labels)
    table = np.empty((1024, 9), dtype=np.int32)
    n = 0
    for z in range(depth):
        for y in range(height):
            row = (z * height + y) * width
            if _skip(0, 0, 0, 0, 0, words, row, row + width, 0) == row + width:
                continue  # no object in this row
            table = _room(table, n, 6 * width)
            for face in range(4):
                dz, dy = (2 * face - 1, 0) if face < 2 else (0, 2 * face - 5)
                if 0 <= z + dz < depth and 0 <= y + dy < height:
                    n = _eaters(table, n, flat, words, owners, blocked, height, width, z, y, dz, dy)
            n = _side_eaters(table, n, flat, words, owners, blocked, height, width, z, y)
    return table[:n]
