"""How the cases of an epoch are put into batches: functions of data, epoch and batch size alone.

A sampler gives for an epoch a list of batches, each a list of case ids; every epoch has as many batches.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws
from noisylabels.errors import UsageError

if TYPE_CHECKING:
    from noisylabels_plugins.batches import TrainingSet

Sampler = Callable[["TrainingSet", int, int], list[list[str]]]

RARE = 0.15
"""Share of the cases below which a class is rare, in :func:`repeat_factor`."""


def shuffle(data: "TrainingSet", epoch: int, batch_size: int) -> list[list[str]]:
    """Every case once, in an order drawn anew for every epoch; the last batch may be smaller."""
    return split(_mixed(data.ids, data.seed, "order", str(epoch)), batch_size)


def two_stream(data: "TrainingSet", epoch: int, batch_size: int) -> list[list[str]]:
    """Half of every batch, rounded down, are trusted cases; the others come once, the trusted ones as often as needed.

    Both kinds take turns in a batch, so that its parts have both too. Trusted cases come round after round, every
    round in an order of its own; where there are fewer than half a batch, they are all in every batch. The last batch
    may hold fewer of the others. Where all cases are trusted, or none, it is :func:`shuffle`.

    Source: the batches of MTCL, MICCAI 2021 (2 and 2).

    Raises:
        UsageError: a batch of one case has no half.
    """
    trusted = [case_id for case_id in data.ids if case_id in data.trusted]
    others = [case_id for case_id in data.ids if case_id not in data.trusted]
    if not trusted or not others:
        return shuffle(data, epoch, batch_size)
    if batch_size < 2:
        raise UsageError("A method with trusted cases needs them in every batch; use --batch-size 2 or more.")
    half = min(batch_size // 2, len(trusted))
    rest = split(_mixed(others, data.seed, "others", str(epoch)), batch_size - half)
    rounds = range(-(-len(rest) * half // len(trusted)))
    stream = [
        case_id for r in rounds for case_id in _mixed(trusted, data.seed, "trusted", str(epoch), str(r))
    ]
    pairs = zip(split(stream, half)[: len(rest)], rest, strict=True)
    return [[one for turn in zip_longest(*pair) for one in turn if one is not None] for pair in pairs]


def repeat_factor(data: "TrainingSet", epoch: int, batch_size: int) -> list[list[str]]:
    """Cases that hold a rare class come more than once.

    A class in a share f of the cases is repeated r = max(1, sqrt(0.15 / f)) times, and a case as often as the class in
    it that is repeated most. The fraction of r is rounded up or down by a draw for every epoch, with the mean r; one
    draw serves all cases (systematic rounding), so that every epoch has the same number of cases, the sum of r rounded
    down. Which classes a case holds is told from the labels that are trained on.

    Source: Gupta, Dollar, Girshick, LVIS, CVPR 2019; the threshold is that of CSS, MICCAI 2021.
    """
    factors = repeat_factors(np.array([data.holds[case_id] for case_id in data.ids]))
    order = Draws(data.seed, "repeat", str(epoch)).permutation(len(data.ids))
    ends = np.cumsum(factors[order])
    total = int(sum(sorted(factors)))
    marks = np.floor(ends + Draws(data.seed, "round", str(epoch)).uniform()).astype(int)
    marks[-1] = max(marks[-1], total)  # sums in another order may differ in the last digit
    times = np.diff(marks, prepend=0)
    repeated = [data.ids[i] for i, count in zip(order, times, strict=True) for _ in range(count)]
    mixed = _mixed(repeated, data.seed, "order", str(epoch))
    return split(mixed[:total], batch_size)


def repeat_factors(holds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How often every case comes in an epoch in the mean, (N,), from which classes it holds, (N, K)."""
    share = holds.mean(0)
    by_class = np.maximum(1, np.sqrt(RARE / np.where(share > 0, share, 1)))
    return np.asarray(np.where(holds, by_class, 1).max(1))


def split(ids: Sequence[str], batch_size: int) -> list[list[str]]:
    """Cut a list into batches."""
    return [list(ids[start : start + batch_size]) for start in range(0, len(ids), batch_size)]


def _mixed(ids: Sequence[str], seed: int, *address: str) -> list[str]:
    return [ids[index] for index in Draws(seed, *address).permutation(len(ids))]


SAMPLERS: dict[str, Sampler] = {
    "shuffle": shuffle,
    "two-stream": two_stream,
    "repeat-factor": repeat_factor,
}
"""By the name that a method asks for."""
