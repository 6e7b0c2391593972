"""From the outline of a nodule to its pixels.

    outline          interior
    . # # # .        . . . . .
    # . . . #        . 1 1 1 .        The outline lies outside of the nodule, so the nodule is the filled polygon
    # . . # .        . 1 1 . .        without the outline's own pixels.
    . # # . .        . . . . .

An outline is a chain of pixels that may jump, need not end where it began, and may touch or cross itself. Gaps are
bridged by straight lines of pixels, and a pixel is inside if the closed chain winds around it. All of it is integers.

Source: Armato et al., Medical Physics 38 (2011); Hormann and Agathos, Computational Geometry 20 (2001), for winding.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.int64]
Mask = NDArray[np.bool_]


def pixels_of(outlines: Iterable[tuple[bool, Points]]) -> tuple[tuple[int, int], Mask, int]:
    """The pixels inside the outlines that one reader drew around one nodule on one slice.

    Args:
        outlines: for each whether it includes (False: a hole), and its points (y, x), (N, 2).

    Returns:
        The first row and column of a box that holds every point; the pixels in that box, which are inside at least
        one outline that includes and no hole; and how many outlines that include enclose no pixel.
    """
    drawn = list(outlines)
    every = np.concatenate([points for _, points in drawn])
    corner = every.min(axis=0)
    extent = every.max(axis=0) - corner + 1
    inside, holes = (np.zeros(extent, dtype=bool) for _ in range(2))
    hollow = 0
    for includes, points in drawn:
        enclosed = interior(points - corner, (int(extent[0]), int(extent[1])))
        hollow += includes and not enclosed.any()
        target = inside if includes else holes
        target |= enclosed
    return (int(corner[0]), int(corner[1])), inside & ~holes, hollow


def interior(points: Points, shape: tuple[int, int]) -> Mask:
    """The pixels that a closed chain winds around, without those of the chain.

    Args:
        points: (y, x) of the chain's pixels, (N, 2), inside the frame.
        shape: of the frame, (Y, X).
    """
    chain = _bridged(points)
    ends = np.roll(chain, -1, axis=0)
    # a step between neighbours crosses one line of pixel centres at most, and just at the later or earlier pixel
    down, up = ends[:, 0] > chain[:, 0], ends[:, 0] < chain[:, 0]
    turns = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    np.add.at(turns, (chain[down, 0], chain[down, 1] + 1), 1)
    np.add.at(turns, (ends[up, 0], ends[up, 1] + 1), -1)
    inside = np.asarray(np.cumsum(turns[:, :-1], axis=1) != 0)
    inside[chain[:, 0], chain[:, 1]] = False
    return inside


def _bridged(points: Points) -> Points:
    """The chain with straight lines of pixels in its gaps, the one between its ends included."""
    way = np.roll(points, -1, axis=0) - points
    length = np.maximum(np.abs(way).max(axis=1), 1)
    start, whole = np.repeat(points, length, axis=0), np.repeat(length, length)
    nth = np.arange(len(start)) - np.repeat(np.cumsum(length) - length, length)
    step = (2 * nth[:, None] * np.repeat(way, length, axis=0) + whole[:, None]) // (2 * whole[:, None])
    return np.asarray(start + step)
