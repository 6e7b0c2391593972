"""Mistakes of a person, drawn: objects that are overlooked, outlines that stray. For like and annotator."""

from dataclasses import dataclass
from math import prod

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.errors import UsageError
from noisylabels.geometry import Mask, steps_mm, steps_px
from noisylabels.kernels.components import component_runs
from noisylabels.kernels.object_runs import Runs, Spans, as_volume, fill, runs_of
from noisylabels.parts.displacement import Shift, displaced, left_out
from noisylabels.parts.outlines import Floats, Traced
from noisylabels.parts.waves import Normals, Wave, draw_wave

_DISC, _BALL = 0.7853981633974483, 0.5235987755982989  # pi / 4 and pi / 6: area and volume for diameter 1


_KEPT = 10
"""A displacement must leave an object one pixel in so many."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in a case.

    Attributes:
        runs: its objects (connected components, corners touching), of every class but the background.
        chosen: whether their class was chosen, (objects,).
        steps: size of a pixel along every axis, thousandths of the unit.
    """

    runs: Runs
    chosen: Mask
    steps: tuple[int, ...]

    def contents(self) -> Floats:
        """Area (in 3-D volume) of every object in the unit, as a share of that of a disc (ball) of diameter 1."""
        plane = len(self.steps) == 2
        pixel = prod(step / 1000.0 for step in self.steps)
        return np.asarray(self.runs.sizes() * (pixel / (_DISC if plane else _BALL)), dtype=np.float64)

    def below(self, diameter: float) -> Mask:
        """Objects that are smaller than the disc (in 3-D the ball) of a diameter in the unit, (objects,)."""
        limit = diameter * diameter * (1.0 if len(self.steps) == 2 else diameter)
        return np.asarray(self.contents() < limit)


def see(case: Case, chosen: tuple[int, ...], unit: str) -> Seen:
    """The objects of a case; a volume of one slice counts as a plane.

    Args:
        case: the case.
        chosen: the classes in which mistakes are made.
        unit: px or mm.

    Raises:
        UsageError: the unit is mm, and the case has no spacing.
    """
    if unit == "mm" and case.spacing is None:
        raise UsageError(
            f"Case {case.case_id} has no spacing, so lengths in mm have no meaning here; use px."
        )
    steps = steps_px(case.labels.ndim) if unit == "px" or case.spacing is None else steps_mm(case.spacing)
    runs = runs_of(case.labels, range(1, case.num_classes))
    return Seen(runs, np.isin(runs.classes, chosen), steps if case.labels.shape[0] > 1 else steps[-2:])


def wave_over(case: Case, seen: Seen, length: float, normals: Normals, grid: Floats) -> Wave:
    """A field over the frame of a case.

    Args:
        case: the case.
        seen: what is in it.
        length: distance at which the correlation is one half, thousandths.
        normals: draws arrays of standard normals.
        grid: three numbers, 0 to 1: where the grid of control points begins.
    """
    depth, height, width = as_volume(case.labels).shape
    steps = seen.steps[:1] * (3 - len(seen.steps)) + seen.steps
    return draw_wave((depth, height, width), steps, length, normals, grid)


def made(case: Case, seen: Seen, gone: Mask, shift: Shift) -> LabelMap:
    """The labels after the mistakes: first objects are left out, then the outlines of the others displaced.

    Only what is left out vanishes: an object of which a displacement would leave less than a tenth stays as it
    is.

    Args:
        case: the case.
        seen: its objects.
        gone: which are left out, (objects,); those that were not chosen are not.
        shift: how far outlines are displaced; ``objects`` as in ``seen``, (objects + 1,).
    """
    gone = gone & seen.chosen
    labels = left_out(case.labels, seen.runs, gone, case.num_classes) if gone.any() else case.labels
    volume = as_volume(labels)
    table, classes = component_runs(volume, range(1, case.num_classes))
    classes = np.concatenate([np.zeros(1, dtype=np.uint8), classes])
    picked = tuple(np.unique(seen.runs.classes[seen.chosen]).tolist())
    found = Traced(volume, table, classes, np.isin(classes, picked), picked)
    steps = seen.steps[:1] * (3 - len(seen.steps)) + seen.steps
    out, kept = displaced(found, Shift(_offsets(found, seen, gone, shift.objects), shift.waves), steps)
    length = table.runs[:, 2].astype(np.int64) - table.runs[:, 1] + 1
    pixels = np.bincount(table.objects, length, len(classes))  # sums of integers are exact in floats
    lost = (_KEPT * kept < pixels) & found.chosen
    if lost.any():
        mine = lost[table.objects]
        row = np.repeat(np.arange(len(table.begin) - 1, dtype=np.int32), np.diff(table.begin))
        value, first, last = (np.ascontiguousarray(column) for column in table.runs[mine].T)
        fill(out, Spans(row[mine], first, last), value.astype(np.uint8))
    return out.reshape(case.labels.shape)


def _offsets(found: Traced, seen: Seen, gone: Mask, offsets: Floats) -> Floats:
    """The offset of every object of a map from which some are gone, (n + 1,).

    What was left out may join two objects of a class that surround it: the first one's offset holds for both.
    """
    assert found.table is not None
    width = found.volume.shape[2]
    _, first = np.unique(seen.runs.owner, return_index=True)
    spans = seen.runs.spans
    place = spans.row[first].astype(np.int64) * width + spans.first[first]
    row = np.repeat(np.arange(len(found.table.begin) - 1), np.diff(found.table.begin))
    run = np.searchsorted(row * width + found.table.runs[:, 1], place, side="right") - 1
    moved = np.zeros(len(found.classes))
    stays = np.flatnonzero(~gone)[::-1]  # the last writer wins: the first object
    moved[found.table.objects[run[stays]]] = offsets[1:][stays]
    return moved
