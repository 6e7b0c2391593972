"""Which marks of different readers are the same nodule: the files do not say.

Two marks belong together if their outlines come near enough. While a group has more than four members the distance is
taken times 0.9, down to 0.1. It is measured between indices of slices, rows and columns, and begins with the thickness
of the slices in mm: a mixture of units, but the rule by which all published lists of nodules were made. On the complete
archive it gives their 2651 nodules, 771, 488, 481 and 897 of them with one to four members; measured in mm throughout,
the nodules of four scans would be others.

Source: Hancock and Magnan, Journal of Medical Imaging 3 (2016), and its software pylidc 0.2.3; Fedorov et al., Medical
Physics 47 (2020), publish the same nodules.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

_MOST_MEMBERS, _FACTOR, _LEAST = 4, 0.9, 0.1


def group_marks(outlines: Sequence[Places], tolerance: float) -> list[list[int]]:
    """Group marks.

    Args:
        outlines: for every mark slice, row and column of its outlines' points, (N, 3), N at least 1.
        tolerance: the distance to begin with.

    Returns:
        The numbers of the marks in each group; groups and members in ascending order.
    """
    if not outlines:
        return []
    near = _distances(outlines, tolerance)
    while True:
        groups = _connected(near <= tolerance)
        if max(map(len, groups)) <= _MOST_MEMBERS:
            return groups
        tolerance *= _FACTOR
        if tolerance < _LEAST:
            return groups


def _distances(outlines: Sequence[Places], most: float) -> NDArray[np.float64]:
    """Smallest distance between any two marks, (M, M); infinite where it is larger than ``most``."""
    from scipy.spatial import cKDTree

    count = len(outlines)
    low, high = (np.array([f(places, axis=0) for places in outlines]) for f in (np.min, np.max))
    trees: dict[int, cKDTree] = {}
    found = np.full((count, count), np.inf)
    np.fill_diagonal(found, 0.0)
    for one in range(count):
        gap = np.maximum(np.maximum(low - high[one], low[one] - high), 0)
        for other in np.flatnonzero((gap * gap).sum(axis=1) <= most * most).tolist():
            if other > one:
                tree = trees.setdefault(one, cKDTree(outlines[one]))
                found[one, other] = found[other, one] = np.min(tree.query(outlines[other])[0])
    return found


def _connected(joined: NDArray[np.bool_]) -> list[list[int]]:
    from scipy.sparse.csgraph import connected_components

    _, numbers = connected_components(joined, directed=False)
    groups: dict[int, list[int]] = {}
    for mark, number in enumerate(numbers.tolist()):
        groups.setdefault(number, []).append(mark)
    return list(groups.values())
