"""Move the outlines of objects by exact Euclidean distances, once it is known how far.

An object is a connected component (corners touch) of a chosen class. It grows to every pixel within its
radius, and loses every pixel that lies within its radius of a pixel outside that touches it. Classes are
layers: of two that reach a pixel the higher class lies on top. The frame and ``IGNORE`` are unknown ground:
nothing comes from beyond them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.geometry import FAR, Ints, ball, half_ellipsoids
from noisylabels.kernels import balls
from noisylabels.kernels.choice import plain
from noisylabels.kernels.components import components
from noisylabels.kernels.tables import look_up

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a label map.

    Attributes:
        ids: number of the object of every pixel, 0 for none; (Z, Y, X).
        classes: class of object 0 (none), 1, 2, ..., (n + 1,).
        chosen: whether its class was chosen, (n + 1,).
    """

    ids: balls.Ids
    classes: NDArray[np.uint8]
    chosen: NDArray[np.bool_]


def objects(case: Case, chosen: Sequence[int], apart: bool) -> Objects:
    """The objects of a case.

    Args:
        case: the case.
        chosen: the classes that move.
        apart: whether components are told apart; where all move alike, a class is one object.
    """
    volume = plain(case.labels).reshape((-1, *case.labels.shape[-2:]))
    ids: balls.Ids = volume
    classes = np.arange(256).astype(np.uint8)
    if apart:
        parts = components(case.labels, range(1, case.num_classes))
        ids, classes = parts.ids.reshape(volume.shape), np.concatenate([classes[:1], parts.classes])
    return Objects(ids, classes, np.isin(classes, chosen))


@dataclass(frozen=True, slots=True)
class PerObject:
    """One radius for each object, (n + 1,) whole thousandths; entry 0 belongs to none."""

    radii: Ints


@dataclass(frozen=True, slots=True)
class PerSide:
    """A radius for each object and half-line, towards lower and higher indices, (n + 1, D, 2) thousandths."""

    radii: Floats


@dataclass(frozen=True, slots=True)
class Field:
    """A radius that varies smoothly over the frame.

    Attributes:
        nodes: the radius at control points, (nodes along every axis,), thousandths.
        lean: how much of it counts, at the same points; below 0 nothing; None for all of it.
        gap: distance of the control points, thousandths.
    """

    nodes: Floats
    lean: Floats | None
    gap: float


Radii: TypeAlias = PerObject | PerSide | Field


def _reaches(
    sources: balls.Sources, radii: Radii, chosen: NDArray[np.bool_], steps: tuple[int, ...], inwards: bool
) -> tuple[balls.Sources, balls.Reaches]:
    """The sources that reach anywhere, and how far."""
    sources = sources[chosen[sources[:, balls.OWNER]]]
    if isinstance(radii, PerSide):
        sides = radii.radii[:, :, ::-1] if inwards else radii.radii  # an outline recedes from where it is
        sources = sources[(sides[sources[:, balls.OWNER]] >= min(steps)).any(axis=(1, 2))]
        owners, table = np.unique(sources[:, balls.OWNER], return_inverse=True)
        return sources, balls.Reaches(table, *half_ellipsoids(sides[owners], steps))
    if isinstance(radii, Field):
        sources = _single(sources)
        radius = _at(radii.nodes, radii.gap, sources, steps)
        if radii.lean is not None:
            radius = radius * np.maximum(_at(radii.lean, radii.gap, sources, steps), 0.0)
        fine = max(1, min(steps) // 64)  # rounded down to 1/64 of a pixel: few different balls
        squared = (radius // fine * fine).astype(np.int64) ** 2
    else:
        squared = radii.radii[sources[:, balls.OWNER]] ** 2
    moving = squared >= min(steps) ** 2
    unit = int(np.gcd.reduce(np.array(steps) ** 2))  # every squared distance on the grid is a multiple of it
    kinds, table = np.unique(squared[moving] // unit, return_inverse=True)
    half = ball(kinds * unit, steps)
    return sources[moving], balls.Reaches(table, half, half)


def _single(sources: balls.Sources) -> balls.Sources:
    """The pixels of runs, each as a source of its own."""
    length = sources[:, balls.LAST] - sources[:, balls.FIRST] + 1
    pixels = np.repeat(sources, length, axis=0)
    nth = np.arange(len(pixels)) - np.repeat(np.cumsum(length) - length, length)
    pixels[:, balls.FIRST] += nth
    pixels[:, balls.LAST] = pixels[:, balls.FIRST]
    return pixels


def _at(nodes: Floats, gap: float, sources: balls.Sources, steps: tuple[int, ...]) -> Floats:
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


def grown(
    labels: LabelMap, base: LabelMap, found: Objects, radii: Radii, steps: tuple[int, ...], over: str
) -> LabelMap:
    """``base`` with the chosen objects of ``labels`` grown over it.

    Args:
        labels: the clean labels.
        base: what lies below; equal to ``labels``, or with vacated pixels already filled.
        found: the objects of ``labels``.
        radii: how far they grow.
        steps: size of a pixel in thousandths.
        over: "background": only clean background is covered; "all": objects are painted over everything in
            ascending order of the class.
    """
    shape = found.ids.shape
    volume = plain(labels).reshape(shape)
    sources, reaches = _reaches(
        balls.grow_sources(volume, found.ids, not isinstance(radii, Field)),
        radii, found.chosen, steps, inwards=False,
    )  # fmt: skip
    ranks = found.classes[sources[:, balls.OWNER]]
    if over == "background":  # there `base` is still 0, and below every rank
        out = base.reshape(shape).copy()
        balls.grow(out, volume, sources, ranks, reaches)
        return out.reshape(labels.shape)
    own = np.zeros(256, dtype=np.uint8)
    own[np.unique(found.classes[found.chosen])] = np.unique(found.classes[found.chosen])
    start = look_up(own, volume)
    top = start.copy()
    balls.grow(top, (volume == IGNORE).view(np.uint8), sources, ranks, reaches)
    return np.where(top == start, base.reshape(shape), top).reshape(labels.shape)


def shrunk(labels: LabelMap, found: Objects, radii: Radii, steps: tuple[int, ...], fill: str) -> LabelMap:
    """The labels with the chosen objects shrunk.

    Args:
        labels: the clean labels.
        found: their objects.
        radii: how far they shrink.
        steps: size of a pixel in thousandths.
        fill: "background": every outline recedes, and leaves background; "nearest": an object recedes only
            from what lies below it, and leaves the nearest class of that.
    """
    volume = plain(labels).reshape(found.ids.shape)
    blocked = np.zeros((256, 256), dtype=bool)
    blocked[:, IGNORE] = True
    picked = np.unique(found.classes[found.chosen])
    if fill == "nearest":
        blocked[np.ix_(picked, picked)] = picked[:, None] < picked[None, :]
    shielded = (labels == IGNORE).any() or (fill == "nearest" and len(picked) > 1)
    pruned = not isinstance(radii, Field) and not shielded
    sources, reaches = _reaches(
        balls.shrink_sources(volume, found.ids, blocked, pruned), radii, found.chosen, steps, inwards=True
    )
    out = volume.copy()
    if fill == "background":
        balls.erase(out, found.ids, sources, reaches)
    else:
        sz, sy, sx = (1,) * (3 - labels.ndim) + steps
        best = balls.shrink(volume, found.ids, sources, reaches, (sz, sy, sx))
        out = np.where(best == FAR, out, (best & 255).astype(np.uint8))
    return out.reshape(labels.shape)
