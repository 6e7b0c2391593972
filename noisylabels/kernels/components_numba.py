"""Compiled loops of :mod:`noisylabels.kernels.components`.

Every row is cut into runs of one class; runs that touch runs of the rows before (corners count) are joined by
union-find, with the earliest run as root. Nothing is done pixel by pixel but finding the runs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.kernels.jit import kernel
from noisylabels.kernels.words_numba import as_words, changes

_BLOCK = 4096


@kernel
def _longer(runs: NDArray[np.int32]) -> NDArray[np.int32]:
    """A copy with twice the room."""
    longer = np.empty((2 * len(runs), 3), dtype=np.int32)
    for i in range(len(runs)):  # a slice would do, but takes numba seven seconds to compile
        for k in range(3):
            longer[i, k] = runs[i, k]
    return longer


@kernel
def _runs(labels: LabelMap, taken: NDArray[np.bool_]) -> Any:
    """Runs of the taken classes: (n, 3) class, first and last x; and where every row begins, (rows + 1,)."""
    depth, height, width = labels.shape
    flat = labels.reshape(-1)
    words = as_words(flat)
    marks, places = np.empty(_BLOCK // 8, dtype=np.uint8), np.empty(_BLOCK + 8, dtype=np.int64)
    runs = np.empty((1024, 3), dtype=np.int32)
    begin = np.zeros(depth * height + 1, dtype=np.int64)
    n, row, at = 0, 0, 0
    for first in range(0, len(flat), _BLOCK):
        last = min(first + _BLOCK, len(flat))
        count = changes(flat, words, first, last, marks, places)
        if last == len(flat):
            places[count] = last
            count += 1
        for i in range(count):
            end, value = places[i], flat[at]
            while at < end and taken[value]:
                while at >= (row + 1) * width:
                    row += 1
                    begin[row] = n
                if n == len(runs):
                    runs = _longer(runs)
                stop = min(end, (row + 1) * width)
                runs[n, 0], runs[n, 1], runs[n, 2] = value, at - row * width, stop - 1 - row * width
                n += 1
                at = stop
            at = end
    begin[row + 1 :] = n
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
def numbers(ids: Any, runs: Any, begin: Any, objects: Any, start: int) -> None:
    """Write the number of its component to every pixel of the rows from ``start`` on."""
    for row in range(len(ids)):
        line = ids[row]
        for i in range(begin[start + row], begin[start + row + 1]):
            for x in range(runs[i, 1], runs[i, 2] + 1):
                line[x] = objects[i]


@kernel
def components(labels: LabelMap, taken: NDArray[np.bool_]) -> Any:
    """Ids (Z, Y, X) int32 from 1 on, and the class of every component."""
    runs, begin, number, count = _numbered(labels, taken)
    depth, height, width = labels.shape
    ids = np.zeros(labels.shape, dtype=np.int32)
    classes = np.empty(count, dtype=np.uint8)
    for i in range(len(runs)):
        classes[number[i]] = runs[i, 0]
    numbers(ids.reshape((depth * height, width)), runs, begin, number + 1, 0)
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
