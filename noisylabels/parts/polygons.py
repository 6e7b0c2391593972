"""Draw objects anew as polygons: vertices on their outlines, moved, joined by straight lines, filled.

Vertices (:mod:`noisylabels.parts.vertices`) are moved and joined either by straight lines (:func:`joined`) or
along the outline itself (:func:`carried`), which is then bent as a thread would be. Positions are rounded to
1/256 px and filled exactly (:mod:`noisylabels.kernels.polygons`).

:func:`redrawn` does all of it in one call for an annotator who clicks along the outlines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.geometry import Ints
from noisylabels.kernels.contours import Rings
from noisylabels.kernels.polygons import FINE, Polygons, fill
from noisylabels.parts.traced import (
    Floats,
    Scene,
    Walk,
    blocks,
    off_frame,
    scene_of,
    starts,
    walk,
    wobble,
)
from noisylabels.parts.vertices import (
    Vertices,
    between,
    evenly,
    levelled,
    positions,
    spaced,
    whole,
    with_cuts,
)


def joined(
    along: Walk, vertices: Vertices, move: Floats, share: float, shape: tuple[int, ...]
) -> tuple[Ints, Ints]:
    """The polygon of moved vertices, or what lies a share of the way from the outline to it.

    Args:
        along: the rings.
        vertices: at least one a ring.
        move: how far they move, (n, 2) in 1/256 px.
        share: 0 for the outline, 1 for the polygon.
        shape: of the frame, (Y, X) last.

    Returns:
        Points in 1/256 px, (m, 2) int64, and where every ring begins, (r + 1,).
    """
    at, beyond = vertices.corner, along.beyond
    if share == 1:
        points = positions(along, vertices) + move
        points = points + beyond[at] + vertices.share[:, None] * (beyond[along.after[at]] - beyond[at])
        return _beyond_frame(along, vertices, whole(points), shape)
    ends = positions(along, vertices) + move
    first, last, part = between(along, vertices)
    target = ends[first] + part[:, None] * (ends[last] - ends[first])
    points = along.corner + share * (target - along.corner)
    return whole(points) + off_frame(along.corner, shape, FINE), along.begin


def _beyond_frame(along: Walk, vertices: Vertices, points: Ints, shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Where the frame cuts a ring, a second point straight out of the frame: after the first, or before it."""
    at = vertices.corner
    cut = np.where(vertices.share == 0, along.cut[at], 0)
    on_frame = np.where(cut > 0, at, along.before[at])
    out = np.where(cut[:, None] != 0, off_frame(along.corner[on_frame], shape, FINE), 0)
    first = points + np.where(cut[:, None] < 0, out, 0)
    second = points + np.where(cut[:, None] > 0, out, 0)
    kept = np.stack([np.ones(len(at), dtype=bool), cut != 0], axis=1)
    both = np.stack([first, second], axis=1)[kept]
    return both, vertices.begin + np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(cut != 0)])[
        vertices.begin
    ]


def carried(
    along: Walk, vertices: Vertices, move: Floats, smooth: bool, shape: tuple[int, ...]
) -> tuple[Ints, Ints]:
    """The outline, each corner moved like the vertices that it lies between.

    Args:
        along: the rings.
        vertices: at least one a ring.
        move: how far they move, (n, 2) in 1/256 px.
        smooth: blend between vertices by t**2 (3 - 2 t) instead of t.
        shape: of the frame, (Y, X) last.

    Returns:
        Points in 1/256 px, (m, 2) int64, and where every ring begins, (r + 1,).
    """
    first, last, part = between(along, vertices)
    if smooth:
        part = part * part * (3.0 - 2.0 * part)
    moved = move[first] + part[:, None] * (move[last] - move[first])
    return along.corner + whole(moved) + off_frame(along.corner, shape, FINE), along.begin


Redraw = Callable[[Rings, Walk], tuple[Ints, Ints]]
"""Points and beginnings of new rings, one for each of the given ones."""


def drawn(scene: Scene, rings: Rings, steps: tuple[int, ...], redraw: Redraw) -> LabelMap:
    """Fill new rings in place of the old ones.

    Objects are painted in ascending order of the class, over the background and all chosen classes.

    Args:
        scene: the objects that are drawn anew; its base is painted on.
        rings: their outlines, or some of them.
        steps: size of a pixel in thousandths, (sy, sx) last.
        redraw: makes the new rings.

    Returns:
        (Z, Y, X).
    """
    for low, high in blocks(rings):
        part = rings.part(low, high)
        points, begin = redraw(part, walk(part, scene.base.shape, steps))
        first = starts(part)
        objects = np.append(first, high - low), part.slices[first], scene.classes[part.owner[first]]
        fill(scene.base, scene.labels, scene.fixed, Polygons(points, begin, *objects))
    return scene.base


@dataclass(frozen=True, slots=True)
class Clicks:
    """How an annotator clicks along outlines: at least four times a ring.

    Attributes:
        every: distance of the clicks, in thousandths of a pixel or millimetre, above 0.
        sd: standard deviation of a click's place along both axes, in the same, 0 or more.
        steps: from :func:`noisylabels.geometry.steps_px` or ``steps_mm``.
        level: whether the clicks are moved so that no area is lost.
        slices: in 3-D, after how many slices they miss in another way.
    """

    every: int
    sd: int
    steps: tuple[int, ...]
    level: bool = True
    slices: int = 4

    def on(self, rings: Rings, along: Walk, key: int) -> tuple[Vertices, Floats]:
        """The clicks, and how far they are moved, (n, 2) in 1/256 px; the key is one drawn word."""
        ring = np.arange(len(rings.slices))
        phase = wobble(rings, key, None).uniform(0, ring, np.zeros_like(ring))[:, 0]
        clicks = with_cuts(along, evenly(along, spaced(along, self.every, least=4), phase))
        miss = wobble(rings, key, self.slices).normal(1, clicks.ring, clicks.place)
        miss = miss * (self.sd * FINE / np.array(self.steps[-2:]))
        return clicks, miss + levelled(along, clicks) if self.level else miss


def redrawn(
    case: Case, classes: Sequence[int], clicks: Clicks, key: int, share: float = 1.0, holes: bool = True
) -> LabelMap:
    """Objects as an annotator draws them who clicks along their outlines and joins the clicks by lines.

    Args:
        case: the case.
        classes: the classes that are drawn anew, from 1 on.
        clicks: how the annotator clicks.
        key: a drawn word, 0 to 2**64 - 1: all else follows from it.
        share: how far the outline goes towards that polygon: 0 not at all, 1 all the way.
        holes: whether holes are drawn too; else they are filled.

    Returns:
        New labels, the shape of the case's; ``IGNORE`` and other classes are as they were.
    """
    scene = scene_of(case, classes)

    def redraw(rings: Rings, along: Walk) -> tuple[Ints, Ints]:
        return joined(along, *clicks.on(rings, along, key), share, scene.base.shape)

    rings = scene.rings if holes else scene.rings.outer()
    return drawn(scene, rings, clicks.steps, redraw).reshape(case.labels.shape)
