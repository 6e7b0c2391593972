"""What an adapter finds in a folder of raw files, before any of it is decoded.

An adapter is a module with

    Options                                        frozen dataclass, every field with a default
    info(facts, options) -> DatasetInfo            what holds for every case
    survey(raw, facts, options) -> Survey          which items are there; reads names, sizes and small tables only
    read(item, facts, options) -> Iterator[Case]   the cases of one item; everything is decoded here
    probe(item, facts, options) -> findings        is the item undamaged? without converting it
    splits(ids, facts, options) -> {name: Split}   named splits of the cases that were made; ``ids`` maps ids to groups

and its facts (licence, classes, counts) stand in ``datasets_manifest/<name>.toml``. An item is what is read at
once and by itself: a frame, a volume, a patient's scan. Items are independent, so they are read in several
processes, and one that is damaged does not stop the others.
"""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias

from noisylabels.case import Case
from noisylabels.errors import InvalidData
from noisylabels.facts import SourceFacts

Kind: TypeAlias = Literal["found", "missing", "damaged", "duplicate", "unexpected", "repaired"]

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Raw files that are read together.

    Attributes:
        key: its name among all items, stable from run to run, fit for a file name.
        files: the raw files it is made from, in the order in which they are read; an archive where the item lies
            in one.
        members: for every file the name inside it that is read, where it is a ZIP, else ""; () if none is.
        group: patient, sequence or scan: what no split may tear apart.
        about: what else the adapter must know to read it, as plain values (it is sent to other processes).
    """

    key: str
    files: tuple[Path, ...]
    members: tuple[str, ...] = ()
    group: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise InvalidData(f"'{self.key}' cannot name an item of raw data; use A-Z a-z 0-9 . _ and -.")
        object.__setattr__(self, "group", self.group or self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a user should know about the raw files.

    Attributes:
        kind: found (told, nothing wrong), missing, damaged, duplicate, unexpected (ignored), or repaired (what
            was done is said).
        what: the file, folder or id that it is about.
        text: the finding in one sentence.
    """

    kind: Kind
    what: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is there.

    Attributes:
        items: in the order of their keys.
        findings: what a user should know.
        options: the options with what only the files can tell filled in; None: as they were given.

    Raises:
        InvalidData: two items have the same key.
    """

    items: tuple[Item, ...]
    findings: tuple[Finding, ...] = ()
    options: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", tuple(sorted(self.items, key=lambda item: item.key)))
        for one, other in zip(self.items, self.items[1:], strict=False):
            if one.key == other.key:
                raise InvalidData(
                    f"{one.files[0]} and {other.files[0]} are both {one.key}; remove one of them."
                )


def cases(adapter: ModuleType, raw: Path, facts: SourceFacts, options: Any) -> Iterator[Case]:
    """Stream every case of a folder, item by item.

    Raises:
        InvalidData: the layout is not known, or an item is damaged.
    """
    found = adapter.survey(raw, facts, options)
    for item in found.items:
        yield from adapter.read(item, facts, found.options or options)


def contents(item: Item) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file of an item, or of the member of it that is meant.

    Raises:
        InvalidData: a file or member is missing or damaged.
    """
    for path, member in zip(item.files, item.members or ("",) * len(item.files), strict=True):
        try:
            if not member:
                yield str(path), path.read_bytes()
                continue
            with zipfile.ZipFile(path) as archive:
                yield f"{path}/{member}", archive.read(member)
        except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise InvalidData(f"{path} cannot be read ({error}).") from error


def source_digest(item: Item) -> str:
    """SHA-256 over the SHA-256 of the bytes of every file or member, in their order; names do not count."""
    whole = hashlib.sha256()
    if item.members:
        for _, content in contents(item):
            whole.update(hashlib.sha256(content).digest())
    else:
        for path in item.files:
            with path.open("rb") as stream:
                whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()
