"""Lengths that are given in pixels or in millimetres."""

import numpy as np

from noisylabels.case import Case
from noisylabels.errors import UsageError
from noisylabels.geometry import steps_mm, steps_px


def check_length(name: str, px: float | None, mm: float | None, default: float, most: float) -> float | None:
    """The length in px to use: the given one, or the default if neither is given.

    Args:
        name: of the parameter, without its unit.
        px: in pixels, or None.
        mm: in millimetres, or None.
        default: in pixels.
        most: the largest that is allowed, in either unit.

    Raises:
        UsageError: both are given, or one lies outside 0 .. most.
    """
    if px is not None and mm is not None:
        raise UsageError(f"Give the {name} in px or in mm, not both ({name}_px, {name}_mm).")
    for given in (px, mm):
        if given is not None and not 0 <= given <= most:
            raise UsageError(f"The {name} lies between 0 and {most:g}, not {given}.")
    return default if px is None and mm is None else px


def in_thousandths(case: Case, name: str, px: float | None, mm: float | None) -> tuple[int, tuple[int, ...]]:
    """A length in whole thousandths of its unit, and the size of a pixel along every axis in the same.

    Raises:
        UsageError: millimetres are asked for, and the case has no spacing.
    """
    if px is not None:
        return int(np.rint(px * 1000)), steps_px(case.labels.ndim)
    if case.spacing is None or mm is None:
        raise UsageError(
            f"Case {case.case_id} has no spacing, so the {name} in mm has no meaning here; give {name}_px."
        )
    return int(np.rint(mm * 1000)), steps_mm(case.spacing)


def stretched(length: float | None, factor: float, most: float) -> float | None:
    """A length times a factor, at most ``most``; None stays None."""
    return None if length is None else min(most, length * factor)
