"""Join neighbouring objects, as an annotator who takes two for one.

Two objects of a class whose nearest pixels lie no further apart than the gap are neighbours, and each pair of
neighbours is joined with probability rate. The bridge is made of the background pixels p with

    distance(p, one) + distance(p, other) <= distance(one, other) + 0.8 px

and of the straight line between the two nearest pixels. So round objects are joined by a neck, and sides that
face each other along their length; 0.8 px is as much as leaves no bulge beside a slit of one pixel, and in
millimetres 0.8 of the finest pixel size::

    . . . . . . . . .        . . . . . . . . .
    . 1 1 . . . 1 1 .        . 1 1 . . . 1 1 .
    . 1 1 1 . 1 1 1 .   ->   . 1 1 1 1 1 1 1 .        gap 2
    . 1 1 1 . 1 1 1 .        . 1 1 1 1 1 1 1 .
    . 1 1 . . . 1 1 .        . 1 1 . . . 1 1 .

Distances are between pixel centres, so two objects with one pixel between them are 2 px apart; they come from
exact integers. Other classes and ``IGNORE`` are not built over; instead of the background another class may
be (on: an organ, for the lesions in it). With across, objects of different classes are neighbours too, also
where they touch: of two that are joined the smaller takes the class of the larger (of the largest of another
class that it is joined to), and so does the bridge. Where bridges cross, the highest class lies on top.

A pair's chance depends on the two alone, so a larger rate or a larger gap joins all that a smaller one does.

Source: merges as a kind of error of their own: Caicedo et al., Evaluation of deep learning strategies for
nucleus segmentation in fluorescence images, Cytometry A 95 (2019). The bridge is ours.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints
from noisylabels.kernels.object_runs import Runs, fill
from noisylabels.kernels.pairs import Pairs, bridge, lines, near_pairs
from noisylabels.parts.flips import check_rate
from noisylabels.parts.instances import (
    check_ground,
    check_length,
    in_order,
    joint,
    objects_of,
    shares,
    stronger,
    thousandths,
)
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which objects are neighbours, and how often they are joined.

    Attributes:
        rate: probability that a pair of neighbours is joined, 0 to 1.
        gap_px: largest distance of neighbours in pixels, centre to centre, 0 to 50; 4 when neither this nor
            gap_mm is given.
        gap_mm: the same in millimetres, for a case with a spacing (rounded to whole micrometres).
        across: whether objects of different classes are neighbours too.
        on: the class that bridges are built on, 0 for the background; its own objects are not joined.
        classes: the classes whose objects may be joined; by default every one but the background.
    """

    rate: float = 0.2
    gap_px: float | None = None
    gap_mm: float | None = None
    across: bool = False
    on: int = 0
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_rate(self.rate)
        object.__setattr__(self, "gap_px", check_length(self.gap_px, self.gap_mm, 4.0, "gap"))
        if self.on < 0:
            raise UsageError(f"Bridges are built on a class from 0 on, not {self.on}.")
        check_classes(self.classes)


EXAMPLE = Params(rate=0.7, gap_px=9.0)


def scaled(params: Params, factor: float) -> Params:
    """The same with another strength: the rate times ``factor``, at most 1."""
    return replace(params, rate=stronger(params.rate, factor))


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with some of its neighbouring objects joined.

    Args:
        case: the case; its image is not looked at.
        params: which are neighbours, and how often they are joined.
        draws: the stream of this case and step; one word is drawn for every object.

    Returns:
        New labels; a map without two neighbours comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, ``on`` is not declared, or mm for a
            case without a spacing.
    """
    check_ground(case, params.on)
    found = objects_of(case, [c for c in chosen_foreground(case, params.classes) if c != params.on])
    reach, steps = thousandths(case, params.gap_px, params.gap_mm, "gap")
    pairs = near_pairs(found.runs, found.volume.shape, found.chosen, reach, steps, params.across)
    words = draws.at("joined").words(len(found.chosen))
    joined = shares(joint(words[pairs.one], words[pairs.other])) < params.rate
    chosen = Pairs(*(column[joined] for column in pairs))
    return _joined(found.volume, found.runs, chosen, params.on, steps).reshape(case.labels.shape)


def _joined(volume: LabelMap, runs: Runs, pairs: Pairs, on: int, steps: tuple[int, int, int]) -> LabelMap:
    """A copy of the labels, (Z, Y, X), with the objects of all these pairs joined."""
    out = volume.copy()
    if len(pairs.one) == 0:
        return out
    sizes = runs.sizes()
    one_larger = sizes[pairs.one] >= sizes[pairs.other]  # of equal ones the first
    larger, smaller = (
        np.where(one_larger, pairs.one, pairs.other),
        np.where(one_larger, pairs.other, pairs.one),
    )
    after = _classes_after(runs.classes, sizes, larger, smaller)
    changed = (after != runs.classes)[runs.owner]
    fill(out, runs.spans.taken(changed), after[runs.owner[changed]])
    order, begin = in_order(runs.owner, len(sizes))
    colours = runs.classes[larger]
    bridge(out, volume, on, runs.spans.taken(order), begin, pairs, colours, min(steps) * 4 // 5, steps)
    pair, place = lines(*_nearest(runs, pairs, volume.shape[1]))
    z, y, x = place.T
    for value in np.unique(colours):  # ascending: later ones on top
        here = (colours[pair] == value) & (volume[z, y, x] == on)
        here &= (out[z, y, x] == on) | (out[z, y, x] < value)
        out[z[here], y[here], x[here]] = value
    return out


def _classes_after(classes: NDArray[np.uint8], sizes: Ints, larger: Ints, smaller: Ints) -> NDArray[np.uint8]:
    """Class of every object: that of the largest one of another class that it is joined to as the smaller."""
    after = classes.copy()
    other = classes[larger] != classes[smaller]
    larger, smaller = larger[other], smaller[other]
    rising = np.lexsort(
        (-larger, sizes[larger])
    )  # the last writer wins: the largest, of equal ones the first
    after[smaller[rising]] = classes[larger[rising]]
    return after


def _nearest(runs: Runs, pairs: Pairs, height: int) -> tuple[Ints, Ints]:
    """The two nearest pixels of every pair; of runs that overlap, in the middle of the overlap; (n, 3) each."""
    row, first, last = (column.astype(np.int64) for column in runs.spans)
    i, j = pairs.here, pairs.there
    middle = (np.maximum(first[i], first[j]) + np.minimum(last[i], last[j])) // 2
    ends = []
    for mine in (i, j):
        x = np.clip(middle, first[mine], last[mine])
        ends.append(np.stack([row[mine] // height, row[mine] % height, x], axis=1))
    return ends[0], ends[1]
