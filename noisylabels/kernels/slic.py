"""Superpixels in whole numbers: SLIC on a grid of cells.

Each grid cell starts one cluster, whose centre is the mean of its pixels in colour and place. In every round
each pixel joins the nearest centre among those of its own cell and of the cells around it, and the centres
become the means of their pixels. At the end connected pieces are told apart, and small ones join the touching
piece that is most like them in colour.

Colours and places are whole numbers on one scale, so that the squared distance is a plain sum of squares: a
256th of a hundredth of the range of intensities, and a 256th of a hundredth ``compactness`` of the cells' side.
Means are rounded. Nothing is left to rounding, and equal images give equal superpixels everywhere.

Source: Achanta et al., SLIC superpixels compared to state-of-the-art superpixel methods, TPAMI 2012; Ren et
al., gSLICr, 2015 (each pixel looks at the cells around it).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.geometry import Ints
from noisylabels.kernels.choice import compiled

ROUNDS = 10
RANGE = 25600
"""The number that the highest intensity becomes; the lowest becomes 0."""

_CODES = np.array([13, *(k for k in range(27) if k != 13)], dtype=np.uint8)
"""The cells around a pixel's own, (z, y, x) in base 3; of equally near centres its own wins, then the first."""

Axes = tuple[Ints, Ints, Ints]


class Grid(NamedTuple):
    """Where clusters begin.

    Attributes:
        counts: cells along z, y and x, (3,).
        cells: cell of every pixel along each axis.
        places: place of every pixel along each axis, on the scale of the colours.
        smallest: a piece with fewer pixels joins another.
    """

    counts: Ints
    cells: Axes
    places: Axes
    smallest: int


def superpixels(features: NDArray[np.uint16], grid: Grid) -> tuple[NDArray[np.int32], Ints]:
    """The superpixels of an image.

    Args:
        features: intensities from 0 to ``RANGE``, (C, Z, Y, X).
        grid: for the same pixels.

    Returns:
        Number of the superpixel of every pixel from 0 on, in the order of their first pixels, (Z, Y, X); and
        the flat index of the first pixel of each.
    """
    beyond = np.stack([_CODES // 9, _CODES // 3 % 3, _CODES % 3], axis=1) != 1
    around = _CODES[~(beyond & (grid.counts == 1)).any(axis=1)]  # no other cell lies along an axis with one
    codes = np.full(features.shape[1:], _CODES[0])
    segments = np.empty(features.shape[1:], dtype=np.int32)
    fast = compiled("slic")
    if fast is not None:
        fast.cluster(features, grid.places, grid.cells, grid.counts, around, ROUNDS, codes)
        return segments, fast.connect(features, codes, grid.cells, grid.smallest, segments)
    return _connected(features, _clustered(features, grid), grid.smallest)


def _clustered(features: NDArray[np.uint16], grid: Grid) -> Ints:
    """The twin of the clustering: which cluster each pixel belongs to, (Z, Y, X)."""
    shape = features.shape[1:]
    places = np.broadcast_arrays(*np.meshgrid(*grid.places, indexing="ij"))
    values = np.stack([*features.astype(np.int64), *places]).reshape(len(features) + 3, -1)
    home = np.stack(np.broadcast_arrays(*np.meshgrid(*grid.cells, indexing="ij"))).reshape(3, -1)
    mine = _number(home, grid.counts)
    clusters = int(np.prod(grid.counts))
    centres = np.zeros((clusters, len(values)), dtype=np.int64)
    for _ in range(ROUNDS):
        size = np.bincount(mine, minlength=clusters)
        full = size > 0
        for v, value in enumerate(values):
            total = np.zeros(clusters, dtype=np.int64)
            np.add.at(total, mine, value)
            centres[full, v] = (2 * total[full] + size[full]) // (2 * size[full])
        best, found = np.full(len(mine), np.iinfo(np.int64).max), mine.copy()
        for code in _CODES.tolist():
            cell = home + np.array([code // 9 - 1, code // 3 % 3 - 1, code % 3 - 1])[:, None]
            there = ((cell >= 0) & (cell < grid.counts[:, None])).all(axis=0)
            k = np.where(there, _number(cell, grid.counts), 0)
            far = ((values - centres[k].T) ** 2).sum(axis=0)
            closer = there & (far < best)
            best, found = np.where(closer, far, best), np.where(closer, k, found)
        if np.array_equal(found, mine):
            break
        mine = found
    return mine.reshape(shape)


def _number(cell: Ints, counts: Ints) -> Ints:
    return np.asarray((cell[0] * counts[1] + cell[1]) * counts[2] + cell[2])


def _connected(features: NDArray[np.uint16], clusters: Ints, smallest: int) -> tuple[NDArray[np.int32], Ints]:
    """The twin of the numbering of pieces."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pixels = np.arange(clusters.size).reshape(clusters.shape)
    faces = []
    for axis in (0, 1, 2):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        faces.append(np.stack([pixels[tuple(low)].ravel(), pixels[tuple(high)].ravel()]))
    one, other = np.concatenate(faces, axis=1)
    same = clusters.ravel()[one] == clusters.ravel()[other]
    links = np.ones(np.count_nonzero(same), dtype=bool)
    graph = coo_array((links, (one[same], other[same])), shape=(clusters.size, clusters.size))
    found = np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
    _, first = np.unique(found, return_index=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    piece = rank[found]
    near = np.unique(np.stack([piece[one], piece[other]]), axis=1)
    root = _merged(
        features.reshape(len(features), -1).astype(np.int64), piece, near[:, near[0] != near[1]], smallest
    )
    _, first, number = np.unique(root[piece], return_index=True, return_inverse=True)
    return number.reshape(clusters.shape).astype(np.int32), first


def _merged(colours: Ints, piece: Ints, near: Ints, smallest: int) -> Ints:
    """The piece of lowest number that each piece belongs to, once small ones are joined to the most similar."""
    size = np.bincount(piece)
    means = np.zeros((len(colours), len(size)), dtype=np.int64)
    for c, colour in enumerate(colours):
        np.add.at(means[c], piece, colour)
    means = (2 * means + size) // (2 * size)
    root = np.arange(len(size))
    joined = True
    while joined:
        joined = False
        for k in np.flatnonzero(size < smallest).tolist():
            mine = root == root[k]
            if size[mine].sum() >= smallest:
                continue
            others = np.unique(np.concatenate([near[1][near[0] == k], near[0][near[1] == k]]))
            others = others[~mine[others]]
            if len(others):
                far = ((means[:, others] - means[:, k : k + 1]) ** 2).sum(axis=0)
                both = mine | (root == root[others[np.argmin(far)]])
                root[both] = root[both].min()
                joined = True
    return root


def votes(segments: NDArray[np.int32], columns: NDArray[np.uint8], shape: tuple[int, int]) -> Ints:
    """How many pixels of every column each superpixel has.

    Args:
        segments: number of the superpixel of every pixel.
        columns: what a pixel counts for, 255 for nothing; the same shape.
        shape: superpixels and columns.
    """
    fast = compiled("slic")
    out = np.zeros(shape, dtype=np.int64)
    if fast is not None:
        fast.votes(segments.reshape(-1), columns.reshape(-1), out)
        return out
    counted = columns != 255
    np.add.at(out, (segments[counted], columns[counted]), 1)
    return out
