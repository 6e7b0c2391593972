"""Replace every object by its convex hull, as a label that is quick to give.

The hull holds every pixel whose centre lies in the convex hull of the centres of the object's pixels, and
with a margin every pixel whose centre is no farther from that hull::

    . 1 . . . . 1 .        . 1 1 1 1 1 1 .
    . 1 1 . . 1 1 .        . 1 1 1 1 1 1 .
    . . 1 1 1 1 . .   ->   . . 1 1 1 1 . .
    . . . 1 1 . . .        . . . 1 1 . . .

An object lies inside its hull, and holes are filled. Hulls are painted in ascending order of the class, over
the background and all chosen classes. In 3-D every slice (axis 0) is treated by itself, and an object is what
is connected within the slice. No number is drawn.

Source: weak labels: between a box and an outline, as in extreme clicking (Papadopoulos et al., ICCV 2017).
Hull by monotone chains: Andrew, Information Processing Letters 9 (1979).
"""

from dataclasses import dataclass

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.parts.lengths import check_length, in_thousandths
from noisylabels.parts.pieces import hulls, painted, pixel_rows
from noisylabels.parts.scope import check_classes, chosen_foreground
from noisylabels.parts.traced import scene_of

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How far a label reaches beyond the hull.

    Attributes:
        margin_px: how far in pixels, 0 to 1000; 0 when neither this nor margin_mm is given.
        margin_mm: the same in millimetres, for a case with a spacing.
        classes: the classes that become hulls; by default every one but the background.
    """

    margin_px: float | None = None
    margin_mm: float | None = None
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "margin_px", check_length("margin", self.margin_px, self.margin_mm, 0.0, 1000)
        )
        check_classes(self.classes)


EXAMPLE = Params(margin_px=1.0)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with hulls in place of its objects.

    Args:
        case: the case; its image is not looked at.
        params: the margin.
        draws: not used: the mode is deterministic.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    margin, steps = in_thousandths(case, "margin", params.margin_px, params.margin_mm)
    scene = scene_of(case, chosen_foreground(case, params.classes))
    pieces = scene.rings.outer()
    height = scene.base.shape[1]
    found = painted(scene, pieces, pixel_rows(pieces), lambda rows: hulls(rows, margin, steps, height))
    return found.reshape(case.labels.shape)
