"""Move the outlines of objects by exact Euclidean distances, once it is known how far.

An object is a connected component (corners touch) of a chosen class. It grows to every pixel within its
radius, and loses every pixel that lies within its radius of a pixel outside that touches it. Classes are
layers: of two that reach a pixel the higher class lies on top. The frame and ``IGNORE`` are unknown ground:
nothing comes from beyond them.

Objects with one radius are moved as bits, all of a class and radius together. Where the radius differs from
side to side or from place to place, each boundary run is painted as far as it reaches, slab by slab, so that
what is kept of it stays small.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.geometry import FAR, Ints
from noisylabels.kernels import balls, bits
from noisylabels.kernels.choice import plain
from noisylabels.kernels.components import RunTable, component_runs, numbers
from noisylabels.kernels.tables import look_up
from noisylabels.parts.reaches import Field, Floats, PerObject, Radii, reaching
from noisylabels.parts.slabs import place, slabs

__all__ = ["Floats", "Objects", "Traced", "groups_of", "grown", "own_classes", "shrunk", "traced"]

_EVERY = np.arange(256).astype(np.uint8)

_FEW = 128
"""With more groups than this (specks of many radii) it is faster to paint each object for itself."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a label map, or of a part of it.

    Attributes:
        ids: number of the object of every pixel, 0 for none; (Z, Y, X).
        classes: class of object 0 (none), 1, 2, ..., (n + 1,).
        chosen: whether its class was chosen, (n + 1,).
    """

    ids: balls.Ids
    classes: NDArray[np.uint8]
    chosen: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Traced:
    """The objects of a label map as runs, which take little memory.

    Attributes:
        volume: the labels, (Z, Y, X), in C order; not to be written to.
        table: the runs of the objects; None where a class is one object, which has its number.
        classes: class of object 0 (none), 1, 2, ..., (n + 1,).
        chosen: whether its class was chosen, (n + 1,).
        picked: the chosen classes, in ascending order.
    """

    volume: LabelMap
    table: RunTable | None
    classes: NDArray[np.uint8]
    chosen: NDArray[np.bool_]
    picked: tuple[int, ...]

    def part(self, where: tuple[slice, slice]) -> Objects:
        """The objects in a slab of the map."""
        ids: balls.Ids = self.volume[where]
        if self.table is not None:
            height, width = self.volume.shape[1:]
            z, y = where
            rows = slice(z.start * height + y.start, (z.stop - 1) * height + y.stop)
            ids = numbers(self.table, rows, width).reshape(ids.shape)
        return Objects(ids, self.classes, self.chosen)


def _volume(labels: LabelMap) -> LabelMap:
    """(Y, X) as (1, Y, X), in C order and writeable; a copy only where it must be."""
    volume = labels.reshape((-1, *labels.shape[-2:]))
    flags = volume.flags
    return volume if flags.c_contiguous and flags.writeable else plain(volume)


@lru_cache(maxsize=64)
def _among(picked: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which of 256 classes are among some."""
    return np.isin(_EVERY, picked)


def traced(case: Case, picked: tuple[int, ...], apart: bool) -> Traced:
    """The objects of a case.

    Args:
        case: the case.
        picked: the classes that move, in ascending order.
        apart: whether components are told apart; where all move alike, a class is one object.
    """
    volume, chosen = _volume(case.labels), _among(picked)
    if not apart:
        return Traced(volume, None, _EVERY, chosen, picked)
    table, of_class = component_runs(volume, range(1, case.num_classes))
    classes = np.concatenate([_EVERY[:1], of_class])
    return Traced(volume, table, classes, chosen[classes], picked)


