"""Show the whole path on synthetic scenes: corrupt, train, score, report."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noisylabels_cli.extras import need
from noisylabels_cli.say import data, progress, say

if TYPE_CHECKING:
    from noisylabels.store.dataset import Dataset

CASES, SIZE = 256, (64, 80)
"""Phantoms, split 60 / 15 / 25 % into training, validation and test; pixels (Y, X)."""
MODE = "asymmetric"
NOISE: dict[str, Any] = {"rate": 0.45, "unit": "pixel", "background": False}
TRAINING: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 4,
    "net_params": {"width": 12, "depth": 3},
    "validate_every": 5,
}
RUNS = (("baseline", "noisy"), ("jcas", "noisy"), ("baseline", "clean"))


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("noisylabels-demo"),
    show_default=True,
    help="Folder for datasets, runs and report; what is already there is not made again.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of noise and training.")
def command(out: Path, seed: int) -> None:
    """Show the whole path on synthetic scenes, in a few minutes on a CPU.

    Draws phantoms, corrupts their labels, trains the baseline and JCAS on the noisy labels and the baseline on the
    clean ones, scores all three on clean test labels, and writes a report, whose path it prints last.
    """
    need("train", "torch", "safetensors")
    from noisylabels.reports.html import write_report
    from noisylabels.reports.tables import result_table, to_text
    from noisylabels.scoring import RULES
    from noisylabels.store.runs import RunRecord

    noisy = _noisy(out, seed)
    folders = [_run(out, noisy, method, labels, seed) for method, labels in RUNS]
    records = [RunRecord.open(folder) for folder in folders]
    data(to_text(result_table(records)))
    say(RULES["present"])
    title = "JCAS and the noisy baseline on synthetic laparoscopy"
    data(str(write_report(out / "report.html", noisy, records, title, [f"noisylabels demo --seed {seed}"])))


def _noisy(out: Path, seed: int) -> "Dataset":
    """The phantoms and their noisy labels, made if they are not there."""
    from noisylabels.catalogue import MODES
    from noisylabels.generate import noisy_dataset
    from noisylabels.phantoms import phantom_dataset
    from noisylabels.recipe import Recipe, Step
    from noisylabels.store.dataset import Dataset

    phantoms, folder = out / "phantoms", out / f"phantoms-{MODE}-{seed}"
    out.mkdir(parents=True, exist_ok=True)
    if not phantoms.exists():
        with progress("drawing phantoms") as advance:
            phantom_dataset(
                phantoms, CASES, SIZE, progress=lambda done, case_id: advance(done, CASES, case_id)
            )
    if folder.exists():
        return Dataset.open(folder)
    module = MODES.load(MODE)
    recipe = Recipe(seed, (Step.of(MODE, module, module.Params(**NOISE)),))
    with progress("corrupting") as advance:
        noisy = noisy_dataset(Dataset.open(phantoms), recipe, folder, 1, advance)
    say(f"{len(noisy.entries)} training cases corrupted: {recipe.text}.")
    return noisy


def _run(out: Path, noisy: "Dataset", method: str, labels: str, seed: int) -> Path:
    """One trained and evaluated run; what is there of it already is used."""
    from noisylabels.store.runs import SCORES, is_made
    from noisylabels_cli.evaluate import evaluate
    from noisylabels_cli.train import train
    from noisylabels_plugins.run import Run, RunSpec, choose_device

    folder = out / "runs" / f"{method}-{labels}-{seed}"
    if is_made(folder / SCORES):
        say(f"{folder} is already there.")
        return folder
    spec = RunSpec(method=method, data=str(noisy.path), labels=labels, seed=seed, **TRAINING)  # type: ignore[arg-type]
    run = Run(spec, choose_device("auto"))
    stopped = (folder / "state.pt").exists()
    if stopped:
        run.load_state(folder)
    if stopped or not (folder / "model.safetensors").exists():
        train(run, folder)
    evaluate(folder)
    return folder
