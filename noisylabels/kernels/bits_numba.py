"""Compiled loops of :mod:`noisylabels.kernels.bits`: bits are drawn, moved, and written back."""

from typing import Any

import numpy as np

from noisylabels.case import IGNORE
from noisylabels.kernels.components_numba import _runs
from noisylabels.kernels.elements_numba import by_ball, by_box, merge
from noisylabels.kernels.jit import kernel
from noisylabels.kernels.words_numba import FULL, lowest, root


@kernel
def _boxes(runs: Any, begin: Any, objects: Any, of: Any, count: int, shape: Any) -> Any:
    """Box of every group, (count, 6): z, y and x, first and last; last -1 where it has no pixel."""
    depth, height, width = shape
    box = np.empty((count, 6), dtype=np.int64)
    for g in range(count):
        box[g, 0], box[g, 1], box[g, 2], box[g, 3], box[g, 4], box[g, 5] = depth, -1, height, -1, width, -1
    for row in range(depth * height):
        for i in range(begin[row], begin[row + 1]):
            g = of[objects[i] if len(objects) > 0 else runs[i, 0]]
            if g >= 0:
                z, y = row // height, row % height
                box[g, 0], box[g, 1] = min(box[g, 0], z), z
                box[g, 2], box[g, 3] = min(box[g, 2], y), max(box[g, 3], y)
                box[g, 4], box[g, 5] = min(box[g, 4], runs[i, 1]), max(box[g, 5], runs[i, 2])
    return box


@kernel
def _set(bits: Any, at: int, first: int, last: int) -> None:
    """Set the bits first to last of the row that begins at a word."""
    a, b = at + (first >> 6), at + (last >> 6)
    head, tail = FULL << np.uint64(first & 63), FULL >> np.uint64(63 - (last & 63))
    if a == b:
        bits[a] |= head & tail
        return
    bits[a] |= head
    for i in range(a + 1, b):
        bits[i] = FULL
    bits[b] |= tail


@kernel
def _drawn(
    runs: Any,
    begin: Any,
    objects: Any,
    of: Any,
    g: int,
    box: Any,
    low: Any,
    size: Any,
    pitch: int,
    height: int,
) -> Any:
    """The pixels of a group as bits of the larger box that begins at ``low``."""
    bits = np.zeros(size[0] * size[1] * pitch, dtype=np.uint64)
    for z in range(box[0], box[1] + 1):
        for y in range(box[2], box[3] + 1):
            row = z * height + y
            at = ((z - low[0]) * size[1] + y - low[1]) * pitch
            for i in range(begin[row], begin[row + 1]):
                if of[objects[i] if len(objects) > 0 else runs[i, 0]] == g:
                    _set(bits, at, runs[i, 1] - low[2], runs[i, 2] - low[2])
    return bits


@kernel
def _frame(low: Any, size: Any, pitch: int) -> Any:
    """The bits of a row that are pixels."""
    row = np.zeros(pitch, dtype=np.uint64)
    _set(row, 0, 0, size[2] - 1)
    return row


@kernel
def has_ignore(labels: Any) -> bool:
    """Whether a pixel is ``IGNORE``; without a way out inside the block, it is compiled to wide comparisons."""
    flat = labels.reshape(-1)
    for start in range(0, len(flat), 4096):
        found = 0
        for value in flat[start : start + 4096]:
            found |= value == IGNORE
        if found:
            return True
    return False


@kernel
def _neighbours(bits: Any, size: Any, pitch: int) -> Any:
    """Every pixel that has a face in common with a bit."""
    n, total = size[1] * pitch, len(bits)
    found = np.empty(total, dtype=np.uint64)
    for i in range(total):
        found[i] = bits[i] << np.uint64(1) | bits[i] >> np.uint64(1)
    here, before = found[1:], bits[: total - 1]
    for i in range(total - 1):
        here[i] |= before[i] >> np.uint64(63)
    here, behind = found[: total - 1], bits[1:]
    for i in range(total - 1):
        here[i] |= behind[i] << np.uint64(63)
    for z in range(size[0]):
        merge(found, z * n + pitch, bits, z * n, n - pitch)
        merge(found, z * n, bits, z * n + pitch, n - pitch)
    merge(found, n, bits, 0, total - n)
    merge(found, 0, bits, n, total - n)
    return found


@kernel
def _strangers(word: Any, flat: Any, start: int, own: int) -> Any:
    """The bits of a word whose pixels, from ``start`` on, are neither ``IGNORE`` nor of a class."""
    left = word
    while left != 0:
        place = lowest(left)
        if flat[start + place] == IGNORE or flat[start + place] == own:
            word &= ~(np.uint64(1) << np.uint64(place))
        left &= left - np.uint64(1)
    return word


