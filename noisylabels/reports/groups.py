"""Runs that differ in nothing but the seed, put together."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from noisylabels.errors import UsageError
from noisylabels.scoring import Spread, Summary, gap_closed, summarise
from noisylabels.store.runs import RunRecord

MARK = "†"
"""Behind the name of a method whose weights were selected on the test cases."""
WARNED = f"{MARK} Weights selected by their score on the test cases: too good to be compared."
"""What stands below a table in which a name has the mark."""
PART = "‡"
"""Behind the name of a group with a run that was scored before its training had ended."""
PARTLY = f"{PART} Scored before training had ended."
_MARKS = (MARK, PART)
Role = Literal["baseline", "method", "upper"]
_ORDER: dict[str, int] = {"baseline": 0, "method": 1, "upper": 2}
_TABLES = (("params", ""), ("net_params", "net-"), ("loss_params", "loss-"))
_APART = (
    "net", "epochs", "batch_size", "accumulate", "schedule", "augment", "trusted", "clip_norm", "sync_batchnorm"
)  # fmt: skip
"""Settings beside those tables that change what is learned; others change only speed, or what is written down."""
_ORDINARY_LOSS = "ce"


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
    def data(self) -> str:
        """Which images and clean labels, by their digest; empty where the runs do not say."""
        return _settings(self.runs[0]).get("data", "")

    @property
    def title(self) -> str:
        """The group in words, as in "baseline, noisy labels" or "upper bound, clean labels"."""
        return f"{self.who}, {self.labels} labels"

    @property
    def who(self) -> str:
        """The title without the labels."""
        if self.role != "upper":
            return self.name
        words = self.name.split()
        name, marks = (" ".join(w for w in words if (w in _MARKS) == is_mark) for is_mark in (False, True))
        plain = name.lower() in ("baseline", "upper bound")
        return f"upper bound{'' if plain else f' ({name})'} {marks}".rstrip()

    @property
    def seeds(self) -> set[int]:
        """Seeds of the runs that were evaluated."""
        return {run.seed for run in self.runs if run.scores}

    def summaries(self, rule: str, seeds: Collection[int] | None = None) -> list[Summary]:
        """Summary of every run that was evaluated; of those with some seeds, if any are named."""
        runs = [run for run in self.runs if run.scores and (seeds is None or run.seed in seeds)]
        return [summarise(run.scores, rule) for run in runs]

    def mean(self, metric: str, rule: str, seeds: Collection[int] | None = None) -> Spread:
        """Mean over structures of a metric, spread over the runs; over those with some seeds, if any are named."""
        return Spread.of(s.mean.get(metric) for s in self.summaries(rule, seeds))


def group_runs(runs: Iterable[RunRecord]) -> list[Group]:
    """Group runs by dataset, labels, noise, method, network, loss, and every setting that changes what is learned.

    Returns:
        Groups by dataset and noise; in each the baseline first, then the methods, then the upper bound (of
        the whole dataset, since clean labels know no noise) last.

    Raises:
        UsageError: two runs that differ in nothing have the same seed.
    """
    found: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in runs:
        found.setdefault(_key(run), []).append(run)
    found = {key: _one_per_seed(members) for key, members in found.items()}
    firsts = [members[0] for members in found.values()]
    groups = [
        Group(first.method, _role(first, firsts), tuple(sorted(members, key=lambda r: r.seed)))
        for first, members in zip(firsts, found.values(), strict=True)
    ]
    groups = [replace(g, name=_name(g, groups)) for g in groups]
    return sorted(groups, key=lambda g: (g.dataset, g.role == "upper", g.noise, _ORDER[g.role], g.name))


def warnings(groups: Iterable[Group]) -> list[str]:
    """What is to be said of the marks behind the names of groups."""
    marks = {mark for group in groups for mark in group.name.split()}
    return [text for mark, text in ((MARK, WARNED), (PART, PARTLY)) if mark in marks]


def _one_per_seed(members: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs of a row. An upper bound that was trained anew for another noise is the same, and counts once."""
    seen: dict[int, RunRecord] = {}
    for run in members:
        other = seen.setdefault(run.seed, run)
        if other is run:
            continue
        if run.path == other.path or run.labels != "clean" or list(run.scores) != list(other.scores):
            raise UsageError(
                f"{other.path} and {run.path} would share a row, and both have seed {run.seed}; leave one of them out."
            )
    return list(seen.values())


