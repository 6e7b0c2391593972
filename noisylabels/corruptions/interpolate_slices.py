"""Draw only every n-th slice of a volume, and have the others interpolated, as annotation tools offer.

Each object (connected component of the volume, corners touch) is drawn in every n-th slice; where the first
of these lies is drawn by lot, once for the case. Between two drawn slices a and b the object is interpolated
by its signed distances (in the slice, positive inside), or is missing, or is that of the nearest drawn slice.
With interpolate, pixel p of slice z belongs to it if

    (b - z) s_a(p) + (z - a) s_b(p) > 0

Five slices of one row::

    slice             0         1         2         3         4
    before         .......   ..1....   .111...   ..111..   .......
    drawn            no        yes       no        yes       no
    interpolate    .......   ..1....   ..11...   ..111..   .......
    missing        .......   ..1....   .......   ..111..   .......
    nearest        .......   ..1....   ..1....   ..111..   .......     of equally near ones by lot, for the case

With ends kept, the annotator also looks for the first and the last slice of every object and draws it there;
with ends lost, an object reaches only from its first to its last drawn slice, and vanishes if it has none. Two
sections that do not overlap leave nothing in the middle between them: this is what the method does. Signed
distances are compared as exact integers; where they cancel out, the nearer slice decides. Classes are painted
in ascending order, later ones on top; classes that were not chosen and ``IGNORE`` stay on top.

So that no gaps open between objects that touch, as a lesion and its organ, what the chosen classes form
together is interpolated (or repeated) too, and where no object has reached a pixel of it, the classes around
grow in, pixel by pixel, the one with most pixels in the case first.

Source: Raya and Udupa, Shape-based interpolation of multidimensional objects, IEEE TMI 9 (1990), which tools
such as MITK offer to annotators in the form of Herman et al. (1992). To treat each object by itself is ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints, steps_mm
from noisylabels.kernels import between
from noisylabels.kernels.object_runs import Runs, runs_of
from noisylabels.kernels.tables import look_up
from noisylabels.parts import slices
from noisylabels.parts.instances import check_fill, in_order
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1

_HOW = {"interpolate": between.INTERPOLATE, "missing": between.MISSING, "nearest": between.NEAREST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which slices are drawn, and what becomes of the others.

    Attributes:
        every: distance of drawn slices, 1 (all are drawn) to 500; 2.5 gives 2 and 3 in turn. 5 when neither
            this nor every_mm is given.
        every_mm: the same in millimetres, for a case with a spacing.
        between: what lies between drawn slices: interpolate, missing (background), or nearest.
        ends: the first and the last slice of every object: kept (drawn too), or lost (beyond the drawn slices
            there is nothing).
        fill: what vacated pixels become: background, or neighbour (the class that most faces of the object in
            that slice touch, of equal ones the lowest; chosen classes count as background).
        axis: along which slices follow each other, 0, 1 or 2.
        classes: the classes that are drawn so; by default every one but the background.
    """

    every: float | None = None
    every_mm: float | None = None
    between: Literal["interpolate", "missing", "nearest"] = "interpolate"
    ends: Literal["kept", "lost"] = "kept"
    fill: Literal["background", "neighbour"] = "background"
    axis: int = 0
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        slices.check_every(self.every, self.every_mm)
        if self.every is None and self.every_mm is None:
            object.__setattr__(self, "every", 5.0)
        if self.between not in _HOW:
            raise UsageError(f"Between drawn slices one may {', '.join(_HOW)}, not '{self.between}'.")
        if self.ends not in ("kept", "lost"):
            raise UsageError(f"The ends of an object are kept or lost, not '{self.ends}'.")
        check_fill(self.fill)
        slices.check_axis(self.axis)
        check_classes(self.classes)


EXAMPLE = Params(every=3.0, ends="lost")


def scaled(params: Params, factor: float) -> Params:
    """The same with another strength: the distance of drawn slices, beyond 1, times ``factor``."""
    every, mm = slices.thinned(params.every, params.every_mm, factor)
    return replace(params, every=every, every_mm=mm)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a volume of which only some slices are drawn.

    Args:
        case: the case; its image is not looked at.
        params: which, and what becomes of the others.
        draws: the stream of this case and step; two numbers are drawn.

    Returns:
        New labels; a volume without a chosen class comes back as it is.

    Raises:
        UsageError: the case is a plane, the background or an undeclared class was chosen, or mm for a case
            without a spacing.
    """
    classes = chosen_foreground(case, params.classes)
    clean = slices.stack(case, params.axis)
    every = slices.in_slices(case, params.axis, params.every, params.every_mm)
    drawn = slices.drawn_slices(len(clean), every, draws.at("phase"))
    upper = float(draws.at("upper").uniform()) < 0.5
    found = slices.sections(clean, classes, case)
    out = slices.cleared(clean, classes)
    after = out.copy() if params.fill == "neighbour" else out
    out[drawn] = clean[drawn]
    free = np.zeros(256, dtype=np.bool_)
    free[[0, *classes]] = True
    kept, how, steps = params.ends == "kept", _HOW[params.between], _steps(case, params.axis)

    def draw(canvas: LabelMap, objects: between.Sections) -> None:
        between.redraw(canvas, clean, free, objects, drawn, kept, how, upper, steps)

    draw(out, _by_object(found.runs, classes))
    if len(classes) > 1 and how != between.MISSING:
        _close_gaps(out, clean, found.runs, classes, draw)
    if params.fill == "neighbour":
        slices.refill(out, clean, found, found.chosen & ~drawn[found.slice], after, case.num_classes)
    return slices.unstack(out, params.axis)


def _close_gaps(
    out: LabelMap,
    clean: LabelMap,
    runs: Runs,
    classes: Sequence[int],
    draw: Callable[[LabelMap, between.Sections], None],
) -> None:
    """Fill what the chosen classes cover together, and no object by itself; in place."""
    one = np.zeros(256, dtype=np.uint8)
    one[list(classes)] = 1
    together = runs_of(look_up(one, clean), (1,))
    gaps = np.zeros_like(out)
    draw(gaps, _by_object(together, (1,)))
    between.close(out, gaps, _rank(runs, classes))


def _by_object(runs: Runs, classes: Sequence[int]) -> between.Sections:
    """Runs put together by object; those of other classes are marked to be left out."""
    order, begin = in_order(runs.owner, len(runs.classes))
    colours = np.where(np.isin(runs.classes, classes), runs.classes, 0).astype(np.uint8)
    return between.Sections(runs.spans.taken(order), begin, colours)


def _rank(runs: Runs, classes: Sequence[int]) -> Ints:
    """Rank of every class, (256,): chosen ones by their pixels, of equal ones the lowest first; else -1."""
    pixels = np.bincount(runs.classes, runs.sizes(), 256).astype(np.int64)[list(classes)]
    rank = np.full(256, -1, dtype=np.int64)
    rank[np.array(classes)[np.lexsort((-np.array(classes), pixels))]] = np.arange(len(classes))
    return rank


def _steps(case: Case, axis: int) -> tuple[int, int]:
    """Relative size of a pixel within a slice: in lowest terms, and so small that squares do not overflow."""
    size = [n for a, n in enumerate(case.labels.shape) if a != axis]
    whole = (1, 1, 1) if case.spacing is None else steps_mm(case.spacing)
    sy, sx = [step for a, step in enumerate(whole) if a != axis]
    common = gcd(sy, sx)
    sy, sx = sy // common, sx // common
    while max(size[0] * sy, size[1] * sx) > 2**21:
        sy, sx = max(sy // 2, 1), max(sx // 2, 1)
    return sy, sx
