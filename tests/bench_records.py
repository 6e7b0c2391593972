"""Small suites and runs with known scores, for tests of the table of a grid."""

from pathlib import Path

from noisylabels.reports.bench_html import to_html
from noisylabels.reports.bench_table import MEAN, bench_table
from noisylabels.scoring import CaseScore
from noisylabels.store.runs import RunRecord
from noisylabels.suites import read

ROWS = [
    {"key": "upper", "name": "Upper bound", "method": "baseline", "labels": "clean"},
    {"name": "Baseline", "method": "baseline"},
    {"name": "SR", "method": "sr"},
    {"name": "JCAS", "method": "jcas"},
]
NOISES = [{"name": "Ellipse", "mode": "ellipse"}, {"name": "Flips", "mode": "symmetric"}]
PAPER = {
    "source": "somebody",
    "test_selected": True,
    "columns": ["shaft", MEAN],
    "clean": {"upper": [[90, 80], [85, 75]]},
    "ellipse": {"jcas": [[70, 60.5], [55, 50]]},
}


def suite(**change):
    table = {"title": "A table", "seeds": [0, 1], "rows": ROWS, "noises": NOISES, "paper": PAPER, **change}
    return read(table, Path("small.toml"))


def record(dice, select=None, log=()):
    """A run with one case whose Dice of two structures is given; Jaccard follows."""
    scores = []
    for structure, value in zip(("shaft", "wrist"), dice, strict=True):
        named = {"dice": value, "jaccard": value / (2 - value), "tp": 5, "fp": 1, "fn": 1}
        scores += [CaseScore("a", structure, metric, float(one)) for metric, one in named.items()]
    info = {"method": "x", "labels": "noisy", "dataset": "d", "seed": 0}
    info |= {"select": select} if select else {}
    return RunRecord(path=Path(f"run {dice} {select}"), info=info, scores=scores, predictions={}, log=log)


def table(runs, **change):
    return bench_table(suite(**change), lambda cell: runs.get(cell.name), lambda noise: [])


RUNS = {
    "upper-clean-0": record((0.9, 0.7)),
    "upper-clean-1": record((0.9, 0.7)),
    "baseline-ellipse-0": record((0.5, 0.3)),
    "baseline-ellipse-1": record((0.6, 0.4)),
    "jcas-ellipse-0": record((0.7, 0.5)),
    "jcas-ellipse-1": record((0.8, 0.6)),
    "sr-ellipse-1": record((0.7, 0.7)),
}


def line_of(found, row, noise="ellipse"):
    block = next(block for block in found.blocks if block.noise.key == noise)
    return next(line for line in block.lines if line.row.key == row)


def page(found):
    return to_html(
        found, lambda block, line, seed: f"runs/{line.row.key}-{seed}/", lambda block: "reports/x.html"
    )


def log(*values):
    return [
        {"epoch": i, "loss": 1.0} | ({} if v is None else {"val": {"mean_dice": v}})
        for i, v in enumerate(values)
    ]
