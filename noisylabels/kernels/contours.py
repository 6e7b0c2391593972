"""Trace the outlines of all objects with their holes, along the edges between pixels.

An outline runs from pixel corner to pixel corner with the object on its right, so outer rings and holes turn
in opposite ways. It begins with the left side of the object's first pixel, upwards::

    . . . .
    . # # .      (2, 1) (1, 1) (1, 2) (1, 3) (2, 3) (2, 2) (3, 2) (3, 1)
    . # . .
    . . . .

Pixels of an object that touch at a corner belong together, so a ring may pass a corner twice.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.components import RunTable, numbers


class Rings(NamedTuple):
    """Closed outlines, sorted by slice, object, and outer rings before holes; ring k is begin[k] .. begin[k + 1].

    Attributes:
        corners: (y, x) of pixel corners, (m, 2) int32; the frame is (0, 0) to its shape.
        begin: where every ring begins, (r + 1,).
        slices: slice along axis 0 of every ring, (r,).
        owner: number of its object, from 1 on, (r,).
        hole: whether it is a hole, (r,).
        lead: index in the ring of the corner at the middle of its first topmost side, (r,).
    """

    corners: NDArray[np.int32]
    begin: Ints
    slices: Ints
    owner: Ints
    hole: NDArray[np.bool_]
    lead: Ints

    def part(self, first: int, last: int) -> "Rings":
        """The rings first .. last - 1."""
        begin = self.begin[first : last + 1]
        slices, owner, hole, lead = (
            self.slices[first:last],
            self.owner[first:last],
            self.hole[first:last],
            self.lead[first:last],
        )
        return Rings(self.corners[begin[0] : begin[-1]], begin - begin[0], slices, owner, hole, lead)

    def picked(self, order: Ints) -> "Rings":
        """Some of the rings, in another order."""
        size = np.diff(self.begin)[order]
        begin = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(size)])
        moved = np.repeat(self.begin[order] - begin[:-1], size) + np.arange(begin[-1])
        slices, owner, hole, lead = self.slices[order], self.owner[order], self.hole[order], self.lead[order]
        return Rings(self.corners[moved], begin, slices, owner, hole, lead)

    def outer(self) -> "Rings":
        """The rings that are no holes."""
        return self.picked(np.flatnonzero(~self.hole))


def trace(table: RunTable, wanted: Mask, shape: tuple[int, ...]) -> Rings:
    """The outlines of objects in every slice.

    Args:
        table: the runs of the objects.
        wanted: whether an object is traced, (objects + 1,), entry 0 for none.
        shape: of the volume, (Z, Y, X).

    Returns:
        The rings; arrays of length 0 where there is no object.
    """
    fast = compiled("contours")
    if fast is not None:
        corners, rings = fast.trace(*table, wanted, shape[1], shape[2])
        begin, slices, owner, hole, lead = (np.ascontiguousarray(column) for column in rings.T)
        found = Rings(corners, np.concatenate([[0], begin]), slices, owner, hole != 0, lead)
    else:
        ids = numbers(table, slice(0, len(table.begin) - 1), shape[2])
        found = _trace(np.where(wanted[ids], ids, 0).reshape(shape))
    order = np.lexsort((found.hole, found.owner, found.slices))
    return found if (order[1:] > order[:-1]).all() else found.picked(order)


_AHEAD = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])
"""One pixel upwards, to the right, downwards, to the left: the directions 0 to 3 of an edge."""

_START = np.array([[1, 0], [0, 0], [0, 1], [1, 1]])
"""From a pixel to the corner where its left, upper, right and lower edge begin."""


def _trace(ids: NDArray[np.int32]) -> Rings:
    """The twin: every edge knows the next one; rings are found by doubling the length of the jumps."""
    padded = np.pad(ids, ((0, 0), (1, 1), (1, 1)))
    middle = padded[:, 1:-1, 1:-1]
    height, width = padded.shape[1:]
    at = []
    for direction, (dy, dx) in enumerate(_AHEAD[[3, 0, 1, 2]]):  # the outside lies to the left
        beyond = padded[:, 1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx]
        z, y, x = np.nonzero((middle > 0) & (middle != beyond))
        at.append(np.stack([z, y, x, np.full(len(z), direction)]))
    z, y, x, direction = np.concatenate(at, axis=1)
    key = ((z * height + y) * width + x) * 4 + direction
    order = np.argsort(key, kind="stable")
    z, y, x, direction, key = z[order], y[order], x[order], direction[order], key[order]

    step, left = _AHEAD[direction], _AHEAD[direction - 1]
    own = middle[z, y, x]
    ahead = padded[z, y + 1 + step[:, 0], x + 1 + step[:, 1]] == own
    aside = padded[z, y + 1 + step[:, 0] + left[:, 0], x + 1 + step[:, 1] + left[:, 1]] == own
    go = (ahead | aside)[:, None] * step + aside[:, None] * left
    turned = np.where(aside, direction + 3, np.where(ahead, direction, direction + 1)) % 4
    after = np.searchsorted(key, ((z * height + y + go[:, 0]) * width + x + go[:, 1]) * 4 + turned)

    leader, place = _cycles(after, direction == 0)
    order = np.lexsort((place, leader))
    corners = np.stack([y, x], axis=1)[order] + _START[direction[order]]
    first = np.flatnonzero(place[order] == 0)
    begin = np.append(first, len(order)).astype(np.int64)
    head = order[first]
    size = np.diff(begin)
    turn = direction[order]
    second = np.repeat(turn[begin[:-1] + 1], size)
    other = np.where((turn != second) & (place[order] > 0), place[order], len(order) + 1)
    run = (np.minimum.reduceat(other, first) if len(first) else first) - 1
    signed = np.where(turn == 2, corners[:, 1], 0) - np.where(turn == 0, corners[:, 1], 0)
    area = np.add.reduceat(signed, first) if len(first) else first
    return Rings(
        corners.astype(np.int32), begin, z[head], own[head].astype(np.int64), area < 0, 1 + run // 2
    )  # fmt: skip


def _cycles(after: Ints, may_lead: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """For every edge the first edge of its ring that may lead, and how many steps it is from there."""
    count = len(after)
    leader = np.where(may_lead, np.arange(count), count)
    jump = after.copy()
    while True:
        lower = np.minimum(leader, leader[jump]) if count else leader
        if np.array_equal(lower, leader) and (lower < count).all():
            break
        leader, jump = lower, jump[jump]
    last = after == leader
    left = np.where(last, 0, 1)
    jump = np.where(last, np.arange(count), after)
    while (jump != jump[jump]).any():
        left, jump = left + left[jump], jump[jump]
    size = np.bincount(leader, minlength=count)
    return leader, size[leader] - 1 - left
