"""Replace every object by a box around it, the weakest label that still says where it is.

::

    . 1 . . . . 1 .        . 1 1 1 1 1 1 .
    . 1 1 . . 1 1 .        . 1 1 1 1 1 1 .
    . . 1 1 1 1 . .   ->   . 1 1 1 1 1 1 .
    . . . 1 1 . . .        . 1 1 1 1 1 1 .

A box lies along the axes of the image, in 3-D it is a block around the whole object; or it is turned so that
its area is smallest, in 3-D slice by slice. A margin moves every side outwards; a pixel belongs to the box if
its centre lies in it or on its side. Boxes are clipped to the frame and painted in ascending order of the
class, over the background and all chosen classes. Slice by slice (axis 0), an object is what is connected
within the slice. No number is drawn.

Source: weak labels: boxes in place of masks, as in Dai et al., BoxSup, ICCV 2015. Smallest rotated box:
Freeman and Shapira, Communications of the ACM 18 (1975).
"""

from dataclasses import dataclass

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.parts.lengths import check_length, in_thousandths
from noisylabels.parts.pieces import blocks, corner_rows, painted, turned_boxes
from noisylabels.parts.scope import check_classes, chosen_foreground
from noisylabels.parts.traced import scene_of

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How a box lies.

    Attributes:
        turned: take the smallest rotated box, in 3-D slice by slice, instead of one along the axes.
        per_slice: in 3-D, treat every slice (axis 0) by itself also without turned.
        margin_px: how far every side is moved outwards in pixels, 0 to 1000; 0 when neither this nor
            margin_mm is given.
        margin_mm: the same in millimetres, for a case with a spacing.
        classes: the classes that become boxes; by default every one but the background.
    """

    turned: bool = False
    per_slice: bool = False
    margin_px: float | None = None
    margin_mm: float | None = None
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "margin_px", check_length("margin", self.margin_px, self.margin_mm, 0.0, 1000)
        )
        check_classes(self.classes)


EXAMPLE = Params()


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with boxes in place of its objects.

    Args:
        case: the case; its image is not looked at.
        params: how a box lies.
        draws: not used: the mode is deterministic.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    margin, steps = in_thousandths(case, "margin", params.margin_px, params.margin_mm)
    classes = chosen_foreground(case, params.classes)
    scene = scene_of(case, classes)
    pieces = scene.rings.outer()
    if params.turned:
        height = scene.base.shape[1]
        found = painted(
            scene, pieces, corner_rows(pieces), lambda rows: turned_boxes(rows, margin, steps, height)
        )
    else:
        found = blocks(scene, pieces, margin, steps, whole=not params.per_slice)
    return found.reshape(case.labels.shape)