def groups_of(
    found: Traced, moving: NDArray[np.bool_], kinds: Ints | None = None
) -> tuple[Ints, NDArray[np.intp]]:
    """Objects of one class and kind as one group; classes ascend from group to group.

    Args:
        found: the objects.
        moving: which of them move, (n + 1,).
        kinds: what objects of a group have in common, (n + 1,), 0 to 2**54; None for groups of one object.

    Returns:
        Group of every object, -1 for none, (n + 1,); an object of every group.
    """
    of = np.full(len(moving), -1, dtype=np.int64)
    mine = np.flatnonzero(moving)
    classes = found.classes[mine].astype(np.int64)
    if kinds is None:
        mine = mine[np.argsort(classes, kind="stable")]
        of[mine] = np.arange(len(mine))
        return of, mine
    _, first, of[mine] = np.unique(classes * 2**54 + kinds[mine], return_index=True, return_inverse=True)
    return of, mine[first]


def _balls(found: Traced, radii: PerObject, steps: tuple[int, ...], alone: bool) -> bits.Groups:
    """The groups that move by a ball; every object alone, or all that move alike."""
    unit = gcd(*steps)  # every squared distance on the grid is a multiple of its square
    squared = radii.radii * radii.radii // unit**2
    of, first = groups_of(found, found.chosen & (radii.radii >= min(steps)), None if alone else squared)
    return bits.Groups(of, found.classes[first], *_elements(squared[first], steps))


