"""Draw objects as polygons, as someone does who clicks around them and takes straight lines in between.

::

    . . . . . 1 1 1 1 . . .        . . . . . . 1 1 1 1 . .
    . . . 1 1 1 1 1 1 1 . .        . . 1 1 1 1 1 1 1 1 . .
    . . 1 1 1 1 1 1 1 1 . .        . . 1 1 1 1 1 1 1 1 1 .
    . . 1 1 1 . . 1 1 1 1 .        . . 1 1 1 . . 1 1 1 1 .
    . . 1 1 1 . . 1 1 1 1 .   ->   . . 1 1 1 . . 1 1 1 1 1
    . . 1 1 1 1 1 1 1 1 . .        . . 1 1 1 1 1 1 1 1 1 .
    . . . 1 1 1 1 1 1 1 . .        . . 1 1 1 1 1 1 1 1 . .
    . . . . . 1 1 1 . . . .        . . . . 1 1 1 1 1 . . .
    . . . . . . . . . . . .        . . . . . . 1 1 . . . .

    resample   a few vertices at equal distances, each moved by up to a share of the object's box
    simplify   as few vertices as keep the outline within a tolerance (Douglas-Peucker); no number matters
    clicks     a vertex every so many pixels, each missing the outline a little

Holes are drawn in the same way. Lines between points of a round outline cut area off (an inscribed square
has 0.64 of its circle, an octagon 0.90), so vertices are moved outwards by what makes up for that, unless
level is off. A pixel belongs to an object if its centre lies inside, where outlines turn round it clockwise
(positive winding number): an outline that crosses itself loses its twisted flap, whichever side that is on.
Where the frame cuts an outline there is a vertex, and beyond it the outline is thought to go on straight.

What an object leaves becomes background; polygons are painted in ascending order of the class over the
background and all chosen classes. In 3-D every slice (axis 0) is drawn by itself, with the same number of
vertices and the same beginning for an object, and moves that change slowly from slice to slice.

Source: resample: Cui et al., MS-TFAL, MICCAI 2023, whose code (github.com/BeileiCui/MS-TFAL) takes 4 to 8
vertices and 20 % of the box, without its loss of area; simplify: Grad et al., Benchmarking label noise in
instance segmentation (COCO-N), arXiv 2406.10891, whose code takes tolerances of 5, 10 and 15 px. Douglas and
Peucker, Cartographica 10 (1973).
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints
from noisylabels.kernels.contours import Rings
from noisylabels.parts.lengths import check_length, in_thousandths, stretched
from noisylabels.parts.polygons import Clicks, drawn, joined, redrawn
from noisylabels.parts.scope import check_classes, chosen_foreground
from noisylabels.parts.traced import Floats, Walk, scene_of, wobble
from noisylabels.parts.vertices import Vertices, bends, boxes, evenly, levelled, with_cuts

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Where vertices lie, and how they are moved.

    Attributes:
        how: resample, simplify or clicks.
        vertices: with resample, range of the number of vertices of a ring, 3 to 1000.
        jitter: with resample, a vertex moves by up to this share of the height and the width of its ring, 0
            to 0.5.
        tolerance_px: with simplify, farthest that the outline lies from the polygon, in pixels, 0 to 1000; 5
            when neither this nor tolerance_mm is given.
        tolerance_mm: the same in millimetres, for a case with a spacing.
        every_px: with clicks, distance of the vertices along the outline in pixels, 0 to 1000; 12 when
            neither this nor every_mm is given.
        every_mm: the same in millimetres.
        miss: with clicks, standard deviation of a vertex along both axes, as a share of that distance, 0 to 1.
        level: move the vertices so that a polygon has the area of its object before they are jittered.
        holes: keep (drawn as polygons too), or fill.
        share: how far the outline goes from the clean one (0) towards the polygon (1); at 0 nothing changes.
        slices: in 3-D, after how many slices vertices move in another way, 1 to 1000.
        classes: the classes that are drawn as polygons; by default every one but the background.
    """

    how: Literal["resample", "simplify", "clicks"] = "resample"
    vertices: tuple[int, int] = (4, 8)
    jitter: float = 0.2
    tolerance_px: float | None = None
    tolerance_mm: float | None = None
    every_px: float | None = None
    every_mm: float | None = None
    miss: float = 0.1
    level: bool = True
    holes: Literal["keep", "fill"] = "keep"
    share: float = 1.0
    slices: int = 4
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.how not in ("resample", "simplify", "clicks"):
            raise UsageError(
                f"There is no way '{self.how}' to make a polygon; known: resample, simplify, clicks."
            )
        if not (len(self.vertices) == 2 and 3 <= self.vertices[0] <= self.vertices[1] <= 1000):
            raise UsageError(f"A ring has a range of 3 to 1000 vertices, low and high, not {self.vertices}.")
        for name, value, most in (
            ("jitter", self.jitter, 0.5),
            ("miss", self.miss, 1),
            ("share", self.share, 1),
        ):
            if not 0 <= value <= most:
                raise UsageError(f"The {name} of a polygon lies between 0 and {most}, not {value}.")
        if self.holes not in ("keep", "fill"):
            raise UsageError(f"Holes are to keep or to fill, not to '{self.holes}'.")
        if not 1 <= self.slices <= 1000:
            raise UsageError(f"Vertices move in another way after 1 to 1000 slices, not {self.slices}.")
        tolerance = check_length("tolerance", self.tolerance_px, self.tolerance_mm, 5.0, 1000)
        object.__setattr__(self, "tolerance_px", tolerance)
        object.__setattr__(self, "every_px", check_length("every", self.every_px, self.every_mm, 12.0, 1000))
        check_classes(self.classes)


