"""The table of a suite as numbers: a block for every noise, a line for every row, in the form of the JCAS poster."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

from noisylabels.metrics.noise import PooledNoise
from noisylabels.scoring import RULES, Spread, definition, summarise
from noisylabels.store.runs import RunRecord
from noisylabels.suite import CLEAN, Cell, Noise, Row, Suite

METRICS = ("dice", "jaccard")
MEAN = "mean"
"""Name of the column with the mean over the structures."""

RULE = "present"
SMALLEST_GAP = 0.5
"""Points of mean Dice below which a gap between baseline and upper bound is none to speak of a share of."""

GAP = (
    "Gap: share of the distance from the baseline to the upper bound that is closed, (row - baseline) / (upper bound - "
    "baseline), by mean Dice over the seeds that all three have; – where they have none, and where that distance is "
    f"below {SMALLEST_GAP} points or below its own standard deviation (the root of the sum of both rows' squares)."
)
SELECTIONS = {
    "last": "the last epoch",
    "best-val": "the best epoch on clean validation cases",
    "best-noisy-val": "the best epoch on noisy validation cases",
    "best-test": "the best epoch on the test cases, which makes figures too good",
}
"""Rules by which the scored weights of a run were chosen, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a block.

    Attributes:
        row: of the suite.
        cells: (metric, column) -> spread over seeds, per cent.
        runs: the evaluated runs, by seed.
        wanted: how many there are to be.
        gap: share of the gap that is closed; None for a gap too small, and for baseline and upper bound.
        marks: (metric, column) -> 1 for the best, 2 for the second best of the block.
    """

    row: Row
    cells: Mapping[tuple[str, str], Spread]
    runs: Mapping[int, RunRecord]
    wanted: int
    gap: float | None = None
    marks: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def selections(self) -> list[str]:
        """How the weights that were scored were chosen, without repetition."""
        return sorted({str(run.info.get("select") or "last") for run in self.runs.values()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """All rows under one noise.

    Attributes:
        noise: of the suite; None for clean labels alone.
        measured: of every noisy dataset, one for each seed of the noise.
        lines: upper bound included, in the order of the suite.
    """

    noise: Noise | None
    measured: Sequence[PooledNoise]
    lines: Sequence[Line]

    @property
    def heading(self) -> str:
        """The noise and what was measured of it."""
        if self.noise is None:
            return "Clean labels"
        if not self.measured:
            return self.noise.name
        wrong = Spread.of(100 * m.wrong_share for m in self.measured)
        dice = Spread.of(100 * m.dice for m in self.measured)
        return (
            f"{self.noise.name} ({number(wrong, 1)} % of the pixels wrong, Dice to clean {number(dice, 1)} %)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchTable:
    """The whole table.

    Attributes:
        suite: what was asked for.
        columns: structures, then ``mean``.
        blocks: one for every noise.
        notes: rule, definitions, selection, and what is missing.
    """

    suite: Suite
    columns: tuple[str, ...]
    blocks: Sequence[Block]
    notes: Sequence[str]

    def paper(self, block: Block, line: Line, metric: str, column: str = MEAN) -> float | None:
        """The published figure beside a value, per cent; None for none."""
        if self.suite.paper is None:
            return None
        noise = CLEAN if line.row.clean or block.noise is None else block.noise.key
        return self.suite.paper.of(noise, line.row.key, metric, column)

    @property
    def paper_title(self) -> str:
        """What stands above the published figures."""
        selected = self.suite.paper is not None and self.suite.paper.test_selected
        return "paper (test-selected)" if selected else "paper"

    def warned(self, line: Line) -> bool:
        """Whether a row's weights were chosen on the test cases."""
        return "best-test" in line.selections


def bench_table(
    suite: Suite,
    run_of: Callable[[Cell], RunRecord | None],
    measured: Callable[[Noise], Sequence[PooledNoise]],
) -> BenchTable:
    """Put the finished cells of a suite together.

    Args:
        suite: the grid.
        run_of: the evaluated run of a cell; None while there is none.
        measured: the measured noise of every noisy dataset of a noise that is there.

    Returns:
        The table; without columns if nothing was evaluated.
    """
    runs = {cell.name: run for cell in suite.cells() if (run := run_of(cell)) is not None}
    names = dict.fromkeys(s.structure for run in runs.values() for s in run.scores)
    columns = (*names, MEAN) if names else ()
    blocks = []
    for noise in suite.noises:
        lines = [_line(suite, row, noise, runs, columns) for row in suite.rows]
        blocks.append(Block(noise=noise, measured=measured(noise), lines=_compared(suite, lines, columns)))
    return BenchTable(suite=suite, columns=columns, blocks=blocks, notes=_notes(suite, blocks, len(runs)))


def number(spread: Spread, digits: int = 2) -> str:
    """Mean and deviation; a dash for no value.

    >>> number(Spread(84.219, 0.614, 3)), number(Spread(None, None, 0))
    ('84.22 ± 0.61', '–')
    """
    if spread.mean is None:
        return "–"
    mean = f"{spread.mean:.{digits}f}"
    return mean if spread.sd is None else f"{mean} ± {spread.sd:.{digits}f}"


