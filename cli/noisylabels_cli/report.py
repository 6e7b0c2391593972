"""Write one self-contained page: the noise, the pictures, the curves and the scores."""

from collections.abc import Sequence
from pathlib import Path

import click

from noisylabels.errors import UsageError
from noisylabels_cli.say import data


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
    from noisylabels.store.runs import RunRecord

    records = [RunRecord.open(run) for run in runs]
    if folder is None:
        first = next((record for record in records if record.labels == "noisy"), records[0])
        folder = first.path / str(first.info["data"])
    data(str(write_report(out, Dataset.open(folder), records, title)))
