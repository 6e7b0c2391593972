"""Mistakes about whole objects: which are there, what each of them draws, and how lengths are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.errors import UsageError
from noisylabels.geometry import Mask, steps_mm
from noisylabels.kernels.object_runs import Runs, Spans, as_volume, runs_of, touched

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """The objects of a case.

    Attributes:
        volume: the labels, (Z, Y, X) with Z = 1 for a plane; not to be written to.
        runs: the objects of every class but the background, so that what one of them draws does not depend
            on the choice of classes.
        chosen: whether its class was chosen, (objects,).
    """

    volume: LabelMap
    runs: Runs
    chosen: Mask


def objects_of(case: Case, chosen: Sequence[int]) -> Found:
    """The objects of a case.

    Args:
        case: the case.
        chosen: the classes whose objects a corruption acts on.
    """
    runs = runs_of(case.labels, range(1, case.num_classes))
    return Found(as_volume(case.labels), runs, np.isin(runs.classes, chosen))


def mixed(words: Words) -> Words:
    """Other words from words, one to one: for quantities of pairs, of which there are too many to draw each.

    Args:
        words: an array, not a number.

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014 (the mixing
    function of SplitMix64, variant 13).
    """
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def joint(one: Words, other: Words) -> Words:
    """One word for every pair of words; the order of the two matters."""
    return mixed(one ^ mixed(other))


def shares(words: Words) -> Floats:
    """Words as numbers in [0, 1), as in :meth:`noisylabels.draws.Draws.uniform`."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def stronger(rate: float, factor: float, limit: float = 1.0) -> float:
    """A rate times a factor, at most ``limit``."""
    return min(limit, rate * factor)


def check_ground(case: Case, on: int) -> None:
    """Refuse a class to paint on that the case does not have.

    Raises:
        UsageError: it has not.
    """
    if on >= case.num_classes:
        raise UsageError(
            f"Case {case.case_id} has no class {on} to paint on; its classes are 0 to {case.num_classes - 1} "
            f"({', '.join(case.classes)})."
        )


def check_length(px: float | None, mm: float | None, default: float, name: str) -> float | None:
    """The length in px to use: the given one, or the default if neither is given.

    Raises:
        UsageError: both are given, or one lies outside 0 .. 50.
    """
    if px is not None and mm is not None:
        raise UsageError(f"Give the {name} in px or in mm, not both ({name}_px, {name}_mm).")
    for given in (px, mm):
        if given is not None and not 0 <= given <= 50:
            raise UsageError(f"A {name} lies between 0 and 50, not {given}.")
    return default if px is None and mm is None else px


def thousandths(
    case: Case, px: float | None, mm: float | None, name: str
) -> tuple[int, tuple[int, int, int]]:
    """A length in whole thousandths of its unit, and the size of a pixel (sz, sy, sx) in the same.

    A plane gets sz = sy, which nothing depends on.

    Raises:
        UsageError: millimetres are asked for, and the case has no spacing.
    """
    if px is not None:
        return int(np.rint(px * 1000)), (1000, 1000, 1000)
    if case.spacing is None or mm is None:
        raise UsageError(
            f"Case {case.case_id} has no spacing, so a {name} in mm has no meaning here; give {name}_px."
        )
    steps = steps_mm(case.spacing)
    return int(np.rint(mm * 1000)), (steps[0], steps[-2], steps[-1])


def check_fill(fill: str) -> None:
    """Refuse an unknown way to fill what is vacated.

    Raises:
        UsageError: it is neither background nor neighbour.
    """
    if fill not in ("background", "neighbour"):
        raise UsageError(f"Vacated pixels become background or neighbour, not '{fill}'.")


def surroundings(
    volume: LabelMap, after: LabelMap, spans: Spans, owner: NDArray[np.int32], classes: int
) -> LabelMap:
    """What lies around objects: the class that most of their faces touch, of equal ones the lowest.

    The frame and ``IGNORE`` are not counted; what touches nothing else lies in the background.

    Args:
        volume: clean classes, (Z, Y, X).
        after: what is counted there; a pixel of a neighbour that is to be vacated too is background in it.
        spans: the runs of the objects.
        owner: object of every run, from 0 without gaps, (n,).
        classes: how many classes there are.

    Returns:
        Class of every run, (n,).
    """
    if len(owner) == 0:
        return np.zeros(0, dtype=np.uint8)
    faces = touched(volume, after, spans, owner, (int(owner.max()) + 1, classes))
    return np.asarray(faces.argmax(axis=1).astype(np.uint8)[owner])


def in_order(owner: NDArray[Any], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs put together by object.

    Args:
        owner: object of every run, 0 to count - 1, (n,).
        count: how many objects there are.

    Returns:
        The order that sorts the runs by object and keeps theirs, (n,); where every object begins, (count + 1,).
    """
    begin = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=count), out=begin[1:])
    return np.argsort(owner, kind="stable"), begin
