"""A measured result that is asked for, and the strength that gives it.

One factor multiplies the strength of every step, with all draws held fixed. It is doubled from 1 on until the
target is passed, and then halved in::

    factor      0     1     2     4        3      3.5    3.25
    wrong       0    .02   .05   .14      .08    .11    .096      target .1
                      |---- doubled ----|  |----- halved -----|

The nearest of all results that came up is taken, whether or not the last one was it.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import inf
from typing import Generic, Literal, TypeAlias, TypeVar, get_args

from noisylabels.errors import UsageError, unknown

Metric: TypeAlias = Literal["dice", "jaccard", "wrong_pixels", "wrong_foreground", "shift_px", "shift_mm"]

SHARES = ("dice", "jaccard", "wrong_pixels")
"""The metrics that lie between 0 and 1."""

HIGHEST = 64.0
"""No strength is multiplied by more."""

HALVINGS = 12
"""So often the interval is halved after it is closed on both sides, and so often before."""

IDLE = 3
"""So many doublings that change nothing end the search: the strength is at its limit."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Target:
    """What the labels of every touched case should measure.

    Attributes:
        metric: dice or jaccard (mean over the foreground classes), wrong_pixels (share of all pixels),
            wrong_foreground (wrong pixels over clean foreground pixels), shift_px or shift_mm (mean absolute
            displacement of the boundaries).
        value: range from which every case draws its own aim; equal ends for one number.
        tolerance: a result this near to the aim is taken at once and counts as reached.

    Raises:
        UsageError: the metric is not known or a number is outside its range.
    """

    metric: Metric
    value: tuple[float, float]
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        if self.metric not in get_args(Metric):
            raise unknown("metric of a target:", str(self.metric), get_args(Metric))
        low, high = map(float, self.value)
        object.__setattr__(self, "value", (low, high))
        limit = 1.0 if self.metric in SHARES else float("inf")
        if not 0 <= low <= high <= limit or high == float("inf"):
            end = "to 1" if limit == 1 else "on"
            raise UsageError(
                f"A target of {self.metric} is a number or a rising range from 0 {end}, not {low:g}:{high:g}."
            )
        if not 0 <= self.tolerance < float("inf"):
            raise UsageError(f"The tolerance of a target is a number from 0 on, not {self.tolerance}.")

    @property
    def text(self) -> str:
        """In a few words, as in "wrong pixels 0.1:0.2"."""
        low, high = self.value
        return f"{self.metric.replace('_', ' ')} {low:g}" + (f":{high:g}" if high > low else "")

    def harm(self, value: float) -> float:
        """A value of the metric as a number that grows with the noise."""
        return -value if self.metric in ("dice", "jaccard") and value != inf else value

    def reached(self, aim: float, value: float) -> bool:
        """Whether a measured value is as near to the aim as the tolerance says."""
        return abs(value - aim) <= self.tolerance


@dataclass(frozen=True, slots=True)
class Solved(Generic[Result]):
    """The nearest result to an aim.

    Attributes:
        result: what the strength gave.
        aim: what was asked for.
        value: what was measured.
        factor: what the strengths were multiplied with.
    """

    result: Result
    aim: float
    value: float
    factor: float


class _Search(Generic[Result]):
    """Trials so far; a setting that was tried before is not tried again."""

    def __init__(
        self,
        target: Target,
        aim: float,
        setting: Callable[[float], Hashable],
        make: Callable[[float], Result],
        gauge: Callable[[Result], float],
    ) -> None:
        self.target, self.aim = target, aim
        self.setting, self.make, self.gauge = setting, make, gauge
        self.seen: dict[Hashable, float] = {}
        self.best: Solved[Result] | None = None

    def value(self, factor: float) -> float:
        """What the factor gives."""
        key = self.setting(factor)
        if key not in self.seen:
            result = self.make(factor)
            value = self.seen[key] = self.gauge(result)
            if self.best is None or abs(value - self.aim) < abs(self.best.value - self.aim):
                self.best = Solved(result, self.aim, value, factor)
        return self.seen[key]

    def passed(self, factor: float) -> bool:
        """Whether the factor gives more noise than is asked for."""
        return self.target.harm(self.value(factor)) > self.target.harm(self.aim)

    @property
    def done(self) -> bool:
        return self.best is not None and self.target.reached(self.aim, self.best.value)


def solve(
    target: Target,
    aim: float,
    setting: Callable[[float], Hashable],
    make: Callable[[float], Result],
    gauge: Callable[[Result], float],
) -> Solved[Result]:
    """Find the factor whose result measures nearest to the aim.

    Args:
        target: gives the metric and the tolerance.
        aim: the wanted value.
        setting: what a factor means; equal settings give equal results, and are tried once.
        make: the result of a factor.
        gauge: measures a result.

    Returns:
        The nearest result of all that were tried; of equally near ones the first.
    """
    search = _Search(target, aim, setting, make, gauge)
    low, high, idle = 0.0, 1.0, 0
    while not (search.passed(high) or search.done or high >= HIGHEST or idle == IDLE):
        low, high = high, 2 * high
        idle = idle + 1 if search.value(high) == search.value(low) else 0
    if search.passed(high):
        halved = 0
        while not search.done and halved < HALVINGS and high > 2.0**-HALVINGS:
            middle = (low + high) / 2
            halved += low > 0
            low, high = (low, middle) if search.passed(middle) else (middle, high)
        if low == 0 and not search.done:
            search.value(0.0)
    assert search.best is not None
    return search.best
