"""What is known about a dataset's source, read from its manifest.

Code that reads a dataset holds no facts about it: licence, citation, class tables and splits stand in
``datasets_manifest/<dataset>.toml``, where a person can check them without reading code.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from importlib.resources import files
from typing import Any

from noisylabels.errors import InvalidData, unknown

ACCESS = ("open", "registration", "agreement")
"""How the files are had: by anyone, after registering, after accepting the owner's terms."""

_PACKAGE = "noisylabels.datasets_manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redistribution:
    """What the owner allows to be passed on.

    Attributes:
        images: the images.
        labels: the labels as they are.
        derived_labels: labels made from them, such as noisy ones.
    """

    images: bool
    labels: bool
    derived_labels: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """One way to write the structures into one label map.

    Attributes:
        classes: name of every class, background first.
        structures: classes that a structure consists of, by name; empty means every class by itself.
    """

    classes: tuple[str, ...]
    structures: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file or folder that the owner or somebody else offers.

    Attributes:
        name: its name.
        where: a place for people: a page, or words.
        channels: URLs that give the file without a login, tried in turn; none: only a person can fetch it.
        size: in bytes; None when it is not known.
        sha256: hex digest, "" when it is not known.
        md5: hex digest, "" when it is not known.
        note: what it holds.
        unpack: whether it is an archive to be unpacked beside itself.
        members: SHA-256 of files in it by name, as far as known.
    """

    name: str
    where: str
    channels: tuple[str, ...] = ()
    size: int | None = None
    sha256: str = ""
    md5: str = ""
    note: str = ""
    unpack: bool = False
    members: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """A split by its rule, or by lists.

    Attributes:
        rule: how the cases are divided, in words.
        source: who divides them so.
        parts: ids of "train", "val" and "test", where the rule is a list.
    """

    rule: str
    source: str
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A paper's way to prepare a dataset.

    Attributes:
        title: what it gives, in one line.
        source: who prepares it so, and how much of that is our reading.
        options: options of the adapter, by field name.
        split: name of the split that it uses; "" for the default.
    """

    title: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """Everything that a manifest states.

    Attributes:
        name: of the dataset, which is the manifest's file name.
        title: one line for people.
        version: of the data.
        homepage: where the owner describes them.
        licence: the terms, in short.
        citation: what to cite.
        access: "open", "registration" or "agreement".
        num_cases: how many cases the complete set has.
        redistribution: what may be passed on.
        tables: class tables by name; the first is the default.
        splits: named splits; the first is the default.
        presets: settings of papers, by name.
        files: what can be fetched, and where.
        steps: how a person gets what no program may fetch, step by step; file names and folders included.
        terms: what must be accepted before anything is fetched, and where it stands; "" for nothing.
        service: an archive that gives single patients: its kind ("nbia"), address, collection and modality.
        colours: red, green and blue of every class by name, where labels are coloured.
        series: number of cases by the first part of their ids, where ids are numbered.
        unverified: statements about the source that nobody has checked here.
    """

    name: str
    title: str
    version: str
    homepage: str
    licence: str
    citation: str
    access: str
    num_cases: int
    redistribution: Redistribution
    tables: Mapping[str, ClassTable]
    splits: Mapping[str, SplitFacts]
    presets: Mapping[str, Preset] = field(default_factory=dict)
    files: tuple[SourceFile, ...] = ()
    steps: tuple[str, ...] = ()
    terms: str = ""
    service: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    series: Mapping[str, int] = field(default_factory=dict)
    unverified: tuple[str, ...] = ()

    @property
    def default_split(self) -> str:
        """Name of the split that is used when none is named."""
        return next(iter(self.splits))


def load_facts(name: str) -> SourceFacts:
    """The facts about a dataset.

    Args:
        name: as on the command line; hyphens and underscores are the same.

    Raises:
        UsageError: there is no such manifest; the message suggests the nearest.
        InvalidData: the manifest lacks something or holds an unknown key.
    """
    name = name.replace("-", "_")
    found = files(_PACKAGE).joinpath(f"{name}.toml")
    if not name.isidentifier() or not found.is_file():
        known = [f.name[:-5] for f in files(_PACKAGE).iterdir() if f.name.endswith(".toml")]
        raise unknown("dataset", name.replace("_", "-"), (k.replace("_", "-") for k in known))
    return parse_facts(name, found.read_text(encoding="utf-8"))


def parse_facts(name: str, text: str) -> SourceFacts:
    """The facts in the text of a manifest.

    Raises:
        InvalidData: it is not TOML, lacks something or holds an unknown key; the message names it.
    """
    where = f"Manifest {name}.toml"
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidData(f"{where} is not TOML: {error}.") from error
    tables = {
        key: _build(ClassTable, _table_values(table, where), f"{where}, table {key}")
        for key, table in _mapping(document, "tables", where).items()
    }
    splits = {
        key: _build(SplitFacts, _split_values(split), f"{where}, split {key}")
        for key, split in _mapping(document, "splits", where).items()
    }
    presets = {
        key: _build(Preset, preset, f"{where}, preset {key}")
        for key, preset in document.get("presets", {}).items()
    }
    facts: SourceFacts = _build(
        SourceFacts,
        {
            **document,
            "name": name,
            "tables": tables,
            "splits": splits,
            "presets": presets,
            "redistribution": _build(
                Redistribution, document.get("redistribution", {}), f"{where}, redistribution"
            ),
            "files": tuple(
                _build(SourceFile, {**entry, "channels": tuple(entry.get("channels", ()))}, f"{where}, files")
                for entry in document.get("files", ())
            ),
            "steps": tuple(document.get("steps", ())),
            "unverified": tuple(document.get("unverified", ())),
        },
        where,
    )
    for key, preset in presets.items():
        if preset.split and preset.split not in splits:
            raise InvalidData(f"{where}: preset {key} names the split '{preset.split}', which is not there.")
    if facts.access not in ACCESS:
        raise InvalidData(f"{where} states the access '{facts.access}'; it may be {', '.join(ACCESS)}.")
    return facts


def _mapping(document: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    found = document.get(key)
    if not isinstance(found, Mapping) or not found:
        raise InvalidData(f"{where} has no [{key}.<name>]; at least one is needed.")
    return found


def _table_values(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    structures = {k: tuple(codes) for k, codes in table.get("structures", {}).items()}
    return {**table, "classes": tuple(table.get("classes", ())), "structures": structures}


def _split_values(split: Mapping[str, Any]) -> dict[str, Any]:
    lists = {part: tuple(split[part]) for part in ("train", "val", "test") if part in split}
    return {**{key: value for key, value in split.items() if key not in lists}, "parts": lists}


def _build(kind: type, values: Mapping[str, Any], where: str) -> Any:
    known = {f.name: f for f in fields(kind)}
    for key in values:
        if key not in known:
            raise InvalidData(f"{where} holds '{key}', which has no meaning; known: {', '.join(known)}.")
    for key, entry in known.items():
        if key not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise InvalidData(f"{where} lacks '{key}'.")
    return kind(**values)
