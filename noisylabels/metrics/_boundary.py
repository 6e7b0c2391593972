"""Boundaries of objects and distances between them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_DENSE = 12  # a transform of the box costs about as much as a tree search from every twelfth pixel


def boundary(mask: BoolArray) -> BoolArray:
    """Foreground pixels with a face neighbour outside; what lies beyond the frame counts as outside.

    ::

        .....      .....
        .###.      .###.
        .###.  ->  .#.#.
        .###.      .###.

    Args:
        mask: the object, shape S.

    Returns:
        Shape S; empty for an empty object.
    """
    padded = np.pad(mask, 1)
    inner = mask.copy()
    middle = slice(1, -1)
    for axis in range(mask.ndim):
        for side in (slice(None, -2), slice(2, None)):
            where = [middle] * mask.ndim
            where[axis] = side
            inner &= padded[tuple(where)]
    return mask & ~inner


def distances(starts: BoolArray, targets: BoolArray, spacing: tuple[float, ...] | None) -> FloatArray:
    """Euclidean distance from every start pixel to the nearest target pixel.

    Both ways of finding the nearest one are exact: a search tree over the targets where the starts are few,
        as the pixels of a
    boundary are, and a distance transform where they fill the frame, as after independent flips.

    Args:
        starts: where to measure, shape S.
        targets: what to measure to, shape S, not empty.
        spacing: size of a pixel along every axis; None for pixels.

    Returns:
        float64 distances in the C order of the starts, in the unit of the spacing; empty without starts.
    """
    sizes = spacing or (1.0,) * starts.ndim
    if np.count_nonzero(starts) * _DENSE > starts.size:
        from scipy.ndimage import distance_transform_edt

        everywhere: Any = distance_transform_edt(~targets, sampling=sizes)
        return np.asarray(everywhere[starts], dtype=np.float64)
    from scipy.spatial import cKDTree

    here, there, scale = np.argwhere(starts), np.argwhere(targets), np.asarray(sizes)
    _, nearest = cKDTree(there * scale).query(here * scale)
    steps = (here - there[nearest]) * scale
    return np.asarray(np.sqrt((steps * steps).sum(axis=1)), dtype=np.float64)
