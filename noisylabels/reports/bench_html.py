"""The table of a suite as one self-contained HTML page in the look of the run reports."""

import re
from collections.abc import Callable
from pathlib import Path

from noisylabels.reports.bench_curves import MEMORY, VAL, charts, style
from noisylabels.reports.bench_table import MEAN, METRICS, BenchTable, Block, Line, number
from noisylabels.reports.figures import strip, strip_axis, ticks
from noisylabels.reports.groups import MARK, WARNED
from noisylabels.reports.html import page
from noisylabels.reports.html_pieces import escape, notes, section
from noisylabels.reports.tables import metric_title
from noisylabels.scoring import summarise

Link = Callable[[Block, Line, int], str | None]
"""Gives, relative to the page, the folder of the run of a line with a seed."""


def to_html(table: BenchTable, link: Link, report: Callable[[Block], str | None]) -> str:
    """The page.

    Args:
        table: the numbers.
        link: where a run is; None for none.
        report: where the report of a noise is; None for none.

    Returns:
        A whole document, without scripts, legible in light and dark.
    """
    body = [_head(table), *(_block(table, block, link, report) for block in table.blocks)]
    about = "<p>How the numbers were made, and what the marks mean.</p>"
    marks = [
        "Bold and coloured: best on noisy labels; underlined: second best; as printed, ties share a mark."
    ]
    if any(table.warned(line) for block in table.blocks for line in block.lines):
        marks.append(WARNED)
    body.append(section("Definitions", about, notes([*marks, *table.notes])))
    return page(table.suite.title, "".join(body))


def write_html(path: Path, table: BenchTable, link: Link, report: Callable[[Block], str | None]) -> None:
    """Write :func:`to_html` to a file; it is complete or not there."""
    from noisylabels.store.files import write_bytes

    write_bytes(path, to_html(table, link, report).encode())


def _head(table: BenchTable) -> str:
    suite, cells = table.suite, table.suite.cells()
    finished = len({run.path for b in table.blocks for line in b.lines for run in line.runs.values()})
    facts = {
        "cells finished": f"{finished}<small>of {len(cells)}</small>",
        "rows": str(len(suite.rows)),
        "noises": str(len(suite.noises)),
        "seeds": str(len(suite.seeds)),
    }
    shown = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    lead = re.sub("--[a-z-]+", r"<code>\g<0></code>", escape(suite.about))  # flags are not to be broken
    return (
        f'<header><p class="kicker">Suite {escape(suite.name)}</p><h1>{escape(suite.title)}</h1>'
        f'<p class="lead">{lead}</p><dl class="facts">{shown}</dl></header>\n'
    )


def _block(table: BenchTable, block: Block, link: Link, report: Callable[[Block], str | None]) -> str:
    name = block.noise.name if block.noise else "Clean labels"
    text = escape(block.heading.removeprefix(name).strip(" ()"))
    where = report(block)
    more = f'<p><a href="{escape(where)}">Noise, pictures and learned matrices</a></p>' if where else ""
    recipe = f"<p>{escape(block.noise.recipe.text)}</p>" if block.noise else ""
    about = f"{recipe}<p>{text}</p>{more}"
    if not any(line.runs for line in block.lines if not line.row.clean):
        return section(name, about, "<p>No cell is finished yet.</p>")
    tables = [_table(table, block, metric, link) for metric in METRICS]
    curves = [charts(table, block, what) for what in (VAL, MEMORY)]
    return section(name, about, _dots(table, block), *tables, *curves)


def _dots(table: BenchTable, block: Block) -> str:
    """Mean Dice of every row, a dot per seed."""
    found = {}
    for line in block.lines:
        means = [summarise(run.scores).mean.get("dice") for run in line.runs.values()]
        found[line.row.key] = [100 * mean for mean in means if mean is not None]
    everything = [value for values in found.values() for value in values]
    edges = ticks(min(everything), max(everything))
    low, high = edges[0], edges[-1]
    rows = []
    for line in block.lines:
        values, spread = found[line.row.key], line.cells["dice", MEAN]
        if not values or spread.mean is None:
            continue
        gap = "" if line.gap is None else f"{100 * line.gap:z.0f} % of the gap"
        alt = f"{line.row.name}: mean Dice {number(spread)} %, {len(values)} seeds"
        drawn = strip(values, spread.mean, low, high, style(table, line) or "s1", alt)
        rows.append(
            f'<div class="row"><div class="who">{escape(line.row.name)}</div>{drawn}'
            f'<div class="value"><b>{number(spread)}</b><small>{gap}</small></div></div>'
        )
    scale = strip_axis(low, high, 0 if high - low >= 4 else 1)
    axis = f'<div class="row scale"><span></span>{scale}<span></span></div>'
    return f'<div class="plot">{"".join(rows)}{axis}</div>'


def _table(table: BenchTable, block: Block, metric: str, link: Link) -> str:
    title = metric_title(metric)
    more = ["seeds", "gap"] if metric == METRICS[0] else []
    paper = table.paper_title.replace(" (", "<br>(") if table.suite.paper else ""
    head = [*map(escape, table.columns), *([paper] if paper else []), *more]
    heads = "".join(f'<th scope="col">{name}</th>' for name in head)
    rows = "".join(_row(table, block, line, metric, link) for line in block.lines)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table class="result">'
        f'<caption>{title}, %</caption><thead><tr><th scope="col">method</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(table: BenchTable, block: Block, line: Line, metric: str, link: Link) -> str:
    cells = [_cell(line, metric, column) for column in table.columns]
    if table.suite.paper:
        paper = table.paper(block, line, metric)
        cells.append(f"<td>{'–' if paper is None else f'{paper:.2f}'}</td>")
    if metric == METRICS[0]:
        cells.append(f"<td>{_seeds(block, line, link)}</td>")
        cells.append(f"<td>{'–' if line.gap is None else f'{100 * line.gap:z.0f} %'}</td>")
    kind = ' class="upper-bound"' if line.row.clean else ""
    warning = f" {MARK}" if table.warned(line) else ""
    return f'<tr{kind}><th scope="row">{escape(line.row.name)}{warning}</th>{"".join(cells)}</tr>'


def _cell(line: Line, metric: str, column: str) -> str:
    mean, _, sd = number(line.cells[metric, column]).partition(" ± ")
    rank = line.marks.get((metric, column), 0)
    kinds = [*(["mean"] if column == MEAN else []), *([("best", "second")[rank - 1]] if rank else [])]
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    value = f"<u>{mean}</u>" if rank == 2 else mean
    return f"<td{kind}>{value}{f'<small>± {sd}</small>' if sd else ''}</td>"


def _seeds(block: Block, line: Line, link: Link) -> str:
    """The finished seeds, each a link to its run, and how many there are to be."""
    shown = []
    for seed in line.runs:
        where = link(block, line, seed)
        shown.append(f'<a href="{escape(where)}">{seed}</a>' if where else str(seed))
    few = len(line.runs) < line.wanted
    return (" ".join(shown) or "–") + (f"<small>{len(line.runs)} of {line.wanted}</small>" if few else "")
