"""Result tables: mean and spread over seeds, as plain text, Markdown or LaTeX."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from noisylabels.reports.groups import MARK, PART, Group, group_runs, noises, warnings
from noisylabels.scoring import RULES, Spread, definition, summarise
from noisylabels.store.runs import RunRecord

MEAN = "mean"
"""Name of the column with the mean over the structures."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group of runs; ``cells[metric, column]`` is the spread over its seeds."""

    group: Group
    cells: Mapping[tuple[str, str], Spread]


@dataclass(frozen=True, slots=True)
class Table:
    """Scores of groups of runs.

    Attributes:
        metrics: in the order of their blocks.
        columns: structures, then ``mean``.
        rows: one per group with scores.
        notes: what stands below: the rule, the definitions, what the spread is.
    """

    metrics: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def best(self, metric: str, column: str) -> Row | None:
        """The row with the best mean among those trained on noisy labels; None for fewer than two."""
        known = [
            (mean, row)
            for row in self.rows
            if row.group.labels == "noisy" and (mean := row.cells[metric, column].mean) is not None
        ]
        sign = -1 if metric.startswith(("hd95", "assd")) else 1
        return max(known, key=lambda pair: sign * pair[0])[1] if len(known) > 1 else None


def result_table(
    runs: Iterable[RunRecord], metrics: Sequence[str] = ("dice", "jaccard"), rule: str = "present"
) -> Table:
    """The scores of runs, grouped by what they have in common beside the seed.

    Args:
        runs: those without scores are left out.
        metrics: which to show.
        rule: how cases become one number, a name of :data:`noisylabels.scoring.RULES`.

    Returns:
        The table; without rows if no run was evaluated.

    Raises:
        UsageError: there is no such rule.
    """
    rows, columns = [], dict[str, None]()
    for group in group_runs(run for run in runs if run.scores):
        summaries = group.summaries(rule)
        cells = {(m, MEAN): Spread.of(s.mean.get(m) for s in summaries) for m in metrics}
        for name in dict.fromkeys(name for s in summaries for name in s.values):
            columns[name] = None
            for m in metrics:
                cells[m, name] = Spread.of(s.values.get(name, {}).get(m) for s in summaries)
        rows.append(Row(group, cells))
    names = (*columns, MEAN)
    empty = Spread(None, None, 0)
    rows = [Row(r.group, {(m, c): r.cells.get((m, c), empty) for m in metrics for c in names}) for r in rows]
    notes = (
        f"Rule '{rule}': {RULES[rule][0].lower()}{RULES[rule][1:]}" if rule in RULES else "",
        *(definition(m) for m in metrics),
        "Mean ± standard deviation (n - 1) over seeds.",
        *warnings(row.group for row in rows),
    )
    return Table(tuple(metrics), names, tuple(rows), tuple(note for note in notes if note))


def known_metrics(runs: Iterable[RunRecord], rule: str = "present") -> list[str]:
    """The metrics that evaluated runs have by a rule."""
    return list(dict.fromkeys(metric for run in runs for metric in summarise(run.scores, rule).mean))


def metric_title(metric: str) -> str:
    """A metric as a heading.

    >>> metric_title("dice"), metric_title("hd95_mm")
    ('Dice', 'HD95 (mm)')
    """
    name, _, unit = metric.partition("_")
    name = name.upper() if name in ("hd95", "assd") else name.capitalize()
    return f"{name} ({unit})" if unit else name


def cell_text(spread: Spread, metric: str = "dice") -> str:
    """Mean and deviation with three digits after the point (one for distances); a dash for no value.

    >>> cell_text(Spread(0.84219, 0.0061, 3)), cell_text(Spread(None, None, 0))
    ('0.842 ± 0.006', '–')
    """
    if spread.mean is None:
        return "–"
    digits = 1 if metric.startswith(("hd95", "assd")) else 3
    mean = f"{spread.mean:.{digits}f}"
    return mean if spread.sd is None else f"{mean} ± {spread.sd:.{digits}f}"


def to_text(table: Table) -> str:
    """The table for a terminal: one block per metric, about 80 characters wide for four columns."""
    blocks = []
    found = noises(row.group for row in table.rows)
    several = len(found) > 1
    noise = [f"Noise: {found[0]}."] if len(found) == 1 else []
    for metric in table.metrics:
        body = [
            [_who(r, several), *(cell_text(r.cells[metric, c], metric) for c in table.columns)]
            for r in table.rows
        ]
        blocks.append(aligned([[metric_title(metric), *table.columns], *body]))
    return "\n\n".join([*blocks, "\n".join([*noise, *table.notes])]) + "\n"


def to_markdown(table: Table) -> str:
    """The table for a README: one row per group, the best value on noisy labels in bold."""
    heads = ["Method", "Labels", "Noise", "Seeds"]
    heads += [f"{metric_title(m)} {c}" for m in table.metrics for c in table.columns]
    lines = [heads, [*["---"] * 3, *["--:"] * (len(heads) - 3)]]
    for row in table.rows:
        cells = []
        for m in table.metrics:
            for c in table.columns:
                text = cell_text(row.cells[m, c], m)
                cells.append(f"**{text}**" if table.best(m, c) is row else text)
        group = row.group
        lines.append([group.name, group.labels, group.noise or "–", str(len(group.runs)), *cells])
    body = "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)
    return body + "\n\n" + "\n".join(f"{note}  " for note in table.notes).rstrip() + "\n"


def to_latex(table: Table) -> str:
    """The table for a paper, with booktabs; the notes stand below it as text."""
    width, first = len(table.columns), 4
    blocks = [rf"\multicolumn{{{width}}}{{c}}{{{tex(metric_title(m))}}}" for m in table.metrics]
    starts = [first + i * width for i in range(len(table.metrics))]
    rules = [rf"\cmidrule(lr){{{start}-{start + width - 1}}}" for start in starts]
    lines = [
        rf"\begin{{tabular}}{{lll{'r' * width * len(table.metrics)}}}",
        r"\toprule",
        rf"& & & {' & '.join(blocks)} \\",
        " ".join(rules),
        rf"Method & Labels & Noise & {' & '.join([tex(c) for c in table.columns] * len(table.metrics))} \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = []
        for m in table.metrics:
            for c in table.columns:
                text = tex(cell_text(row.cells[m, c], m))
                cells.append(rf"\textbf{{{text}}}" if table.best(m, c) is row else text)
        who = [tex(row.group.name), row.group.labels, tex(row.group.noise or "–")]
        lines.append(" & ".join([*who, *cells]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", *(rf"% {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _who(row: Row, with_noise: bool) -> str:
    return f"{row.group.title}, {row.group.noise}" if with_noise and row.group.noise else row.group.title


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns under a ruled first line, the first to the left and numbers to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    texts = [
        "  ".join(
            [line[0].ljust(widths[0]), *(t.rjust(w) for t, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    return "\n".join([texts[0], "-" * len(texts[0]), *texts[1:]])


_TEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
    MARK: r"\dag{}",
    PART: r"\ddag{}",
}


def tex(text: str) -> str:
    """Plain text as LaTeX.

    >>> tex("5 % of a_b")
    '5 \\\\% of a\\\\_b'
    """
    return "".join(_TEX.get(c, c) for c in text)
