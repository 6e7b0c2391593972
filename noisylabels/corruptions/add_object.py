"""Invent objects: label what looks like an object of this case, where there is none.

For every object of the chosen classes, rate others are invented: one with probability rate, and from 1 on
one for certain and a second with probability rate - 1. An invention is a copy of that object, mirrored and
turned by quarter turns, or a smooth blob of its size::

    . . . . . . . . . .        . . . . . . . . . .
    . 1 1 . . . . . . .        . 1 1 . . . . . . .
    . 1 1 1 1 . . . . .   ->   . 1 1 1 1 . . 1 1 .        a copy, turned
    . . . . . . . . . .        . . . . . . . 1 1 .
    . . . . . . . . . .        . . . . . . . 1 . .
    . . . . . . . . . .        . . . . . . . 1 . .

Its centre is put on a pixel of the background drawn from all of them, up to 16 times until the whole of it
lies inside the frame and on background, and touches no object of its class, be it real or invented. Where
that never happens, the place that shows most of it is taken; the frame and other objects cut it there, and if
they leave less than half, it is left out. So inventions cover nothing, not one another either. They are
placed in the order in which a rising rate brings them; a larger rate only adds some. In a volume they are
turned in the plane of the slices, which may be thicker than a pixel is wide, and mirrored in all directions.
A map without objects stays as it is.

A blob holds the pixels d away from its centre with |d| <= R (1 + w2 + w3 + w4), w2 to w4 being waves of
2, 3 and 4 periods around it (in a volume Legendre polynomials) of random axes and swings up to 0.3, 0.15
and 0.1; R is such that it has about as many pixels as the object.

Source: Vadineanu et al., An analysis of the impact of annotation errors on the accuracy of deep learning for
cell segmentation, MIDL 2022 (inclusion of what is no object; there an object of another class, which here is
a flip of components). Copies and blobs are ours.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels.stamps import settle
from noisylabels.parts import inventions
from noisylabels.parts.instances import check_ground, objects_of, stronger
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How many objects are invented, what they look like and where they lie.

    Attributes:
        rate: inventions for every existing object, on average, 0 to 2.
        source: copy (of an object of the case), or blob (smooth, of its size).
        as_class: class of an invention: same (that of the object), or random (any of the chosen ones).
        on: the class that inventions lie on and cover, 0 for the background; an organ, for false lesions in it.
        classes: the classes whose objects are imitated; by default every one but the background.
    """

    rate: float = 0.1
    source: Literal["copy", "blob"] = "copy"
    as_class: Literal["same", "random"] = "same"
    on: int = 0
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 2:
            raise UsageError(f"Between 0 and 2 objects are invented for an existing one, not {self.rate}.")
        if self.source not in ("copy", "blob"):
            raise UsageError(f"There is no source '{self.source}'; known: copy, blob.")
        if self.as_class not in ("same", "random"):
            raise UsageError(f"The class of an invention is same or random, not '{self.as_class}'.")
        if self.on < 0:
            raise UsageError(f"Inventions lie on a class from 0 on, not {self.on}.")
        check_classes(self.classes)


EXAMPLE = Params(rate=1.5)


def scaled(params: Params, factor: float) -> Params:
    """The same with another strength: the rate times ``factor``, at most 2."""
    return replace(params, rate=stronger(params.rate, factor, 2.0))


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with objects that are not there.

    Args:
        case: the case; its image is not looked at.
        params: how many, of what kind, and where.
        draws: the stream of this case and step; the draws are for two inventions of every object.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or ``on`` is not declared.
    """
    classes = [c for c in chosen_foreground(case, params.classes) if c != params.on]
    check_ground(case, params.on)
    found = objects_of(case, classes)
    shape = (len(found.chosen), 2)
    rank = draws.at("invented").uniform(shape) + np.arange(2)
    invented = (rank < params.rate) & found.chosen[:, None]
    like = np.nonzero(invented)[0]
    given = found.runs.classes[like]
    if params.as_class == "random" and classes:
        which = (draws.at("class").uniform(shape)[invented] * len(classes)).astype(np.int64)
        given = np.array(classes, dtype=np.uint8)[which]
    make = inventions.copies if params.source == "copy" else inventions.blobs
    stamps = make(found, like, given, draws.at(params.source).words(shape)[invented], case.spacing)
    anchors = inventions.places(found.volume, params.on, draws.at("place").words(shape)[invented])
    out = found.volume.copy()
    if len(anchors):
        settle(out, params.on, stamps, np.argsort(rank[invented], kind="stable"), anchors)
    return out.reshape(case.labels.shape)
