"""Label maps that come with a case: its readers, and how one of them is laid over the labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.errors import UsageError, unknown
from noisylabels.geometry import Ints
from noisylabels.kernels.choice import plain
from noisylabels.kernels.object_runs import Runs, as_volume, fill, runs_of
from noisylabels.kernels.tables import look_up


def readers_of(case: Case, names: Sequence[str] | None) -> dict[str, LabelMap]:
    """The wanted readers of a case, by name in ascending order.

    Args:
        case: the case.
        names: whom; every reader for None.

    Raises:
        UsageError: the case has no readers, or not all that are wanted.
    """
    if not case.readers:
        raise UsageError(
            f"Case {case.case_id} has no readers, and this mode takes its labels from them; use a dataset that "
            "brings label maps of readers or predictions in its folder readers (noisylabels predict --as-reader writes "
            "one)."
        )
    for name in names or ():
        if name not in case.readers:
            raise unknown(f"reader of case {case.case_id}:", name, case.readers)
    return {name: case.readers[name] for name in sorted(set(names or case.readers))}


def scores_of(case: Case, names: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    """The scores of readers, (K, \\*S) uint8 each.

    Raises:
        UsageError: one of them has none.
    """
    for name in names:
        if name not in case.scores:
            raise UsageError(
                f"Reader {name} of case {case.case_id} has labels only, and no scores; take its votes, or use a "
                "dataset that brings scores in its folder scores."
            )
    return {name: case.scores[name] for name in names}


def overlaid(labels: LabelMap, given: LabelMap, chosen: Sequence[int]) -> LabelMap:
    """The labels with a given map laid over them, as far as both speak of chosen classes and background.

    ::

        labels        given         over it, chosen 1 and 2
        . 1 1 3       1 1 x 2       1 1 1 3        x, no label in one of them, and 3, not chosen:
        . 1 x 3       2 . 1 3       2 . x 3        the labels stay

    Args:
        labels: what lies below, (Y, X) or (Z, Y, X).
        given: what lies above, the same shape.
        chosen: foreground classes.
    """
    mine = np.zeros(256, dtype=np.uint8)
    mine[[0, *chosen]] = 1
    both = look_up(mine, labels) & look_up(mine, given)
    return np.where(both.view(np.bool_), plain(given), plain(labels))


def regions(maps: Sequence[LabelMap], chosen: Sequence[int]) -> Runs:
    """The places where any of several maps sees something: components of the union, corners touching.

    Args:
        maps: label maps of one shape.
        chosen: foreground classes.
    """
    seen = np.zeros(256, dtype=np.uint8)
    seen[list(chosen)] = 1
    union = look_up(seen, maps[0])
    for one in maps[1:]:
        union |= look_up(seen, one)
    return runs_of(union, (1,))


def patched(labels: LabelMap, maps: Sequence[LabelMap], places: Runs, which: Ints) -> LabelMap:
    """A copy of the labels in which each of several places is taken from one of several maps.

    Args:
        labels: (Y, X) or (Z, Y, X).
        maps: at most 255, of the same shape.
        places: where, as objects.
        which: number of the map of every place, (places,).
    """
    number = np.zeros(labels.shape, dtype=np.uint8)
    fill(as_volume(number), places.spans, (which[places.owner] + 1).astype(np.uint8))
    out = labels.copy(order="C")
    for k, one in enumerate(maps):
        np.copyto(out, one, where=number == k + 1)
    return out
