"""Vertices on outlines: found evenly along them or where they bend, and levelled so that no area is lost.

Where the frame cuts an outline there is always a vertex, as an annotator would make sure.
"""

from typing import NamedTuple

import numpy as np

from noisylabels.geometry import Ints
from noisylabels.kernels.polygons import FINE
from noisylabels.kernels.simplify import kept_points
from noisylabels.parts.traced import Floats, Walk

_CUTS = 2**27
"""Places of vertices where the frame cuts a ring, apart from those of all others."""


class Vertices(NamedTuple):
    """Places on rings, in the order of the walk.

    Attributes:
        ring: number of the ring, (n,).
        begin: first vertex of every ring, (r + 1,).
        corner: the corner that the way from gate to gate cuts there, (n,).
        share: how far it is from one gate to the next, 0 to 1, (n,).
        place: number along the ring from its top on: 0, 1, ... clockwise and -1, -2, ... the other way, so
            that a ring a little longer has the same numbers; those where the frame cuts it have others; (n,).
    """

    ring: Ints
    begin: Ints
    corner: Ints
    share: Floats
    place: Ints


def evenly(along: Walk, count: Ints, phase: Floats) -> Vertices:
    """Vertices at equal distances along every ring.

    Args:
        along: the rings.
        count: how many vertices a ring gets, (r,), 1 or more.
        phase: where the first one lies after the top of the ring, in distances of vertices, 0 to 1, (r,).
    """
    begin = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(count)])
    ring = np.repeat(np.arange(len(count)), count)
    nth = np.arange(len(ring)) - begin[ring]
    total = along.total[ring].astype(np.float64)
    way = (nth + phase[ring]) * total / count[ring] + along.lead[ring]
    way = along.home[ring] + np.where(way >= total, way - total, way)
    order = np.argsort(way, kind="stable")  # of sorted runs, which this sort makes use of
    way = way[order]
    corner = np.searchsorted(along.start, way, side="right") - 1
    corner = np.clip(corner, along.begin[ring], along.begin[ring + 1] - 1)
    share = np.clip((way - along.start[corner]) / along.step[corner], 0.0, 1.0)
    place = np.where(nth <= (count[ring] - 1) // 2, nth, nth - count[ring])
    return Vertices(ring, begin, corner, share, place[order])


def with_cuts(along: Walk, vertices: Vertices) -> Vertices:
    """The vertices, and one wherever the frame cuts a ring.

    A vertex nearer to a cut than a quarter of the usual distance has the number of the cut: it moves alike.

    Args:
        along: the rings.
        vertices: from :func:`evenly`.
    """
    cuts = np.flatnonzero(along.cut)
    if len(cuts) == 0:
        return vertices
    of_cut = along.ring[cuts]
    number = np.arange(len(cuts)) - np.searchsorted(of_cut, of_cut) + _CUTS
    ring, corner = np.concatenate([vertices.ring, of_cut]), np.concatenate([vertices.corner, cuts])
    share = np.concatenate([vertices.share, np.zeros(len(cuts))])
    place = np.concatenate([vertices.place, number])
    order = np.argsort(corner + share, kind="stable")
    ring, corner, share, place = ring[order], corner[order], share[order], place[order]
    begin = np.searchsorted(ring, np.arange(len(along.begin)))
    way = along.start[corner] + share * along.step[corner]
    near = along.total / np.diff(vertices.begin) / 4.0
    for shift in (-1, 1):
        other = np.roll(np.arange(len(ring)), -shift)
        alike = (place < _CUTS) & (place[other] >= _CUTS) & (ring[other] == ring)
        alike &= np.abs(way[other] - way) < near[ring]
        place = np.where(alike, place[other], place)
    return Vertices(ring, begin, corner, share, place)


def bends(along: Walk, tolerance: int, steps: tuple[int, ...]) -> Vertices:
    """Vertices so that straight lines between them stay within a tolerance of the outline.

    Args:
        along: the rings.
        tolerance: in thousandths of the unit of ``steps``.
        steps: size of a pixel in thousandths, (sy, sx) last.
    """
    points = (along.gate + along.beyond) * np.array(steps[-2:])
    needed = kept_points(points.astype(np.float64), along.begin, float(tolerance * FINE))
    kept = np.flatnonzero(needed | (along.cut != 0))
    ring = along.ring[kept]
    begin = np.searchsorted(ring, np.arange(len(along.begin)))
    return Vertices(ring, begin, kept, np.zeros(len(kept)), np.arange(len(kept)) - begin[ring])


def positions(along: Walk, vertices: Vertices) -> Floats:
    """Where vertices lie, (n, 2) in 1/256 px."""
    gate, at = along.gate, vertices.corner
    return np.asarray(
        gate[at] + vertices.share[:, None] * (gate[along.after[at]] - gate[at]), dtype=np.float64
    )


def boxes(along: Walk) -> Floats:
    """Height and width of every ring, (r, 2) in 1/256 px."""
    first = along.begin[:-1]
    low, high = (ends.reduceat(along.corner, first, axis=0) for ends in (np.minimum, np.maximum))
    return np.asarray((high - low).astype(np.float64))


def _cross(a: Floats | Ints, b: Floats | Ints) -> Floats:
    """Twice the area of the triangle from the origin to a and b; positive if that is clockwise."""
    return np.asarray(a[:, 1] * b[:, 0] - a[:, 0] * b[:, 1], dtype=np.float64)


def whole(values: Floats) -> Ints:
    """Rounded to integers: sums of these do not depend on their order."""
    return np.rint(values).astype(np.int64)


def levelled(along: Walk, vertices: Vertices) -> Floats:
    """How far vertices move so that the polygon has the area of the ring, (n, 2) in 1/256 px.

    Lines between points of a round outline cut off area. Each vertex moves outwards across the line between
    its neighbours, by what makes up for half of what is cut off on either side of it (inwards where the
    outline is hollow), but at sharp tips no farther than what is cut off is deep; then all of a ring by a
    common factor up to 2, so that the sum is right.
    """
    ring, begin = vertices.ring, vertices.begin
    after, before = np.arange(1, len(ring) + 1), np.arange(-1, len(ring) - 1)
    after[begin[1:] - 1], before[begin[:-1]] = begin[:-1], begin[1:] - 1
    here = positions(along, vertices) - along.gate[along.begin[ring]]
    arc, area = _swept(along, vertices, here, after)
    cut = arc - _cross(here, here[after])
    side, across = here[after] - here, here[after] - here[before]
    across = np.stack([-across[:, 1], across[:, 0]], axis=1)
    side_long, long = (np.sqrt(v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1]) for v in (side, across))
    deep = np.abs(cut) / np.where(
        side_long > 0, side_long, 1.0
    )  # twice as deep as what is cut off on average
    most = np.maximum(deep, deep[before])
    size = np.where(long > 0, long, 1.0)
    wanted = np.where(long > 0, (cut[before] + cut) / 2.0 / size, 0.0)
    move = across * (np.clip(wanted, -most, most) / size)[:, None]
    first = whole(_cross(move, here[after]) + _cross(here[before], move))
    second = whole(_cross(move, move[after]))
    polygon = whole(_cross(here, here[after]))
    one, two, old = (np.add.reduceat(each, begin[:-1]) for each in (first, second, polygon))
    return np.asarray(move * _common(one, two, area - old)[ring, None])


