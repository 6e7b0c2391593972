"""Find the CT series and the annotation files of LIDC-IDRI in a folder, whatever its layout."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from noisylabels.adapters._lidc_dicom import Header, read_header
from noisylabels.adapters._lidc_xml import glance, read_reading
from noisylabels.errors import InvalidData
from noisylabels.sources import Finding, Item, Kind

TWO_SERIES = frozenset(f"LIDC-IDRI-{number:04d}" for number in (132, 151, 315, 332, 355, 365, 442, 484))
"""Patients with two CT series; the names of their scans end in digits of the series, whichever is there."""

_SHOWN = 5
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(slots=True)
class Found:
    """What a raw folder holds.

    Attributes:
        scans: header and files of every CT series, by UID.
        readings: the annotation file of every series, by UID.
        findings: what a user should know.
    """

    scans: dict[str, tuple[Header, list[Path]]] = field(default_factory=dict)
    readings: dict[str, Path] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def note(self, kind: Kind, what: str | Path, text: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(kind=kind, what=str(what), text=text))


def find(raw: Path) -> Found:
    """Every series and every annotation file; of a series one header is read, of a file its first lines."""
    found = Found()
    folders, annotations = _walk(raw)
    _find_scans(found, folders)
    _find_readings(found, annotations)
    return found


def items(found: Found) -> Iterator[Item]:
    """One item for every series that is annotated; the annotations are its last file."""
    several = _patients_with_several(found)
    bare = []
    for uid, (header, files) in found.scans.items():
        key = header.patient
        if header.patient in several or header.patient in TWO_SERIES:
            key = f"{header.patient}_{uid.rsplit('.', 1)[-1][-6:]}"
        if uid not in found.readings:
            bare.append(key)
        else:
            reading = found.readings[uid]
            yield Item(key=key, files=(*files, reading), group=header.patient, about={"series": uid})
    if bare:
        text = f"{_listed(bare, 'scan')} without annotations and left out."
        found.note("missing", bare[0], text)


def _walk(raw: Path) -> tuple[dict[Path, list[Path]], list[Path]]:
    """The DICOM files of every folder, and all XML files, sorted."""
    folders, annotations = dict[Path, list[Path]](), list[Path]()
    for place, inner, names in os.walk(raw):
        inner[:] = sorted(name for name in inner if not name.startswith((".", "__MACOSX")))
        for name in sorted(names):
            ending = name[-4:].lower()
            if ending == ".dcm" and not name.startswith("."):
                folders.setdefault(Path(place), []).append(Path(place, name))
            elif ending == ".xml" and not name.startswith("."):
                annotations.append(Path(place, name))
    return folders, annotations


def _find_scans(found: Found, folders: dict[Path, list[Path]]) -> None:
    others = dict[str, int]()
    for folder, files in folders.items():
        header = _first_header(found, folder, files)
        if header is None:
            continue
        if header.modality != "CT":
            others[header.modality] = others.get(header.modality, 0) + 1
        elif header.series_uid in found.scans:
            first = found.scans[header.series_uid][1][0].parent
            found.note("duplicate", folder, f"{folder} holds the same series as {first} and is ignored.")
        elif not _NAME.fullmatch(header.patient):
            text = f"{folder} shows a patient called '{header.patient}', which cannot name a case; it is left out."
            found.note("damaged", folder, text)
        else:
            found.scans[header.series_uid] = (header, files)
    if others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
        found.note("unexpected", kinds, f"Series that are no CT are ignored: {kinds}.")


def _first_header(found: Found, folder: Path, files: Sequence[Path]) -> Header | None:
    wrong = ""
    for path in files:
        try:
            return read_header(path)
        except InvalidData as error:
            wrong = wrong or str(error)
    text = f"{folder} is left out, because none of its {len(files)} files can be read; {wrong}"
    found.note("damaged", folder, text)
    return None


def _find_readings(found: Found, annotations: Sequence[Path]) -> None:
    kinds, readings = dict[str, list[Path]](), dict[str, list[Path]]()
    for path in annotations:
        try:
            kind, uid = glance(path)
        except InvalidData as error:
            found.note("damaged", path, str(error))
            continue
        kinds.setdefault(kind, []).append(path)
        if kind == "ct":
            readings.setdefault(uid, []).append(path)
    for kind, what in (("x-ray", "annotation files of chest X-rays"), ("other", "XML files of another kind")):
        if kind in kinds:
            text = f"Ignored: {what}, {len(kinds[kind])} in number, the first of them {kinds[kind][0].name}."
            found.note("unexpected", kinds[kind][0], text)
    for uid, files in readings.items():
        if one := _one_reading(found, files):
            found.readings[uid] = one
    without = sorted(set(found.readings) - set(found.scans))
    if without and found.scans:
        names = [found.readings[uid].name for uid in without]
        text = f"{_listed(names, 'annotated scan')} not in the raw folder."
        found.note("missing", names[0], text)


def _one_reading(found: Found, files: Sequence[Path]) -> Path | None:
    """The only annotations of a series; copies are dropped, contradictions leave the series out."""
    first, *more = files
    for other in more:
        try:
            same = read_reading(first) == read_reading(other)
        except InvalidData as error:
            found.note("damaged", first, f"{error} Its scan is left out.")
            return None
        if not same:
            text = f"{first} and {other} annotate the same series differently, so it is left out; remove one of them."
            found.note("damaged", other, text)
            return None
        found.note("duplicate", other, f"{other} repeats the annotations of {first} and is ignored.")
    return first


def _patients_with_several(found: Found) -> set[str]:
    counts = Counter(header.patient for header, _ in found.scans.values())
    return {patient for patient, count in counts.items() if count > 1}


def _listed(names: Sequence[str], what: str) -> str:
    some = ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return (
        f"{len(names)} {what}{'' if len(names) == 1 else 's'} ({some}) {'is' if len(names) == 1 else 'are'}"
    )
