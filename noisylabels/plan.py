"""What a recipe will do to a dataset, before anything is done."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.recipe import Recipe
from noisylabels.selection import choose_classes
from noisylabels.steps import every_step
from noisylabels.store.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Plan:
    """The cases of a noisy dataset to be, and what happens to each.

    Attributes:
        recipe: what to do, with numbers for class names.
        dataset: name of the clean dataset, part of every draw's address.
        ids: the cases whose labels are made, sorted.
        chosen: the touched ones among them, sorted, with the foreground classes that are touched; None for all
            of them.
        addresses: under what name every case draws; cases with the same name draw the same.
        needs: what the steps look at beside the labels: "image", "readers", "scores".
    """

    recipe: Recipe
    dataset: str
    ids: tuple[str, ...]
    chosen: Mapping[str, tuple[int, ...] | None]
    addresses: Mapping[str, str]
    needs: frozenset[str]


def plan(clean: Dataset, recipe: Recipe) -> Plan:
    """Say what a recipe will do to a dataset; everything that can be refused before any work is refused here.

    Args:
        clean: the parent.
        recipe: what to do.

    Returns:
        The plan; the same for the same arguments.

    Raises:
        UsageError: ``clean`` is itself noisy, a mode, parameter or class is not known, more cases are asked for
            than there are, or a target cannot be measured or aimed at.
        Mismatch: the recipe means another version of a mode.
        InvalidData: the split has no case, or some cases have a spacing and others have none.
    """
    recipe = recipe.for_classes(clean.info.classes)
    ids = _ids(clean, recipe)
    needs: set[str] = set()
    strengths = []
    for step in every_step(recipe.steps):
        module = MODES.load(step.mode)
        step.params_for(module)
        needs |= getattr(module, "NEEDS", frozenset())
        strengths.append(hasattr(module, "scaled"))
    if recipe.target is not None and not any(strengths):
        modes = ", ".join(sorted({step.mode for step in every_step(recipe.steps)})) or "none"
        raise UsageError(
            f"A target needs a mode with a strength to vary, and there is none in the recipe's modes ({modes})."
        )
    if recipe.target is not None and recipe.target.metric == "shift_mm":
        bare = [case_id for case_id in ids if clean.entries[case_id].spacing is None]
        if bare:
            raise UsageError(f"Case {bare[0]} has no spacing, so aim at shift_px instead of shift_mm.")
    groups = {case_id: clean.entries[case_id].group or case_id for case_id in ids}
    chosen = choose_classes(groups, len(clean.info.classes), recipe.selection, recipe.seed, clean.info.name)
    return Plan(recipe, clean.info.name, tuple(ids), chosen, _addresses(clean, recipe, ids), frozenset(needs))


def _ids(clean: Dataset, recipe: Recipe) -> list[str]:
    """The cases whose labels are to be made."""
    if clean.noisy:
        raise UsageError(
            f"{clean.path} is already noisy; add a step to its recipe instead, and start from the clean one."
        )
    ids = sorted({case_id for part in recipe.splits for case_id in clean.ids(part)})
    if not ids:
        raise InvalidData(f"{clean.path} has no case in the split part {', '.join(recipe.splits)}.")
    if len({clean.entries[case_id].spacing is None for case_id in ids}) > 1:
        raise InvalidData(
            f"{clean.path} has cases with a spacing and cases without; their noise has no common unit, so "
            "prepare them as two datasets."
        )
    return ids


def _addresses(clean: Dataset, recipe: Recipe, ids: Sequence[str]) -> dict[str, str]:
    """Under what name every case draws; runs are counted over all cases of a group, whatever their split."""
    group_of = {case_id: entry.group or case_id for case_id, entry in clean.entries.items()}
    if recipe.share == "case":
        return {case_id: case_id for case_id in ids}
    if recipe.share == "group":
        return {case_id: group_of[case_id] for case_id in ids}
    groups: dict[str, list[str]] = {}
    for case_id, group in group_of.items():
        groups.setdefault(group, []).append(case_id)
    wanted = set(ids)
    names = {}
    for group in sorted({group_of[case_id] for case_id in ids}):
        draws = Draws(recipe.seed, "segments", clean.info.name, group)
        for case_id, number in segments(groups[group], recipe.segment, draws).items():
            if case_id in wanted:
                names[case_id] = f"{group}/{number}"
    return {case_id: names[case_id] for case_id in ids}


def segments(ids: Sequence[str], length: tuple[int, int], draws: Draws) -> dict[str, int]:
    """Cut the cases of a group into runs of neighbours.

    Args:
        ids: the cases; numbers in them are sorted as numbers, so that frame 10 comes after frame 9.
        length: shortest and longest run; the last one is cut where the cases end.
        draws: of the group; one number is drawn for every case.

    Returns:
        Number of its run, from 0 on, for every case.
    """
    ordered = sorted(ids, key=_natural)
    ends = np.cumsum(draws.integers(len(ordered), *length))
    runs = np.searchsorted(ends, np.arange(len(ordered)), side="right")
    return {case_id: int(run) for case_id, run in zip(ordered, runs, strict=True)}


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    parts = re.findall(r"\d+|\D+", name)
    return [(int(p), "") if p.isdigit() else (-1, p) for p in parts], name