def _swept(along: Walk, vertices: Vertices, here: Floats, after: Ints) -> tuple[Floats, Floats]:
    """Twice the area swept along the corners from each vertex to the next, and that of every ring.

    Seen from the first gate of the ring, as ``here`` is; the sums are of integers below 2**53.
    """
    origin = along.gate[along.begin[along.ring]]
    gate, corner, there = along.gate - origin, along.corner - origin, along.gate[along.after] - origin
    bent = _cross(gate, corner) + _cross(corner, there)
    corner_cut = bent - _cross(gate, there)
    sums = np.concatenate([np.zeros(1), np.cumsum(bent)])
    area = sums[along.begin[1:]] - sums[along.begin[:-1]]
    v, s = vertices.corner, vertices.share
    w, t = v[after], s[after]
    arc = _cross(here, there[v]) + (1.0 - s) * corner_cut[v] + sums[w] - sums[v + 1]
    arc = arc + _cross(gate[w], here[after]) + t * corner_cut[w]
    return arc + np.where((w < v) | ((w == v) & (t <= s)), area[vertices.ring], 0.0), area


def _common(linear: Ints, square: Ints, wanted: Floats) -> Floats:
    """The s in 0 .. 2 near 1 with square s**2 + linear s = wanted; the nearest where there is none."""
    a, b, c = (each.astype(np.float64) for each in (square, linear, wanted))
    root = np.sqrt(np.maximum(b * b + 4.0 * a * c, 0.0))
    below = b + np.where(b < 0, -root, root)
    return np.clip(np.where(below == 0, 0.0, 2.0 * c / np.where(below == 0, 1.0, below)), 0.0, 2.0)


def between(along: Walk, vertices: Vertices) -> tuple[Ints, Ints, Floats]:
    """The vertices before and after every corner, and how far it is from one to the other, each (m,)."""
    here = along.start + along.step / 2.0
    way = along.start[vertices.corner] + vertices.share * along.step[vertices.corner]
    low, high = vertices.begin[along.ring], vertices.begin[along.ring + 1] - 1
    found = np.searchsorted(way, here, side="right") - 1
    first = np.where(found < low, high, found)
    last = np.where(first == high, low, first + 1)
    total = along.total[along.ring]
    gone = here - way[first]
    gone = np.where(gone < 0, gone + total, gone)
    gap = way[last] - way[first]
    gap = np.where(gap <= 0, gap + total, gap)
    return first, last, np.clip(gone / gap, 0.0, 1.0)


def spaced(along: Walk, every: int, least: int) -> Ints:
    """How many vertices lie about a distance apart, (r,): no more than the ring has corners.

    Args:
        along: the rings.
        every: distance in thousandths.
        least: so many at least.
    """
    count = np.rint(along.total / (16.0 * max(every, 1)))
    return np.clip(count, least, np.diff(along.begin)).astype(np.int64)
