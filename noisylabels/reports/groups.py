"""Runs that differ in nothing but the seed, put together."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from noisylabels.scoring import Spread, Summary, gap_closed, summarise
from noisylabels.store.runs import RunRecord

MARK = "†"
"""Behind the name of a method whose weights were selected on the test cases."""
Role = Literal["baseline", "method", "upper"]
_ORDER: dict[str, int] = {"baseline": 0, "method": 1, "upper": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Runs of one method with one setting on one kind of labels, one per seed.

    Attributes:
        name: the method, and what sets it apart from other groups of the same method.
        role: ``baseline`` (noisy labels), ``upper`` (clean labels) or ``method``.
        runs: ascending seeds.
    """

    name: str
    role: Role
    runs: tuple[RunRecord, ...]

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.runs[0].method

    @property
    def labels(self) -> str:
        """``noisy`` or ``clean``."""
        return self.runs[0].labels

    @property
    def noise(self) -> str:
        """The noise in words; empty for clean labels."""
        return self.runs[0].noise

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self.runs[0].dataset

    @property
    def title(self) -> str:
        """The group in words, as in "baseline, noisy labels" or "upper bound, clean labels"."""
        name = f"upper bound ({self.name})" if self.role == "upper" else self.name
        name = "upper bound" if name == "upper bound (baseline)" else name
        return f"{name}, {self.labels} labels"

    def summaries(self, rule: str) -> list[Summary]:
        """Summary of every run that was evaluated."""
        return [summarise(run.scores, rule) for run in self.runs if run.scores]

    def mean(self, metric: str, rule: str) -> Spread:
        """Mean over structures of a metric, spread over the runs."""
        return Spread.of(s.mean.get(metric) for s in self.summaries(rule))


def group_runs(runs: Iterable[RunRecord]) -> list[Group]:
    """Group runs by dataset, method, labels, noise, network, parameters and length of training.

    Returns:
        Groups by dataset and noise; in each the baseline first, then the methods, then the upper bound (of
        the whole dataset, since clean labels know no noise) last.
    """
    found: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in runs:
        found.setdefault(_key(run), []).append(run)
    groups = [
        Group(members[0].method, _role(members[0]), tuple(sorted(members, key=lambda r: r.seed)))
        for members in found.values()
    ]
    groups = [replace(g, name=_name(g, groups)) for g in groups]
    return sorted(groups, key=lambda g: (g.dataset, g.role == "upper", g.noise, _ORDER[g.role], g.name))


def noises(groups: Iterable[Group]) -> list[str]:
    """The different noises among groups; what is the same for all need not be said in every row."""
    return list(dict.fromkeys(g.noise for g in groups if g.noise))


def share_of_gap(group: Group, groups: Sequence[Group], metric: str, rule: str) -> float | None:
    """How much of the gap between noisy baseline and upper bound a method closes, from means over seeds.

    Returns:
        0 at the baseline, 1 at the upper bound; None where the two are not there exactly once, or there is no
        gap.
    """
    same = [g for g in groups if g.dataset == group.dataset]
    noisy = [g for g in same if g.role == "baseline" and g.noise == group.noise]
    upper = [g for g in same if g.role == "upper"]
    if group.role != "method" or len(noisy) != 1 or len(upper) != 1:
        return None
    means = [g.mean(metric, rule).mean for g in (group, noisy[0], upper[0])]
    one, low, high = means
    return None if one is None or low is None or high is None else gap_closed(one, low, high)


def _role(run: RunRecord) -> Role:
    if run.labels == "clean":
        return "upper"
    return "baseline" if run.method == "baseline" else "method"


def _settings(run: RunRecord) -> dict[str, str]:
    """What a group has in common beside method, labels and noise, as text by name."""
    params = run.info.get("params") or {}
    settings = {**params, **{k: run.info.get(k) for k in ("net", "epochs")}}
    settings["select"] = run.info.get("select") or "last"
    return {k: v if isinstance(v, str) else json.dumps(v, sort_keys=True) for k, v in settings.items()}


def _key(run: RunRecord) -> tuple[str, ...]:
    return (run.dataset, run.method, run.labels, run.noise, json.dumps(_settings(run), sort_keys=True))


def _name(group: Group, groups: Sequence[Group]) -> str:
    """The method and those settings that not all of its groups on the same labels share."""
    run = group.runs[0]
    rivals = [g.runs[0] for g in groups if _key(g.runs[0])[:4] == _key(run)[:4]]
    counts = Counter(item for rival in rivals for item in _settings(rival).items())
    own = [f"{k} {v}" for k, v in _settings(run).items() if counts[k, v] < len(rivals)]
    name = f"{run.method} ({', '.join(own)})" if own else run.method
    return f"{name} {MARK}" if _settings(run)["select"] == "best-test" else name
