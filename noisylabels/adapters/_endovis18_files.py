"""Find the frames of Endovis18 in folders and archives, whatever the release was called."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from noisylabels.errors import InvalidData
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item

_FRAME = re.compile(r"(?:.*/)?seq_(\d+)/(left_frames|labels)/frame(\d+)\.png", re.IGNORECASE)
_REPAIR = re.compile(r"(?:.*/)?seq_(\d+)_frame(\d+)\.png", re.IGNORECASE)
_TEST = re.compile(r"(^|/)(test[^/]*|seq_\d+-[^/]+)/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """A file, or a member of an archive."""

    path: Path
    member: str = ""

    def read(self) -> bytes:
        """Its bytes."""
        if not self.member:
            return self.path.read_bytes()
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(self.member)


@dataclass(slots=True)
class Frame:
    """Where a frame's image and labels are."""

    group: str
    image: Place | None = None
    labels: Place | None = None
    repaired: bool = False

    def item(self, key: str, about: Mapping[str, Any]) -> Item:
        """The frame as an item."""
        assert self.image is not None
        assert self.labels is not None
        places = (self.image, self.labels)
        members = tuple(place.member for place in places)
        return Item(
            key=key,
            files=tuple(place.path for place in places),
            members=members if any(members) else (),
            group=self.group,
            about=about,
        )


@dataclass(slots=True)
class Found:
    """What a raw folder holds."""

    frames: dict[str, Frame] = field(default_factory=dict)
    tables: list[Place] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def find(raw: Path) -> Found:
    """Everything of Endovis18 in a folder, by the names of files and of members of archives.

    Raises:
        InvalidData: an archive is damaged.
    """
    found, ghosts, repairs = Found(), 0, list[tuple[str, Place]]()
    for name, place in _names(raw):
        parts = PurePosixPath(name).parts
        if "__MACOSX" in parts or parts[-1].startswith("._"):
            ghosts += 1
        elif parts[-1] == "labels.json":
            found.tables.append(place)
        elif match := _FRAME.fullmatch(name):
            _note(found, match, bool(_TEST.search(name)), place)
        elif match := _REPAIR.fullmatch(name):
            repairs.append((_key(int(match[1]), int(match[2]), False), place))
    for key, place in repairs:
        _repair(found, key, place)
    if ghosts:
        text = f"{ghosts} files of a file browser (__MACOSX, ._*) are ignored."
        found.findings.append(Finding(kind="unexpected", what="__MACOSX", text=text))
    return found


def read_colours(tables: list[Place], facts: SourceFacts) -> tuple[dict[str, list[int]], list[Finding]]:
    """Colour of every class by name: the union of all tables, and the manifest's where they are silent.

    Raises:
        InvalidData: a table is damaged, contradicts another, or names a class that is not known.
    """
    colours: dict[str, list[int]] = {}
    for place in tables:
        where = f"{place.path}{'/' if place.member else ''}{place.member}"
        try:
            document = json.loads(place.read())
            rows = document["classes"] if isinstance(document, dict) else document
            table = {str(row["name"]): [int(n) for n in row["color"][:3]] for row in rows}
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise InvalidData(f"{where} is damaged ({error}).") from error
        for name, colour in table.items():
            if name not in facts.colours:
                raise InvalidData(f"{where} names the class '{name}', which Endovis18 does not have.")
            if colours.setdefault(name, colour) != colour:
                raise InvalidData(f"{where} gives {name} the colour {colour}, another table {colours[name]}.")
    silent = [name for name in facts.colours if name not in colours]
    for name in silent:
        colours[name] = list(facts.colours[name])
    if tables and silent:
        text = f"No labels.json names {', '.join(silent)}; their colours are those of the complete set."
        return colours, [Finding(kind="repaired", what="labels.json", text=text)]
    return colours, []


def _names(raw: Path) -> Iterator[tuple[str, Place]]:
    """Every file by its path inside ``raw``, with those inside archives; sorted, folders before archives."""
    archives = []
    for path in sorted(raw.rglob("*")) if raw.is_dir() else ():
        if path.suffix.lower() == ".zip" and not path.name.startswith("._"):
            archives.append(path)
        elif path.is_file():
            yield path.relative_to(raw).as_posix(), Place(path)
    for path in archives:
        try:
            with zipfile.ZipFile(path) as archive:
                members = [info.filename for info in archive.infolist() if not info.is_dir()]
        except (OSError, zipfile.BadZipFile) as error:
            raise InvalidData(f"{path} is damaged or not a ZIP archive ({error}).") from error
        above = path.relative_to(raw).with_suffix("").as_posix()
        for name in members:
            yield f"{above}/{name}", Place(path, name)


def _note(found: Found, match: re.Match[str], test: bool, place: Place) -> None:
    key = _key(int(match[1]), int(match[3]), test)
    frame = found.frames.setdefault(key, Frame(group=key.rsplit("_", 1)[0]))
    kind = "image" if match[2].lower() == "left_frames" else "labels"
    first = getattr(frame, kind)
    if first is None:
        setattr(frame, kind, place)
        return
    text = f"The {kind} of {key} is there twice; {first.path} is used, {place.path} is ignored."
    found.findings.append(Finding(kind="duplicate", what=key, text=text))


def _repair(found: Found, key: str, place: Place) -> None:
    frame = found.frames.get(key)
    if frame is None:
        text = f"The repaired labels of {key} are there, but not the frame."
        found.findings.append(Finding(kind="missing", what=key, text=text))
        return
    frame.labels, frame.repaired = place, True
    text = f"The labels of {key} are replaced by those of {place.path.name}."
    found.findings.append(Finding(kind="repaired", what=key, text=text))


def _key(sequence: int, frame: int, test: bool) -> str:
    return f"{'test_' if test else ''}seq_{sequence:02d}_frame{frame:03d}"