EXAMPLE = Params(vertices=(4, 6))


def scaled(params: Params, factor: float) -> Params:
    """Polygons of another strength.

    With resample, outlines go a larger share of the way to the polygon, and from there on vertices move
    farther; with simplify the tolerance grows, with clicks their distance.
    """
    p = params
    if factor == 0:
        return replace(p, share=0.0)
    if p.how == "resample":
        return replace(p, share=min(1.0, p.share * factor), jitter=min(0.5, p.jitter * max(1.0, factor)))
    if p.how == "simplify":
        px, mm = (stretched(length, factor, 1000) for length in (p.tolerance_px, p.tolerance_mm))
        return replace(p, tolerance_px=px, tolerance_mm=mm)
    px, mm = (stretched(length, factor, 1000) for length in (p.every_px, p.every_mm))
    return replace(p, every_px=px, every_mm=mm)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with polygons in place of its objects.

    Args:
        case: the case; its image is not looked at.
        params: where vertices lie, and how they are moved.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    p = params
    classes = chosen_foreground(case, p.classes)
    key = int(draws.at("wobble").words(1)[0])
    every, steps = in_thousandths(case, "every", p.every_px, p.every_mm)
    if p.share == 0:
        return case.labels.copy(order="C")
    if p.how == "clicks":
        clicks = Clicks(every, int(np.rint(every * p.miss)), steps, p.level, p.slices)
        return redrawn(case, classes, clicks, key, p.share, p.holes == "keep")
    tolerance, steps = in_thousandths(case, "tolerance", p.tolerance_px, p.tolerance_mm)
    scene = scene_of(case, classes)

    def redraw(rings: Rings, along: Walk) -> tuple[Ints, Ints]:
        if p.how == "simplify":
            vertices = bends(along, tolerance, steps)
            move = np.zeros((len(vertices.ring), 2))
        else:
            vertices, move = _resampled(rings, along, p, key)
        if p.level:
            move = move + levelled(along, vertices)
        return joined(along, vertices, move, p.share, scene.base.shape)

    rings = scene.rings.outer() if p.holes == "fill" else scene.rings
    return drawn(scene, rings, steps, redraw).reshape(case.labels.shape)


def _resampled(rings: Rings, along: Walk, params: Params, key: int) -> tuple[Vertices, Floats]:
    """A few vertices a ring, and how far they are moved."""
    low, high = params.vertices
    ring = np.arange(len(rings.slices))
    drawn = wobble(rings, key, None).uniform(0, ring, np.zeros_like(ring))
    count = low + (drawn[:, 1] * (high - low + 1)).astype(np.int64)
    vertices = with_cuts(along, evenly(along, count, drawn[:, 0]))
    push = 2.0 * wobble(rings, key, params.slices).uniform(1, vertices.ring, vertices.place) - 1.0
    return vertices, push * params.jitter * boxes(along)[vertices.ring]
