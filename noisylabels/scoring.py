"""Scores of predictions: per case and structure, and summarised by a named rule.

A Dice without its rule is not a number one can compare: whether images without a structure count, and whether
    images or
pixels are averaged, moves it by more than most methods do. So the rule is named wherever a summary is
printed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from noisylabels.case import IGNORE, LabelMap
from noisylabels.errors import InvalidData, UsageError, unknown
from noisylabels.metrics import overlap, surface
from noisylabels.store.scores import CaseScore as CaseScore
from noisylabels.store.scores import read_scores as read_scores
from noisylabels.store.scores import write_scores as write_scores

DEFINITIONS = {**overlap.DEFINITIONS, **surface.DEFINITIONS}
"""What each metric means, by its name without unit, in a sentence to be printed with it."""

RULES = {
    "present": "Mean over the images whose reference holds the structure (as in the JCAS poster); what is "
    "predicted in other images costs nothing.",
    "pooled": "One value over the pixels of all images together; only for metrics made of pixel counts.",
}
"""How scores of cases become one number, by name, in a sentence to be printed with it."""

_FROM_COUNTS = {"dice": overlap.dice, "jaccard": overlap.jaccard}
_COUNTS = ("tp", "fp", "fn")


def definition(metric: str) -> str:
    """The sentence that defines a metric, unit included; "" for the pixel counts.

    >>> definition("jaccard")[:7], definition("hd95_mm")[:12]
    ('Jaccard', 'HD95 [mm] = ')
    """
    name, _, unit = metric.partition("_")
    text = DEFINITIONS.get(name, "")
    return text.replace(" = ", f" [{unit}] = ", 1) if unit else text


def score_case(
    case_id: str,
    prediction: LabelMap,
    reference: LabelMap,
    structures: Mapping[str, Sequence[int]],
    spacing: tuple[float, ...] | None = None,
) -> list[CaseScore]:
    """Score one prediction; pixels that the reference ignores count neither as predicted nor as missing.

    Args:
        case_id: name of the case.
        prediction: given classes, shape S.
        reference: clean classes, shape S; ``IGNORE`` is left out.
        structures: classes of every structure, by name.
        spacing: size of a pixel in mm along every axis; None for distances in pixels.

    Returns:
        For every structure ``dice``, ``jaccard``, ``hd95_mm`` and ``assd_mm`` (``_px`` without a spacing) and
        the pixel counts ``tp``, ``fp``, ``fn``; the note says when a value is a stated one.

    Raises:
        InvalidData: the shapes differ, or a counted pixel of the prediction is ``IGNORE``; the message names
            the case.
    """
    counted = reference != IGNORE
    codes_used = [code for codes in structures.values() for code in codes]
    highest = max([*codes_used, int(prediction.max()), int(reference.max(where=counted, initial=0))])
    try:
        matrix = overlap.confusion(reference, prediction, min(highest + 1, IGNORE))
    except InvalidData as error:
        raise InvalidData(f"Case {case_id}: {error}") from error
    unit = "px" if spacing is None else "mm"
    scores = []
    for name, codes in structures.items():
        counts = overlap.structure_counts(matrix, codes)
        true, given = _members(reference, codes) & counted, _members(prediction, codes) & counted
        far = surface.surface_scores(true, given, spacing)
        values = {
            "dice": overlap.dice(*counts),
            "jaccard": overlap.jaccard(*counts),
            f"hd95_{unit}": far.hd95,
            f"assd_{unit}": far.assd,
            **counts._asdict(),
        }
        scores += [
            CaseScore(case_id, name, metric, float(value), far.note) for metric, value in values.items()
        ]
    return scores


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores of one run by one rule.

    Attributes:
        rule: name of the rule, see :data:`RULES`.
        values: structure -> metric -> value; None where no image holds the structure.
        mean: metric -> mean over the structures that have a value; None when none has.
        cases: structure -> number of images that count.
    """

    rule: str
    values: Mapping[str, Mapping[str, float | None]]
    mean: Mapping[str, float | None]
    cases: Mapping[str, int]


