"""Convex hulls of objects from the ends of their rows, in integer arithmetic.

An object is given by its rows from top to bottom, without a gap: the lowest and the highest x in each. The
left side of its hull is the lower convex envelope of the former, the right side the upper one of the latter::

    row   low         envelope      ceiling
     0     5          5   *          5
     1     6          3.5            4
     2     2          2   *          2
     3     4          4   *          4
"""

from typing import NamedTuple

import numpy as np

from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled


class RowEnds(NamedTuple):
    """Rows of objects; those of object k are begin[k] .. begin[k + 1].

    Attributes:
        top: first row of every object, (n,).
        begin: (n + 1,).
        low: lowest x in a row, (m,).
        high: highest x in a row, (m,).
    """

    top: Ints
    begin: Ints
    low: Ints
    high: Ints

    def part(self, first: int, last: int) -> "RowEnds":
        """The objects first .. last - 1."""
        begin = self.begin[first : last + 1]
        rows = slice(begin[0], begin[-1])
        return RowEnds(self.top[first:last], begin - begin[0], self.low[rows], self.high[rows])

    def rows(self) -> tuple[Ints, Ints]:
        """Object and y of every row."""
        owner = np.repeat(np.arange(len(self.top)), np.diff(self.begin))
        return owner, self.top[owner] + np.arange(len(owner)) - self.begin[owner]


def row_ends(owner: Ints, y: Ints, low: Ints, high: Ints, count: int) -> RowEnds:
    """Rows of objects from pieces of them.

    Args:
        owner: object of every piece, 0 to count - 1, (p,); every object has one in each of its rows.
        y: row of the piece, (p,).
        low: its lowest x, (p,).
        high: its highest x, (p,).
        count: n.
    """
    far = np.iinfo(np.int64).max
    top, bottom = np.full(count, far), np.full(count, -1)
    np.minimum.at(top, owner, y)
    np.maximum.at(bottom, owner, y)
    begin = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(bottom - top + 1)])
    at = begin[owner] + y - top[owner]
    lowest, highest = np.full(begin[-1], far), np.full(begin[-1], -far)
    np.minimum.at(lowest, at, low)
    np.maximum.at(highest, at, high)
    return RowEnds(top, begin, lowest, highest)


def bends(values: Ints, begin: Ints) -> Mask:
    """Where the lower convex envelope of every object bends, its two ends included.

    Args:
        values: of all rows, (m,).
        begin: where every object begins, (n + 1,).
    """
    keep = np.zeros(len(values), dtype=bool)
    fast = compiled("hulls")
    if fast is not None:
        fast.bends(values, begin, keep)
        return keep
    at = np.arange(len(values))
    inner = np.ones(len(values), dtype=bool)
    inner[begin[:-1]] = inner[begin[1:] - 1] = False
    while True:  # what lies on or above a line between two others is no bend, whether or not these are
        a, b, c = at[:-2], at[1:-1], at[2:]
        above = (values[b] - values[a]) * (c - b) >= (values[c] - values[b]) * (b - a)
        gone = np.flatnonzero(above & inner[b]) + 1
        if len(gone) == 0:
            keep[at] = True
            return keep
        at = np.delete(at, gone)


def ceilings(values: Ints, begin: Ints) -> Ints:
    """The lower convex envelope of every object, rounded up, (m,); arguments as for :func:`bends`."""
    keep = np.flatnonzero(bends(values, begin))
    row = np.arange(len(values))
    before = np.searchsorted(keep, row, side="right") - 1
    a, b = keep[before], keep[np.minimum(before + (row > keep[before]), len(keep) - 1)]
    over = np.maximum(b - a, 1)
    return np.asarray(values[a] - (-(values[b] - values[a]) * (row - a)) // over)


def hull_rows(ends: RowEnds) -> RowEnds:
    """The rows of the convex hulls: every pixel whose centre lies in the hull of the pixel centres."""
    return ends._replace(low=ceilings(ends.low, ends.begin), high=-ceilings(-ends.high, ends.begin))


def hull_points(ends: RowEnds) -> tuple[Ints, Ints, Ints]:
    """The corners of the convex hulls, down the left side and up the right one, from the top left corner on.

    Returns:
        y and x of every corner, and where every object begins; no corner lies between two others on a line.
    """
    owner, y = ends.rows()
    left, right = np.flatnonzero(bends(ends.low, ends.begin)), np.flatnonzero(bends(-ends.high, ends.begin))
    point = ends.low[right] == ends.high[right]  # a row of one pixel at an end is a corner once
    right = right[~point | ~np.isin(right, np.concatenate([ends.begin[:-1], ends.begin[1:] - 1]))]
    of = np.concatenate([owner[left], owner[right]])
    order = np.lexsort((np.concatenate([y[left], -y[right]]), np.repeat([0, 1], [len(left), len(right)]), of))
    begin = np.searchsorted(of[order], np.arange(len(ends.top) + 1))
    x = np.concatenate([ends.low[left], ends.high[right]])
    return np.concatenate([y[left], y[right]])[order], x[order], begin
