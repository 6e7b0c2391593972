"""A suite: a grid of rows (methods), noises and seeds on one dataset, as data; ``docs/bench.md`` shows the TOML.

    title = "..."
    data = "FOLDER"           # relative to the file; or [phantom]; or neither, and --data says it
    seeds = [0, 1, 2]
    [training]                # what every cell shares: settings of ``noisylabels train``
    [[rows]]                  # name, key, method, labels; the rest are settings of its training
    [[noises]]                # name, key, seed; mode and params, or preset, or [noises.recipe]; [noises.source]
    [paper]                   # published figures, shown beside

What a row says wins over what a noise says, and that over what the suite says. Nothing here knows torch: whether
methods and settings exist is found out by :mod:`noisylabels_plugins.cells`.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from noisylabels.errors import UsageError, unknown
from noisylabels.recipe import Recipe

CLEAN = "clean"
"""What takes the place of the noise in the name of a cell that is trained on clean labels."""

DICTS = ("params", "net_params", "loss_params")
"""Settings that are tables; of the two last, what belongs to another network or loss is dropped."""

NEUTRAL = ("track_train", "tensorboard", "keep_state", "workers", "cache")
"""Settings that change what is written down, or how fast, and no number of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method with its settings.

    Attributes:
        key: short name, as in the folders of its cells.
        name: as shown in the table.
        method: name of the method.
        clean: whether it is trained on clean labels: the upper bound, one for all noises.
        settings: of its training, over those of suite and noise.
    """

    key: str
    name: str
    method: str
    clean: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model that makes pseudo-labels comes from; trained on clean labels.

    Attributes:
        data: folder of a dataset with the same classes; None for another kind of source.
        phantom: how phantoms to train on are drawn; None for another kind of source.
        cases: how many training cases of the same data to train on; None for another kind of source.
        method: name of the method.
        settings: of its training, over those of the suite.
        predict: flags of ``noisylabels predict``, by name.
    """

    data: Path | None = None
    phantom: Mapping[str, Any] | None = None
    cases: int | None = None
    method: str = "baseline"
    settings: Mapping[str, Any] = field(default_factory=dict)
    predict: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """One kind of noise.

    Attributes:
        key: short name, as in the folders of its cells.
        name: as shown in the table.
        recipe: what is done to the labels, with the seed of the noise if it is fixed.
        follows: whether the noise has the seed of the run instead of a seed of its own.
        source: where its pseudo-labels come from; None for other noise.
        settings: of the training under it, over those of the suite.
    """

    key: str
    name: str
    recipe: Recipe
    follows: bool = False
    source: Source | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def seed(self, run_seed: int) -> int:
        """The seed of the noise that a run with ``run_seed`` is trained on."""
        return run_seed if self.follows else self.recipe.seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Published figures to be shown beside ours.

    Attributes:
        source: where they stand.
        test_selected: whether the epoch was chosen on the test cases, which makes figures too good.
        columns: structures and ``mean``.
        figures: (noise key or ``clean``, row key, metric) -> values in per cent, in the order of the columns.
    """

    source: str
    test_selected: bool
    columns: tuple[str, ...]
    figures: Mapping[tuple[str, str, str], tuple[float, ...]]

    def of(self, noise: str, row: str, metric: str, column: str) -> float | None:
        """One figure in per cent; None where the paper has none."""
        values = self.figures.get((noise, row, metric))
        return values[self.columns.index(column)] if values and column in self.columns else None


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the grid; ``noise`` is None for clean labels."""

    row: Row
    noise: Noise | None
    seed: int

    @property
    def noise_key(self) -> str:
        """Key of the noise, ``clean`` without one."""
        return self.noise.key if self.noise else CLEAN

    @property
    def name(self) -> str:
        """As its folder is called: row, noise, seed."""
        return f"{self.row.key}-{self.noise_key}-{self.seed}"

    def matches(self, pattern: str) -> bool:
        """Whether ROW, ROW/NOISE or ROW/NOISE/SEED describes it; ``*`` stands for anything."""
        parts = [*pattern.split("/"), "*", "*"][:3]
        own = (self.row.key, self.noise_key, str(self.seed))
        return all(fnmatchcase(mine, part or "*") for mine, part in zip(own, parts, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The whole grid.

    Attributes:
        name: of its file, without the ending.
        title: one line.
        about: what one should know of it, shown under the table.
        data: folder of the clean dataset; None if it is drawn, or must be named by the user.
        phantom: how phantoms are drawn; None if there is a dataset.
        settings: of every training.
        rows: in the order of the table.
        noises: in the order of the table.
        seeds: of the runs.
        baseline: key of the row at which the gap to the upper bound starts.
        paper: published figures; None for none.
    """

    name: str
    title: str
    about: str = ""
    data: Path | None = None
    phantom: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Row, ...]
    noises: tuple[Noise, ...]
    seeds: tuple[int, ...]
    baseline: str = "baseline"
    paper: Paper | None = None

    def cells(self) -> list[Cell]:
        """Every cell: seed by seed, in it the upper bound first, then noise by noise, so that tables fill evenly."""
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        for seed in self.seeds:
            yield from (Cell(row, None, seed) for row in self.rows if row.clean)
            for noise in self.noises:
                yield from (Cell(row, noise, seed) for row in self.rows if not row.clean)

    def settings_of(self, cell: Cell) -> dict[str, Any]:
        """All settings of a cell's training."""
        noise = cell.noise.settings if cell.noise else {}
        return merged(self.settings, noise, cell.row.settings)

    def with_source(self, data: Path) -> "Suite":
        """The same suite with another dataset for the source models of its pseudo-labels.

        Raises:
            UsageError: none of its noises has a source.
        """
        if not any(noise.source for noise in self.noises):
            raise UsageError(f"No noise of the suite {self.name} has a source model; leave out --source.")
        noises = [
            replace(noise, source=replace(noise.source, data=data, phantom=None, cases=None))
            if noise.source
            else noise
            for noise in self.noises
        ]
        return replace(self, noises=tuple(noises))


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Settings on top of each other: tables are joined, and another network or loss forgets the former's table.

    >>> merged({"net": "unet", "net_params": {"width": 12}, "params": {"lr": 0.1}}, {"net": "deeplab"})
    {'net': 'deeplab', 'params': {'lr': 0.1}}
    """
    found: dict[str, Any] = {}
    for layer in layers:
        for name in ("net", "loss"):
            if name in layer and layer[name] != found.get(name):
                found.pop(f"{name}_params", None)
        for key, value in layer.items():
            found[key] = {**found.get(key, {}), **value} if key in DICTS else value
    return found


def decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a result depends on."""
    return {key: value for key, value in settings.items() if key not in NEUTRAL}


def chosen(cells: Sequence[Cell], only: Iterable[str] = (), shard: str = "") -> list[Cell]:
    """The cells that are meant.

    Args:
        cells: of the suite.
        only: patterns, see :meth:`Cell.matches`; none for all cells.
        shard: "i/n": of the cells that the patterns leave, the i-th, the (i + n)-th and so on; "" for all.

    Raises:
        UsageError: a pattern fits no cell, or the shard is no such share.
    """
    patterns = list(only)
    for pattern in patterns:
        if pattern.count("/") > 2:
            raise UsageError(f"Cells are described by ROW, ROW/NOISE or ROW/NOISE/SEED, not by '{pattern}'.")
        if not any(cell.matches(pattern) for cell in cells):
            names = {"/".join((c.row.key, c.noise_key, str(c.seed))) for c in cells}
            raise unknown("cell", pattern, names if "/" in pattern else {c.row.key for c in cells})
    kept = [c for c in cells if not patterns or any(c.matches(pattern) for pattern in patterns)]
    if not shard:
        return kept
    first, _, count = shard.partition("/")
    digits = first.isdecimal() and count.isdecimal()  # isdigit takes ², which is no number to int
    if not digits or not 1 <= int(first) <= int(count):
        raise UsageError(f"A shard is written i/n with i from 1 to n, as in 2/8, not '{shard}'.")
    return kept[int(first) - 1 :: int(count)]


def digest(values: Any) -> str:
    """Short identity of plain values, for comparing."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def read_toml(path: Path) -> dict[str, Any]:
    """The plain values of a suite file.

    Raises:
        UsageError: it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The suite {path} cannot be read ({error}).") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The suite {path} is not TOML: {error}.") from error
