"""How the outlines of one label map stray from those of another, object by object and place by place."""

from dataclasses import dataclass
from math import pi, prod

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.geometry import bounding_box, components
from noisylabels.metrics._boundary import BoolArray, FloatArray
from noisylabels.metrics._pixels import same_shape
from noisylabels.metrics._variogram import Field, Variogram

DEFINITION = (
    "Displacement: at every side of a pixel on the reference's outline of a class, the mean distance of the sides "
    "on the reader's outline to which it is the nearest, negative where they lie inside; a side that is nobody's "
    "nearest has that of the nearest side of its object that is. Distances are between the middles of sides; "
    "the frame and sides towards pixels without a label are no outline. An object is missed if the reader gave "
    "its class to less than a tenth of its pixels, and added if it overlaps no object of its class in the "
    "reference."
)
"""What is measured, in words to be printed with the numbers."""


_FOUND = 10
"""An object of which a reader has less than one pixel in ten is missed: a neighbour's outline may reach into it."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """One class of a reader's map against a reference.

    Attributes:
        pixels: of each reference object, (objects,).
        missed: whether the reader missed it, (objects,).
        added: objects that only the reader has.
        owner: object of each place of the reference's outline, (places,); missed ones have none.
        places: where these are, in the unit, (places, D).
        shifts: the reader's displacement there, in the unit, positive outwards, (places,).
    """

    pixels: NDArray[np.int64]
    missed: BoolArray
    added: int
    owner: NDArray[np.int64]
    places: FloatArray
    shifts: FloatArray


def read(
    reference: LabelMap, reader: LabelMap, value: int, spacing: tuple[float, ...] | None = None
) -> Readings:
    """Measure how a reader treats the objects of one class.

    ::

        reference        reader           displacement along the reference's outline, px
        . . . . . . .    . . . . . . .
        . . . . . . .    . # # # # # .      1 on the upper side, a little less at its ends
        . # # # # # .    . # # # # # .      0 elsewhere
        . # # # # # .    . # # # # # .
        . . . . . . .    . . . . . . .

    Args:
        reference: (Y, X) or (Z, Y, X).
        reader: the same shape; what either of them ignores is left out.
        value: the class.
        spacing: size of a pixel in mm along every axis; None for lengths in pixels.

    Returns:
        Objects (connected components, corners touching, in the order of their first pixels) and outlines; of
        an object that is missed or has no outline there are no places.

    Raises:
        InvalidData: the shapes differ.
    """
    same_shape(reference, reader)
    box = bounding_box((reference == value) | (reader == value), (1,) * reference.ndim)
    if box is not None:
        reference, reader = reference[box], reader[box]
    known = (reference != IGNORE) & (reader != IGNORE)
    ids, _ = components(np.where(known, reference, np.uint8(0)), (value,))
    parts, found = components(np.where(known & (reader == value), np.uint8(1), np.uint8(0)), (1,))
    pixels = np.bincount(ids.ravel())[1:].astype(np.int64)
    common = (ids > 0) & (parts > 0)
    missed = _FOUND * np.bincount(ids[common], minlength=len(pixels) + 1)[1:] < pixels
    meets = np.bincount(parts[common], minlength=len(found) + 1) > 0
    added = len(found) - int(meets.sum())
    common &= ~np.append(False, missed)[ids]
    meets = np.bincount(parts[common], minlength=len(found) + 1) > 0
    unit = 0.5 * np.asarray(spacing or (1.0,) * reference.ndim)
    sides, pixel = _sides(ids, known)
    owner = ids.ravel()[pixel].astype(np.int64) - 1
    counted = ~missed[owner]
    places, pixel, owner = sides[counted] * unit, pixel[counted], owner[counted]
    sides, beyond = _sides(np.where(meets[parts], parts, 0), known)
    if not len(places) or not len(sides):  # an outline that is nowhere, as of a map filled by one class
        places, owner, shifts = places[:0], owner[:0], np.zeros(0)
    else:
        shifts = _shifts(places, owner, parts.ravel()[pixel] > 0, sides * unit, ids.ravel()[beyond] > 0)
    return Readings(pixels, missed, added, owner, places, shifts)


def _shifts(
    true: FloatArray, owner: NDArray[np.int64], covered: BoolArray, given: FloatArray, inside: BoolArray
) -> FloatArray:
    """The displacement at every side of the reference's outline.

    Args:
        true: the reference's sides, (n, D).
        owner: their objects, (n,).
        covered: whether the reader covers their pixels, (n,).
        given: the reader's sides, (m, D).
        inside: whether their pixels lie inside the reference, (m,).
    """
    from scipy.spatial import cKDTree

    far, nearest = cKDTree(true).query(given)
    total = np.bincount(nearest, np.where(inside, -far, far), len(true))
    count = np.bincount(nearest, minlength=len(true))
    met, rest = np.flatnonzero(count), np.flatnonzero(count == 0)
    shifts = total / np.maximum(count, 1)
    if len(rest):
        _, which = cKDTree(true[met]).query(true[rest])
        back, _ = cKDTree(given).query(true[rest])
        near = met[which]
        own = np.where(covered[rest], back, -back)
        shifts[rest] = np.where(owner[near] == owner[rest], shifts[near], own)
    return np.asarray(shifts)


def _sides(ids: NDArray[np.int32], known: BoolArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sides of pixels that separate an object from a pixel known to be none.

    Returns:
        The middle of each, in half pixels, (sides, D); and the flat index of the object's pixel, (sides,).
    """
    middles, pixels = [], []
    beyond = known & (ids == 0)
    for axis in range(ids.ndim):
        for step in (-1, 1):
            here, there = [slice(None)] * ids.ndim, [slice(None)] * ids.ndim
            here[axis] = slice(1, None) if step < 0 else slice(None, -1)
            there[axis] = slice(None, -1) if step < 0 else slice(1, None)
            found = np.argwhere((ids[tuple(here)] > 0) & beyond[tuple(there)])
            found[:, axis] += step < 0
            pixels.append(np.ravel_multi_index(tuple(found.T), ids.shape))
            found *= 2
            found[:, axis] += step
            middles.append(found)
    return np.concatenate(middles), np.concatenate(pixels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Straying:
    """How readers treat a class, pooled over maps; lengths in the unit.

    Attributes:
        readings: objects times readers.
        missed: readings in which the object was missed.
        added: objects that only a reader has.
        places: sides of pixels on the reference's outlines, once for each reader.
        bias: mean displacement of an object's outline, mean over the readings.
        object_sd: its standard deviation between readings, without what chance along the outline adds.
        field: displacement along the outline, about the object's mean.
        omission: share of the readings in which an object was missed, for each range of sizes.
        sizes: diameters at which the next range begins, one fewer.
    """

    readings: int
    missed: int
    added: int
    places: int
    bias: float
    object_sd: float
    field: Field
    omission: tuple[float, ...]
    sizes: tuple[float, ...]


class Totals:
    """The readings of one class, added up map by map.

    Args:
        finest: size of the smallest pixel of all maps, in the unit.
    """

    def __init__(self, finest: float = 1.0) -> None:
        self._outlines = Variogram(finest)
        self._diameters: list[FloatArray] = []
        self._missed: list[BoolArray] = []
        self._added = self._places = 0

    @property
    def readings(self) -> int:
        """Objects times readers so far."""
        return sum(map(len, self._missed))

    def add(self, found: Readings, spacing: tuple[float, ...] | None, shape: tuple[int, ...]) -> None:
        """Take in one map.

        Args:
            found: from :func:`read`.
            spacing: as there.
            shape: of the map; a volume of one slice counts as a plane.
        """
        sizes = (spacing or (1.0,) * len(shape))[-2 if shape[0] == 1 else -len(shape) :]
        content = found.pixels * prod(sizes)
        self._diameters.append(
            2.0 * np.sqrt(content / pi) if len(sizes) == 2 else np.cbrt(content * (6.0 / pi))
        )
        self._missed.append(found.missed)
        self._added += found.added
        self._places += len(found.shifts)
        order = np.argsort(found.owner, kind="stable")
        for mine in np.split(order, np.flatnonzero(np.diff(found.owner[order])) + 1):
            if len(mine):
                self._outlines.add(found.places[mine], found.shifts[mine])

    def result(self, ranges: int = 1, few: int = 10) -> Straying:
        """What all maps together say.

        Args:
            ranges: of sizes with an omission of their own, at most, of about as many readings each.
            few: readings that a range must have.
        """
        diameters = np.concatenate([*self._diameters, np.zeros(0)])
        missed = np.concatenate([*self._missed, np.zeros(0, dtype=bool)])
        field = self._outlines.field()
        bias, object_sd = self._outlines.offsets(field)
        edges = _edges(diameters, min(ranges, len(diameters) // few)) if missed.any() else ()
        which = np.searchsorted(np.array(edges), diameters, side="right")
        lost = np.bincount(which[missed], minlength=len(edges) + 1)
        every = np.bincount(which, minlength=len(edges) + 1)
        return Straying(
            readings=len(missed),
            missed=int(missed.sum()),
            added=self._added,
            places=self._places,
            bias=bias,
            object_sd=object_sd,
            field=field,
            omission=tuple(float(a) / max(int(b), 1) for a, b in zip(lost, every, strict=True)),
            sizes=edges,
        )


def _edges(diameters: FloatArray, ranges: int) -> tuple[float, ...]:
    """Where ranges of about as many values each begin, with three digits; the first begins at 0."""
    at = (
        [float(f"{q:.3g}") for q in np.quantile(diameters, np.arange(1, ranges) / ranges)]
        if ranges > 1
        else []
    )
    lowest = diameters.min() if len(diameters) else 0.0
    return tuple(sorted({edge for edge in at if edge > lowest}))
