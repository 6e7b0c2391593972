"""Suites: those that come along, and those of a file; a TOML text becomes a :class:`noisylabels.suite.Suite`."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from noisylabels import toml
from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError, unknown
from noisylabels.params import parameters
from noisylabels.presets import load as preset
from noisylabels.presets import with_version
from noisylabels.recipe import Recipe
from noisylabels.steps import Step, every_step, refuse_unknown
from noisylabels.suite import CLEAN, DICTS, Noise, Paper, Row, Source, Suite, read_toml

DEFAULT = "jcas-phantoms"
"""The suite that is meant when none is named: it needs no data."""

_TOP = ("title", "about", "data", "phantom", "training", "rows", "noises", "seeds", "baseline", "paper")
_NOISE = ("name", "key", "seed", "mode", "params", "preset", "recipe", "source", "training")
_PAPER = ("source", "test_selected", "columns")
_METRICS = ("dice", "jaccard")
_KEY = re.compile(r"[a-z0-9_]+(?:-[a-z0-9_]+)*")


def names() -> list[str]:
    """The suites that come along, sorted."""
    return sorted(f.name.removesuffix(".toml") for f in files(__name__).iterdir() if f.name.endswith(".toml"))


def place(name: str) -> Path:
    """Where the file of a suite is.

    Raises:
        UsageError: there is none.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix == ".toml" or "/" in name:
        raise UsageError(f"There is no suite at {path}; those that come along: {', '.join(names())}.")
    if name not in names():
        raise unknown("suite", name, names())
    return Path(str(files(__name__).joinpath(f"{name}.toml")))


def load(name: str) -> Suite:
    """A suite by the path of its file or by the name of one that comes along.

    Raises:
        UsageError: there is none, or it says something that is not understood; the message names the file.
    """
    path = place(name)
    try:
        return read(read_toml(path), path)
    except UsageError as error:
        start = "" if str(path) in str(error) else f"Suite {path.stem}: "
        raise UsageError(f"{start}{error}") from error


def read(table: Mapping[str, Any], path: Path) -> Suite:
    """A suite from its plain values.

    Args:
        table: the document.
        path: of its file, to which paths in it are relative.

    Raises:
        UsageError: a key is unknown or missing, or a value is of the wrong kind.
    """
    refuse_unknown("key of a suite:", table, _TOP)
    if "data" in table and "phantom" in table:
        raise UsageError("A suite has either data or a phantom, not both.")
    try:
        rows = _distinct("row", [_row(row) for row in table["rows"]])
        suite = Suite(
            name=path.stem,
            title=str(table["title"]),
            about=" ".join(str(table.get("about", "")).split()),
            data=path.parent / table["data"] if "data" in table else None,
            phantom=dict(table["phantom"]) if "phantom" in table else None,
            settings=_settings(table.get("training", {}), "the training"),
            rows=rows,
            noises=_distinct("noise", [_noise(noise, path.parent) for noise in table["noises"]]),
            seeds=tuple(_whole(seed, "seeds") for seed in table["seeds"]),
            baseline=str(table.get("baseline", "baseline")),
            paper=_paper(table["paper"]) if "paper" in table else None,
        )
    except KeyError as error:
        raise UsageError(f"It lacks {error}.") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"A value is of the wrong kind ({error}).") from error
    _check(suite)
    return suite


def _check(suite: Suite) -> None:
    if not suite.rows or not suite.noises or not suite.seeds:
        raise UsageError("A suite needs at least one row, one noise and one seed.")
    if len(set(suite.seeds)) < len(suite.seeds):
        raise UsageError("A seed comes twice.")
    noisy = [row.key for row in suite.rows if not row.clean]
    if suite.baseline not in noisy and suite.baseline != "baseline":
        raise unknown("row for the baseline:", suite.baseline, noisy)
    if any(noise.key == CLEAN for noise in suite.noises):
        raise UsageError(f"No noise can be called {CLEAN}: that is the upper bound's.")
    folders = Counter(cell.name for cell in suite.cells())
    twice = next((name for name, count in folders.items() if count > 1), None)
    if twice is not None:
        raise UsageError(f"Two cells would share the folder {twice}; give a row or a noise another key.")
    for noise, row, _ in suite.paper.figures if suite.paper else ():
        if noise != CLEAN and noise not in [n.key for n in suite.noises]:
            raise unknown("noise of the paper:", noise, [CLEAN, *(n.key for n in suite.noises)])
        if row not in [r.key for r in suite.rows]:
            raise unknown("row of the paper:", row, [r.key for r in suite.rows])


def _row(table: Mapping[str, Any]) -> Row:
    settings = dict(table)
    method, labels = str(settings.pop("method")), settings.pop("labels", "noisy")
    if labels not in ("noisy", "clean"):
        raise unknown("kind of labels:", str(labels), ("noisy", "clean"))
    name = str(settings.pop("name", method))
    key = _key(settings.pop("key", None), name)
    settings = _settings(settings, f"row {key}")
    return Row(key=key, name=name, method=method, clean=labels == "clean", settings=settings)


