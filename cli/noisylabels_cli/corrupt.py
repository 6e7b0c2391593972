"""Make noisy labels out of clean ones."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noisylabels.catalogue import MODES
from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels_cli import flags
from noisylabels_cli.embedded import embedded
from noisylabels_cli.say import data, progress, say

if TYPE_CHECKING:
    from noisylabels.recipe import Recipe
    from noisylabels.store.dataset import Dataset

_WORTH_PROCESSES = 30_000_000
"""Pixels from which on starting processes pays."""


def _choose(typed: Mapping[str, Any]) -> tuple[str, type] | None:
    mode = typed.get("mode")
    return (f"Flags of the mode {mode}", MODES.load(mode).Params) if mode else None


@click.command(cls=flags.FlagCommand, choose=_choose)
@click.argument("dataset", required=False, type=click.Path(path_type=Path))
@click.option("--mode", metavar="NAME", help="Which corruption; noisylabels modes lists them.")
@click.option("--recipe", type=click.Path(path_type=Path), help="A recipe file instead of a mode.")
@click.option("--seed", type=int, help="Another seed gives other noise.  [default: 0]")
@click.option("--fraction", type=float, help="Share of the cases that are touched, 0 to 1.  [default: 1]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: ./DATASET-MODE]")
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: as many as pay]")
def command(
    dataset: Path | None,
    mode: str | None,
    recipe: Path | None,
    seed: int | None,
    fraction: float | None,
    out: Path | None,
    jobs: int | None,
    **given: Any,
) -> None:
    """Make noisy labels out of the clean ones of DATASET.

    Only the labels of the training cases are written, beside a recipe and the measured noise; the images stay
    where they are. Without a DATASET the embedded phantoms serve. Prints the folder that it wrote.

    See the flags of a mode with: noisylabels corrupt --mode ellipse --help
    """
    plan = _recipe(mode, recipe, seed, fraction, given)
    from noisylabels.generate import noisy_dataset
    from noisylabels.store.dataset import Dataset

    clean = Dataset.open(dataset) if dataset else embedded()
    out = out or Path(f"{clean.path.resolve().name}-{mode or plan.steps[0].mode}")
    if out.exists() and _same(out, plan, clean):
        say(f"{out} is already there, made by the same recipe from the same dataset.")
    else:
        with progress("corrupting") as advance:
            noisy = noisy_dataset(clean, plan, out, jobs or _jobs(clean), advance)
        _summarise(noisy)
    data(str(out))


def _recipe(
    mode: str | None, file: Path | None, seed: int | None, fraction: float | None, given: Mapping[str, Any]
) -> "Recipe":
    """What was asked for: a step of ``mode``, or what ``file`` says with the seed and fraction typed."""
    from noisylabels.recipe import Recipe, Step

    if (mode is None) == (file is None):
        raise UsageError(
            "Say what to do with either --mode NAME (noisylabels modes lists them) or --recipe FILE."
        )
    if mode is not None:
        module = MODES.load(mode)
        params = flags.read(module.Params, given, f"mode '{mode}'")
        return Recipe(seed or 0, (Step.of(mode, module, params),), 1.0 if fraction is None else fraction)
    assert file is not None
    try:
        recipe = Recipe.from_toml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The recipe {file} cannot be read ({error}).") from error
    return replace(
        recipe,
        seed=recipe.seed if seed is None else seed,
        fraction=recipe.fraction if fraction is None else fraction,
    )


def _same(out: Path, recipe: "Recipe", clean: "Dataset") -> bool:
    from noisylabels.store.dataset import Dataset

    try:
        there = Dataset.open(out)
        return (
            there.recipe is not None
            and there.recipe.digest == recipe.digest
            and there.document["noisylabels"]["parent"]["digest"] == clean.digest
        )
    except NoisyLabelsError:
        return False


def _jobs(clean: "Dataset") -> int:
    """One process for little work; all cores where starting processes pays."""
    from noisylabels.parallel import usable_cores

    pixels = sum(prod(entry.shape) for entry in clean.entries.values())
    return usable_cores() if pixels >= _WORTH_PROCESSES else 1


def _summarise(noisy: "Dataset") -> None:
    measured = noisy.measured or {}
    say(
        f"{measured['cases']} cases: {measured['wrong_share']:.2%} of the pixels are wrong, "
        f"mean Dice to the clean labels {measured['dice']:.3f}; more with: noisylabels inspect {noisy.path}"
    )
