"""A recipe on one case."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from noisylabels import hiding
from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels.metrics.aims import gauge
from noisylabels.recipe import OneOf, Recipe, Step
from noisylabels.steps import NOTHING
from noisylabels.targets import Solved, Target, solve


@dataclass(frozen=True, slots=True)
class Made:
    """The labels that a recipe made.

    Attributes:
        labels: uint8, the shape of the clean ones.
        solved: what was aimed at, what was reached and the factor of the strengths; None without a target.
    """

    labels: LabelMap
    solved: Solved[LabelMap] | None = None


def corrupted(
    case: Case,
    recipe: Recipe,
    dataset: str,
    address: str | None = None,
    classes: tuple[int, ...] | None = None,
    annotator: int | None = None,
) -> Made:
    """The labels of one case after every step of the recipe.

    Args:
        case: with clean labels, and with the image or the readers where a mode needs them.
        recipe: what to do; which cases it touches is not looked at.
        dataset: name of the dataset, part of the draws' address.
        address: under what name the case draws; its own for None.
        classes: the foreground classes that are touched; None for all.
        annotator: number of the annotator whose labels are wanted, from 0 on; None for a single label map.

    Raises:
        NoisyLabelsError: a mode broke its contract (other shape, an undeclared class, a changed IGNORE
            pixel).
    """

    def draws(purpose: str, *names: str) -> Draws:
        stream = Draws(recipe.seed, purpose, dataset, *names, address or case.case_id)
        return stream if annotator is None else stream.reader(annotator)

    share = recipe.selection.objects
    hidden, all_hidden = hiding.untouched(case.labels, case.num_classes, classes, share, draws("objects"))
    if all_hidden:
        return Made(case.labels)
    shown = case if hidden is None else case.with_labels(hiding.show(case.labels, hidden))
    steps = [_bound(step, str(number)) for number, step in enumerate(recipe.steps)]

    def make(factor: float | None) -> LabelMap:
        labels = _run(shown, steps, factor, draws)
        return labels if hidden is None else np.where(hidden, case.labels, labels)

    if recipe.target is None:
        return Made(make(None))
    solved = _solved(case, recipe.target, steps, make, draws("target"))
    return Made(solved.result, solved)


@dataclass(frozen=True, slots=True)
class _Bound:
    """A step with its module.

    Attributes:
        number: part of the address of its draws: "0", "1", ...; "1.0", "1.1", ... for options of a choice.
        mode: its name.
        module: the corruption; None for the option that does nothing.
        params: as the module's ``Params``.
    """

    number: str
    mode: str
    module: ModuleType | None
    params: Any

    def at(self, factor: float | None) -> Any:
        """The parameters with the strength multiplied; as they are where the mode has none."""
        scaled: Callable[[Any, float], Any] | None = getattr(self.module, "scaled", None)
        return self.params if factor is None or scaled is None else scaled(self.params, factor)


@dataclass(frozen=True, slots=True)
class _BoundChoice:
    number: str
    step: OneOf
    options: tuple[_Bound, ...]


def _bound(step: Step | OneOf, number: str) -> "_Bound | _BoundChoice":
    if isinstance(step, OneOf):
        options = [_load(option.step, f"{number}.{k}") for k, option in enumerate(step.options)]
        return _BoundChoice(number, step, tuple(options))
    return _load(step, number)


def _load(step: Step, number: str) -> _Bound:
    if step.mode == NOTHING:
        return _Bound(number, NOTHING, None, None)
    module = MODES.load(step.mode)
    return _Bound(number, step.mode, module, step.params_for(module))


def _run(
    case: Case, steps: list[_Bound | _BoundChoice], factor: float | None, draws: Callable[..., Draws]
) -> LabelMap:
    for step in steps:
        if isinstance(step, _BoundChoice):
            case = case.with_labels(_chosen(case, step, factor, draws))
        else:
            case = case.with_labels(_one(case, step, factor, draws))
    return case.labels


def _one(case: Case, step: _Bound, factor: float | None, draws: Callable[..., Draws]) -> LabelMap:
    if step.module is None:
        return case.labels
    labels: LabelMap = step.module.corrupt(case, step.at(factor), draws("corrupt", step.number))
    _check(case, labels, step.mode)
    return labels


def _chosen(case: Case, choice: _BoundChoice, factor: float | None, draws: Callable[..., Draws]) -> LabelMap:
    stream, weights = draws("one of", choice.number), choice.step.weights
    if choice.step.per == "case":
        return _one(case, choice.options[int(stream.choice((), weights))], factor, draws)
    owner = hiding.owners(case.labels, case.num_classes, choice.step.per, weights, stream)
    results = {}
    for number in np.flatnonzero(np.bincount(owner.ravel())).tolist():
        option = choice.options[number - 1]
        if number and option.module is not None:
            others = (owner > 0) & (owner != number)
            shown = case.with_labels(hiding.show(case.labels, others))
            results[number] = _one(shown, option, factor, draws)
    return hiding.joined(case.labels, results, owner)


def _solved(
    case: Case,
    target: Target,
    steps: list[_Bound | _BoundChoice],
    make: Callable[[float], LabelMap],
    draws: Draws,
) -> Solved[LabelMap]:
    """The strength, in multiples of the recipe's, whose labels measure nearest to the case's own aim."""
    if target.metric == "shift_mm" and case.spacing is None:
        raise UsageError(f"Case {case.case_id} has no spacing, so aim at shift_px instead of shift_mm.")
    ones = [one for step in steps for one in (step.options if isinstance(step, _BoundChoice) else [step])]
    low, high = target.value
    return solve(
        target,
        float(draws.uniform((), low, high)),
        lambda factor: tuple(one.at(factor) for one in ones),
        make,
        gauge(target.metric, case.labels, case.num_classes, case.spacing),
    )


def _check(case: Case, labels: LabelMap, mode: str) -> None:
    before = case.labels
    broken = ""
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8 or labels.shape != before.shape:
        broken = "gave something else than a label map of the same shape and type"
    elif not np.array_equal(labels == IGNORE, before == IGNORE):
        broken = "changed pixels that have no label, or made some"
    elif (labels[labels != IGNORE] >= case.num_classes).any():
        broken = "used a class that is not declared"
    if broken:
        raise NoisyLabelsError(f"The mode '{mode}' broke its contract on case {case.case_id}: it {broken}.")
