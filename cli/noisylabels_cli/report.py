"""Write one self-contained page: the noise, the pictures, the curves and the scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noisylabels.errors import Mismatch, UsageError
from noisylabels_cli.say import data

if TYPE_CHECKING:
    from noisylabels.store.dataset import Dataset
    from noisylabels.store.runs import RunRecord


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path))
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    help="Noisy dataset to show.  [default: that of the first RUN on noisy labels]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="File to write.",
)
@click.option("--title", default="", help="Heading of the page.")
def command(runs: Sequence[Path], folder: Path | None, out: Path, title: str) -> None:
    """Write one self-contained HTML page about a noisy dataset, RUNs, or both.

    It needs no network and no script. Prints the path of the file.
    """
    if not runs and folder is None:
        raise UsageError("Name a run, or a noisy dataset with --data FOLDER.")
    from noisylabels.reports.html import write_report
    from noisylabels.store.dataset import Dataset
    from noisylabels.store.identity import cases_digest
    from noisylabels.store.runs import RunRecord

    records, first = [RunRecord.open(run) for run in runs], None
    if folder is None:
        first = next((record for record in records if record.labels == "noisy"), records[0])
        folder = first.path / str(first.info["data"])
    dataset = Dataset.open(folder)
    cases = cases_digest(dataset)
    for record in records:
        _refuse_other(record, "cases_digest", cases, dataset)
    if first is not None and first.labels == "noisy":
        _refuse_other(first, "data_digest", dataset.digest, dataset)
    data(str(write_report(out, dataset, records, title)))


def _refuse_other(record: "RunRecord", name: str, now: str, dataset: "Dataset") -> None:
    """Images of one dataset do not go with what was predicted for another, nor noise with a run on other labels."""
    then = record.info.get(name, now)
    if then != now:
        raise Mismatch(
            f"{record.path} was trained on data with the digest {then[:12]}, and {dataset.path} has "
            f"{now[:12]}; put the right data back, or name them with --data."
        )
