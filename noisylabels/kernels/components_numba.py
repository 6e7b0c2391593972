"""Compiled loops of :mod:`noisylabels.kernels.components`.

Every row is cut into runs of one class; runs that touch runs of the rows before (corners count) are joined by
union-find, with the earliest run as root. Nothing is done pixel by pixel but finding the runs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.kernels.jit import kernel


@kernel
def _end(line: LabelMap, wide: NDArray[np.uint64], x: int, value: int) -> int:
    """Where the run of ``value`` that holds x - 1 ends: eight pixels at a time where the row allows it."""
    pattern = np.uint64(0x0101010101010101) * np.uint64(value)
    while x < len(line) and line[x] == value:
        if x % 8 == 0:
            while x < 8 * len(wide) and wide[x // 8] == pattern:
                x += 8
            if x < len(line) and line[x] == value:
                x += 1
        else:
            x += 1
    return x


@kernel
def _runs(labels: LabelMap, taken: NDArray[np.bool_]) -> Any:
    """Runs of the taken classes: (n, 3) class, first and last x; and where every row begins, (rows + 1,)."""
    depth, height, width = labels.shape
    wide = labels.reshape(-1)[: labels.size // 8 * 8].view(np.uint64)  # used where rows hold whole words
    words = width // 8 if width % 8 == 0 else 0
    runs = np.empty((1024, 3), dtype=np.int32)
    begin = np.zeros(depth * height + 1, dtype=np.int64)
    n = 0
    for row in range(depth * height):
        line = labels[row // height, row % height]
        if n + width > len(runs):
            wider = np.empty((2 * len(runs) + width, 3), dtype=np.int32)
            for i in range(n):
                for k in range(3):
                    wider[i, k] = runs[i, k]
            runs = wider
        x = 0
        while x < width:
            value = line[x]
            start = x
            x = _end(line, wide[row * words : (row + 1) * words], x + 1, value)
            if taken[value]:
                runs[n, 0] = value
                runs[n, 1] = start
                runs[n, 2] = x - 1
                n += 1
        begin[row + 1] = n
    return runs[:n], begin


@kernel
def _root(parent: NDArray[np.int32], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def _join(runs: NDArray[np.int32], parent: NDArray[np.int32], a: int, a_end: int, b: int, b_end: int) -> None:
    """Join the runs a .. a_end of a row with the touching runs b .. b_end of an earlier one."""
    while a < a_end:
        while b < b_end and runs[b, 2] < runs[a, 1] - 1:
            b += 1
        k = b
        while k < b_end and runs[k, 1] <= runs[a, 2] + 1:
            if runs[k, 0] == runs[a, 0]:
                one, other = _root(parent, a), _root(parent, k)
                if one < other:
                    parent[other] = one
                else:
                    parent[one] = other
            k += 1
        a += 1


@kernel
def _numbered(labels: LabelMap, taken: NDArray[np.bool_]) -> Any:
    """Runs, row beginnings, number of the component of every run (from 0), and how many there are."""
    runs, begin = _runs(labels, taken)
    depth, height, _ = labels.shape
    parent = np.arange(len(runs)).astype(np.int32)
    for row in range(depth * height):
        a, a_end = begin[row], begin[row + 1]
        if a == a_end:
            continue
        y = row % height
        if y > 0:
            _join(runs, parent, a, a_end, begin[row - 1], begin[row])
        if row >= height:
            for near in range(max(0, y - 1), min(height, y + 2)):
                earlier = row - height + near - y
                _join(runs, parent, a, a_end, begin[earlier], begin[earlier + 1])
    number = np.empty(len(runs), dtype=np.int32)
    count = 0
    for i in range(len(runs)):
        root = _root(parent, i)
        if root == i:
            number[i] = count
            count += 1
        else:
            number[i] = number[root]
    return runs, begin, number, count


@kernel
def components(labels: LabelMap, taken: NDArray[np.bool_]) -> Any:
    """Ids (Z, Y, X) int32 from 1 on, and the class of every component."""
    runs, begin, number, count = _numbered(labels, taken)
    depth, height, _ = labels.shape
    ids = np.zeros(labels.shape, dtype=np.int32)
    classes = np.empty(count, dtype=np.uint8)
    for row in range(depth * height):
        line = ids[row // height, row % height]
        for i in range(begin[row], begin[row + 1]):
            for x in range(runs[i, 1], runs[i, 2] + 1):
                line[x] = number[i] + 1
            classes[number[i]] = runs[i, 0]
    return ids, classes


@kernel
def moments(labels: LabelMap, taken: NDArray[np.bool_]) -> Any:
    """Class, count, first (n, 3) and second moments (n, 3, 3) of every component."""
    runs, begin, number, count = _numbered(labels, taken)
    depth, height, _ = labels.shape
    classes = np.empty(count, dtype=np.uint8)
    size = np.zeros(count, dtype=np.int64)
    first = np.zeros((count, 3), dtype=np.int64)
    second = np.zeros((count, 3, 3), dtype=np.int64)
    for row in range(depth * height):
        z, y = row // height, row % height
        for i in range(begin[row], begin[row + 1]):
            k, a, b = number[i], np.int64(runs[i, 1]), np.int64(runs[i, 2])
            n = b - a + 1
            sum_x = (a + b) * n // 2
            sum_xx = b * (b + 1) * (2 * b + 1) // 6 - (a - 1) * a * (2 * a - 1) // 6
            classes[k] = runs[i, 0]
            size[k] += n
            first[k, 0] += z * n
            first[k, 1] += y * n
            first[k, 2] += sum_x
            second[k, 0, 0] += z * z * n
            second[k, 0, 1] += z * y * n
            second[k, 0, 2] += z * sum_x
            second[k, 1, 1] += y * y * n
            second[k, 1, 2] += y * sum_x
            second[k, 2, 2] += sum_xx
    for k in range(count):
        second[k, 1, 0] = second[k, 0, 1]
        second[k, 2, 0] = second[k, 0, 2]
        second[k, 2, 1] = second[k, 1, 2]
    return classes, size, first, second
