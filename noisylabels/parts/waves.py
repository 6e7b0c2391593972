"""A smooth random field over the frame whose spread and correlation length are known.

Numbers of a standard normal lie on a grid of control points with a random offset, and are blended by
quadratic B-splines along every axis. The weights of a place are divided by the root of the sum of their
squares, so that the field is a standard normal at every single place, not only on average::

    weights along an axis at t = 0 .. 1 of a cell      (1 - t)**2 / 2,  1/2 + t (1 - t),  t**2 / 2

Averaged over the offset of the grid the correlation of two places depends on their distance h alone, to
within 0.01, and is close to 2**-(h / L)**2: it is one half at the *length* L = 0.8734 of the grid's gap, in
every direction (0.8714 along an axis, 0.8760 along a diagonal).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noisylabels.errors import UsageError
from noisylabels.geometry import Ints

Floats = NDArray[np.float64]
Normals = Callable[[tuple[int, ...]], Floats]

HALF = 0.8734
"""Distance at which the correlation is one half, in gaps of the grid."""

MOST = 4.0
"""Values beyond are cut, one in 16,000, so that it is known how far a wave may reach."""

_NODES = 2**25
"""Control points that a wave may have: 128 MiB."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A field that was drawn.

    Attributes:
        nodes: at the control points, (nodes along every axis that counts,) float32.
        axes: the axes that count: those with more than one pixel.
        offset: of the grid, in gaps, 0 to 1, one for each of them.
        gap: distance of the control points, thousandths.
    """

    nodes: NDArray[np.float32]
    axes: tuple[int, ...]
    offset: Floats
    gap: float

    def at(self, places: tuple[Ints, Ints, Ints], steps: tuple[int, ...]) -> Floats:
        """Values of the field.

        Args:
            places: z, y and x of every place, pixels, each (n,).
            steps: size of a pixel along z, y and x, thousandths.

        Returns:
            (n,), each a standard normal, cut at -4 and 4.
        """
        count = len(places[0])
        cells, weights = [], []
        total_square = np.ones(count)
        for axis, offset in zip(self.axes, self.offset, strict=True):
            place = places[axis] * (steps[axis] / self.gap) + offset
            cell = place.astype(np.int64)
            t = place - cell
            rest = 1.0 - t
            three = (0.5 * rest * rest, 0.5 + t * rest, 0.5 * t * t)
            cells.append(cell)
            weights.append(three)
            total_square *= three[0] * three[0] + three[1] * three[1] + three[2] * three[2]
        total = np.zeros(count)
        for corner in np.ndindex((3,) * len(self.axes)):
            weight = np.ones(count)
            for three, up in zip(weights, corner, strict=True):
                weight = weight * three[up]
            total += weight * self.nodes[tuple(cell + up for cell, up in zip(cells, corner, strict=True))]
        return np.clip(total / np.sqrt(total_square), -MOST, MOST)


def draw_wave(
    shape: tuple[int, int, int], steps: tuple[int, ...], length: float, normals: Normals, offset: Floats
) -> Wave:
    """A field over a frame.

    Args:
        shape: (Z, Y, X); an axis of one pixel does not count, so that a slice is a plane.
        steps: size of a pixel along z, y and x, thousandths.
        length: distance at which the correlation is one half, thousandths.
        normals: draws standard normals of a shape; called once for every slab of the grid, in order.
        offset: three numbers, 0 to 1: where the grid begins.

    Raises:
        UsageError: the length is so short that the grid would need more than 2**25 control points.
    """
    gap = length / HALF
    axes = tuple(axis for axis in range(3) if shape[axis] > 1)
    nodes = tuple(int((shape[axis] - 1) * (steps[axis] / gap)) + 4 for axis in axes)
    if int(np.prod([float(n) for n in nodes])) > _NODES:
        raise UsageError(
            f"An outline that varies within {length / 1000:g} (px or mm) needs more than {_NODES} control points "
            f"on a map of {shape} pixels; ask for a longer length."
        )
    values = np.empty(nodes, dtype=np.float32)
    for slab in [...] if len(nodes) < 3 else range(nodes[0]):  # a slab at a time takes little memory
        values[slab] = normals(values[slab].shape)
    return Wave(values, axes, offset[list(axes)], gap)
