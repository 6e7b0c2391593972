"""What there is, found by name: our modules by file name, other people's by entry point.

The word is the file: the mode ``pair-flip`` is ``corruptions/pair_flip.py``, and a new file there is a new
mode without any list being edited. Listing imports nothing: the summary is read from the source text. A
plugin of somebody else is listed with its origin, and when it is broken it fails alone, at the moment it is
asked for.
"""

import ast
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING

from noisylabels.errors import NoisyLabelsError, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a catalogue.

    Attributes:
        name: as one writes it on the command line, with hyphens.
        origin: "noisylabels", or the distribution that brings it.
        summary: the first line of its docstring; "" where it cannot be told without importing.
    """

    name: str
    origin: str
    summary: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All modules of one kind.

    Attributes:
        kind: the word for one of them in messages, as "mode".
        package: dotted name of our package; every module in it is one, except those that start with ``_``.
        group: entry point group of other people's.
    """

    kind: str
    package: str
    group: str

    def names(self) -> list[str]:
        """Every name, sorted, with hyphens."""
        return sorted({*self._ours(), *self._others()})

    def load(self, name: str) -> ModuleType:
        """Import one; hyphens and underscores are the same.

        Raises:
            UsageError: there is none of this name; the message suggests the nearest.
            NoisyLabelsError: it exists, but fails on import.
        """
        name = name.replace("_", "-")
        try:
            if name in self._ours():
                return import_module(f"{self.package}.{name.replace('-', '_')}")
        except Exception as error:
            raise self._broken(name, "noisylabels", error) from error
        point = self._others().get(name)
        if point is None:
            raise unknown(self.kind, name, self.names())
        try:
            return _as_module(point.load())
        except Exception as error:
            raise self._broken(name, _origin(point), error) from error

    def _broken(self, name: str, origin: str, error: Exception) -> NoisyLabelsError:
        found = f"{type(error).__name__}: {error}".rstrip(".")
        return NoisyLabelsError(f"The {self.kind} '{name}' of {origin} cannot be loaded ({found}).")

    def describe(self) -> list[Entry]:
        """Every entry, sorted by name; imports none of them."""
        ours = [Entry(name, "noisylabels", first_line(path)) for name, path in self._ours().items()]
        hidden = set(self._ours())
        others = [
            Entry(name, _origin(point), first_line(_source(point)))
            for name, point in self._others().items()
            if name not in hidden
        ]
        return sorted([*ours, *others], key=lambda entry: entry.name)

    def _ours(self) -> dict[str, Path]:
        spec = find_spec(self.package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        return {
            module.name.replace("_", "-"): Path(folder) / f"{module.name}.py"
            for folder in folders
            for module in iter_modules([folder])
            if not module.name.startswith("_")
        }

    def _others(self) -> "dict[str, EntryPoint]":
        from importlib.metadata import entry_points  # 50 ms, which a help text does without

        return {point.name.replace("_", "-"): point for point in entry_points(group=self.group)}


def first_line(path: Path | None) -> str:
    """First line of a module's docstring, read without running the module; "" when there is none."""
    try:
        text = path.read_text(encoding="utf-8") if path else ""
        return (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
    except (OSError, SyntaxError, ValueError):
        return ""


def _source(point: "EntryPoint") -> Path | None:
    """The file of an entry point, found without importing it; None when it is not a plain module."""
    try:
        top, *rest = point.module.split(".")
        spec: ModuleSpec | None = find_spec(top)
        if spec is None or spec.origin is None:
            return None
        return Path(spec.origin) if not rest else Path(spec.origin).parent.joinpath(*rest).with_suffix(".py")
    except (ImportError, ValueError):
        return None


def _origin(point: "EntryPoint") -> str:
    return point.dist.name if point.dist else point.module.split(".")[0]


def _as_module(thing: object) -> ModuleType:
    if not isinstance(thing, ModuleType):
        raise TypeError(f"the entry point names a {type(thing).__name__}, not a module")
    return thing


MODES = Catalogue("mode", "noisylabels.corruptions", "noisylabels.corruptions")
"""Every corruption."""

DATASETS = Catalogue("dataset", "noisylabels.adapters", "noisylabels.adapters")
"""Every dataset that can be prepared."""
