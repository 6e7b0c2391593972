"""The table of a suite as text for a terminal, Markdown, LaTeX and CSV."""

import csv
import io
from collections.abc import Callable, Sequence

from noisylabels.reports.bench_table import METRICS, BenchTable, Block, Line, number
from noisylabels.reports.groups import MARK, WARNED
from noisylabels.reports.tables import aligned, metric_title, tex

Mark = Callable[[str, int], str]
"""Makes a value the best (1) or the second best (2) of its block, or leaves it (0)."""


def to_text(table: BenchTable) -> str:
    """For a terminal: for every noise a table of Dice and one of Jaccard; * is the best, + the second best."""
    parts = [table.suite.title]
    for block in table.blocks:
        if not any(line.runs for line in block.lines if not line.row.clean):
            parts.append(f"{block.heading}: no cell is finished yet.")
            continue
        for metric in METRICS:
            title = metric_title(metric)
            first = metric == METRICS[0]
            head = [title, *table.columns, *(["seeds", "gap"] if first else [])]
            head += [table.paper_title] if table.suite.paper else []
            body = []
            for line in block.lines:
                cells = _values(table, line, (metric,), lambda text, rank: text + " *+"[rank])
                more = [_seeds(line), _gap(line)] if first else []
                more += [_paper(table, block, line, (metric,))] if table.suite.paper else []
                body.append([_name(table, line), *cells, *more])
            shown = "\n".join(text.rstrip() for text in aligned([head, *body]).splitlines())
            parts.append((f"{block.heading}\n" if first else "") + shown)
    marks = ["* best, + second best on noisy labels.", *_warning(table)]
    return "\n\n".join([*parts, "\n".join([*marks, *table.notes])]) + "\n"


def to_markdown(table: BenchTable) -> str:
    """For a README: one table, a line with its name above every noise; the best is bold, the second underlined."""
    head = _head(table)
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    for block in table.blocks:
        lines.append([f"**{block.heading}**", *[""] * (len(head) - 1)])
        lines += [_row(table, block, line, _in_markdown) for line in block.lines]
    body = "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)
    notes = ["**Best** and <u>second best</u> on noisy labels.", *_warning(table), *table.notes]
    return f"# {table.suite.title}\n\n{body}\n\n" + "\n".join(f"{note}  " for note in notes).rstrip() + "\n"


def to_latex(table: BenchTable) -> str:
    """For a paper, with booktabs; the notes stand below it as comments."""
    width, paper = len(table.columns), bool(table.suite.paper)
    groups = [rf"\multicolumn{{{width}}}{{c}}{{{metric_title(m)}}}" for m in METRICS]
    starts = [2 + i * width for i in range(len(METRICS))]
    rules = " ".join(rf"\cmidrule(lr){{{start}-{start + width - 1}}}" for start in starts)
    after = ["", "", *([""] if paper else [])]
    head = _head(table)
    names = [tex(c) for c in table.columns] * len(METRICS)
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        " & ".join(["", *groups, *after]) + r" \\",
        rules,
        " & ".join(["Method", *names, *(tex(text) for text in head[1 + len(names) :])]) + r" \\",
    ]
    for block in table.blocks:
        lines += [r"\midrule", rf"\multicolumn{{{len(head)}}}{{l}}{{{tex(block.heading)}}} \\"]
        lines += [" & ".join(_row(table, block, line, _in_latex, tex)) + r" \\" for line in block.lines]
    notes = [*_warning(table), *table.notes]
    lines += [r"\bottomrule", r"\end{tabular}", *(f"% {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def to_csv(table: BenchTable) -> str:
    """For other programs: one line for every noise, row, metric and column, with full precision."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        ("noise", "row", "method", "labels", "metric", "column", "mean", "sd", "seeds", "of", "rank",
         "gap_closed", "paper", "selection")
    )  # fmt: skip
    for block in table.blocks:
        for line in block.lines:
            for metric, column in ((m, c) for m in METRICS for c in table.columns):
                spread, paper = line.cells[metric, column], table.paper(block, line, metric, column)
                gap = line.gap if (metric, column) == (METRICS[0], table.columns[-1]) else None
                numbers = [_plain(x) for x in (spread.mean, spread.sd)]
                labels = "clean" if line.row.clean else "noisy"
                writer.writerow(
                    (block.noise.key if block.noise else "", line.row.key, line.row.method, labels, metric, column,
                     *numbers, spread.n, line.wanted, line.marks.get((metric, column), ""), _plain(gap),
                     _plain(paper), " ".join(line.selections))
                )  # fmt: skip
    return buffer.getvalue()


def _head(table: BenchTable) -> list[str]:
    values = [f"{metric_title(m)} {c}" for m in METRICS for c in table.columns]
    return [
        "Method",
        *values,
        "Seeds",
        "Gap",
        *([table.paper_title.capitalize()] if table.suite.paper else []),
    ]


def _row(
    table: BenchTable, block: Block, line: Line, mark: Mark, escaped: Callable[[str], str] = str
) -> list[str]:
    values = _values(table, line, METRICS, lambda text, rank: mark(escaped(text), rank))
    rest = [_seeds(line), _gap(line), *([_paper(table, block, line)] if table.suite.paper else [])]
    return [escaped(_name(table, line)), *values, *(escaped(text) for text in rest)]


def _values(table: BenchTable, line: Line, metrics: Sequence[str], mark: Mark) -> list[str]:
    return [mark(number(line.cells[m, c]), line.marks.get((m, c), 0)) for m in metrics for c in table.columns]


def _name(table: BenchTable, line: Line) -> str:
    return f"{line.row.name} {MARK}" if table.warned(line) else line.row.name


def _seeds(line: Line) -> str:
    return str(line.wanted) if len(line.runs) == line.wanted else f"{len(line.runs)}/{line.wanted}"


def _gap(line: Line) -> str:
    return "–" if line.gap is None else f"{100 * line.gap:z.0f} %"


def _paper(table: BenchTable, block: Block, line: Line, metrics: Sequence[str] = METRICS) -> str:
    found = [table.paper(block, line, metric) for metric in metrics]
    known = [f"{value:.2f}" for value in found if value is not None]
    return " / ".join(known) if len(known) == len(metrics) else "–"


def _warning(table: BenchTable) -> list[str]:
    return [WARNED] if any(table.warned(line) for b in table.blocks for line in b.lines) else []


def _in_markdown(text: str, rank: int) -> str:
    return (text, f"**{text}**", f"<u>{text}</u>")[rank]


def _in_latex(text: str, rank: int) -> str:
    return (text, rf"\textbf{{{text}}}", rf"\underline{{{text}}}")[rank]


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)
