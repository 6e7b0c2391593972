"""The sections about training and its outcome: result tables, curves, learned matrices."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from noisylabels.metrics.noise import PooledNoise
from noisylabels.reports.figures import Line, line_chart, strip, strip_axis, ticks
from noisylabels.reports.groups import Group, noises, share_of_gap, warnings
from noisylabels.reports.html_pieces import escape, legend, matrix, notes, percent, section
from noisylabels.reports.tables import MEAN, Row, Table, cell_text, metric_title, result_table
from noisylabels.scoring import RULES, definition
from noisylabels.store.runs import RunRecord

Styles = Mapping[Group, str]
RULE = "present"


def at_a_glance(groups: Sequence[Group], style: Styles) -> str:
    """Mean Dice of every group as a dot plot, a dot per seed; "" when nothing was evaluated."""
    found = [(g, [m for s in g.summaries(RULE) if (m := s.mean.get("dice")) is not None]) for g in groups]
    found = [(g, values) for g, values in found if values]
    if not found:
        return ""
    several = len(noises(groups)) > 1
    edges = ticks(min(v for _, vs in found for v in vs), max(v for _, vs in found for v in vs))
    low, high = edges[0], edges[-1]
    rows = []
    for group, values in found:
        spread = group.mean("dice", RULE)
        mean = spread.mean or 0.0
        closed = share_of_gap(group, groups, "dice", RULE)
        aside = f"{percent(closed, 0)} of the gap" if closed is not None else ""
        alt = f"{group.title}: mean Dice {cell_text(spread)}, {len(values)} seeds"
        under = f"{group.labels} labels" + (f", {group.noise}" if several and group.noise else "")
        rows.append(
            f'<div class="row"><div class="who">{escape(_short(group))}<small>{escape(under)}</small></div>'
            f"{strip(values, mean, low, high, style[group], alt)}"
            f'<div class="value"><b>{cell_text(spread)}</b><small>{aside}</small></div></div>'
        )
    axis = f'<div class="row scale"><span></span>{strip_axis(low, high)}<span></span></div>'
    return f'<div class="plot">{"".join(rows)}{axis}</div>'


def results(groups: Sequence[Group], runs: Sequence[RunRecord], style: Styles) -> str:
    """Dot plot and tables with their definitions."""
    metrics = [
        m for m in dict.fromkeys(s.metric for r in runs for s in r.scores) if m not in ("tp", "fp", "fn")
    ]
    if not metrics:
        return ""
    table = result_table(runs, metrics, RULE)
    blocks = "".join(_block(table, m) for m in metrics)
    about = (
        "<p>Mean over the structures; every dot is a seed, the bar is their mean. The gap is the distance "
        "from the baseline on noisy labels to the upper bound, the same network trained on clean labels, by means "
        "over the seeds that all three have.</p>"
        f"<p>Rule <b>{RULE}</b>: {escape(RULES[RULE])}</p>"
    )
    text = [definition(m) for m in metrics]
    text.append("Large: mean over seeds; small: standard deviation (n - 1). Coloured: best on noisy labels.")
    text += warnings(groups)
    return section(
        "Results", about, at_a_glance(groups, style), f'<div class="grid">{blocks}</div>', notes(text)
    )


def training(groups: Sequence[Group], style: Styles) -> str:
    """Validation Dice of all groups together, and the loss of every group by itself."""
    shown = [g for g in groups if any(run.log for run in g.runs)]
    curves = [line for g in shown for line in _lines(g, style[g], _validation)]
    together = line_chart(
        curves, "epoch", "mean Dice", "Mean Dice on the validation cases by epoch, all methods"
    )
    parts = []
    if together:
        names = legend((style[g], g.title) for g in shown)
        parts.append(f"<figure><h3>Mean Dice on the validation cases</h3>{names}{together}</figure>")
    for group in shown:
        alt = f"Training loss of {group.title} by epoch"
        chart = line_chart(_lines(group, style[group], lambda line: line.get("loss")), "epoch", "loss", alt)
        if chart:
            parts.append(f"<figure><h3>Loss, {escape(group.title)}</h3>{chart}</figure>")
    about = (
        "<p>Thin lines are single seeds, the thick one is their mean. Losses of different methods are not on "
        "one footing, so each has a chart of its own.</p>"
    )
    return section("Training", about, f'<div class="grid">{"".join(parts)}</div>' if parts else "")


def learned(groups: Sequence[Group], measured: PooledNoise | None) -> str:
    """Transition matrices that methods learned, beside the measured ones."""
    parts = []
    for group in groups:
        for key, of in (("t_class", "classes"), ("t_pair", "pixel pairs")):
            found = [m for run in group.runs if (m := _last(run, key))]
            if not found:
                continue
            names = _names(len(found[0]), measured)
            mean = [
                [sum(m[i][j] for m in found) / len(found) for j in range(len(names))]
                for i in range(len(names))
            ]
            true = (
                None if measured is None else (measured.transition if key == "t_class" else measured.affinity)
            )
            note = f"Mean over {len(found)} seed{'s' if len(found) > 1 else ''}, last epoch."
            parts.append(matrix(f"{group.name} learned, {of}", mean, names, note))
            if true is not None and len(true) == len(mean):
                off = max(
                    abs(a - b)
                    for row, other in zip(mean, true, strict=True)
                    for a, b in zip(row, other, strict=True)
                )
                parts.append(
                    matrix(
                        f"Measured, {of}", true, names, f"Largest difference to the learned one: {off:.3f}."
                    )
                )
    about = (
        "<p>What the method believes about the noise, beside what was measured in its training labels.</p>"
    )
    return section("Learned noise", about, f'<div class="grid">{"".join(parts)}</div>' if parts else "")


def _block(table: Table, metric: str) -> str:
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in table.columns)
    rows = "".join(_table_row(table, row, metric) for row in table.rows)
    title = escape(metric_title(metric))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table class="result">'
        f'<caption>{title}</caption><thead><tr><th scope="col">trained with</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _table_row(table: Table, row: Row, metric: str) -> str:
    cells = []
    for column in table.columns:
        mean, _, sd = cell_text(row.cells[metric, column], metric).partition(" ± ")
        kinds = [("mean", column == MEAN), ("best", table.best(metric, column) is row)]
        kind = " ".join(name for name, holds in kinds if holds)
        small = f"<small>± {sd}</small>" if sd else ""
        cells.append(f'<td class="{kind}">{mean}{small}</td>' if kind else f"<td>{mean}{small}</td>")
    group = row.group
    several = len(noises(r.group for r in table.rows)) > 1
    under = f"{group.labels} labels" + (f", {group.noise}" if several and group.noise else "")
    kind = ' class="upper-bound"' if group.role == "upper" else ""
    who = f'<th scope="row">{escape(_short(group))}<small>{escape(under)}</small></th>'
    return f"<tr{kind}>{who}{''.join(cells)}</tr>"


def _short(group: Group) -> str:
    return group.who if group.who.startswith("upper bound") and "(" not in group.who else group.name


def _lines(group: Group, style: str, value: Any) -> list[Line]:
    """A line per seed and, for several seeds, the mean over the epochs that all of them have."""
    seeds = [
        [
            (float(line["epoch"]), float(v))
            for line in run.log
            if (v := value(line)) is not None and isfinite(v)
        ]
        for run in group.runs
    ]
    seeds = [points for points in seeds if points]
    if len(seeds) < 2:
        return [Line(points, style) for points in seeds]
    at: dict[float, list[float]] = defaultdict(list)
    for points in seeds:
        for epoch, v in points:
            at[epoch].append(v)
    mean = [(epoch, sum(vs) / len(vs)) for epoch, vs in sorted(at.items()) if len(vs) == len(seeds)]
    return [*(Line(points, style, faint=True) for points in seeds), Line(mean, style)]


def _validation(line: Mapping[str, Any]) -> float | None:
    return (line.get("val") or {}).get("mean_dice")


def _last(run: RunRecord, key: str) -> list[list[float]] | None:
    return next((line[key] for line in reversed(run.log) if line.get(key)), None)


def _names(size: int, measured: PooledNoise | None) -> list[str]:
    if size == 2 and (measured is None or len(measured.classes) != 2):
        return ["different", "same"]
    return (
        list(measured.classes)
        if measured and len(measured.classes) == size
        else [str(i) for i in range(size)]
    )
