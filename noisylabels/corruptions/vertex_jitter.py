"""Let the vertices of outlines jitter, each by itself.

Vertices lie at equal distances along the outlines of objects and their holes. Each moves by a normal number
in each direction, and the outline between two vertices moves with them::

    . . . . . . . . . . . .        . . . . . . . . . . 1 1
    . 1 1 1 1 1 1 1 1 1 1 .        1 1 . . . . 1 1 1 1 1 1
    . 1 1 1 1 1 1 1 1 1 1 .   ->   1 1 1 1 1 1 1 1 1 1 1 1
    . 1 1 1 1 1 1 1 1 1 1 .        1 1 1 1 1 1 1 1 1 1 1 .
    . 1 1 1 1 1 1 1 1 1 1 .        . . . . 1 1 1 1 1 1 1 .

    shift at t between two vertices (0 to 1)   (1 - w) a + w b
    straight                                   w = t
    smooth                                     w = t**2 (3 - 2 t)

So details smaller than the distance of the vertices are carried along, and without jitter nothing changes.
At a distance of 1 px every corner of a pixel on the outline jitters, and the outline frays. On average
an object keeps its area and its place. A pixel belongs to an object if its centre lies inside, where outlines
turn round it clockwise (positive winding number): an outline that crosses itself loses its twisted flap,
whichever side that is on. Where the frame cuts an object, its outline is thought to go on straight.

What an object leaves becomes background; objects are painted in ascending order of the class over the
background and all chosen classes. In 3-D every slice (axis 0) is drawn by itself, and shifts change slowly
from slice to slice.

Source: Grad et al., Benchmarking label noise in instance segmentation (COCO-N), arXiv 2406.10891,
localisation noise, whose code takes standard deviations of 2, 3 and 4 px for every vertex of a contour; the
distance of the vertices is ours.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints
from noisylabels.kernels.contours import Rings
from noisylabels.kernels.polygons import FINE
from noisylabels.parts.lengths import check_length, in_thousandths, stretched
from noisylabels.parts.polygons import carried, drawn
from noisylabels.parts.scope import check_classes, chosen_foreground
from noisylabels.parts.traced import Walk, scene_of, wobble
from noisylabels.parts.vertices import evenly, spaced

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How far vertices jitter, and where they lie.

    Attributes:
        sd_px: standard deviation of a vertex along both axes in pixels, 0 to 1000; 2 when neither this nor
            sd_mm is given.
        sd_mm: the same in millimetres, for a case with a spacing.
        spacing_px: distance of the vertices along the outline in pixels, 0 (every pixel's corner) to 1000; 10
            when neither this nor spacing_mm is given. A small object has one vertex and moves as a whole.
        spacing_mm: the same in millimetres.
        between: how the outline moves between two vertices: straight, or smooth.
        slices: in 3-D, after how many slices vertices move in another way, 1 to 1000.
        classes: the classes whose outlines jitter; by default every one but the background.
    """

    sd_px: float | None = None
    sd_mm: float | None = None
    spacing_px: float | None = None
    spacing_mm: float | None = None
    between: Literal["straight", "smooth"] = "straight"
    slices: int = 4
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "sd_px", check_length("sd", self.sd_px, self.sd_mm, 2.0, 1000))
        spacing = check_length("spacing", self.spacing_px, self.spacing_mm, 10.0, 1000)
        object.__setattr__(self, "spacing_px", spacing)
        if self.between not in ("straight", "smooth"):
            raise UsageError(f"Between vertices an outline is straight or smooth, not '{self.between}'.")
        if not 1 <= self.slices <= 1000:
            raise UsageError(f"Vertices move in another way after 1 to 1000 slices, not {self.slices}.")
        check_classes(self.classes)


EXAMPLE = Params(sd_px=1.0, spacing_px=4.0)


def scaled(params: Params, factor: float) -> Params:
    """The same jitter at a multiple of its standard deviation, 1000 at most."""
    px, mm = (stretched(length, factor, 1000) for length in (params.sd_px, params.sd_mm))
    return replace(params, sd_px=px, sd_mm=mm)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with jittered outlines.

    Args:
        case: the case; its image is not looked at.
        params: how far, and where vertices lie.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    p = params
    classes = chosen_foreground(case, p.classes)
    key = int(draws.at("wobble").words(1)[0])
    sd, sd_steps = in_thousandths(case, "sd", p.sd_px, p.sd_mm)
    spacing, steps = in_thousandths(case, "spacing", p.spacing_px, p.spacing_mm)
    reach = sd * FINE / np.array(sd_steps[-2:])
    scene = scene_of(case, classes)

    def redraw(rings: Rings, along: Walk) -> tuple[Ints, Ints]:
        ring = np.arange(len(rings.slices))
        phase = wobble(rings, key, None).uniform(0, ring, np.zeros_like(ring))[:, 0]
        vertices = evenly(along, spaced(along, spacing, least=1), phase)
        shift = wobble(rings, key, p.slices).normal(1, vertices.ring, vertices.place) * reach
        return carried(along, vertices, shift, p.between == "smooth", scene.base.shape)

    return drawn(scene, scene.rings, steps, redraw).reshape(case.labels.shape)
