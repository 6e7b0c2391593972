"""The tables of a grid, from what is finished of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from noisylabels.suite import Cell, Noise, Suite
from noisylabels_cli.bench_tasks import Place

if TYPE_CHECKING:
    from noisylabels.metrics.noise import PooledNoise
    from noisylabels.reports.bench_table import Block, Line
    from noisylabels.store.runs import RunRecord


def write_tables(suite: Suite, place: Place) -> str:
    """Write ``table.md``, ``.tex``, ``.csv``, ``.html`` and ``curves.csv``, and give the table as text.

    Raises:
        InvalidData: a file of a finished cell is damaged.
        NoisyLabelsError: the disk is full.
    """
    from noisylabels.reports.bench_curves import curves_csv
    from noisylabels.reports.bench_html import write_html
    from noisylabels.reports.bench_table import bench_table
    from noisylabels.reports.bench_text import to_csv, to_latex, to_markdown, to_text
    from noisylabels.store.write import write_text

    table = bench_table(suite, lambda cell: _run(place, cell), lambda noise: _measured(suite, place, noise))
    texts = {"md": to_markdown(table), "tex": to_latex(table), "csv": to_csv(table)}
    for ending, text in texts.items():
        write_text(place.out / f"table.{ending}", text)
    write_text(place.out / "curves.csv", curves_csv(table))
    write_html(place.out / "table.html", table, _link, lambda block: _report(place, block))
    return to_text(table)


def write_reports(suite: Suite, place: Place) -> None:
    """Write a report for every noise that has finished cells: noise, pictures, learned and measured matrices.

    Where the noise follows the seed of the run, the report shows the noise of the first one.
    """
    from noisylabels.reports.html import write_report
    from noisylabels.store.dataset import Dataset

    for noise in suite.noises:
        cells = [cell for cell in suite.cells() if cell.noise in (noise, None)]
        runs = [replace(run, row=cell.row.name) for cell in cells if (run := _run(place, cell)) is not None]
        folder = place.noisy(noise, suite.seeds[0])
        if folder.exists() and any(run.labels == "noisy" for run in runs):
            (place.out / "reports").mkdir(exist_ok=True)
            title = f"{suite.title}: {noise.name}"
            write_report(place.out / "reports" / f"{noise.key}.html", Dataset.open(folder), runs, title)


def _link(block: "Block", line: "Line", seed: int) -> str:
    return f"runs/{Cell(line.row, None if line.row.clean else block.noise, seed).name}/"


def _report(place: Place, block: "Block") -> str | None:
    path = f"reports/{block.noise.key}.html" if block.noise else ""
    return path if path and (place.out / path).exists() else None


def _run(place: Place, cell: Cell) -> "RunRecord | None":
    """The run of a cell once it is evaluated."""
    from noisylabels.store.runs import SCORES, RunRecord, is_made

    folder = place.run(cell)
    return RunRecord.open(folder) if is_made(folder / SCORES) else None


def _measured(suite: Suite, place: Place, noise: Noise) -> "Sequence[PooledNoise]":
    from noisylabels.metrics.noise import PooledNoise
    from noisylabels.store.dataset import Dataset

    folders = dict.fromkeys(place.noisy(noise, seed) for seed in suite.seeds)
    found = [Dataset.open(folder).measured for folder in folders if folder.exists()]
    return [PooledNoise.from_dict(one) for one in found if one]
