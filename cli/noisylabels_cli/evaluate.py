"""Predict the test cases of a run and score them against the clean labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noisylabels.errors import UsageError
from noisylabels_cli.extras import need
from noisylabels_cli.say import data, progress, say

if TYPE_CHECKING:
    from noisylabels.store.scores import CaseScore

COUNTS = ("tp", "fp", "fn")
"""Scores that are there to be summed, not to be read."""


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option(
    "--part",
    type=click.Choice(["test", "val"]),
    default="test",
    show_default=True,
    help="Which part of the split.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
def command(runs: Sequence[Path], part: str, device: str) -> None:
    """Predict the test cases of every RUN and score them against the clean labels.

    Writes scores.csv and predictions/ (for the validation cases scores-val.csv and predictions-val/) into the run
    folder and prints Dice, Jaccard and distances.
    """
    need("train", "torch", "safetensors")
    from noisylabels.reports.groups import group_runs
    from noisylabels.reports.tables import result_table, to_text
    from noisylabels.scoring import RULES
    from noisylabels.store.runs import RunRecord

    opened = [RunRecord.open(folder) for folder in runs]
    group_runs(
        replace(record, scores=()) for record in opened
    )  # refuses what cannot share a table, before all work
    scores = [evaluate(folder, part, device) for folder in runs]
    records = [replace(record, scores=found) for record, found in zip(opened, scores, strict=True)]
    metrics = dict.fromkeys(score.metric for found in scores for score in found if score.metric not in COUNTS)
    for record in records:
        if not record.finished:
            say(
                "Warning: {} was stopped after {} of {} {}; these are the scores of that, and training further "
                "removes them.".format(record.path, *record.progress)
            )
    if part != "test":
        say("Of the validation cases:")
    data(to_text(result_table(records, metrics=tuple(metrics))))
    say(RULES["present"])


def evaluate(folder: Path, part: str = "test", device: str = "auto") -> "list[CaseScore]":
    """Evaluate one run folder and give its scores; they are written when every case is scored."""
    from noisylabels.store.runs import beside
    from noisylabels.store.scores import write_scores
    from noisylabels_plugins.predict import evaluate as scored
    from noisylabels_plugins.run import choose_device
    from noisylabels_plugins.trained import Trained

    trained = Trained(folder, choose_device(device))
    dataset = trained.own_dataset()
    total = len(dataset.ids(part))
    if total == 0:
        raise UsageError(
            f"The split of {dataset.clean.path} has no {part} case to score; try the other --part, or make a "
            "split that has some."
        )
    scores: list[CaseScore] = []
    with progress(f"evaluating {folder.name}") as advance:
        for done, case_scores in enumerate(scored(trained, dataset, part), start=1):
            scores += case_scores
            advance(done, total, case_scores[0].case_id)
    write_scores(folder / f"{beside('scores', part)}.csv", scores)
    return scores
