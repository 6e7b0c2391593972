"""Grow and shrink groups of objects that move alike, in rows of one bit a pixel: all pixels of a word at once.

A group is all objects of a class that have the same element: a ball, or a block (square, cube). Only the box
around a group and its element is looked at, one group after the other, so the bits take at most a few eighths
of the label map whatever the number of classes.

The twin does the same with one truth value a pixel.
"""

from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.geometry import Ints, Mask, ball, bounding_box
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.components import RunTable, numbers


class Groups(NamedTuple):
    """Objects that move alike; classes ascend from group to group, so that higher ones are painted later.

    Attributes:
        of: group of every object (0 for none, then 1, 2, ...; or by class where a class is one object), -1 for
            those that stay, (n,) int64.
        ranks: class of every group, (G,) uint8.
        elements: squared radius of a ball in squared steps, or -1 for a block; then how many pixels a block
            reaches towards lower and higher z, y and x, (G, 7) int64. An element is what a pixel of the group
            covers when it grows, and what a pixel outside eats when it shrinks.
        steps: size of a pixel along z, y and x, (3,) int64; only balls ask for it.
    """

    of: Ints
    ranks: NDArray[np.uint8]
    elements: Ints
    steps: Ints

    def margin(self, g: int) -> list[int]:
        """Pixels around group g that are looked at, along z, y and x."""
        squared, *reach = self.elements[g].tolist()
        if squared < 0:
            return [max(1, *reach[2 * axis : 2 * axis + 2]) for axis in range(3)]
        return [isqrt(squared) // step + 1 for step in self.steps.tolist()]


def grow(out: LabelMap, labels: LabelMap, shut: LabelMap, table: RunTable | None, groups: Groups) -> None:
    """Paint the groups, grown, over the pixels that may be covered, in place.

    Args:
        out: what is painted on, (Z, Y, X).
        labels: clean classes, the same shape.
        shut: by clean class, (256,): the pixel is covered by higher classes alone; ``IGNORE`` by none.
        table: the runs of the objects; None where a class is one object.
        groups: the objects and their elements.
    """
    fast = compiled("bits")
    if fast is not None:
        fast.move(out, labels, shut, *(_UNKNOWN if table is None else table), *groups, False, False)
        return
    owners = _owners(labels, table)
    for g, rank in enumerate(groups.ranks):
        mine = groups.of[owners] == g
        box = bounding_box(mine, groups.margin(g))
        if box is not None:
            covered = _covered(mine[box], groups, g) & ~mine[box]
            out[box][covered & (shut[labels[box]] < rank)] = rank


def has_ignore(labels: LabelMap) -> bool:
    """Whether a pixel is ``IGNORE``; (Z, Y, X) in C order."""
    fast = compiled("bits")
    return bool(fast.has_ignore(labels) if fast is not None else (labels == IGNORE).any())


def shrink(
    out: LabelMap, labels: LabelMap, table: RunTable | None, groups: Groups, keep: bool = False
) -> None:
    """Clear the pixels of the groups that are eaten from outside, in place.

    A ball eats from the pixels of other classes that touch a face of the group, a block from all. ``IGNORE`` and
    what lies beyond the frame eat nothing.

    Args:
        out: what is cleared, (Z, Y, X).
        labels: clean classes, the same shape.
        table: the runs of the objects; None where a class is one object.
        groups: the objects and their elements; where a map holds ``IGNORE``, objects that lie near each other
            must not share a group with a ball.
        keep: leave a group as it is of which nothing would be left.
    """
    fast = compiled("bits")
    if fast is not None:
        fast.move(out, labels, _OPEN, *(_UNKNOWN if table is None else table), *groups, True, keep)
        return
    owners = _owners(labels, table)
    for g in range(len(groups.ranks)):
        mine = groups.of[owners] == g
        box = bounding_box(mine, groups.margin(g))
        if box is None:
            continue
        inside = mine[box]
        outside = ~inside & (labels[box] != IGNORE) & (labels[box] != groups.ranks[g])
        if groups.elements[g, 0] >= 0:
            outside &= _covered(
                inside, groups._replace(elements=_TOUCHING, steps=np.ones(3, dtype=np.int64)), 0
            )
        gone = _covered(outside, groups, g) & inside
        if not (keep and (gone == inside).all()):
            out[box][gone] = 0


_UNKNOWN = RunTable(np.empty((0, 3), np.int32), np.empty(0, np.int64), np.empty(0, np.int32))
_OPEN = np.zeros(256, dtype=np.uint8)
_TOUCHING = np.ones((1, 7), dtype=np.int64)


def _owners(labels: LabelMap, table: RunTable | None) -> LabelMap | NDArray[np.int32]:
    """The object of every pixel, for the twins."""
    if table is None:
        return labels
    rows = labels.shape[0] * labels.shape[1]
    return numbers(table, slice(0, rows), labels.shape[2]).reshape(labels.shape)


def _shifted(mask: Mask, axis: int, step: int) -> Mask:
    """The mask ``step`` pixels further along an axis."""
    moved = np.zeros_like(mask)
    size = mask.shape[axis]
    if abs(step) < size:
        to, of = [slice(None)] * 3, [slice(None)] * 3
        to[axis], of[axis] = (
            slice(max(step, 0), size + min(step, 0)),
            slice(max(-step, 0), size - max(step, 0)),
        )
        moved[tuple(to)] = mask[tuple(of)]
    return moved


def _covered(seeds: Mask, groups: Groups, g: int) -> Mask:
    """Every pixel that the element of a group covers around a seed, (Z, Y, X)."""
    squared, *reach = groups.elements[g].tolist()
    if squared < 0:
        found = seeds.copy()
        for axis in range(3):
            for far, sign in ((reach[2 * axis], -1), (reach[2 * axis + 1], 1)):
                done = 0
                while done < min(far, seeds.shape[axis]):
                    step = min(done + 1, far - done)
                    found |= _shifted(found, axis, sign * step)
                    done += step
        return found
    half = ball(np.array([squared]), groups.steps.tolist())[0]
    middle = np.array(half.shape) // 2
    found = np.zeros_like(seeds)
    wide = seeds.copy()
    for h in range(min(int(half.max()), seeds.shape[2]) + 1):
        if h > 0:
            wide = wide | _shifted(wide, 2, 1) | _shifted(wide, 2, -1)
        last = h == seeds.shape[2]
        for dz, dy in np.argwhere(half >= h if last else half == h) - middle:
            if abs(dz) < seeds.shape[0] and abs(dy) < seeds.shape[1]:
                found |= _shifted(_shifted(wide, 0, int(dz)), 1, int(dy))
    return found