def _line(
    suite: Suite, row: Row, noise: Noise, runs: Mapping[str, RunRecord], columns: Sequence[str]
) -> Line:
    cells = [Cell(row, None if row.clean else noise, seed) for seed in suite.seeds]
    found = {cell.seed: runs[cell.name] for cell in cells if cell.name in runs}
    summaries = [summarise(run.scores, RULE) for run in found.values()]
    spreads = {}
    for metric in METRICS:
        for column in columns:
            values = [
                s.mean.get(metric) if column == MEAN else s.values.get(column, {}).get(metric)
                for s in summaries
            ]
            spreads[metric, column] = Spread.of(None if v is None else 100 * v for v in values)
    return Line(row=row, cells=spreads, runs=found, wanted=len(suite.seeds))


def _compared(suite: Suite, lines: Sequence[Line], columns: Sequence[str]) -> list[Line]:
    """The lines of a block with their marks and shares of the gap."""
    low = next((_by_seed(line) for line in lines if line.row.key == suite.baseline), {})
    high = next((_by_seed(line) for line in lines if line.row.clean), {})
    places = [(metric, column) for metric in METRICS for column in columns]
    ranks = {place: _ranks(lines, place) for place in places}
    found = []
    for i, line in enumerate(lines):
        plain = line.row.clean or line.row.key == suite.baseline
        gap = None if plain else _gap(_by_seed(line), low, high)
        marks = {place: rank[i] for place, rank in ranks.items() if i in rank}
        found.append(
            Line(row=line.row, cells=line.cells, runs=line.runs, wanted=line.wanted, gap=gap, marks=marks)
        )
    return found


def _by_seed(line: Line) -> dict[int, float]:
    """Mean Dice by seed, per cent."""
    found = {seed: summarise(run.scores, RULE).mean.get("dice") for seed, run in line.runs.items()}
    return {seed: 100 * mean for seed, mean in found.items() if mean is not None}


def _gap(*three: Mapping[int, float]) -> float | None:
    """The share of the gap that a row closes, from row, baseline and upper bound by seed."""
    seeds = sorted(set.intersection(*(set(one) for one in three)))
    row, low, high = (Spread.of(one[seed] for seed in seeds) for one in three)
    return share_of_gap(row, low, high)


def share_of_gap(row: Spread | None, low: Spread | None, high: Spread | None) -> float | None:
    """The share of the gap from ``low`` to ``high`` that ``row`` closes, from values in per cent; see :data:`GAP`.

    >>> share_of_gap(Spread(70, 1, 3), Spread(60, 1, 3), Spread(80, 1, 3))
    0.5
    """
    if (
        row is None
        or low is None
        or high is None
        or row.mean is None
        or low.mean is None
        or high.mean is None
    ):
        return None
    gap = high.mean - low.mean
    if gap < SMALLEST_GAP or gap < sqrt((low.sd or 0.0) ** 2 + (high.sd or 0.0) ** 2):
        return None
    return (row.mean - low.mean) / gap


def _ranks(lines: Sequence[Line], place: tuple[str, str]) -> dict[int, int]:
    """Line number -> 1 or 2 for the best and the second best value as printed; equal ones share the mark."""
    shown = {
        i: round(mean, 2)
        for i, line in enumerate(lines)
        if not line.row.clean and (mean := line.cells[place].mean) is not None
    }
    if len(shown) < 2:
        return {}
    order = sorted(set(shown.values()), reverse=True)[:2]
    return {i: order.index(value) + 1 for i, value in shown.items() if value in order}


def _notes(suite: Suite, blocks: Sequence[Block], finished: int) -> list[str]:
    lines = [line for block in blocks for line in block.lines]
    rules = sorted({rule for line in lines for rule in line.selections})
    cells = len(suite.cells())
    notes = [f"Rule '{RULE}': {RULES[RULE]}", *(definition(metric) for metric in METRICS)]
    notes.append("Per cent; mean ± standard deviation (n - 1) over seeds.")
    if len(rules) == 1:
        notes.append(f"Scored: {SELECTIONS.get(rules[0], rules[0])}.")
    notes += [
        f"{line.row.name}: {', '.join(SELECTIONS.get(rule, rule) for rule in line.selections)}."
        for line in (blocks[0].lines if blocks and len(rules) > 1 else ())
        if line.runs
    ]
    notes.append(GAP)
    if suite.paper:
        chosen = ", chosen on the test images themselves (test-selected)" if suite.paper.test_selected else ""
        notes.append(f"Paper: mean Dice / mean Jaccard of {suite.paper.source}{chosen}.")
    if finished < cells:
        notes.append(f"{finished} of {cells} cells are finished; – is none of a row's seeds.")
    if suite.about:
        notes.append(suite.about)
    return notes
