"""Make noisy labels out of clean ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError
from noisylabels_cli import flags
from noisylabels_cli.asked import asked
from noisylabels_cli.embedded import FOLDER, embedded, embedded_for_now
from noisylabels_cli.look import look, same
from noisylabels_cli.say import data, progress, say
from noisylabels_cli.workers import Workers, workers

if TYPE_CHECKING:
    from noisylabels.recipe import Recipe
    from noisylabels.store.dataset import Dataset

what, which = flags.under("What to do: one of three, and the seed"), flags.under("Which cases and objects")
strength, annotators = flags.under("A measured strength"), flags.under("Several label maps, shared draws")
where, before = flags.under("Where, and by whom"), flags.under("A look before")


def _choose(typed: Mapping[str, Any]) -> list[flags.Group]:
    mode = typed.get("mode")
    return [] if mode is None else [flags.Group(f"Flags of the mode {mode}", MODES.load(mode).Params)]


@click.command(cls=flags.FlagCommand, choose=_choose)
@click.argument("dataset", required=False, type=click.Path(path_type=Path))
@what("--mode", metavar="NAME", help="A corruption, with flags of its own; noisylabels modes lists them.")
@what("--preset", metavar="NAME", help="A setting of the literature; noisylabels presets lists them.")
@what(
    "--recipe",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A recipe file, as docs/recipes.md says.",
)
@what("--seed", type=int, metavar="N", help="Another seed gives other noise.  [default: 0, or the recipe's]")
@which(
    "--fraction", type=float, metavar="X", help="Share of the cases that are touched, 0 to 1.  [default: 1]"
)
@which("--count", type=int, metavar="N", help="Instead: how many cases are touched.")
@which("--clean", type=int, metavar="N", help="Instead: how many cases are left clean.")
@which(
    "--by", metavar="case|group", help="Touch cases, or whole groups (patient, sequence).  [default: case]"
)
@which("--per-class/--no-per-class", default=None, help="Choose anew for every class.  [default: no]")
@which(
    "--objects", type=float, metavar="X", help="Share of the objects of a touched case, 0 to 1.  [default: 1]"
)
@which(
    "--rounding",
    metavar="nearest|floor",
    help="Of the fraction times the number of cases.  [default: nearest]",
)
@which("--split-parts", metavar="A,B,...", help="Parts of the split whose labels are made.  [default: train]")
@strength(
    "--target",
    metavar="METRIC=X",
    help="Solve the strength of every case for a measured result: METRIC=VALUE, or METRIC=LOW:HIGH from which "
    "every case draws; dice, jaccard, wrong_pixels, wrong_foreground, shift_px or shift_mm.",
)
@strength(
    "--tolerance", type=float, metavar="X", help="How near to the target is near enough.  [default: 0.01]"
)
@annotators("--annotators", type=int, metavar="N", help="Write N noisy label maps per case, as readers.")
@annotators(
    "--share-draws",
    "share",
    metavar="case|group|segment",
    help="Who has the same draws.  [default: case, each its own]",
)
@where("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: ./DATASET-MODE]")
@where("--jobs", type=click.IntRange(1), metavar="N", help="Processes.  [default: as many as pay]")
@where("--executor", metavar="NAME", help="serial, processes or dask.  [default: processes]")
@where("--scheduler", metavar="ADDRESS", help="Of a dask cluster, as in tcp://host:8786.")
@before(
    "--dry-run", is_flag=True, help="Say what would be done, to which cases, in what time; write nothing."
)
@before(
    "--preview",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Write one picture of N cases and nothing else.",
)
def command(
    dataset: Path | None,
    mode: str | None,
    preset: str | None,
    recipe: Path | None,
    out: Path | None,
    dry_run: bool,
    preview: int | None,
    **given: Any,
) -> None:
    """Make noisy labels out of the clean ones of DATASET.

    Only the labels of the training cases are written, beside a recipe and the measured noise; the images stay
    where they are. Without a DATASET the embedded phantoms serve. Prints the folder that it wrote.

    See the flags of a mode with: noisylabels corrupt --mode ellipse --help
    """
    from noisylabels.store.dataset import Dataset

    if dry_run and preview:
        raise UsageError("Ask for either --dry-run or --preview, not for both.")
    wanted, by = asked(mode, recipe, preset, given), workers(given)
    name = (mode or preset or _name(recipe, wanted)).replace("_", "-")
    out = out or Path(f"{dataset.resolve().name if dataset else FOLDER}-{name}")
    if dry_run or preview:
        with embedded_for_now(dataset) as clean:
            data(look(clean, wanted.for_classes(clean.info.classes), out, preview, by))
        return
    clean = Dataset.open(dataset) if dataset else embedded()
    wanted = wanted.for_classes(clean.info.classes)
    if out.exists() and same(out, wanted, clean):
        say(f"{out} is already there, made by the same recipe from the same dataset.")
    else:
        _write(clean, wanted, out, by)
    data(str(out))


def _name(file: Path | None, recipe: "Recipe") -> str:
    """What the folder of a recipe file is called: after the file, or after the first mode of a ``recipe.toml``."""
    from noisylabels.steps import every_step

    if file is not None and file.stem != "recipe":
        return file.stem
    return next((step.mode for step in every_step(recipe.steps)), "recipe")


def _write(clean: "Dataset", recipe: "Recipe", out: Path, by: Workers) -> None:
    from noisylabels.generate import noisy_dataset

    with progress("corrupting") as advance:
        noisy = noisy_dataset(clean, recipe, out, by.jobs_for(clean), advance, by.executor, by.scheduler)
    measured = noisy.measured or {}
    say(
        f"{measured['cases']} cases: {measured['wrong_share']:.2%} of the pixels are wrong, "
        f"mean Dice to the clean labels {measured['dice']:.3f}; more with: noisylabels inspect {noisy.path}"
    )
    target = measured.get("target")
    if target and target["reached"] < target["aimed"]:
        say(
            f"The target of {target['metric']} was out of reach for {target['aimed'] - target['reached']} of "
            f"{target['aimed']} label maps: they have the nearest that there is; see the columns target and "
            f"reached of {noisy.path / 'cases.csv'}."
        )
