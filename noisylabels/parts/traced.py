"""The outlines of the objects of a case, slice by slice, and what is drawn for them.

A volume is drawn slice by slice along axis 0, as annotators do; a plane is a volume of one slice. An object
is a connected component of the volume (corners touch), so it may have several rings in a slice: a *strand*
is one of them followed through the slices (its first, second, ... outer ring, its first hole, and so on).
What is drawn for a strand changes slowly from slice to slice: see :class:`Wobble`.

Lengths along a ring are those of the ring through the middles of pixel sides, which cuts corners, so that a
diagonal is about as long as it looks::

    # # .
    # # .        from the middle of a side straight to the next 1 px, round a corner 0.707 px
    . . .
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import plain
from noisylabels.kernels.components import component_runs
from noisylabels.kernels.contours import Rings, trace
from noisylabels.kernels.philox import words
from noisylabels.kernels.polygons import FINE
from noisylabels.kernels.tables import look_up
from noisylabels.normal import normal_quantile

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

_BLOCK = 2**16
"""Corners that are handled at once: bounds the memory, not the result."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The objects of a case that are drawn anew.

    Attributes:
        labels: the clean labels, (Z, Y, X), not to be written to.
        base: the same with background in place of the chosen classes, to draw on.
        fixed: (256,); classes whose pixels stay: ``IGNORE`` and what was not chosen, but the background.
        classes: class of object 0 (none), 1, ..., n, (n + 1,) uint8; components of all foreground classes.
        rings: the outlines of the objects of the chosen classes.
    """

    labels: LabelMap
    base: LabelMap
    fixed: Mask
    classes: NDArray[np.uint8]
    rings: Rings


def scene_of(case: Case, chosen: Sequence[int]) -> Scene:
    """Take the objects of some classes out of the labels, and trace them.

    Args:
        case: the case.
        chosen: the classes, without the background.
    """
    volume = plain(case.labels).reshape((-1, *case.labels.shape[-2:]))
    cleared = np.arange(256).astype(np.uint8)
    cleared[list(chosen)] = 0
    table, of_class = component_runs(case.labels, range(1, case.num_classes))
    classes = np.concatenate([np.zeros(1, dtype=np.uint8), of_class])
    rings = trace(table, np.isin(classes, chosen), volume.shape)
    return Scene(volume, look_up(cleared, volume), cleared != 0, classes, rings)


def blocks(rings: Rings) -> Iterator[tuple[int, int]]:
    """First and last + 1 of rings that are handled together; those of an object in a slice stay together."""
    count = len(rings.slices)
    cuts = np.append(starts(rings), count)
    first = 0
    while first < count:
        within = cuts[rings.begin[cuts] <= rings.begin[first] + _BLOCK]
        last = int(max(within[-1], cuts[np.searchsorted(cuts, first, side="right")]))
        yield first, last
        first = last


def starts(rings: Rings, *keys: NDArray[Any]) -> Ints:
    """The first ring of every object in every slice, or of what further keys of the rings tell apart."""
    new = np.ones(len(rings.slices), dtype=bool)
    new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in (rings.slices, rings.owner, *keys)])
    return np.flatnonzero(new)


class Walk(NamedTuple):
    """Rings, corner by corner.

    The *gate* of a corner is the middle of the pixel side before it; from gate to gate a ring cuts the corner.

    Attributes:
        ring: number of its ring here, (m,).
        before: index of the corner before it, (m,).
        after: of the corner after it, (m,).
        corner: (y, x) in 1/256 px, (m, 2) int64.
        gate: the same of its gate, (m, 2).
        beyond: what carries the gate off the frame if it lies on it, (m, 2) int64.
        cut: 1 if the ring meets the frame at the corner after the gate, -1 if it leaves it at the one before,
            else 0, (m,).
        step: length from its gate to the next one, (m,) int64, in 1/16 of a thousandth.
        start: length from the first gate of all to its gate, (m,) int64.
        begin: where every ring begins, (r + 1,).
        home: length at which every ring begins, (r,).
        total: length of every ring, (r,).
        lead: length from there to the middle of its first topmost side, (r,).
    """

    ring: Ints
    before: Ints
    after: Ints
    corner: Ints
    gate: Ints
    beyond: Ints
    cut: Ints
    step: Ints
    start: Ints
    begin: Ints
    home: Ints
    total: Ints
    lead: Ints


def walk(rings: Rings, shape: tuple[int, ...], steps: tuple[int, ...]) -> Walk:
    """Look at rings corner by corner.

    Args:
        rings: the rings, at least one.
        shape: of the frame, (Y, X) last.
        steps: size of a pixel in thousandths, (sy, sx) last.
    """
    begin, count = rings.begin, len(rings.corners)
    heads, tails = begin[:-1], begin[1:] - 1
    ring = np.repeat(np.arange(len(heads)), np.diff(begin))
    before, after = np.arange(-1, count - 1), np.arange(1, count + 1)
    before[heads], after[tails] = tails, heads
    corner = rings.corners.astype(np.int64)
    gate = corner.copy()  # in half pixels
    gate[1:] += corner[:-1]
    gate[heads] = corner[heads] + corner[tails]
    down = 2 * corner[:, 0] - gate[:, 0]  # of the side before the corner: -1, 0 or 1
    turns = np.empty(count, dtype=bool)
    turns[:-1] = down[1:] != down[:-1]
    turns[tails] = down[heads] != down[tails]
    sy, sx = steps[-2:]
    length = np.rint(np.sqrt(np.array([sx * sx, sy * sy, (sy * sy + sx * sx) / 4])) * 16).astype(np.int64)
    step = length[np.where(turns, 2, down & 1)]
    way = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(step)])
    home = way[begin]
    lead = begin[:-1] + rings.lead
    on_frame = ((corner == 0) | (corner == np.array(shape[-2:]))).any(axis=1).astype(np.int64)
    return Walk(
        ring, before, after, corner * FINE, gate * (FINE // 2), off_frame(gate, shape, 2),
        on_frame - on_frame[before], step, way[:-1], begin, home[:-1], np.diff(home),
        way[lead] + step[lead] // 2 - home[:-1],
    )  # fmt: skip


def off_frame(points: Ints, shape: tuple[int, ...], unit: int) -> Ints:
    """What carries points that lie on the frame far away from it, in 1/256 px, the shape of the points.

    Nobody knows how an object goes on beyond the frame, so an outline along the frame is none: it is thought
    far outside, and where the frame cuts an object its sides go on straight.

    Args:
        points: (y, x), (m, 2).
        shape: of the frame in pixels, (Y, X) last.
        unit: what a pixel is in the unit of the points.
    """
    size = np.array(shape[-2:]) * unit
    far = 8 * FINE * int(shape[-2] + shape[-1])
    return np.asarray(((points == size).astype(np.int64) - (points == 0)) * far)


class Wobble(NamedTuple):
    """Random numbers with an address: object, ring, slice, quantity and place on the ring.

    So no number depends on other objects, on the strength, or on how many places a ring has. Numbers are new
    every so many slices and are blended in between. The words are those of Philox4x32-10 at the counter
    (rank of the ring, object, slice, quantity and place), where rings of a kind are ranked in their slice.

    Attributes:
        key: one drawn word.
        strand: object and ring, (r,).
        knot: the slice with numbers of its own at or before every ring, in units of ``slices``, (r,).
        share: how far the ring is on the way to the next such slice, 0 to below 1, (r,).
    """

    key: int
    strand: Ints
    knot: Ints
    share: Floats

    def uniform(self, quantity: int, ring: Ints, place: Ints) -> Floats:
        """Two numbers in [0, 1) for places on rings, (n, 2).

        Args:
            quantity: number of what is drawn; different ones are independent.
            ring: number of the ring, (n,).
            place: on the ring, (n,).
        """
        return self._blended(_uniform, quantity, ring, place)

    def normal(self, quantity: int, ring: Ints, place: Ints) -> Floats:
        """Two standard normal numbers for places on rings, (n, 2); arguments as for :meth:`uniform`."""
        share = self.share[ring][:, None]
        value = self._blended(_normal, quantity, ring, place)
        return value / np.sqrt((1.0 - share) * (1.0 - share) + share * share)

    def _blended(self, kind: Callable[[Words], Floats], quantity: int, ring: Ints, place: Ints) -> Floats:
        share = self.share[ring][:, None]
        value = kind(self._words(quantity, ring, place, 0))
        if share.any():
            value = (1.0 - share) * value + share * kind(self._words(quantity, ring, place, 1))
        return value

    def _words(self, quantity: int, ring: Ints, place: Ints, later: int) -> Words:
        fourth = quantity * 2**28 + place % 2**28
        found = words(self.key, self.strand[ring], self.knot[ring] + later, fourth)
        return (found[:, ::2] << np.uint64(32)) | found[:, 1::2]


def wobble(rings: Rings, key: int, slices: int | None) -> Wobble:
    """Where the numbers of rings come from.

    Args:
        rings: the rings.
        key: one drawn word.
        slices: after how many slices there are new numbers; None for never.
    """
    first = starts(rings, rings.hole)
    rank = np.arange(len(rings.slices)) - np.repeat(first, np.diff(np.append(first, len(rings.slices))))
    strand = rings.owner * 2**32 + rank * 2 + rings.hole
    if slices is None:
        return Wobble(key, strand, np.zeros_like(strand), np.zeros(len(strand)))
    return Wobble(key, strand, rings.slices // slices, (rings.slices % slices) / slices)


def _uniform(words: Words) -> Floats:
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _normal(words: Words) -> Floats:
    return normal_quantile(((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)
