"""How far outlines move, once it is drawn: one radius for each object, for each of its sides, or for each place.

All are whole thousandths of the unit. What is negative reaches nowhere.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.geometry import Ints, Mask, ball, half_ellipsoids
from noisylabels.kernels import balls

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PerObject:
    """One radius for each object, (n + 1,) whole thousandths; entry 0 belongs to none."""

    radii: Ints

    def longest(self) -> float:
        """No radius is larger."""
        return float(self.radii.max(initial=0))


@dataclass(frozen=True, slots=True)
class PerSide:
    """A radius for each object and half-line, towards lower and higher indices, (n + 1, D, 2) thousandths."""

    radii: Floats

    def longest(self) -> float:
        """No radius is larger."""
        return float(self.radii.max(initial=0))


@dataclass(frozen=True, slots=True)
class Field:
    """A radius that varies smoothly over the frame.

    Attributes:
        nodes: the radius at control points, (nodes along every axis,), thousandths.
        lean: how much of it counts, at the same points; below 0 nothing; None for all of it.
        gap: distance of the control points, thousandths.
        objects: what is added for each object, (n + 1,); None for nothing.
    """

    nodes: Floats
    lean: Floats | None
    gap: float
    objects: Floats | None = None

    def longest(self) -> float:
        """No radius is larger."""
        more = 0.0 if self.objects is None else float(self.objects.max(initial=0))
        return float(self.nodes.max(initial=0)) + max(more, 0.0)

    def at(self, sources: balls.Sources, steps: tuple[int, ...]) -> Floats:
        """The radius at sources of one pixel."""
        radius = _blended(self.nodes, self.gap, sources, steps)
        if self.objects is not None:
            radius = radius + self.objects[sources[:, balls.OWNER]]
        if self.lean is not None:
            radius = radius * np.maximum(_blended(self.lean, self.gap, sources, steps), 0.0)
        return np.asarray(np.maximum(radius, 0.0))


Radii: TypeAlias = PerObject | PerSide | Field


def reaching(
    sources: balls.Sources,
    radii: Radii,
    chosen: Mask,
    steps: tuple[int, ...],
    shape: tuple[int, ...],
    inwards: bool,
) -> tuple[balls.Sources, balls.Reaches]:
    """The sources that reach anywhere, and how far.

    Args:
        sources: in the coordinates of the whole frame.
        radii: how far objects move.
        chosen: of every object, (n + 1,).
        steps: size of a pixel along every axis, thousandths.
        shape: of the frame, (Z, Y, X).
        inwards: whether outlines recede.
    """
    sources = sources[chosen[sources[:, balls.OWNER]]]
    rows = (shape[0] - 1, shape[1] - 1)
    if isinstance(radii, PerSide):
        sides = radii.radii[:, :, ::-1] if inwards else radii.radii  # an outline recedes from where it is
        sources = sources[(sides[sources[:, balls.OWNER]] >= min(steps)).any(axis=(1, 2))]
        owners, table = np.unique(sources[:, balls.OWNER], return_inverse=True)
        return sources, balls.Reaches(table, *half_ellipsoids(sides[owners], steps, rows))
    if isinstance(radii, Field):
        sources = _single(sources)
        fine = max(1, min(steps) // 64)  # rounded down to 1/64 of a pixel: few different balls
        squared = (radii.at(sources, steps) // fine * fine).astype(np.int64) ** 2
    else:
        squared = np.maximum(radii.radii, 0)[sources[:, balls.OWNER]] ** 2
    moving = squared >= min(steps) ** 2
    unit = int(np.gcd.reduce(np.array(steps) ** 2))  # every squared distance on the grid is a multiple of it
    kinds, table = np.unique(squared[moving] // unit, return_inverse=True)
    half = ball(kinds * unit, steps, rows)
    return sources[moving], balls.Reaches(table, half, half)


def _single(sources: balls.Sources) -> balls.Sources:
    """The pixels of runs, each as a source of its own."""
    length = sources[:, balls.LAST] - sources[:, balls.FIRST] + 1
    pixels = np.repeat(sources, length, axis=0)
    nth = np.arange(len(pixels)) - np.repeat(np.cumsum(length) - length, length)
    pixels[:, balls.FIRST] += nth
    pixels[:, balls.LAST] = pixels[:, balls.FIRST]
    return pixels


def _blended(nodes: Floats, gap: float, sources: balls.Sources, steps: tuple[int, ...]) -> Floats:
    """Values at single-pixel sources, blended between control points by t**2 (3 - 2 t) along every axis."""
    total = np.zeros(len(sources))
    places = []
    for axis, step in enumerate(steps):
        place = sources[:, axis + 3 - len(steps) if axis < len(steps) - 1 else balls.FIRST] * (step / gap)
        cell = place.astype(np.int64)
        t = place - cell
        places.append((cell, t * t * (3.0 - 2.0 * t)))
    for corner in np.ndindex((2,) * len(steps)):
        weight = np.ones(len(sources))
        for (_, t), upper in zip(places, corner, strict=True):
            weight = weight * (t if upper else 1.0 - t)
        total = total + weight * nodes[tuple(cell + up for (cell, _), up in zip(places, corner, strict=True))]
    return total
