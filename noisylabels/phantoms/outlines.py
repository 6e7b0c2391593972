"""The chain of pixels around a mask, as a reader draws it, and what such a chain encloses."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
Chain = list[tuple[int, int]]

_AROUND = ((0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1))
"""Neighbours (y, x), clockwise as one sees a picture."""


def outlines(mask: Bool) -> Iterator[Chain]:
    """A closed chain around every connected part of a mask, outside of it; its first pixel comes once more as its last.

    Args:
        mask: (Y, X); at the edge of the frame a chain goes outside of it.
    """
    from scipy.ndimage import binary_dilation, find_objects, label

    parts, _ = label(mask, structure=np.ones((3, 3)))
    for part, (rows, columns) in enumerate(find_objects(parts), start=1):
        alone = np.pad(parts[rows, columns] == part, 2)
        yield [(y + rows.start - 2, x + columns.start - 2) for y, x in _walk(binary_dilation(alone))]


def enclosed(chains: list[Chain], shape: tuple[int, int]) -> Bool:
    """The pixels that unbroken chains enclose, (Y, X): all that cannot be reached from outside without crossing one."""
    from scipy.ndimage import binary_fill_holes

    found = np.zeros(shape, dtype=bool)
    for chain in chains:
        line = np.zeros(shape, dtype=bool)
        line[tuple(np.array(chain).T)] = True
        found |= binary_fill_holes(line) & ~line
    return found


def _walk(shape: Bool) -> Chain:
    """Around a shape along its outermost pixels, with the wall on the left (Moore's way, Jacob's end)."""
    start = (int(np.flatnonzero(shape.any(axis=1))[0]), 0)
    start = (start[0], int(np.flatnonzero(shape[start[0]])[0]))
    chain, here, came = [start], start, 0
    first = -1
    while True:
        for turn in range(1, 9):
            way = (came + turn) % 8
            there = (here[0] + _AROUND[way][0], here[1] + _AROUND[way][1])
            if shape[there]:
                break
        if here == start and way == first:
            return chain
        first = way if first < 0 else first
        chain.append(there)
        here, came = there, (way + 5) % 8 if way % 2 else (way + 6) % 8
