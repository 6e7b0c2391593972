"""Leave slices of a volume unlabelled, as an annotator who skips them.

Each slice loses its labels with probability rate; or each class does in each slice, or each object (connected
component of the volume, corners touch)::

    slice     0  1  2  3  4  5  6  7
    before    .  1  1  1  1  1  1  .
    after     .  1  1  .  1  .  1  .        3 and 5 lost

With a run of n, n neighbouring slices are lost or kept together; where these blocks begin is drawn. A larger
rate loses all the slices that a smaller one does.

Source: ours; skipped slices and slices without an organ that is there are common faults of volumes annotated
slice by slice.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels.object_runs import fill
from noisylabels.parts import slices
from noisylabels.parts.flips import check_rate
from noisylabels.parts.instances import check_fill, joint, shares, stronger
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How often slices are lost, and what is lost together.

    Attributes:
        rate: probability that a slice (or a class or object in it) is lost, 0 to 1.
        unit: what is lost as one: slice (all chosen classes in it), class, or object.
        fill: what vacated pixels become: background, or neighbour (the class that most faces of the object in
            that slice touch, of equal ones the lowest; lost neighbours count as background).
        run: neighbouring slices that are lost together, 1 to 500.
        axis: along which slices follow each other, 0, 1 or 2.
        classes: the classes that may be lost; by default every one but the background.
    """

    rate: float = 0.1
    unit: Literal["slice", "class", "object"] = "slice"
    fill: Literal["background", "neighbour"] = "background"
    run: int = 1
    axis: int = 0
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_rate(self.rate)
        if self.unit not in ("slice", "class", "object"):
            raise UsageError(f"There is no unit '{self.unit}'; known: slice, class, object.")
        check_fill(self.fill)
        if not 1 <= self.run <= slices.MOST:
            raise UsageError(f"Between 1 and {slices.MOST} slices are lost together, not {self.run}.")
        slices.check_axis(self.axis)
        check_classes(self.classes)


EXAMPLE = Params(rate=0.4)


def scaled(params: Params, factor: float) -> Params:
    """The same with another strength: the rate times ``factor``, at most 1."""
    return replace(params, rate=stronger(params.rate, factor))


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a volume without some of its slices.

    Args:
        case: the case; its image is not looked at.
        params: how often, and what is lost together.
        draws: the stream of this case and step; a number is drawn for every block of slices and class, and
            one for every object.

    Returns:
        New labels; a volume without a chosen class comes back as it is.

    Raises:
        UsageError: the case is a plane, or the background or an undeclared class was chosen.
    """
    classes = chosen_foreground(case, params.classes)
    clean = slices.stack(case, params.axis)
    block = slices.blocks(len(clean), params.run, draws.at("block"))
    words = draws.at("lost").words((len(clean) + 1, case.num_classes))[block]  # a word does not depend on run
    found = slices.sections(clean, classes, case)
    runs, own = found.runs, draws.at("object").words(len(found.runs.classes))
    if params.unit == "object":
        word = joint(words[found.slice, 0], own[runs.owner])
    else:
        word = words[found.slice, runs.classes[runs.owner] if params.unit == "class" else 0]
    lost = found.chosen & (shares(word) < params.rate)
    out = clean.copy()
    fill(out, runs.spans.taken(lost), np.zeros(int(lost.sum()), dtype=np.uint8))
    if params.fill == "neighbour":
        slices.refill(out, clean, found, lost, out.copy(), case.num_classes)
    return slices.unstack(out, params.axis)