@lru_cache(maxsize=64)
def _class_balls(picked: tuple[int, ...], radius: int, steps: tuple[int, ...]) -> bits.Groups:
    """One group for each class; made once, because on a small plane this would take as long as all the rest."""
    moving = np.array(picked if radius >= min(steps) else (), dtype=np.intp)
    of = np.full(256, -1, dtype=np.int64)
    of[moving] = np.arange(len(moving))
    return bits.Groups(
        of, _EVERY[moving], *_elements(np.full(len(moving), radius**2 // gcd(*steps) ** 2), steps)
    )


def _elements(squared: Ints, steps: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Balls as elements of groups, and the size of a pixel in the same unit."""
    elements = np.zeros((len(squared), 7), dtype=np.int64)
    elements[:, 0] = squared
    unit = gcd(*steps)
    return elements, np.array([step // unit for step in (unit, *steps)[-3:]])


@lru_cache(maxsize=64)
def own_classes(picked: tuple[int, ...], over: str) -> LabelMap:
    """By clean class, (256,): no lower class covers it, and 255 for what is not covered at all.

    Args:
        picked: the classes that move.
        over: "background": only clean background is covered; "all": everything, in ascending order of the class.
    """
    own = np.full(256, IGNORE, dtype=np.uint8)
    own[0] = 0
    if over == "all":
        own[:IGNORE] = 0
        own[list(picked)] = picked
    return own


def grown_alike(
    labels: LabelMap, picked: tuple[int, ...], radius: int, steps: tuple[int, ...], over: str
) -> LabelMap:
    """New labels in which all objects have grown by one radius: what :func:`grown` does, by the shortest way.

    Args:
        labels: the clean labels, (Y, X) or (Z, Y, X).
        picked: the classes that move, in ascending order.
        radius: thousandths.
        steps: size of a pixel along every axis, thousandths.
        over: as in :func:`grown`.
    """
    volume = _volume(labels)
    out = volume.copy()
    bits.grow(out, volume, own_classes(picked, over), None, _class_balls(picked, radius, steps))
    return out.reshape(labels.shape)


def shrunk_alike(labels: LabelMap, picked: tuple[int, ...], radius: int, steps: tuple[int, ...]) -> LabelMap:
    """New labels in which all objects have shrunk by one radius, and left background; arguments as above."""
    volume = _volume(labels)
    out = volume.copy()
    bits.shrink(out, volume, None, _class_balls(picked, radius, steps))
    return out.reshape(labels.shape)


def grown(base: LabelMap, found: Traced, radii: Radii, steps: tuple[int, ...], over: str) -> LabelMap:
    """``base`` with the chosen objects grown over it, in place.

    Args:
        base: what lies below, (Z, Y, X), in C order: a copy of the clean labels, or with vacated pixels filled.
        found: the objects of the clean labels.
        radii: how far they grow.
        steps: size of a pixel in thousandths.
        over: "background": only clean background is covered; "all": objects are painted over everything in
            ascending order of the class.

    Returns:
        ``base``.
    """
    own = own_classes(found.picked, over)
    volume = found.volume
    if (
        isinstance(radii, PerObject)
        and len((groups := _balls(found, radii, steps, alone=False)).ranks) <= _FEW
    ):
        bits.grow(base, volume, own, found.table, groups)
        return base
    if over == "background":  # there `base` is still 0, and below every rank
        _paint(base, volume, found, radii, steps)
        return base
    rank = np.where(own == IGNORE, 0, own).astype(np.uint8)
    top = look_up(rank, volume)
    _paint(top, look_up((own == IGNORE).astype(np.uint8), volume), found, radii, steps)
    for slab in slabs(volume.shape):
        core = slab.around(0)
        np.copyto(base[core], top[core], where=top[core] != look_up(rank, volume[core]))
    return base


def _paint(top: LabelMap, closed: LabelMap, found: Traced, radii: Radii, steps: tuple[int, ...]) -> None:
    """Raise every pixel that an object reaches to its class, if it is lower and not closed; in place."""
    for slab in slabs(top.shape):
        near = slab.around(1)
        sources = balls.grow_sources(found.volume[near], found.part(near).ids, not isinstance(radii, Field))
        place(sources, near, 1)
        sources = sources[slab.holds(sources)]
        sources, reaches = reaching(sources, radii, found.chosen, steps, top.shape, inwards=False)
        balls.grow(top, closed, sources, found.classes[sources[:, balls.OWNER]], reaches)


def shrunk(found: Traced, radii: Radii, steps: tuple[int, ...], fill: str) -> LabelMap:
    """New labels, (Z, Y, X), with the chosen objects shrunk.

    Args:
        found: the objects of the clean labels.
        radii: how far they shrink.
        steps: size of a pixel in thousandths.
        fill: "background": every outline recedes, and leaves background; "nearest": an object recedes only
            from what lies below it, and leaves the nearest class of that.
    """
    out = found.volume.copy()
    if isinstance(radii, PerObject) and fill == "background":
        alone = found.table is not None and bits.has_ignore(out)
        groups = _balls(found, radii, steps, alone)
        if len(groups.ranks) <= _FEW:
            bits.shrink(out, found.volume, found.table, groups)
            return out
    blocked = np.zeros((256, 256), dtype=bool)
    blocked[:, IGNORE] = True
    picked = np.intersect1d(found.picked, found.classes[1:])
    if fill == "nearest":
        blocked[np.ix_(picked, picked)] = picked[:, None] < picked[None, :]
    shielded = bits.has_ignore(out) or (fill == "nearest" and len(picked) > 1)
    pruned = not isinstance(radii, Field) and not shielded
    for slab in slabs(out.shape):
        margin = slab.margin(radii.longest(), steps)
        seen = slab.around(1 if fill == "background" else margin)
        here = found.part(seen)
        sources = balls.shrink_sources(found.volume[seen], here.ids, blocked, pruned)
        place(sources, seen, 1)
        if fill == "background":
            sources = sources[slab.holds(sources)]
        sources, reaches = reaching(sources, radii, found.chosen, steps, out.shape, inwards=True)
        if fill == "background":
            wide = slab.around(margin)
            place(sources, wide, -1)
            balls.erase(out[wide], found.part(wide).ids, sources, reaches)
            continue
        place(sources, seen, -1)
        core = slab.around(0)
        z, y = (slice(c.start - s.start, c.stop - s.start) for c, s in zip(core, seen, strict=True))
        sz, sy, sx = (1, *steps)[-3:]
        best = balls.shrink(found.volume[seen], here.ids, sources, reaches, (sz, sy, sx), (z, y))
        np.copyto(out[core], (best & 255).astype(np.uint8), where=best != FAR)
    return out