@kernel
def _beyond(
    bits: Any, size: Any, pitch: int, low: Any, touching: bool, labels: Any, own: int, holes: bool
) -> Any:
    """The pixels of other classes: all, or those that touch a face; without ``IGNORE``.

    Where there are no holes of ``IGNORE``, two objects of a class are nowhere nearer to each other than to what lies
    between them, so that it makes no difference whether one counts as outside of the other.
    """
    _, height, width = labels.shape
    flat, row = labels.reshape(-1), _frame(low, size, pitch)
    found = _neighbours(bits, size, pitch) if touching else ~bits
    for z in range(size[0]):
        for y in range(size[1]):
            at = (z * size[1] + y) * pitch
            for i in range(pitch):
                found[at + i] &= ~bits[at + i] & row[i]
            if holes:
                start = ((low[0] + z) * height + low[1] + y) * width + low[2]
                for i in range(pitch):
                    found[at + i] = _strangers(found[at + i], flat, start + 64 * i, own)
    return found


@kernel
def _write(out: Any, labels: Any, free: Any, value: int, bits: Any, low: Any, size: Any, pitch: int) -> None:
    """Give a value to the pixels that are set and whose clean class is free to change."""
    _, height, width = labels.shape
    flat, clean = out.reshape(-1), labels.reshape(-1)
    row = _frame(low, size, pitch)
    for z in range(size[0]):
        for y in range(size[1]):
            at = (z * size[1] + y) * pitch
            start = ((low[0] + z) * height + low[1] + y) * width + low[2]
            for i in range((size[2] + 63) >> 6):
                change = bits[at + i] & row[i]
                while change != 0:
                    first = lowest(change)
                    gap = ~(change >> np.uint64(first))
                    n = 64 - first if gap == 0 else min(lowest(gap), 64 - first)
                    for p in range(start + 64 * i + first, start + 64 * i + first + n):
                        if free[clean[p]]:
                            flat[p] = value
                    if first + n >= 64:
                        break
                    change &= FULL << np.uint64(first + n)


@kernel
def _room(
    box: Any,
    element: Any,
    steps: Any,
    inwards: bool,
    shape: Any,
    low: Any,
    size: Any,
    before: Any,
    behind: Any,
) -> Any:
    """The box in which a group moves, and how far the element reaches there, are written; words of a row."""
    ball = element[0] >= 0
    for axis in range(3):
        one, other = element[1 + 2 * axis], element[2 + 2 * axis]
        if ball:
            one = other = root(element[0]) // steps[axis]
        above, below = one, other
        if inwards:  # as far as what eats lies
            above, below = (1, 1) if ball else (other, one)
        low[axis] = max(box[2 * axis] - above, 0)
        size[axis] = min(box[2 * axis + 1] + below, shape[axis] - 1) + 1 - low[axis]
        before[axis], behind[axis] = min(one, size[axis] - 1), min(other, size[axis] - 1)
    return (size[2] + max(before[2], behind[2], 1) + 63) >> 6


@kernel
def move(
    out: Any, labels: Any, shut: Any, runs: Any, begin: Any, objects: Any, of: Any, ranks: Any, elements: Any,
    steps: Any, inwards: bool, keep: bool,
) -> None:  # fmt: skip
    """Grow or shrink every group; see :func:`noisylabels.kernels.bits.grow` and ``shrink``.

    Where the runs are not given, a class is one object, and the runs of the classes in a group are found here.
    """
    shape = labels.shape
    holes = inwards and has_ignore(labels)
    if len(begin) == 0:
        runs, begin = _runs(labels, of >= 0)
    box = _boxes(runs, begin, objects, of, len(ranks), shape)
    low, size = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    before, behind = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for g in range(len(ranks)):
        if box[g, 1] < 0:
            continue
        ball = elements[g, 0] >= 0
        pitch = _room(box[g], elements[g], steps, inwards, shape, low, size, before, behind)
        mine = _drawn(runs, begin, objects, of, g, box[g], low, size, pitch, shape[1])
        seeds = _beyond(mine, size, pitch, low, ball, labels, ranks[g], holes) if inwards else mine
        if ball:
            covered = by_ball(seeds, size, pitch, elements[g, 0], steps, behind)
        else:
            covered = by_box(seeds, size, pitch, before, behind)
        left = np.uint64(0)
        for i in range(len(mine)):
            left |= mine[i] & ~covered[i]
            covered[i] &= mine[i] if inwards else ~mine[i]
        if inwards and keep and left == 0:
            continue
        free = shut < ranks[g]
        if inwards:
            free[:] = True
        _write(out, labels, free, 0 if inwards else ranks[g], covered, low, size, pitch)
