"""Volumes as stacks of slices, the way they are annotated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import plain
from noisylabels.kernels.object_runs import Runs, fill, runs_of
from noisylabels.kernels.tables import look_up
from noisylabels.parts.instances import surroundings

MOST = 500
"""Slices from one drawn slice to the next, at most."""


def check_axis(axis: int) -> None:
    """Refuse an axis that a volume has not.

    Raises:
        UsageError: it is none of 0, 1, 2.
    """
    if axis not in (0, 1, 2):
        raise UsageError(f"Slices lie along axis 0, 1 or 2, not {axis}.")


def stack(case: Case, axis: int) -> LabelMap:
    """The labels as slices along the first axis, in C order; not to be written to.

    Raises:
        UsageError: the case is a plane.
    """
    if case.labels.ndim != 3:
        raise UsageError(f"Case {case.case_id} is a plane, and this mode works on the slices of volumes.")
    return plain(np.moveaxis(case.labels, axis, 0))


def cleared(labels: LabelMap, classes: Sequence[int]) -> LabelMap:
    """The labels with some classes turned to background."""
    table = np.arange(256).astype(np.uint8)
    table[list(classes)] = 0
    return look_up(table, labels)


def unstack(slices: LabelMap, axis: int) -> LabelMap:
    """Slices back as a volume, in C order."""
    return np.ascontiguousarray(np.moveaxis(slices, 0, axis))


@dataclass(frozen=True, slots=True)
class Sections:
    """Runs of objects in slices.

    Attributes:
        runs: of every foreground object, in C order.
        chosen: whether the class of a run was chosen, (runs,).
        slice: in which slice a run lies, (runs,).
    """

    runs: Runs
    chosen: Mask
    slice: Ints


def sections(clean: LabelMap, classes: Sequence[int], case: Case) -> Sections:
    """The objects of a stack of slices.

    Args:
        clean: from :func:`stack`.
        classes: the chosen ones.
        case: gives the classes that there are.
    """
    runs = runs_of(clean, range(1, case.num_classes))
    here = runs.spans.row.astype(np.int64) // clean.shape[1]
    return Sections(runs, np.isin(runs.classes, classes)[runs.owner], here)


def refill(
    out: LabelMap, clean: LabelMap, found: Sections, vacated: Mask, after: LabelMap, classes: int
) -> None:
    """Give empty pixels of vacated sections the class that lies around the section, in place.

    The section of an object is what one slice has of it; all its faces count, also those in other slices.

    Args:
        out: (Z, Y, X).
        clean: the same before.
        found: its objects.
        vacated: which runs are, (runs,).
        after: what is counted around a section, the same shape.
        classes: how many classes there are.
    """
    spans = found.runs.spans.taken(vacated)
    key = found.slice[vacated] * max(len(found.runs.classes), 1) + found.runs.owner[vacated]
    owner = np.unique(key, return_inverse=True)[1].astype(np.int32).reshape(-1)
    fill(out, spans, surroundings(clean, after, spans, owner, classes), empty=True)


def check_every(every: float | None, mm: float | None) -> None:
    """Refuse a distance of drawn slices that is none, or given twice.

    Raises:
        UsageError: both are given, or one is out of its range.
    """
    if every is not None and mm is not None:
        raise UsageError("Give the distance of drawn slices in slices or in mm, not both (every, every_mm).")
    if every is not None and not 1 <= every <= MOST:
        raise UsageError(f"Between 1 and {MOST} slices lie from one drawn slice to the next, not {every}.")
    if mm is not None and not 0 <= mm <= 1000:
        raise UsageError(f"From one drawn slice to the next it is between 0 and 1000 mm, not {mm}.")


def in_slices(case: Case, axis: int, every: float | None, mm: float | None) -> float:
    """The distance of drawn slices in slices, 1 or more.

    Raises:
        UsageError: millimetres are asked for, and the case has no spacing.
    """
    if every is not None:
        return every
    if case.spacing is None or mm is None:
        raise UsageError(
            f"Case {case.case_id} has no spacing, so a distance of slices in mm has no meaning here; give every."
        )
    return min(max(mm / case.spacing[axis], 1.0), float(MOST))


def drawn_slices(count: int, every: float, draws: Draws) -> Mask:
    """Which slices are drawn: floor(every (phase + j)) for j = 0, 1, ..., with one random phase from 0 to 1.

    Args:
        count: how many slices there are.
        every: distance of drawn slices, 1 or more; 2.5 gives 2 and 3 in turn.
        draws: one number is drawn.
    """
    phase = float(draws.integers((), 0, 2**20 - 1)) / 2**20  # so that phase + j is exact
    places = np.floor(every * (phase + np.arange(int(count / every) + 2))).astype(np.int64)
    drawn = np.zeros(count, dtype=bool)
    drawn[places[places < count]] = True
    return drawn


def thinned(every: float | None, mm: float | None, factor: float) -> tuple[float | None, float | None]:
    """The distance of drawn slices times a factor, in whichever unit; factor 0 draws every slice."""
    longer = None if every is None else min(1.0 + (every - 1.0) * factor, float(MOST))
    return every if factor == 1 else longer, None if mm is None else min(mm * factor, 1000.0)


def blocks(count: int, run: int, draws: Draws) -> NDArray[np.int64]:
    """Slices in blocks of neighbours that share their draws; where the first block begins is drawn.

    Args:
        count: how many slices there are.
        run: slices in a block.
        draws: one number is drawn.

    Returns:
        Number of the block of every slice, (count,).
    """
    return (np.arange(count) + int(draws.integers((), 0, run - 1))) // run
