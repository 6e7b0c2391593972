"""Find the files of JSRT and SCR, in the layouts in which they are had."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from noisylabels.adapters._jsrt_pixels import read_mask
from noisylabels.errors import InvalidData
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding

SINGLE = ("right lung", "left lung", "heart", "right clavicle", "left clavicle")
"""What SCR drew by itself; right and left are the patient's."""

MERGED = ("lung", "heart", "clavicle")

ID = re.compile(r"(JPC[LN]N)(\d{3})")

_EXPECTED = (
    "expected JPCLNnnn.IMG with the five SCR folders (right lung, left lung, heart, right clavicle, left clavicle), or "
    "the re-packed layout with images, lung, heart and clavicle, each holding JPCLNnnn.png and JPCNNnnn.png"
)
_COLUMNS = {
    "CLNDAT_EN.TXT": (
        *("subtlety", "nodule_mm", "age", "sex", "nodule_x", "nodule_y"),
        *("malignancy", "location", "diagnosis"),
    ),
    "CNNDAT_EN.TXT": ("age", "sex", "diagnosis"),
}


@dataclass(slots=True)
class Found:
    """What a raw folder holds.

    Attributes:
        packed: whether it is the re-packed layout, in which right and left are merged.
        images: file of every case.
        structures: file of every case, by structure.
        clinical: what the tables tell, by case.
        findings: what a user should know.
    """

    packed: bool = False
    images: dict[str, Path] = field(default_factory=dict)
    structures: dict[str, dict[str, Path]] = field(default_factory=dict)
    clinical: dict[str, dict[str, str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def find(raw: Path, facts: SourceFacts) -> Found:
    """The files of a raw folder, by their names.

    Raises:
        InvalidData: the layout is not known, or a file is not named after a case.
    """
    if (raw / "images").is_dir():
        return _packed(raw, facts)
    found = Found()
    files = sorted(path for path in raw.rglob("*") if path.is_file()) if raw.is_dir() else []
    found.images = _listed((path for path in files if path.suffix.lower() == ".img"), (".img",), facts)
    for name in SINGLE:
        drawn = [path for path in files if path.parent.name.lower() == name]
        if drawn:
            found.structures[name] = _listed(drawn, (".gif", ".tif", ".tiff", ".png"), facts)
    loose = [path for path in files if path.suffix.lower() in (".tif", ".tiff")]
    if not found.structures and loose:
        found.structures["right lung"] = _right_lungs(_listed(loose, (".tif", ".tiff"), facts))
    if not found.images or not found.structures:
        raise InvalidData(f"{raw} holds no JSRT {'masks' if found.images else 'image'}; {_EXPECTED}.")
    for path in files:
        if path.name.upper() in _COLUMNS:
            found.clinical |= _clinical(path)
    return found


def _right_lungs(masks: dict[str, Path]) -> dict[str, Path]:
    """Masks that come one a case, told by content: the later publication of SCR is said to show the right lung.

    Raises:
        InvalidData: the first one shows something else than one structure on the image's left.
    """
    first = next(iter(masks.values()))
    columns = read_mask(first).sum(axis=0)
    middle = len(columns) // 2
    if columns.sum() == 0 or columns[middle:].sum() > columns.sum() // 100:
        raise InvalidData(
            f"{first} is a mask of its own for the whole case, but not of the right lung, which lies on the image's "
            "left; use the original SCR archive with its five folders."
        )
    return masks


def _packed(raw: Path, facts: SourceFacts) -> Found:
    images = _listed((raw / "images").iterdir(), (".png",), facts)
    if not images:
        raise InvalidData(f"{raw / 'images'} holds no PNG; expected files such as JPCLN001.png.")
    there = [name for name in MERGED if (raw / name).is_dir()]
    structures = {name: _listed((raw / name).iterdir(), (".png",), facts) for name in there}
    return Found(packed=True, images=images, structures=structures)


def _listed(paths: Iterable[Path], endings: tuple[str, ...], facts: SourceFacts) -> dict[str, Path]:
    """Files by case id.

    Raises:
        InvalidData: a name is no case id, or two files are the same case.
    """
    listed: dict[str, Path] = {}
    for path in sorted(paths):
        if path.name.startswith(".") or path.suffix.lower() not in endings:
            continue
        case_id = path.stem.upper()
        match = ID.fullmatch(case_id)
        if not match or not 1 <= int(match[2]) <= facts.series[match[1]]:
            raise InvalidData(
                f"{path} is not named after a JSRT case (JPCLN001 to JPCLN154, JPCNN001 to JPCNN093); "
                "rename or remove it."
            )
        if case_id in listed:
            raise InvalidData(f"{path} and {listed[case_id]} are both case {case_id}; remove one of them.")
        listed[case_id] = path
    return listed


def _clinical(path: Path) -> Mapping[str, dict[str, str]]:
    """A clinical table: tabs, padding, line ends that are carriage returns alone."""
    rows = csv.reader(path.read_text(encoding="latin-1").splitlines(), delimiter="\t")
    columns = _COLUMNS[path.name.upper()]
    found = {}
    for row in rows:
        cells = [cell.strip() for cell in row]
        name = cells[0].upper().removesuffix(".IMG") if cells else ""
        if ID.fullmatch(name):
            told = dict(zip(columns, cells[1:], strict=False))
            found[name] = {key: value for key, value in told.items() if value not in ("", "?")}
    return found
