"""How far outlines move: ranges checked, radii drawn, for dilate, erode and boundary.

What is drawn is a number between 0 and 1 for each object, side or control point, whatever the radius range;
so a larger range moves every outline further in the same way.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from noisylabels.case import Case
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import steps_mm, steps_px
from noisylabels.parts.outlines import Traced, traced
from noisylabels.parts.reaches import Field, Floats, PerObject, PerSide, Radii

Granularity: TypeAlias = Literal["object", "direction", "local"]
Range: TypeAlias = tuple[float, float]


def check_radius(px: Range | None, mm: Range | None, default: Range) -> Range | None:
    """The range in px to use: the given one, or the default if neither is given.

    Raises:
        UsageError: both are given, or a range is not 0 <= low <= high <= 1000.
    """
    if px is not None and mm is not None:
        raise UsageError("Give the radius in px or in mm, not both (radius_px, radius_mm).")
    for given in (px, mm):
        if given is not None and not (len(given) == 2 and 0 <= given[0] <= given[1] <= 1000):
            raise UsageError(f"A radius range is two numbers with 0 <= low <= high <= 1000, not {given}.")
    return default if px is None and mm is None else px


def scaled(given: Range | None, factor: float) -> Range | None:
    """A range of radii times a factor from 0 on, at most 1000."""
    return None if given is None else (min(given[0] * factor, 1000.0), min(given[1] * factor, 1000.0))


def check_shape(granularity: str, nodes: int) -> None:
    """Refuse an unknown granularity, or a number of control points outside 2 .. 64.

    Raises:
        UsageError: one of them is wrong.
    """
    if granularity not in ("object", "direction", "local"):
        raise UsageError(f"There is no granularity '{granularity}'; known: object, direction, local.")
    if not 2 <= nodes <= 64:
        raise UsageError(f"Between 2 and 64 control points lie along the longest side, not {nodes}.")


def in_thousandths(case: Case, px: Range | None, mm: Range | None) -> tuple[Range, tuple[int, ...]]:
    """A radius range in whole thousandths of its unit, and the size of a pixel in the same.

    Raises:
        UsageError: millimetres are asked for, and the case has no spacing.
    """
    if px is not None:
        low, high = px
        steps = steps_px(case.labels.ndim)
    else:
        if case.spacing is None or mm is None:
            raise UsageError(
                f"Case {case.case_id} has no spacing, so a radius in mm has no meaning here; give radius_px."
            )
        low, high = mm
        steps = steps_mm(case.spacing)
    return (float(round(low * 1000)), float(round(high * 1000))), steps


def one_for_all(
    case: Case, px: Range | None, mm: Range | None, granularity: Granularity
) -> tuple[int, tuple[int, ...]] | None:
    """The radius if it is the same for all objects, whatever is drawn, and the size of a pixel; thousandths.

    Returns:
        Both, or None where objects or places may differ.

    Raises:
        UsageError: millimetres are asked for, and the case has no spacing.
    """
    if granularity != "object":
        return None
    (low, high), steps = in_thousandths(case, px, mm)
    return (int(low), steps) if low == high else None


def control_points(
    shape: tuple[int, ...], steps: tuple[int, ...], nodes: int
) -> tuple[tuple[int, ...], float]:
    """How many control points of a field lie along every axis, and how far they are apart.

    Args:
        shape: of the frame.
        steps: size of a pixel along every axis, thousandths.
        nodes: how many there are along the longest side.
    """
    lengths = [(size - 1) * step for size, step in zip(shape, steps, strict=True)]
    gap = max(max(lengths), 1) / (nodes - 1)
    return tuple(int(length / gap) + 2 for length in lengths), gap


@dataclass(frozen=True, slots=True)
class Motion:
    """The objects of a case and how far their outlines may move.

    Attributes:
        found: the objects.
        radii: a radius for every object, half-line or control point, thousandths.
        gap: distance of the control points, thousandths.
        steps: size of a pixel along every axis, thousandths.
    """

    found: Traced
    radii: Floats
    gap: float
    steps: tuple[int, ...]

    def to(self, share: Floats | None = None) -> Radii:
        """The radii, or a share of each (0 .. 1; of a field -1 .. 1, where nothing counts below 0)."""
        if self.gap > 0:
            return Field(self.radii, share, self.gap)
        radii = self.radii if share is None else self.radii * share
        return PerSide(radii) if radii.ndim == 3 else PerObject(radii.astype(np.int64))


def motion(
    case: Case,
    classes: tuple[int, ...],
    px: Range | None,
    mm: Range | None,
    granularity: Granularity,
    nodes: int,
    draws: Draws,
    apart: bool = False,
) -> Motion:
    """Find the objects and draw their radii from the stream ``radius``.

    Args:
        case: the case.
        classes: the classes that move.
        px: range of the radius in px, or None.
        mm: the same in mm, or None.
        granularity: what has a radius of its own: an object, its half-lines, or every place of the frame.
        nodes: control points of a field along the longest side.
        draws: one number is drawn for each of them.
        apart: tell components apart also where all have the same radius.

    Raises:
        UsageError: millimetres are asked for, and the case has no spacing.
    """
    (low, high), steps = in_thousandths(case, px, mm)
    shape, gap = case.labels.shape, 0.0
    components_differ = granularity == "direction" or (granularity == "object" and (apart or low < high))
    found = traced(case, classes, components_differ)
    if granularity == "local":
        shape, gap = control_points(shape, steps, nodes)
    else:
        shape = (len(found.classes),) if granularity == "object" else (len(found.classes), len(steps), 2)
    if low == high:  # whatever is drawn
        return Motion(found, np.full(shape, low), gap, steps)
    return Motion(found, np.floor(low + (high - low) * draws.at("radius").uniform(shape)), gap, steps)
