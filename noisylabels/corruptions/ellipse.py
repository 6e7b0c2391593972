"""Replace every connected component by a filled ellipse, as a hurried annotator would draw it.

One ellipse for each component (corners touch) of a class, clipped to the frame, painted in ascending order
of the class; what the ellipse does not cover becomes background::

    . 1 . . . . 1 .        . . . . . . . .
    . 1 1 . . 1 1 .        . 1 1 1 1 1 1 .
    . . 1 1 1 1 . .   ->   . 1 1 1 1 1 1 .
    . . . 1 1 . . .        . . 1 1 1 1 . .
    . . . 1 1 . . .        . . . . . . . .

    moments   (p - mean)' C**-1 (p - mean) <= (D + 2) scale**2, C the covariance of the component's pixels
    contour   the ellipse of least algebraic distance to the contour pixels (direct least squares)
    box       the ellipse that touches the sides of the smallest rotated box

For a V, whose middle is empty, the fit is most of the noise: see :mod:`noisylabels.parts.fits`. No number is
drawn. In 3-D ``moments`` gives one ellipsoid for each component; ``contour`` and ``box`` are drawn slice by
slice (axis 0), as an annotator would.

Source: Guo and Yuan, Joint class-affinity loss correction (JCAS), MICCAI 2022, "ellipse noise": one ellipse
per component and class, painted shaft < wrist < clasper, is what its figure shows; its fit is not published.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels.ellipses import paint
from noisylabels.kernels.tables import look_up
from noisylabels.parts import fits
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1

_FITS = {"moments": fits.from_moments, "contour": fits.from_contour, "box": fits.from_box}


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How an ellipse is fitted.

    Attributes:
        fit: moments (same centre and covariance), contour (least squares), or box (inside the smallest
            rotated box).
        scale: factor on both half axes of the fitted ellipse, above 0 and at most 10.
        per_slice: in 3-D, treat every slice (axis 0) by itself with the moments fit too.
        classes: the classes that become ellipses; by default every one but the background.
    """

    fit: Literal["moments", "contour", "box"] = "moments"
    scale: float = 1.0
    per_slice: bool = False
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.fit not in _FITS:
            raise UsageError(f"There is no fit '{self.fit}'; known: {', '.join(_FITS)}.")
        if not 0 < self.scale <= 10:
            raise UsageError(f"The scale of an ellipse lies above 0 and is at most 10, not {self.scale}.")
        check_classes(self.classes)


EXAMPLE = Params()


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with ellipses in place of its objects.

    Args:
        case: the case; its image is not looked at.
        params: the fit.
        draws: not used: the mode is deterministic.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen.
    """
    classes = chosen_foreground(case, params.classes)
    labels, fit = case.labels, _FITS[params.fit]
    slices = labels.ndim == 3 and (params.per_slice or params.fit != "moments")
    found = fits.slice_by_slice(fit, labels, classes) if slices else fit(labels, classes)
    scale = params.scale
    scaled = found._replace(form=found.form / (scale * scale), reach=found.reach * scale)
    cleared = np.arange(256).astype(np.uint8)
    cleared[list(classes)] = 0
    return paint(look_up(cleared, labels), scaled)
