"""Move outlines inwards or outwards, as chance has it.

Each object grows with probability ``grow`` and shrinks otherwise, by a Euclidean ball as in ``dilate`` and
``erode``, with a radius from the range::

    . . . . . . . . .        . . . 1 . . . . .
    . . 1 . . 2 2 2 .        . . 1 1 1 . . . .
    . 1 1 1 . 2 2 2 .   ->   . 1 1 1 1 1 2 . .        1 grows, 2 shrinks, r = 1
    . . 1 . . 2 2 2 .        . . 1 1 1 . . . .
    . . . . . . . . .        . . . 1 . . . . .

With direction, every side of an object chooses for itself; with local, outlines swing in and out: the
displacement is the smooth radius times a smooth number between -1 and 1, whose control points are -1 or 1
by the same chance. Growth and shrinkage both start from the clean outlines.

Source: Huang et al. (Co-Seg), ISBI 2021, noise type I: random erosion or dilation by 1 to 8 px in each
direction. Whether that is one number per object, side or place is not stated there: see granularity.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.parts import outlines, radii
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How far outlines move, and what varies.

    Attributes:
        radius_px: range of the radius in pixels, 0 to 1000, equal ends for one fixed radius; (1, 8) when
            neither this nor radius_mm is given.
        radius_mm: the same in millimetres, for a case with a spacing (rounded to whole micrometres).
        granularity: what has a radius of its own: object (each component), direction (each side of a
            component: -y, +y, -x, +x, in 3-D -z, +z too, joined to an ellipse in between), or local (it
            varies smoothly along the outline).
        nodes: with local, control points along the longest side of the frame, 2 to 64.
        grow: probability to grow rather than shrink, 0 to 1.
        over: what a grown pixel may cover: background, or all (classes are then painted in ascending order,
            so a higher class covers a lower one).
        fill: what a vacated pixel becomes: background, or nearest (objects then recede only from what lies
            below them, the background and lower classes, and leave the nearest of that).
        classes: the classes that move; by default every one but the background.
    """

    radius_px: radii.Range | None = None
    radius_mm: radii.Range | None = None
    granularity: radii.Granularity = "object"
    nodes: int = 12
    grow: float = 0.5
    over: Literal["background", "all"] = "background"
    fill: Literal["background", "nearest"] = "background"
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        px = radii.check_radius(self.radius_px, self.radius_mm, (1.0, 8.0))
        object.__setattr__(self, "radius_px", px)
        radii.check_shape(self.granularity, self.nodes)
        if not 0 <= self.grow <= 1:
            raise UsageError(f"The probability to grow lies between 0 and 1, not {self.grow}.")
        if self.over not in ("background", "all"):
            raise UsageError(f"Grown pixels may cover background or all, not '{self.over}'.")
        if self.fill not in ("background", "nearest"):
            raise UsageError(f"Vacated pixels become background or nearest, not '{self.fill}'.")
        check_classes(self.classes)


EXAMPLE = Params(radius_px=(1.0, 3.0))


def scaled(params: Params, factor: float) -> Params:
    """The parameters with every radius times ``factor``, at most 1000."""
    px, mm = radii.scaled(params.radius_px, factor), radii.scaled(params.radius_mm, factor)
    return replace(params, radius_px=px, radius_mm=mm)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with some of its objects grown and the others shrunk.

    Args:
        case: the case; its image is not looked at.
        params: how far, and what varies.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    p = params
    classes = chosen_foreground(case, p.classes)
    moved = radii.motion(case, classes, p.radius_px, p.radius_mm, p.granularity, p.nodes, draws, apart=True)
    outwards = draws.at("outwards").uniform(moved.radii.shape) < p.grow
    sign = np.where(outwards, 1.0, -1.0)
    inner, outer = (moved.to(side if moved.gap > 0 else np.maximum(side, 0.0)) for side in (-sign, sign))
    base = outlines.shrunk(moved.found, inner, moved.steps, p.fill)
    return outlines.grown(base, moved.found, outer, moved.steps, p.over).reshape(case.labels.shape)
