"""JSRT chest radiographs with the SCR segmentations of lung, heart and clavicle.

Read is the re-packed layout at 256 px: ``images/``, ``lung/``, ``heart/`` and ``clavicle/``, each with
``JPCLNnnn.png`` and ``JPCNNnnn.png``, segmentations as 0 and 255. Intensities keep the polarity of the raw
files: lungs bright, heart dark.

Structures overlap, so one label map holds codes for their combinations, as nnU-Net regions do:

    0 background   1 lung   2 heart   3 clavicle   4 lung+heart   5 lung+clavicle

Source: Shiraishi et al., AJR 174 (2000); van Ginneken et al., Medical Image Analysis 10 (2006).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from noisylabels.case import Case, LabelMap
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item, Survey
from noisylabels.store.files import read_image, read_labels
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import PARTS, Split

SIDE = 256
"""Side of the re-packed pictures in px."""

FIELD_MM = 0.175 * 2048
"""Side of the field of view: 2048 pixels of 0.175 mm in the original images."""

STRUCTURES = ("lung", "heart", "clavicle")

_ID = re.compile(r"(JPC[LN]N)(\d{3})")


_PARTS: Mapping[str, Callable[[int], str]] = {
    "odd-even": lambda n: "test" if n % 2 == 0 else "val" if n % 10 == 9 else "train",
    "coseg": lambda n: "test" if n % 2 == 0 else "train",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the cases are to be made.

    Attributes:
        size: side of images and label maps in px, a divisor of 256 from 16 up; smaller ones are box averages.
        overlap: "codes" keeps overlapping structures as combination codes; "ordered" lets the later of lung,
            heart and clavicle win.
        structure: all structures, or the one whose binary map is wanted.
    """

    size: int = SIDE
    overlap: Literal["codes", "ordered"] = "codes"
    structure: Literal["all", "lung", "heart", "clavicle"] = "all"

    def __post_init__(self) -> None:
        if not 16 <= self.size <= SIDE or SIDE % self.size:
            raise UsageError(
                f"JSRT cannot be made at {self.size} px; the size may be 256, 128, 64, 32 or 16."
            )
        if self.overlap not in ("codes", "ordered"):
            raise UsageError(f"The overlap of JSRT structures is 'codes' or 'ordered', not '{self.overlap}'.")
        if self.structure not in ("all", *STRUCTURES):
            raise UsageError(
                f"JSRT has the structures {', '.join(STRUCTURES)} and all, not '{self.structure}'."
            )

    @property
    def wanted(self) -> tuple[str, ...]:
        """The structures that are read."""
        return STRUCTURES if self.structure == "all" else (self.structure,)


def info(facts: SourceFacts, options: Options) -> DatasetInfo:
    """What holds for every case."""
    table = facts.tables[options.overlap]
    single = options.structure != "all"
    return DatasetInfo(
        name=facts.name,
        classes=("background", options.structure) if single else table.classes,
        structures={} if single else table.structures,
        channels=("xray",),
        ending=".png",
        default_split=facts.default_split,
        title=facts.title,
        licence=facts.licence,
        citation=facts.citation,
    )


def survey(raw: Path, facts: SourceFacts, options: Options) -> Survey:
    """Which cases are there, told by file names.

    Raises:
        InvalidData: an unknown layout, a case without its pair, or a name that is no JSRT id.
    """
    there = _pairs(raw, facts, options)
    items = tuple(
        Item(key=case_id, files=tuple(paths.values()), about={"folders": list(paths)})
        for case_id, paths in there.items()
    )
    every = [f"{series}{n:03d}" for series, count in facts.series.items() for n in range(1, count + 1)]
    missing = [case_id for case_id in every if case_id not in there]
    text = f"{len(missing)} of {len(every)} cases are not in the raw folder: {', '.join(missing)}."
    found = [Finding(kind="missing", what=str(raw), text=text)] if missing else []
    return Survey(items=items, findings=tuple(found))


def splits(ids: Mapping[str, str], facts: SourceFacts, options: Options) -> dict[str, Split]:
    """The splits of the manifest among the cases that are there; ``ids`` maps case ids to groups."""
    found = {}
    for name, stated in facts.splits.items():
        part_of = _PARTS[name]
        parts = {part: tuple(i for i in ids if part_of(int(i[5:])) == part) for part in PARTS}
        found[name] = Split(
            parts={part: chosen for part, chosen in parts.items() if chosen},
            rule=stated.rule,
            source=stated.source,
        )
    return found


def read(item: Item, facts: SourceFacts, options: Options) -> Iterator[Case]:
    """The case of an item.

    Yields:
        One case with an image (1, Y, X) uint8, labels (Y, X), and a spacing in mm.

    Raises:
        InvalidData: an unreadable file, a wrong shape, a segmentation with other values than 0 and 255.
    """
    paths = dict(zip(item.about["folders"], item.files, strict=True))
    yield _case(item.key, paths, facts, options)


