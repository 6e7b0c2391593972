"""The section about the noise: what was asked for, what came out."""

from collections.abc import Sequence
from math import floor

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case
from noisylabels.catalogue import MODES
from noisylabels.metrics.noise import DEFINITIONS, PooledNoise
from noisylabels.recipe import OneOf, Recipe, Step
from noisylabels.reports.figures import histogram, interval
from noisylabels.reports.html_pieces import escape, matrix, notes, percent, section
from noisylabels.steps import NOTHING
from noisylabels.store.dataset import Dataset

PAIRS = ("different", "same")


def noise_section(noisy: Dataset, noise: PooledNoise) -> str:
    """Matrices, Dice to the clean labels, displacement and vanished objects of a noisy dataset."""
    asked = requested_transition(noisy.recipe, noise.classes) if noisy.recipe else None
    parts = [matrix("Requested", asked, noise.classes)] if asked else []
    parts.append(matrix("Measured" if asked else "Transition matrix", noise.transition, noise.classes))
    parts += [_dice(noisy, noise), _displacement(noise), _pairs(noise)]
    about = (
        f"<p>{percent(noise.wrong_share)} of {noise.pixels:,} pixels carry a wrong class, in "
        f"{noise.touched_cases} of {noise.cases} cases.</p>"
        "<p>Everything here was measured on the label maps, not taken from the request.</p>"
    )
    keys = ("transition", "affinity", "affinity_expected", "dice", "displacement", "vanished")
    grid = " × ".join(map(str, noise.grid))
    small = [DEFINITIONS[k].replace("on a grid", f"on a grid of {grid}") for k in keys]
    return section(
        "Measured noise",
        about,
        f'<div class="grid">{"".join(parts)}</div>',
        notes(small),
    )


def requested_transition(recipe: Recipe, classes: Sequence[str]) -> list[list[float]] | None:
    """The matrix that a recipe asks for, where its modes have one.

    A mode that flips classes offers ``requested_transition(case, params) -> (K, K)``; cases that the
    fraction leaves alone count as unflipped, several steps multiply, choices per case are weighted means.

    Args:
        recipe: what was asked for.
        classes: K names.

    Returns:
        K rows that sum to 1; None when a step has no matrix or its mode is not installed, or when the recipe
        asks for a number of cases, for single objects or classes, or for a measured target.
    """
    chosen = recipe.selection
    if chosen.text not in ("", f"fraction {chosen.fraction:g}") or recipe.target:
        return None
    case = Case(case_id="any", labels=np.zeros((1, 1), np.uint8), classes=tuple(classes))
    total = np.eye(len(classes))
    for step in recipe.steps:
        one = _requested(step, case)
        if one is None:
            return None
        total = (total[:, :, None] * one[None, :, :]).sum(axis=1)
    mixed = (1 - chosen.fraction) * np.eye(len(classes)) + chosen.fraction * total
    return [[float(v) for v in row] for row in mixed]


def _requested(step: Step | OneOf, case: Case) -> NDArray[np.float64] | None:
    """The matrix of one step, or the weighted mean of its options."""
    if isinstance(step, OneOf):
        found = [_requested(option.step, case) for option in step.options]
        if step.per != "case":
            return None
        total = sum(step.weights)
        mean = np.zeros((case.num_classes, case.num_classes))
        for weight, one in zip(step.weights, found, strict=True):
            if one is None:
                return None
            mean += weight / total * one
        return mean
    if step.mode == NOTHING:
        return np.eye(case.num_classes)
    if step.mode.replace("_", "-") not in MODES.names():
        return None
    module = MODES.load(step.mode)
    written = getattr(module, "requested_transition", None)
    return None if written is None else np.asarray(written(case, step.params_for(module)), dtype=np.float64)


def _dice(noisy: Dataset, noise: PooledNoise) -> str:
    """Histogram of the Dice to the clean labels over the cases that were to be touched."""
    rows = [e.measured for e in noisy.entries.values() if e.measured.get("mean_dice")]
    chosen = [float(row["mean_dice"]) for row in rows if row.get("chosen") != "no"]
    low = min(0.9, floor(min(chosen, default=1.0) * 10) / 10)
    alt = f"Histogram of the mean Dice to the clean labels over {len(chosen)} cases"
    chart = histogram(chosen, low, 1.0, "mean Dice to the clean labels", alt)
    rest = noise.cases - len(chosen)
    left = f"; {rest} more were left alone on purpose" if rest else ""
    caption = f"{len(chosen)} cases{left}. Mean over all {noise.cases}: {noise.dice:.3f}."
    if not chart:
        return ""
    title = "<h3>Dice to the clean labels, by case</h3>"
    return f"<figure>{title}{chart}<figcaption>{caption}</figcaption></figure>"


def _pairs(noise: PooledNoise) -> str:
    """The affinity matrix beside the one to expect of pixels that flip independently."""
    off = abs(noise.affinity[1][1] - noise.affinity_expected[1][1])
    tables = matrix("Measured", noise.affinity, PAIRS) + matrix(
        "If pixels flipped alone", noise.affinity_expected, PAIRS
    )
    return (
        f'<figure><h3>Pixel pairs</h3><div class="side">{tables}</div><figcaption>'
        f"{percent(noise.affinity_noise)} of all pairs changed. The two differ by {off:.3f} in same → same; "
        "they would agree if every pixel had flipped by itself.</figcaption></figure>"
    )


def _displacement(noise: PooledNoise) -> str:
    """Mean and deviation of the boundary displacement of every class, and what vanished."""
    found = [c for c in range(1, len(noise.classes)) if noise.displacement_count[c] or noise.objects[c]]
    reach = max([abs(noise.displacement_mean[c]) + noise.displacement_sd[c] for c in found], default=0) * 1.05
    if not found:
        return ""
    unit = noise.unit
    rows = []
    for c in found:
        mean, sd = noise.displacement_mean[c], noise.displacement_sd[c]
        alt = f"{noise.classes[c]}: mean {mean:+.2f} {unit}, standard deviation {sd:.2f} {unit}"
        gone = f"{noise.vanished[c]} of {noise.objects[c]} objects vanished"
        rows.append(
            f'<div class="row"><div class="who">{escape(noise.classes[c])}<small>{gone}</small></div>'
            f"{interval(mean, sd, reach or 1.0, alt)}"
            f'<div class="value"><b>{_signed(mean)} {unit}</b><small>± {sd:.2f}</small></div></div>'
        )
    return (
        f'<figure><h3>Displacement of the boundary</h3><div class="plot narrow">{"".join(rows)}</div>'
        "<figcaption>Left of the dashed line: inwards; right: outwards. The bar is one standard deviation "
        "to either side.</figcaption></figure>"
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
