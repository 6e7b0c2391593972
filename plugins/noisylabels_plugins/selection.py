"""Which weights a run keeps, and what its validations look at."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.store.dataset import Dataset

if TYPE_CHECKING:
    from noisylabels_plugins.run import Run

LAST, TEST = "last", "best-test"
FIELDS = {"best-val": "val", "best-noisy-val": "noisy_val", "best-test": "test"}
"""Rule -> the field of a line of the log that it goes by."""
TRACKED = 16
"""Training cases that are looked at when the memory of the noise is followed."""


def check(rule: str, dataset: Dataset) -> None:
    """Refuse a rule that this dataset has no cases or labels for.

    Raises:
        UsageError: there are no validation cases, no noisy labels of them, or no test cases.
    """
    part = "test" if rule == TEST else "val"
    if rule == LAST:
        return
    ids = dataset.ids(part)
    if not ids:
        raise UsageError(
            f"--select {rule} needs {part} cases, and the split of {dataset.clean.path} has none."
        )
    if rule == "best-noisy-val" and not (dataset.noisy and set(ids) <= set(dataset.entries)):
        raise UsageError(
            f"{dataset.path} has no noisy labels of its validation cases; make them with "
            "noisylabels corrupt --split-parts train,val, or use --select best-val."
        )


class Selection:
    """The best weights so far, by the rule of a run.

    Args:
        rule: a name of ``FIELDS``, or last.

    Attributes:
        best: epoch, score and weights of the best validated epoch; empty before the first, and for the rule last.
    """

    def __init__(self, rule: str) -> None:
        self.rule = rule
        self.best: dict[str, Any] = {}

    def see(self, line: dict[str, Any], weights: dict[str, Tensor]) -> None:
        """Look at a validated epoch; an equal score does not replace an earlier one."""
        if self.rule == LAST:
            return
        score = line[FIELDS[self.rule]]["mean_dice"]
        if not self.best or score > self.best["score"]:
            kept = {name: value.detach().cpu().clone() for name, value in weights.items()}
            self.best = {"epoch": line["epoch"], "step": line["step"], "score": score, "weights": kept}
        line["best_epoch"] = self.best["epoch"]


def looks(run: "Run") -> dict[str, Any]:
    """Everything that a validation of this run measures, by field of the log; fields without cases are left out."""
    from noisylabels_plugins.predict import score_part, score_training, validate

    found: dict[str, Any] = {"val": validate(run)}
    rule = run.spec.select
    if rule == "best-noisy-val":
        found["noisy_val"] = score_part(run, run.dataset.ids("val"), run.dataset)
    if rule == TEST:
        found["test"] = score_part(run, run.dataset.ids("test"), run.dataset.clean)
    if run.spec.track_train:
        found |= score_training(run, tracked(run.data.ids, run.spec.seed))
    return {name: value for name, value in found.items() if value is not None}


def tracked(ids: Sequence[str], seed: int) -> list[str]:
    """The same few training cases at every validation."""
    drawn = Draws(seed, "track").permutation(len(ids))[:TRACKED]
    return sorted(ids[index] for index in drawn)


def weights_of(modules: dict[str, torch.nn.Module]) -> dict[str, Tensor]:
    """Every weight and buffer by ``module/name``."""
    return {
        f"{name}/{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
