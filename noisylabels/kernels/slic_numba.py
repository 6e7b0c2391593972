"""Compiled loops of :mod:`noisylabels.kernels.slic`.

Distances are sums of squares of whole numbers far below 2**26, in float64: exact in any order, and fast.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.faces_numba import beside
from noisylabels.kernels.jit import kernel

_FAR = 1e9


@kernel
def _sums(features: Any, places: Any, cells: Any, counts: Any) -> Any:
    """Sums of features and places over the grid cells, and their pixels: (cells, C + 3), (cells,)."""
    channels, depth, height, width = features.shape
    sums = np.zeros((counts[0] * counts[1] * counts[2], channels + 3), dtype=np.int64)
    size = np.zeros(len(sums), dtype=np.int64)
    for z in range(depth):
        for y in range(height):
            row = (cells[0][z] * counts[1] + cells[1][y]) * counts[2]
            for x in range(width):
                k = row + cells[2][x]
                size[k] += 1
                for c in range(channels):
                    sums[k, c] += features[c, z, y, x]
                sums[k, channels] += places[0][z]
                sums[k, channels + 1] += places[1][y]
                sums[k, channels + 2] += places[2][x]
    return sums, size


@kernel
def _centres(sums: Any, size: Any, centres: Any) -> None:
    """Means, rounded to whole numbers; an empty cluster stays where it was."""
    for k in range(len(sums)):
        if size[k] > 0:
            for v in range(sums.shape[1]):
                centres[k, v] = (2 * sums[k, v] + size[k]) // (2 * size[k])


@kernel
def _spread(centres: Any, cells: Any, counts: Any, kz: int, ky: int, near: Any) -> None:
    """Lay the centres around a row of grid cells out along x: (27, C + 3, X)."""
    for code in range(27):
        z, y, dx = kz + code // 9 - 1, ky + code // 3 % 3 - 1, code % 3 - 1
        there = 0 <= z < counts[0] and 0 <= y < counts[1]
        for i in range(near.shape[2]):
            x = cells[2][i] + dx
            if there and 0 <= x < counts[2]:
                k = (z * counts[1] + y) * counts[2] + x
                for v in range(near.shape[1]):
                    near[code, v, i] = centres[k, v]
            else:
                for v in range(near.shape[1]):
                    near[code, v, i] = _FAR


@kernel
def _nearest(row: Any, place: Any, at_z: float, at_y: float, near: Any, codes: Any, far: Any, best: Any,
             found: Any) -> None:  # fmt: skip
    """The nearest of the 27 centres for every pixel of a row; of equal ones its own, then the first."""
    channels, width = row.shape
    for n in range(len(codes)):
        code = codes[n]
        for i in range(width):
            dz, dy, dx = at_z - near[code, channels, i], at_y - near[code, channels + 1, i], place[i]
            dx -= near[code, channels + 2, i]
            far[i] = dz * dz + dy * dy + dx * dx
        for c in range(channels):
            for i in range(width):
                d = row[c, i] - near[code, c, i]
                far[i] += d * d
        if n == 0:
            for i in range(width):
                best[i], found[i] = far[i], code
        else:
            for i in range(width):
                closer = far[i] < best[i]
                best[i] = far[i] if closer else best[i]
                found[i] = code if closer else found[i]


@kernel
def _move(
    features: Any, places: Any, z: int, y: int, x: int, k: int, step: int, sums: Any, size: Any
) -> None:
    """Add a pixel to the sums of a cluster (step 1), or take it away (-1)."""
    channels = len(features)
    size[k] += step
    for c in range(channels):
        sums[k, c] += step * features[c, z, y, x]
    sums[k, channels] += step * places[0][z]
    sums[k, channels + 1] += step * places[1][y]
    sums[k, channels + 2] += step * places[2][x]


@kernel
def _cluster(code: int, kz: int, ky: int, kx: int, counts: Any) -> Any:
    """The cluster that a code means for a pixel in this grid cell."""
    return ((kz + code // 9 - 1) * counts[1] + ky + code // 3 % 3 - 1) * counts[2] + kx + code % 3 - 1


@kernel
def _assign(
    features: Any, places: Any, cells: Any, counts: Any, centres: Any, sums: Any, size: Any, codes: Any, out: Any
) -> bool:  # fmt: skip
    """Give every pixel to the nearest centre, mend the sums, and say whether any pixel moved."""
    channels, depth, height, width = features.shape
    near = np.empty((27, channels + 3, width))
    row, place = np.empty((channels, width)), places[2].astype(np.float64)
    far, best, found = np.empty(width), np.empty(width), np.empty(width, dtype=np.uint8)
    moved = False
    for z in range(depth):
        for y in range(height):
            kz, ky = cells[0][z], cells[1][y]
            if y == 0 or ky != cells[1][y - 1]:
                _spread(centres, cells, counts, kz, ky, near)
            for c in range(channels):
                for i in range(width):
                    row[c, i] = features[c, z, y, i]
            _nearest(row, place, float(places[0][z]), float(places[1][y]), near, codes, far, best, found)
            for i in range(width):
                if found[i] != out[z, y, i]:
                    moved = True
                    kx = cells[2][i]
                    before = _cluster(out[z, y, i], kz, ky, kx, counts)
                    _move(features, places, z, y, i, before, -1, sums, size)
                    _move(features, places, z, y, i, _cluster(found[i], kz, ky, kx, counts), 1, sums, size)
                    out[z, y, i] = found[i]
    return moved


@kernel
def cluster(features: Any, places: Any, cells: Any, counts: Any, codes: Any, rounds: int, out: Any) -> None:
    """Fill ``out`` with which of the 27 cells around its own each pixel belongs to."""
    sums, size = _sums(features, places, cells, counts)
    centres = np.zeros(sums.shape, dtype=np.int64)
    for _ in range(rounds):
        _centres(sums, size, centres)
        if not _assign(features, places, cells, counts, centres, sums, size, codes, out):
            break


@kernel
def _root(parent: Any, p: int) -> int:
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@kernel
def _join(parent: Any, p: int, q: int) -> None:
    """Make two pixels one piece, named after the first."""
    a, b = _root(parent, p), _root(parent, q)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@kernel
def _same(codes: Any, cells: Any, z: int, y: int, x: int, w: int, v: int, u: int) -> Any:
    """Whether two pixels belong to one cluster."""
    a, b = codes[z, y, x], codes[w, v, u]
    return (
        cells[2][x] + a % 3 == cells[2][u] + b % 3
        and cells[1][y] + a // 3 % 3 == cells[1][v] + b // 3 % 3
        and cells[0][z] + a // 9 == cells[0][w] + b // 9
    )


@kernel
def _pieces(codes: Any, cells: Any, parent: Any) -> int:
    """Give every pixel -1 - the number of its connected piece; how many there are."""
    depth, height, width = codes.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                p = (z * height + y) * width + x
                parent[p] = p
                if x > 0 and _same(codes, cells, z, y, x, z, y, x - 1):
                    _join(parent, p, p - 1)
                if y > 0 and _same(codes, cells, z, y, x, z, y - 1, x):
                    _join(parent, p, p - width)
                if z > 0 and _same(codes, cells, z, y, x, z - 1, y, x):
                    _join(parent, p, p - height * width)
    pieces = 0
    for p in range(len(parent)):  # pixels before p already hold the number of their piece, below 0
        if parent[p] == p:
            pieces += 1
            parent[p] = -pieces
        else:
            parent[p] = parent[parent[p]]
    return pieces


@kernel
def _of_small(owner: Any, size: Any, smallest: int) -> Any:
    """The pixels of all small pieces, and where those of each begin."""
    start = np.zeros(len(size) + 1, dtype=np.int64)
    for k in range(len(size)):
        start[k + 1] = start[k] + (size[k] if size[k] < smallest else 0)
    pixels, next_one = np.empty(start[-1], dtype=np.int64), start.copy()
    for p in range(len(owner)):
        k = -owner[p] - 1
        if size[k] < smallest:
            pixels[next_one[k]] = p
            next_one[k] += 1
    return pixels, start


@kernel
def _likest(k: int, pixels: Any, owner: Any, shape: Any, means: Any, root: Any) -> int:
    """Of all pieces that touch piece k and do not belong to it the most similar in colour; -1 for none."""
    best, least = -1, 0
    for i in range(len(pixels)):
        p = pixels[i]
        z, y, x = p // (shape[1] * shape[2]), p // shape[2] % shape[1], p % shape[2]
        for side in range(6):
            q = beside(side, p, z, y, x, shape[0], shape[1], shape[2])
            j = -owner[q] - 1 if q >= 0 else k
            if j in (k, best) or _root(root, j) == _root(root, k):
                continue
            far = 0
            for c in range(means.shape[1]):
                far += (means[k, c] - means[j, c]) ** 2
            if best < 0 or far < least or (far == least and j < best):
                best, least = j, far
    return best


@kernel
def _merge(features: Any, owner: Any, pieces: int, smallest: int) -> Any:
    """Join small pieces to those that are most like them: the piece of lowest number that each belongs to."""
    channels, shape = features.shape[0], features.shape[1:]
    flat = features.reshape((channels, -1))
    means, size = np.zeros((pieces, channels), dtype=np.int64), np.zeros(pieces, dtype=np.int64)
    for p in range(len(owner)):
        size[-owner[p] - 1] += 1
        for c in range(channels):
            means[-owner[p] - 1, c] += flat[c, p]
    for k in range(pieces):
        for c in range(channels):
            means[k, c] = (2 * means[k, c] + size[k]) // (2 * size[k])
    pixels, start = _of_small(owner, size, smallest)
    root, total = np.arange(pieces), size.copy()
    joined = True
    while joined:
        joined = False
        for k in range(pieces):
            if size[k] >= smallest or total[_root(root, k)] >= smallest:
                continue
            j = _likest(k, pixels[start[k] : start[k + 1]], owner, shape, means, root)
            if j >= 0:
                size_of_both = total[_root(root, j)] + total[_root(root, k)]
                _join(root, j, k)
                total[_root(root, k)] = size_of_both
                joined = True
    return root


@kernel
def connect(features: Any, codes: Any, cells: Any, smallest: int, out: Any) -> Any:
    """Number connected pieces, small ones joined to others; first pixels of each."""
    parent = out.reshape(-1)
    pieces = _pieces(codes, cells, parent)
    root = _merge(features, parent, pieces, smallest)
    number, kept = np.empty(pieces, dtype=np.int32), 0
    for k in range(pieces):
        if root[k] == k:
            number[k] = kept
            kept += 1
        else:
            number[k] = number[_root(root, k)]
    first = np.full(kept, -1)
    for p in range(len(parent)):
        parent[p] = number[-parent[p] - 1]
        if first[parent[p]] < 0:
            first[parent[p]] = p
    return first


@kernel
def votes(segments: Any, columns: Any, out: Any) -> None:
    """Count the pixels of every column in every segment, (n, K); flat arrays; column 255 does not count."""
    for p in range(len(segments)):
        if columns[p] != 255:
            out[segments[p], columns[p]] += 1
