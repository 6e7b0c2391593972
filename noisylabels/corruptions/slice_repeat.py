"""Repeat slices of a volume, as an annotator who copies the last contour instead of drawing the next.

The annotator goes through the slices upwards or downwards, one way or the other by chance. Each slice is not
drawn with probability rate, and takes the labels of the slice drawn before it, however far that is; or only
every n-th slice is drawn, and copied up to the next::

    slice     0  1  2  3  4  5  6  7
    drawn     a  b  .  d  .  .  g  h
    labels    a  b  b  d  d  d  g  h        upwards

Copied are the chosen classes; a pixel of another class keeps it, and so does ``IGNORE``. Where the slice that
is copied is ``IGNORE``, a pixel keeps its own label. The first slice of all is always drawn. With unit class,
every class has draws of its own; classes are painted in ascending order, later ones on top.

Source: ours; copying a contour to the next slice is an aid that annotation tools offer.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Mask
from noisylabels.kernels.tables import look_up
from noisylabels.parts import slices
from noisylabels.parts.flips import check_rate
from noisylabels.parts.instances import check_fill, stronger
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which slices are copies, and of what.

    Attributes:
        rate: probability that a slice is a copy, 0 to 1; 0.2 when neither this nor a distance is given.
        every: only each n-th slice is drawn, 1 to 500, instead of a rate; 2.5 gives 2 and 3 in turn. Where the
            first one lies is drawn.
        every_mm: the same in millimetres, for a case with a spacing.
        unit: what is drawn or copied as one: slice (all chosen classes), or class.
        fill: what vacated pixels become: background, or neighbour (the class that most faces of the object in
            that slice touch, of equal ones the lowest; chosen classes count as background).
        way: in which the annotator goes through the slices: up, down, or drawn (either).
        axis: along which slices follow each other, 0, 1 or 2.
        classes: the classes that are copied; by default every one but the background.
    """

    rate: float | None = None
    every: float | None = None
    every_mm: float | None = None
    unit: Literal["slice", "class"] = "slice"
    fill: Literal["background", "neighbour"] = "background"
    way: Literal["drawn", "up", "down"] = "drawn"
    axis: int = 0
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        slices.check_every(self.every, self.every_mm)
        regular = self.every is not None or self.every_mm is not None
        if self.rate is not None and regular:
            raise UsageError("Give a rate of copies or a distance of drawn slices, not both (rate, every).")
        if self.rate is None and not regular:
            object.__setattr__(self, "rate", 0.2)
        check_rate(self.rate or 0.0)
        if self.unit not in ("slice", "class"):
            raise UsageError(f"There is no unit '{self.unit}'; known: slice, class.")
        check_fill(self.fill)
        if self.way not in ("drawn", "up", "down"):
            raise UsageError(f"Slices are gone through up, down, or the drawn way, not '{self.way}'.")
        slices.check_axis(self.axis)
        check_classes(self.classes)


EXAMPLE = Params(rate=0.5)


def scaled(params: Params, factor: float) -> Params:
    """The same with another strength: the rate, or the distance of drawn slices beyond 1, times ``factor``."""
    if params.rate is not None:
        return replace(params, rate=stronger(params.rate, factor))
    every, mm = slices.thinned(params.every, params.every_mm, factor)
    return replace(params, every=every, every_mm=mm)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a volume with some of its slices copied from others.

    Args:
        case: the case; its image is not looked at.
        params: which slices, and from where.
        draws: the stream of this case and step; a number is drawn for every slice and class, or one for all.

    Returns:
        New labels; a volume without a chosen class comes back as it is.

    Raises:
        UsageError: the case is a plane, the background or an undeclared class was chosen, or mm for a case
            without a spacing.
    """
    classes = chosen_foreground(case, params.classes)
    clean = slices.stack(case, params.axis)
    count = len(clean)
    down = params.way == "down" or (params.way == "drawn" and float(draws.at("way").uniform()) < 0.5)
    if params.rate is not None:
        drawn = draws.at("copy").uniform((count, case.num_classes)) >= params.rate
    else:
        every = slices.in_slices(case, params.axis, params.every, params.every_mm)
        kinds = [slices.drawn_slices(count, every, draws.at("phase", c)) for c in range(case.num_classes)]
        drawn = np.stack(kinds, axis=1)
    groups = [(c, (c,)) for c in classes] if params.unit == "class" else [(0, classes)]
    out = clean.copy()
    changed = np.zeros(count, dtype=bool)
    for z in range(count):
        sources = [(_source(drawn[:, column], z, down), chosen) for column, chosen in groups]
        changed[z] = any(source != z for source, _ in sources)
        if changed[z]:
            out[z] = _copied(clean, z, sources)
    if params.fill == "neighbour":
        found = slices.sections(clean, classes, case)
        after = slices.cleared(clean, classes)
        slices.refill(out, clean, found, found.chosen & changed[found.slice], after, case.num_classes)
    return slices.unstack(out, params.axis)


def _source(drawn: Mask, z: int, down: bool) -> int:
    """The drawn slice at or before z, the first of all if there is none."""
    if down:
        return int(z + np.argmax(drawn[z:])) if drawn[z:].any() else len(drawn) - 1
    return int(z - np.argmax(drawn[z::-1])) if drawn[: z + 1].any() else 0


def _copied(clean: LabelMap, z: int, sources: list[tuple[int, tuple[int, ...]]]) -> LabelMap:
    """Slice z with groups of classes taken from other slices, (Y, X)."""
    own = clean[z]
    out = slices.cleared(own, [c for _, chosen in sources for c in chosen])
    free = out == 0
    for source, chosen in sources:
        layer = np.where(clean[source] == IGNORE, own, clean[source])
        picked = np.zeros(256, dtype=np.uint8)
        picked[list(chosen)] = 1
        painted = free & look_up(picked, layer).view(np.bool_)
        out[painted] = layer[painted]
    return out