def noises(groups: Iterable[Group]) -> list[str]:
    """The different noises among groups; what is the same for all need not be said in every row."""
    return list(dict.fromkeys(g.noise for g in groups if g.noise))


def share_of_gap(group: Group, groups: Sequence[Group], metric: str, rule: str) -> float | None:
    """How much of the gap between noisy baseline and upper bound a method closes, from means over the same seeds.

    Returns:
        0 at the baseline, 1 at the upper bound; None where the two are not there exactly once, the three have no
        seed in common, or there is no gap.
    """
    same = [g for g in groups if (g.dataset, g.data) == (group.dataset, group.data)]
    noisy = [g for g in same if g.role == "baseline" and g.noise == group.noise]
    upper = [g for g in same if g.role == "upper"]
    if group.role != "method" or len(noisy) != 1 or len(upper) != 1:
        return None
    three = (group, noisy[0], upper[0])
    seeds = set.intersection(*(g.seeds for g in three))
    one, low, high = (g.mean(metric, rule, seeds).mean for g in three)
    return None if one is None or low is None or high is None else gap_closed(one, low, high)


def _role(run: RunRecord, others: Iterable[RunRecord]) -> Role:
    """Beside a baseline with the ordinary loss, one with another loss is a method like any other."""
    if run.labels == "clean":
        return "upper"
    if run.method != "baseline":
        return "method"
    rivals = [o for o in others if (o.dataset, o.method, o.noise) == (run.dataset, run.method, run.noise)]
    ordinary = [_loss(o) == _ORDINARY_LOSS for o in (run, *rivals) if o.labels == "noisy"]
    return "baseline" if ordinary[0] or not any(ordinary) else "method"


def _loss(run: RunRecord) -> str:
    return str(run.info.get("loss") or _ORDINARY_LOSS)


def _settings(run: RunRecord) -> dict[str, str]:
    """What a group has in common beside method, labels and noise, as text by the name of its flag."""
    info = run.info
    found = {f"{start}{k}": v for table, start in _TABLES for k, v in (info.get(table) or {}).items()}
    found |= {name: value for name, value in _facts(info).items() if value not in (None, "")}
    if sources := info.get("encoder_source"):  # by content; the same file may lie anywhere
        found |= {"net-encoder_weights": sorted(set(sources.values()))}
    texts = {name.replace("_", "-"): _text(value) for name, value in found.items()}
    return {**texts, "loss": _loss(run), "select": info.get("select") or "last"}


def _facts(info: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are no parameters, and what the run found: the shape of its cases, precision, processes."""
    place, sees = info.get("environment") or {}, info.get("sees") or {}
    found = {name: info.get(name) for name in _APART}
    if (info.get("select") or "last") != "last":  # else validation changes nothing
        found["validate_every"] = info.get("validate_every")
    found["data"] = str(info.get("cases_digest") or "")[:8]
    shape = "x".join(str(n) for n in sees.get("shape") or ())
    return {**found, "shape": shape, "precision": place.get("precision"), "processes": place.get("processes")}


def _text(value: Any) -> str:
    """A value as its flag takes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _key(run: RunRecord) -> tuple[str, ...]:
    return (
        run.dataset,
        run.method,
        run.labels,
        run.noise,
        run.row,
        json.dumps(_settings(run), sort_keys=True),
    )


def _name(group: Group, groups: Sequence[Group]) -> str:
    """The name of its row, else the method and those settings that not all of its groups on the same labels share."""
    run = group.runs[0]
    rivals = [g.runs[0] for g in groups if _key(g.runs[0])[:4] == _key(run)[:4]]
    counts = Counter(item for rival in rivals for item in _settings(rival).items())
    several = {g.data for g in groups if g.dataset == group.dataset} != {group.data}
    own = [
        f"{k} {v}"
        for k, v in _settings(run).items()
        if counts[k, v] < len(rivals) or (k == "data" and several)
    ]
    name = run.row or (f"{run.method} ({', '.join(own)})" if own else run.method)
    marks = [MARK] if _settings(run)["select"] == "best-test" else []
    marks += [] if all(one.finished for one in group.runs if one.scores) else [PART]
    return " ".join([name, *marks])
