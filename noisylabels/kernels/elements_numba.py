"""Compiled loops of :mod:`noisylabels.kernels.bits`: what balls and blocks cover, in rows of bits.

The box around a group is kept as one bit a pixel, z by z, row by row; a row takes ``pitch`` words and ends with
at least as many zeros as an element reaches along x. So bits that are shifted past the end of a row never meet
those of the next, and a whole slice is shifted as if it were one row::

    row y      0 1 1 1 0 | 0 0        shifted by 2        0 0 0 1 1 | 1 0
    row y + 1  1 1 0 0 0 | 0 0                            0 0 1 1 0 | 0 0
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def merge(into: Any, at: int, bits: Any, first: int, n: int) -> None:
    """Add the n words from ``first`` on to those from ``at`` on."""
    to, words = into[at : at + n], bits[first : first + n]
    for i in range(n):
        to[i] |= words[i]


@kernel
def _widen(new: Any, old: Any, n: int) -> None:
    """Every bit and its two neighbours along x; both arrays hold a word of zeros at either end."""
    to, here, before, behind = new[1 : n + 1], old[1 : n + 1], old[:n], old[2 : n + 2]
    for i in range(n):
        w = here[i]
        to[i] = (
            w
            | w << np.uint64(1)
            | w >> np.uint64(1)
            | before[i] >> np.uint64(63)
            | behind[i] << np.uint64(63)
        )


@kernel
def _ball_rows(squared: int, steps: Any, reach: Any) -> Any:
    """Which rows of a ball are merged at which half-width: (k, j) offsets in z and y, and where each begins.

    Only the farthest slice that has a row of this half-width is listed: slices nearer to the middle hold all that
    the farther ones do.
    """
    half = np.full((reach[0] + 2, reach[1] + 1), -1, dtype=np.int64)
    start = np.zeros(reach[2] + 2, dtype=np.int64)
    for k in range(reach[0], -1, -1):
        h = reach[2]
        for j in range(reach[1] + 1):
            rest = squared - k * steps[0] * k * steps[0] - j * steps[1] * j * steps[1]
            while h >= 0 and h * steps[2] * h * steps[2] > rest:
                h -= 1
            half[k, j] = h
            if h >= 0 and half[k + 1, j] != h:
                start[h + 1] += 1
    for h in range(len(start) - 1):
        start[h + 1] += start[h]
    rows = np.empty((start[-1], 2), dtype=np.int64)
    at = start.copy()
    for k in range(reach[0] + 1):
        for j in range(reach[1] + 1):
            h = half[k, j]
            if h >= 0 and half[k + 1, j] != h:
                rows[at[h], 0], rows[at[h], 1] = k, j
                at[h] += 1
    return rows, start


@kernel
def _copied(to: Any, bits: Any, first: int, n: int) -> bool:
    """Copy n words, behind the word of zeros that ``to`` begins with; whether a bit is set among them."""
    some = np.uint64(0)
    for i in range(n):
        to[i + 1] = bits[first + i]
        some |= to[i + 1]
    return bool(some != 0)


@kernel
def _stacked(covered: Any, discs: Any, z: int, depth: int, reach: int, n: int) -> None:
    """Merge the discs of slice z into the slices around it; an outer disc lies within every inner one."""
    for k in range(reach, -1, -1):
        if k < reach:
            merge(discs, k * n, discs, (k + 1) * n, n)
        if z + k < depth:
            merge(covered, (z + k) * n, discs, k * n, n)
        if 0 < k <= z:
            merge(covered, (z - k) * n, discs, k * n, n)


@kernel
def by_ball(seeds: Any, size: Any, pitch: int, squared: int, steps: Any, reach: Any) -> Any:
    """Every pixel of the box that a ball around a seed covers.

    Slice by slice the seeds are widened along x, step by step, and merged into one disc for every offset in z;
    those are merged into the slices where they belong.
    """
    rows, start = _ball_rows(squared, steps, reach)
    height, n = size[1], size[1] * pitch
    covered = np.zeros(size[0] * n, dtype=np.uint64)
    discs = np.empty((reach[0] + 1) * n, dtype=np.uint64)
    wide, other = np.zeros(n + 2, dtype=np.uint64), np.zeros(n + 2, dtype=np.uint64)
    for z in range(size[0]):
        if not _copied(wide, seeds, z * n, n):
            continue
        discs[:] = 0
        for h in range(len(start) - 1):
            if h > 0:
                _widen(other, wide, n)
                wide, other = other, wide
            for i in range(start[h], start[h + 1]):
                k, j = rows[i, 0], rows[i, 1]
                m = (height - j) * pitch
                merge(discs, k * n + j * pitch, wide, 1, m)
                if j > 0:
                    merge(discs, k * n, wide, 1 + j * pitch, m)
        _stacked(covered, discs, z, size[0], reach[0], n)
    return covered


@kernel
def _shift_up(bits: Any, first: int, last: int, step: int) -> None:
    """Add to words first .. last - 1 their own bits, ``step`` places higher, in place."""
    words, part = step >> 6, np.uint64(step & 63)
    for i in range(last - 1, first + words - 1, -1):
        bits[i] |= bits[i - words] << part
        if part != 0 and i - words - 1 >= first:
            bits[i] |= bits[i - words - 1] >> (np.uint64(64) - part)


@kernel
def _shift_down(bits: Any, first: int, last: int, step: int) -> None:
    """The same, lower."""
    words, part = step >> 6, np.uint64(step & 63)
    for i in range(first, last - words):
        bits[i] |= bits[i + words] >> part
        if part != 0 and i + words + 1 < last:
            bits[i] |= bits[i + words + 1] << (np.uint64(64) - part)


@kernel
def _spread(bits: Any, first: int, last: int, unit: int, before: int, behind: int) -> None:
    """Every bit runs so many units far to both sides, doubling its length each time."""
    far = 0
    while far < before:
        step = min(far + 1, before - far)
        _shift_down(bits, first, last, step * unit)
        far += step
    far = 0
    while far < behind:
        step = min(far + 1, behind - far)
        _shift_up(bits, first, last, step * unit)
        far += step


@kernel
def by_box(seeds: Any, size: Any, pitch: int, before: Any, behind: Any) -> Any:
    """Every pixel of the box that a block around a seed covers: axis by axis."""
    covered = seeds.copy()
    for axis in (2, 1, 0):
        unit = (1, 64 * pitch, 64 * pitch * size[1])[2 - axis]
        parts = 1 if axis == 0 else size[0]  # slices do not meet but along z
        length = len(covered) // parts
        for part in range(parts):
            _spread(covered, part * length, (part + 1) * length, unit, before[axis], behind[axis])
    return covered
