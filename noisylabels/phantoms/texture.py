"""Textures and blur from exactly rounded operations: noise on lattices, cells, box averages.

Lengths are in units of the frame height, so that a scene looks the same at every size. Only + - * / sqrt,
integers and comparisons are used, in a fixed order, so that a picture has the same bits on every machine.
"""

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws

Array = NDArray[np.float64]

TILE = 32
"""Nodes along each axis of the lattices that repeat."""


def _spline(position: Array) -> tuple[NDArray[np.int64], tuple[Array, Array, Array, Array]]:
    """First node and the four weights of the uniform cubic B-spline at each position."""
    node = np.floor(position)
    f = position - node
    g, f2 = 1 - f, f * f
    f3 = f2 * f
    return node.astype(np.int64), (
        g * g * g / 6,
        (3 * f3 - 6 * f2 + 4) / 6,
        (3 * (f + f2 - f3) + 1) / 6,
        f3 / 6,
    )


def cloud(draws: Draws, size: tuple[int, int], cells: float) -> Array:
    """Smooth value noise: random numbers on a lattice, joined by a cubic B-spline.

    Args:
        draws: where the lattice comes from.
        size: (Y, X) in px.
        cells: lattice cells in one frame height.

    Returns:
        (Y, X), mean about 0.5, standard deviation about 0.25, not clipped.
    """
    height, width = size
    across = cells / height
    nodes = int(cells) + 5, int(across * width) + 5
    lattice = draws.uniform(nodes)
    row, row_weights = _spline((np.arange(height, dtype=np.float64) + 0.5) * across)
    column, column_weights = _spline((np.arange(width, dtype=np.float64) + 0.5) * across)
    columns = np.zeros((nodes[0], width))
    for k, weight in enumerate(column_weights):
        columns += weight * lattice[:, column + k]
    columns = 0.5 + (columns - 0.5) * 1.9
    total = np.zeros(size)
    for k, weight in enumerate(row_weights):
        total += weight[:, None] * columns[row + k]
    return total


def clouds(draws: Draws, size: tuple[int, int], cells: float, octaves: int) -> Array:
    """Noise on several scales: an octave doubles the cells and halves the weight, down to two pixels."""
    total, weight, sum_of_weights = np.zeros(size), 1.0, 0.0
    for octave in range(octaves):
        if octave and cells * 2**octave * 2 > size[0]:
            break
        total += weight * cloud(draws.at("octave", octave), size, cells * 2**octave)
        sum_of_weights += weight
        weight *= 0.5
    return 0.5 + (total / sum_of_weights - 0.5) * 1.25


def grain(lattice: Array, along: Array, across: Array) -> Array:
    """Value noise at given lattice coordinates, as for brushed metal; the lattice repeats.

    Args:
        lattice: numbers in [0, 1), (32, 32).
        along: first lattice coordinate of every pixel.
        across: second one, same shape.

    Returns:
        Numbers in [0, 1), same shape.
    """
    i, j = np.floor(along), np.floor(across)
    f, g = along - i, across - j
    f, g = f * f * (3 - 2 * f), g * g * (3 - 2 * g)
    whole_i, whole_j = i.astype(np.int64), j.astype(np.int64)
    rows = [((whole_i + k) & (TILE - 1)) * TILE for k in (0, 1)]
    columns = [(whole_j + k) & (TILE - 1) for k in (0, 1)]
    near, far = (
        np.take(lattice, row + columns[0]) * (1 - g) + np.take(lattice, row + columns[1]) * g for row in rows
    )
    return np.asarray(near + f * (far - near))


def cells(draws: Draws, y: Array, x: Array) -> tuple[Array, Array]:
    """Distances to the nearest and the second nearest of points scattered one to a lattice cell.

    Where the two are equal runs the border between two cells: a net of capillaries, or the creases between
    lobules.

    Args:
        draws: where the points come from.
        y: first lattice coordinate of every pixel.
        x: second one, same shape.

    Returns:
        Two arrays of that shape, in lattice cells.

    Source: Worley, A cellular texture basis function, SIGGRAPH 1996.
    """
    points_y, points_x = (draws.at(axis).uniform(TILE * TILE, 0.1, 0.9) for axis in "yx")
    row, column = np.floor(y), np.floor(x)
    y, x, row, column = y - row, x - column, row.astype(np.int64), column.astype(np.int64)
    first = np.full(y.shape, 9.0)
    second = first.copy()
    for i in (-1, 0, 1):
        line = ((row + i) & (TILE - 1)) * TILE
        for j in (-1, 0, 1):
            at = line + ((column + j) & (TILE - 1))
            dy, dx = np.take(points_y, at) + (i - y), np.take(points_x, at) + (j - x)
            squared = dy * dy + dx * dx
            np.minimum(second, np.maximum(first, squared), out=second)
            np.minimum(first, squared, out=first)
    return np.sqrt(first), np.sqrt(second)


def _box(image: Array, radius: float) -> Array:
    """Running mean along the last axis over 2 radius + 1 px, the ends of the box weighted by the fraction."""
    whole = int(radius)
    part = radius - whole
    n = image.shape[-1]
    padded = np.take(image, np.clip(np.arange(-whole - 2, n + whole + 1), 0, n - 1), axis=-1)
    ends = padded[..., 1 : 1 + n] + padded[..., 2 * whole + 3 : 2 * whole + 3 + n]
    inner = image
    if whole:
        sums = np.cumsum(padded, axis=-1)
        inner = sums[..., 2 * whole + 2 : 2 * whole + 2 + n] - sums[..., 1 : 1 + n]
    return np.asarray((inner + part * ends) * (1 / (2 * radius + 1)))


def blur(image: Array, radius: float) -> Array:
    """Two box averages along each of the last two axes: a soft kernel, standard deviation near 0.8 radius.

    Args:
        image: (..., Y, X).
        radius: of each box in px, 0 or more; fractions count. Below 0.05 the image comes back as it is.

    Returns:
        Array of the same shape; the border is continued with its last value.

    Source: Gwosdek et al., Theoretical foundations of Gaussian convolution by extended box filtering, SSVM
        2011.
    """
    if radius < 0.05:
        return image
    for _ in range(2):
        image = np.ascontiguousarray(np.swapaxes(_box(_box(image, radius), radius), -1, -2))
    return image


def step(low: float, high: float, x: Array) -> Array:
    """0 below ``low``, 1 above ``high``, a smooth cubic between them."""
    f = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(f * f * (3 - 2 * f))


def power(x: Array, doublings: int) -> Array:
    """The power ``x ** (2**doublings)`` by repeated squaring."""
    for _ in range(doublings):
        x = x * x
    return x
