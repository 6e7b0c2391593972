"""A recipe on one case, and which cases it touches."""

from collections.abc import Iterable

import numpy as np

from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.errors import NoisyLabelsError
from noisylabels.recipe import Recipe


def choose(ids: Iterable[str], recipe: Recipe, dataset: str) -> list[str]:
    """The cases that a recipe touches: ``round(fraction * n)`` of n, those with the smallest draws.

    Every case has its own draw, so the choice at 25 % lies inside the choice at 50 %. Half cases are rounded
    to even.
    """

    def rank(case_id: str) -> tuple[int, str]:
        return int(Draws(recipe.seed, "choose", dataset, case_id).words(1)[0]), case_id

    ranked = sorted(ids, key=rank)
    return ranked[: round(recipe.fraction * len(ranked))]


def corrupted(case: Case, recipe: Recipe, dataset: str) -> LabelMap:
    """The labels of one case after every step of the recipe.

    Args:
        case: with clean labels.
        recipe: what to do; its fraction is not looked at.
        dataset: name of the dataset, part of the draws' address.

    Raises:
        NoisyLabelsError: a mode broke its contract (other shape, an undeclared class, a changed IGNORE
            pixel).
    """
    for number, step in enumerate(recipe.steps):
        module = MODES.load(step.mode)
        draws = Draws(recipe.seed, "corrupt", dataset, str(number), case.case_id)
        labels = module.corrupt(case, step.params_for(module), draws)
        _check(case, labels, step.mode)
        case = case.with_labels(labels)
    return case.labels


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