def probe(item: Item, facts: SourceFacts, options: Options) -> Iterator[Finding]:
    """Whether the pictures of an item can be decoded."""
    for path in item.files:
        try:
            with Image.open(path) as picture:
                picture.verify()
        except Exception as error:  # Pillow raises whatever its decoders raise
            yield Finding(kind="damaged", what=str(path), text=f"{path} cannot be decoded ({error}).")


def _pairs(raw: Path, facts: SourceFacts, options: Options) -> dict[str, Mapping[str, Path]]:
    """Files by id and folder name, every id in every folder."""
    folders = ("images", *options.wanted)
    lacking = [name for name in folders if not (raw / name).is_dir()]
    if lacking:
        raise InvalidData(
            f"{raw} has no folder {lacking[0]}; expected the re-packed 256 px layout with "
            f"{', '.join(folders)}, each holding JPCLNnnn.png and JPCNNnnn.png."
        )
    found = {name: _listed(raw / name, facts) for name in folders}
    every = sorted(set().union(*found.values()))
    if not every:
        raise InvalidData(f"{raw / 'images'} holds no PNG; expected files such as JPCLN001.png.")
    for case_id in every:
        for name in folders:
            if case_id not in found[name]:
                other = next(files[case_id] for files in found.values() if case_id in files)
                raise InvalidData(
                    f"{raw / name / case_id}.png is missing, but {other} is there; add it, or remove the "
                    "case from every folder."
                )
    return {case_id: {name: found[name][case_id] for name in folders} for case_id in every}


def _listed(folder: Path, facts: SourceFacts) -> dict[str, Path]:
    listed: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() != ".png":
            continue
        case_id = path.stem.upper()
        match = _ID.fullmatch(case_id)
        if not match or not 1 <= int(match[2]) <= facts.series[match[1]]:
            raise InvalidData(
                f"{path} is not named after a JSRT case (JPCLN001 to JPCLN154, JPCNN001 to JPCNN093); "
                "rename or remove it."
            )
        if case_id in listed:
            raise InvalidData(
                f"{path} and {listed[case_id].name} are both case {case_id}; remove one of them."
            )
        listed[case_id] = path
    return listed


def _case(case_id: str, paths: Mapping[str, Path], facts: SourceFacts, options: Options) -> Case:
    factor = SIDE // options.size
    image = _read(paths["images"], labels=False)
    structures = {name: _at_least_half(_binary(paths[name]), factor) for name in options.wanted}
    spacing = FIELD_MM / options.size
    return Case(
        case_id=case_id,
        labels=_label_map(case_id, structures, options),
        classes=info(facts, options).classes,
        image=_box_average(image, factor)[np.newaxis],
        spacing=(spacing, spacing),
    )


def _read(path: Path, labels: bool) -> NDArray[np.uint8]:
    try:
        array = read_labels(path, 2)[0] if labels else read_image([path], 2)[0]
    except InvalidData as error:
        raise InvalidData(f"{str(error).rstrip('.')}; copy it again from its source.") from error
    if array.shape != (SIDE, SIDE) or array.dtype != np.uint8:
        raise InvalidData(
            f"{path} is {array.dtype.name} of shape {array.shape}; expected 8-bit grey of {SIDE}x{SIDE}, "
            "as in the re-packed layout."
        )
    return np.ascontiguousarray(array)


def _binary(path: Path) -> NDArray[np.bool_]:
    drawn = _read(path, labels=True)
    other = np.setdiff1d(drawn, (0, 255))
    if other.size:
        raise InvalidData(
            f"{path} holds the value {other[0]}; a segmentation holds 0 and 255 only, so copy it "
            "again from its source."
        )
    return np.asarray(drawn == 255)


def _blocks(array: NDArray[np.generic], factor: int) -> NDArray[np.int64]:
    """Sum over blocks of factor x factor pixels."""
    rows, columns = array.shape[0] // factor, array.shape[1] // factor
    sums = array.astype(np.int64).reshape(rows, factor, columns, factor).sum(axis=(1, 3))
    return np.asarray(sums)


def _box_average(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Mean over blocks, halves rounded up."""
    area = factor * factor
    return ((2 * _blocks(image, factor) + area) // (2 * area)).astype(np.uint8)


def _at_least_half(structure: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """A pixel belongs to a structure when at least half of the area that it covers does."""
    return 2 * _blocks(structure, factor) >= factor * factor


def _label_map(case_id: str, structures: Mapping[str, NDArray[np.bool_]], options: Options) -> LabelMap:
    if options.structure != "all":
        return structures[options.structure].astype(np.uint8)
    lung, heart, clavicle = (structures[name] for name in STRUCTURES)
    labels = np.zeros(lung.shape, dtype=np.uint8)
    for code, structure in enumerate((lung, heart, clavicle), start=1):
        labels[structure] = code
    if options.overlap == "ordered":
        return labels
    if (heart & clavicle).any():
        raise InvalidData(
            f"Case {case_id}: heart and clavicle overlap, for which there is no code; correct the files, or "
            "use --overlap ordered."
        )
    labels[lung & heart] = 4
    labels[lung & clavicle] = 5
    return labels