def _settings(table: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Settings of a training; those that are joined with others must be tables."""
    for name in DICTS:
        if not isinstance(table.get(name, {}), Mapping):
            raise UsageError(f"In {what}: {name} is a table, as in {{ name = value }}, not {table[name]!r}.")
    return dict(table)


def _noise(table: Mapping[str, Any], folder: Path) -> Noise:
    refuse_unknown("key of a noise:", table, _NOISE)
    name, seed = str(table["name"]), table.get("seed", 0)
    ways = [way for way in ("mode", "preset", "recipe") if way in table]
    if len(ways) != 1:
        raise UsageError(f"The noise {name} needs one of mode, preset and recipe.")
    follows = seed == "run"
    recipe = replace(_recipe(table), seed=0 if follows else _whole(seed, "seed"))
    for step in every_step(recipe.steps):
        _check_step(step, name)
    source = _source(table["source"], folder) if "source" in table else None
    if source is None and any(getattr(step, "mode", "") == "pseudo-label" for step in recipe.steps):
        raise UsageError(
            f"The noise {name} takes predictions for labels; say of which model in its table [noises.source]."
        )
    return Noise(
        key=_key(table.get("key"), name),
        name=name,
        recipe=recipe,
        follows=follows,
        source=source,
        settings=_settings(table.get("training", {}), f"noise {name}"),
    )


def _check_step(step: Step, noise: str) -> None:
    """Refuse what corrupting would refuse; a name among whole numbers is a class, which only the data know."""
    module = MODES.load(step.mode)
    whole = {parameter.name: parameter.scalar is int for parameter in parameters(module.Params)}
    try:
        refuse_unknown(f"parameter of mode '{step.mode}':", step.params, tuple(whole))
        if not any(whole[name] and _has_text(value) for name, value in step.params.items()):
            step.params_for(module)
    except UsageError as error:
        raise UsageError(f"In noise {noise}: {error}") from error


def _has_text(value: Any) -> bool:
    return any(isinstance(item, str) for item in (value if isinstance(value, list) else [value]))


def _recipe(table: Mapping[str, Any]) -> Recipe:
    if "preset" in table:
        return preset(table["preset"]).recipe
    if "recipe" in table:
        document = {"seed": 0, **table["recipe"]}
        steps = [with_version(step) for step in document["steps"]]
        return Recipe.from_toml(toml.dumps({"recipe": {**document, "steps": steps}}))
    step = {"mode": table["mode"], "version": MODES.load(table["mode"]).VERSION}
    return Recipe.from_toml(
        toml.dumps({"recipe": {"seed": 0, "steps": [{**step, "params": table.get("params", {})}]}})
    )


def _source(table: Mapping[str, Any], folder: Path) -> Source:
    settings = dict(table)
    ways = {way: settings.pop(way) for way in ("data", "phantom", "cases") if way in settings}
    if len(ways) != 1:
        raise UsageError("The source of pseudo-labels needs one of data, phantom and cases.")
    return Source(
        data=folder / ways["data"] if "data" in ways else None,
        phantom=dict(ways["phantom"]) if "phantom" in ways else None,
        cases=_whole(ways["cases"], "cases") if "cases" in ways else None,
        method=str(settings.pop("method", "baseline")),
        predict=dict(settings.pop("predict", {})),
        settings=_settings(settings, "the source"),
    )


def _paper(table: Mapping[str, Any]) -> Paper:
    columns = tuple(map(str, table["columns"]))
    figures = {}
    for noise, rows in table.items():
        if noise in _PAPER:
            continue
        for row, values in rows.items():
            for metric, found in zip(_METRICS, values, strict=True):
                figures[noise, row, metric] = tuple(float(value) for value in found)
                if len(found) != len(columns):
                    raise UsageError(
                        f"The paper has {len(columns)} columns, but {len(found)} figures for {row}."
                    )
    selected = bool(table.get("test_selected", False))
    return Paper(source=str(table["source"]), test_selected=selected, columns=columns, figures=figures)


def _key(given: Any, name: str) -> str:
    """The short name, by default made from the long one."""
    key = str(given) if given is not None else re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")
    if not _KEY.fullmatch(key):
        raise UsageError(f"A key is small letters, digits, hyphens and underscores, not '{key}'.")
    return key


def _distinct(kind: str, found: Sequence[Any]) -> tuple[Any, ...]:
    keys = [one.key for one in found]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise UsageError(f"Two entries of the {kind}s have the key {twice}; give one another key.")
    return tuple(found)


def _whole(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{what} takes whole numbers, not {value!r}.")
    return value
