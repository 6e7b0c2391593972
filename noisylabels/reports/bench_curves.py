"""Dice against epoch for every row of a suite: where a method starts to memorise its labels.

On clean validation cases; and, where the runs tracked some training cases, how much nearer the network is to the labels
that it was given than to the clean ones.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from noisylabels.reports.bench_table import BenchTable, Block, Line
from noisylabels.reports.figures import Line as Drawn
from noisylabels.reports.figures import line_chart
from noisylabels.reports.html_pieces import legend
from noisylabels.scoring import Spread
from noisylabels.store.runs import RunRecord

VAL, MEMORY = "val", "memory"
"""What is drawn: Dice on clean validation cases; Dice of training cases with the labels given, less with clean ones."""

_TITLES = {
    VAL: ("Mean Dice on the validation cases", "mean Dice, %"),
    MEMORY: ("Memorised: Dice of training cases with the labels given, less with the clean ones", "points"),
}
MOST = 5
"""Methods in one chart: so many colours can be told apart."""


def curve(runs: Iterable[RunRecord], what: str = VAL) -> list[tuple[int, Spread]]:
    """A curve over seeds, per cent, by epochs done; where all runs have it."""
    runs = list(runs)
    at: dict[int, list[float]] = defaultdict(list)
    for run in runs:
        for line in run.log:
            value = _value(line, what)
            if value is not None and isfinite(value):
                at[int(line["epoch"]) + 1].append(100 * value)
    return [(epoch, Spread.of(found)) for epoch, found in sorted(at.items()) if len(found) == len(runs)]


def curves_csv(table: BenchTable) -> str:
    """All curves for other programs: one line for every noise, row and validated epoch."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("noise", "row", "curve", "epoch", "mean", "sd", "seeds"))
    for block, line, what in ((b, li, w) for b in table.blocks for li in b.lines for w in _TITLES):
        for epoch, spread in curve(line.runs.values(), what):
            numbers = ["" if x is None else repr(x) for x in (spread.mean, spread.sd)]
            noise = block.noise.key if block.noise else ""
            writer.writerow((noise, line.row.key, what, epoch, *numbers, spread.n))
    return buffer.getvalue()


def charts(table: BenchTable, block: Block, what: str = VAL) -> str:
    """The curves of a noise: a few methods in each chart, baseline and upper bound in all; "" for none."""
    title, axis = _TITLES[what]
    known = {line.row.key: curve(line.runs.values(), what) for line in block.lines}
    methods = [line for line in block.lines if style(table, line) is None and known[line.row.key]]
    fixed = [line for line in block.lines if style(table, line) and known[line.row.key]]
    parts = []
    for start in range(0, max(len(methods), 1), MOST):
        shown = [(line, f"s{i + 1}") for i, line in enumerate(methods[start : start + MOST])]
        shown += [(line, str(style(table, line))) for line in fixed]
        drawn = [Drawn(_points(known[line.row.key]), colour) for line, colour in shown]
        noise = block.noise.name if block.noise else "clean labels"
        names = ", ".join(line.row.name for line, _ in shown)
        chart = line_chart(drawn, "epoch", axis, f"{title}, by epoch, under {noise}: {names}")
        if chart:
            parts.append(f"<figure>{legend((c, line.row.name) for line, c in shown)}{chart}</figure>")
    return f'<h3>{title}</h3><div class="grid">{"".join(parts)}</div>' if parts else ""


def style(table: BenchTable, line: Line) -> str | None:
    """Style of baseline and upper bound, which are the same everywhere; None for a method."""
    if line.row.clean:
        return "upper"
    return "noisy" if line.row.key == table.suite.baseline else None


def _value(line: Mapping[str, Any], what: str) -> float | None:
    """Mean Dice of a line of the log, 0 .. 1, or the difference of two; None where it was not measured."""
    names = ("val",) if what == VAL else ("train_given", "train_clean")
    found = [float(x) for name in names if (x := (line.get(name) or {}).get("mean_dice")) is not None]
    if len(found) < len(names):
        return None
    return found[0] if what == VAL else found[0] - found[1]


def _points(found: Sequence[tuple[int, Spread]]) -> list[tuple[float, float]]:
    return [(float(epoch), spread.mean) for epoch, spread in found if spread.mean is not None]
