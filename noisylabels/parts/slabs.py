"""Maps are worked on slab by slab where something is kept of every pixel that takes more than the pixel itself."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.kernels import balls

LEAST = 2**18
"""Smaller parts of a map, in pixels, are not worth their while."""


class Slab(NamedTuple):
    """Some slices of a volume, or rows of a plane.

    Attributes:
        axis: 0 for slices, 1 for rows.
        start: the first.
        stop: the one behind the last.
        shape: of the map, (Z, Y, X).
    """

    axis: int
    start: int
    stop: int
    shape: tuple[int, ...]

    def around(self, more: int) -> tuple[slice, slice]:
        """Its z and y, with some more slices or rows on both sides."""
        part = slice(max(self.start - more, 0), min(self.stop + more, self.shape[self.axis]))
        return (part, slice(0, self.shape[1])) if self.axis == 0 else (slice(0, 1), part)

    def margin(self, longest: float, steps: tuple[int, ...]) -> int:
        """How many slices or rows around it show all sources that may reach into it, and their neighbours.

        Args:
            longest: no source reaches farther, thousandths.
            steps: size of a pixel along every axis of the labels, thousandths.
        """
        return min(int(longest) // (1, *steps)[-3:][self.axis] + 1, self.shape[self.axis])

    def holds(self, sources: balls.Sources) -> NDArray[np.bool_]:
        """Which sources lie in it."""
        place = sources[:, (balls.Z, balls.Y)[self.axis]]
        return np.asarray((place >= self.start) & (place < self.stop))


def slabs(shape: tuple[int, ...]) -> Iterator[Slab]:
    """Cut a map so that what is kept of a part, some bytes a pixel, is little beside the whole."""
    axis = 0 if shape[0] > 1 else 1
    one = shape[2] * (shape[1] if axis == 0 else 1)
    thick = max(max(LEAST, shape[0] * shape[1] * shape[2] // 32) // one, 1)
    for start in range(0, shape[axis], thick):
        yield Slab(axis, start, min(start + thick, shape[axis]), shape)


def place(sources: balls.Sources, where: tuple[slice, slice], sign: int) -> None:
    """Sources of a part of the map placed in the whole (1), or of the whole placed in a part (-1)."""
    for column, part in zip((balls.Z, balls.Y), where, strict=True):
        sources[:, column] += sign * part.start
