"""Grow objects outwards by a Euclidean ball.

A pixel p of the background becomes class c if an object A of class c is within its radius::

    min over q in A of |p - q|**2 <= r_A**2        |.| in px, or in mm

    . . . . .        . . 1 . .
    . . . . .        . 1 1 1 .
    . . 1 . .   ->   1 1 1 1 1        r = 2
    . . . . .        . 1 1 1 .
    . . . . .        . . 1 . .

Squared distances are compared as integers, so the ball has no rounding of its own. r_A is drawn uniformly
from the range, for each connected component; where several objects reach a pixel, the highest class lies on
top.

Source: Huang et al. (Co-Seg), ISBI 2021, noise type I (1 to 8 px); radii of 40 to 50 px in surgical scenes:
the generator of MS-TFAL, which draws discs as this does.
"""

from dataclasses import dataclass, replace
from typing import Literal

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
        over: what a grown pixel may cover: background, or all (classes are then painted in ascending order,
            so a higher class covers a lower one).
        classes: the classes that move; by default every one but the background.
    """

    radius_px: radii.Range | None = None
    radius_mm: radii.Range | None = None
    granularity: radii.Granularity = "object"
    nodes: int = 12
    over: Literal["background", "all"] = "background"
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        px = radii.check_radius(self.radius_px, self.radius_mm, (1.0, 8.0))
        object.__setattr__(self, "radius_px", px)
        radii.check_shape(self.granularity, self.nodes)
        if self.over not in ("background", "all"):
            raise UsageError(f"Grown pixels may cover background or all, not '{self.over}'.")
        check_classes(self.classes)


EXAMPLE = Params(radius_px=(1.0, 3.0))


def scaled(params: Params, factor: float) -> Params:
    """The parameters with every radius times ``factor``, at most 1000."""
    px, mm = radii.scaled(params.radius_px, factor), radii.scaled(params.radius_mm, factor)
    return replace(params, radius_px=px, radius_mm=mm)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with its objects grown.

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
    if alike := radii.one_for_all(case, p.radius_px, p.radius_mm, p.granularity):
        return outlines.grown_alike(case.labels, classes, *alike, p.over)
    moved = radii.motion(case, classes, p.radius_px, p.radius_mm, p.granularity, p.nodes, draws)
    out = outlines.grown(moved.found.volume.copy(), moved.found, moved.to(), moved.steps, p.over)
    return out.reshape(case.labels.shape)