def summarise(scores: Iterable[CaseScore], rule: str = "present") -> Summary:
    """Summarise the scores of one run.

    Args:
        scores: of all cases, pixel counts included.
        rule: a name of :data:`RULES`.

    Returns:
        The summary, structures and metrics in the order of the scores; empty for no scores.

    Raises:
        UsageError: there is no such rule.
        InvalidData: a structure of a case comes without its pixel counts.
    """
    if rule not in RULES:
        raise unknown("rule", rule, RULES)
    table = _by_structure(scores)
    values: dict[str, dict[str, float | None]] = {}
    cases: dict[str, int] = {}
    for name, by_case in table.items():
        present = [v for v in by_case.values() if v["tp"] + v["fn"] > 0]
        counted = present if rule == "present" else list(by_case.values())
        cases[name] = len(counted)
        metrics = [m for m in next(iter(by_case.values())) if m not in _COUNTS]
        if rule == "present":
            values[name] = {m: _mean([v[m] for v in counted]) for m in metrics}
        else:
            total = [int(sum(v[c] for v in counted)) for c in _COUNTS]
            values[name] = {m: _FROM_COUNTS[m](*total) for m in metrics if m in _FROM_COUNTS}
    names = dict.fromkeys(m for by_metric in values.values() for m in by_metric)
    mean = {m: _mean([x for v in values.values() if (x := v.get(m)) is not None]) for m in names}
    return Summary(rule, values, mean, cases)


class Difference(NamedTuple):
    """How much one case is better (positive) or worse in one structure."""

    case_id: str
    structure: str
    value: float


@dataclass(frozen=True, slots=True)
class Paired:
    """Two runs compared on the same cases.

    Attributes:
        metric: what was compared.
        differences: first minus second, for every case and structure whose reference holds the structure.
        mean: of the differences; None when there is none.
        sd: their standard deviation (n - 1); None for fewer than two.
        higher: how many are above 0.
        lower: how many are below 0.
    """

    metric: str
    differences: tuple[Difference, ...]
    mean: float | None
    sd: float | None
    higher: int
    lower: int


def paired(first: Iterable[CaseScore], second: Iterable[CaseScore], metric: str = "dice") -> Paired:
    """Difference of two runs case by case (first minus second), where the structure is present.

    Args:
        first: scores of one run.
        second: scores of the other, of the same cases and structures.
        metric: which number to compare.

    Raises:
        UsageError: the two do not score the same cases and structures, or lack the metric.
    """
    one, two = _by_structure(first), _by_structure(second)
    if {s: set(v) for s, v in one.items()} != {s: set(v) for s, v in two.items()}:
        raise UsageError(
            "Two runs can be compared case by case only if both score the same cases and structures."
        )
    found = []
    for structure, by_case in one.items():
        for case_id, values in by_case.items():
            other = two[structure][case_id]
            if metric not in values or metric not in other:
                raise UsageError(
                    f"Case {case_id} has no {metric} of {structure}; known: {', '.join(values)}."
                )
            if values["tp"] + values["fn"] > 0:
                found.append(Difference(case_id, structure, values[metric] - other[metric]))
    spread = Spread.of([d.value for d in found])
    higher, lower = (sum(sign * d.value > 0 for d in found) for sign in (1, -1))
    return Paired(metric, tuple(found), spread.mean, spread.sd, higher, lower)


def gap_closed(method: float, noisy: float, upper: float) -> float | None:
    """(method - noisy) / (upper - noisy): 0 is the noisy baseline, 1 the upper bound; None without a gap.

    >>> gap_closed(method=0.625, noisy=0.5, upper=0.75), gap_closed(0.9, 0.9, 0.9)
    (0.5, None)
    """
    return (method - noisy) / (upper - noisy) if upper > noisy else None


class Spread(NamedTuple):
    """Mean and standard deviation (n - 1) of a few values, over seeds for instance."""

    mean: float | None
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread":
        """Spread of the values that are there; no mean without a value, no deviation with fewer than two."""
        known = [v for v in values if v is not None]
        mean = _mean(known)
        if mean is None or len(known) < 2:
            return cls(mean, None, len(known))
        return cls(mean, sqrt(sum((v - mean) ** 2 for v in known) / (len(known) - 1)), len(known))


def _by_structure(scores: Iterable[CaseScore]) -> dict[str, dict[str, dict[str, float]]]:
    """Structure -> case -> metric -> value, every case with its counts."""
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for score in scores:
        table[score.structure][score.case_id][score.metric] = score.value
    for structure, by_case in table.items():
        for case_id, values in by_case.items():
            if not values.keys() >= set(_COUNTS):
                raise InvalidData(
                    f"Case {case_id} lacks the pixel counts (tp, fp, fn) of {structure}; evaluate it again."
                )
    return table


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _members(labels: LabelMap, codes: Sequence[int]) -> Any:
    if len(codes) == 1:
        return labels == codes[0]
    wanted = np.zeros(256, dtype=bool)
    wanted[list(codes)] = True
    return wanted[labels]
