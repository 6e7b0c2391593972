"""Which cases to look at."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from noisylabels.store.scores import CaseScore


class CaseMean(NamedTuple):
    """One case and its mean score over present structures and runs."""

    case_id: str
    value: float


def case_means(score_lists: Iterable[Sequence[CaseScore]], metric: str = "dice") -> dict[str, float]:
    """Mean of a metric by case: over the structures that the reference holds, then over runs.

    Args:
        score_lists: the scores of one run each, pixel counts included.
        metric: which number.

    Returns:
        Value by case id; cases whose reference holds no structure are left out.
    """
    means: dict[str, list[float]] = defaultdict(list)
    for scores in score_lists:
        by_case: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
        for score in scores:
            by_case[score.case_id][score.structure][score.metric] = score.value
        for case_id, structures in by_case.items():
            known = [v[metric] for v in structures.values() if v["tp"] + v["fn"] > 0 and metric in v]
            if known:
                means[case_id].append(sum(known) / len(known))
    return {case_id: sum(values) / len(values) for case_id, values in means.items()}


def best_and_worst(means: Mapping[str, float], count: int = 3) -> tuple[list[CaseMean], list[CaseMean]]:
    """The cases with the highest and the lowest scores; no case is in both lists.

    Args:
        means: score by case id, higher is better.
        count: how many of each, at most; with fewer than twice as many cases the worst come first in the
            choice.

    Returns:
        Best, the highest first; worst, the lowest first. Equal scores go by case id.

    >>> best_and_worst({"a": 0.9, "b": 0.5, "c": 0.7}, count=1)
    ([CaseMean(case_id='a', value=0.9)], [CaseMean(case_id='b', value=0.5)])
    """
    ranked = [CaseMean(*item) for item in sorted(means.items(), key=lambda item: (item[1], item[0]))]
    worst = ranked[:count]
    best = ranked[len(worst) :][::-1][:count]
    return best, worst


def spread_out(values: Mapping[str, float], count: int) -> list[str]:
    """Case ids at evenly spread ranks of a value, the highest first: typical cases beside extreme ones.

    Args:
        values: value by case id.
        count: how many, at most.
    """
    ranked = [case_id for case_id, _ in sorted(values.items(), key=lambda item: (-item[1], item[0]))]
    if len(ranked) <= count:
        return ranked
    if count == 1:
        return [ranked[len(ranked) // 2]]
    return [ranked[i * (len(ranked) - 1) // (count - 1)] for i in range(count)]
