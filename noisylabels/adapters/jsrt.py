"""JSRT chest radiographs with the SCR segmentations of lungs, heart and clavicles.

    JPCLNnnn.IMG, in any folders           2048x2048, 16 bits big endian of which 12 are used, optical density
    fold1|fold2/masks/right lung/*.gif     1024x1024 and 0 or 255; also left lung, heart, right and left clavicle
    CLNDAT_EN.txt  CNNDAT_EN.txt           age, sex and nodule, which go to cases.csv
    images/ lung/ heart/ clavicle/         the re-packed layout at 256 px, 8 bits, sides merged

Intensities keep the polarity of the raw files, lungs bright and heart dark, unless asked otherwise. Structures
overlap, so one label map holds codes for their combinations, as nnU-Net regions do:

    0 background   1 lung   2 heart   3 clavicle   4 lung+heart   5 lung+clavicle

Source: Shiraishi et al., AJR 174 (2000); van Ginneken et al., Medical Image Analysis 10 (2006).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from noisylabels.adapters._jsrt_files import MERGED, SINGLE, Found, find
from noisylabels.adapters._jsrt_pixels import (
    PACKED_SIDE,
    RAW_SIDE,
    read_image,
    read_mask,
    resized_image,
    resized_mask,
)
from noisylabels.case import Case, LabelMap
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item, Survey
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import PARTS, Split

FIELD_MM = 0.175 * RAW_SIDE
"""Side of the field of view: 2048 pixels of 0.175 mm in the original images."""

SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)

_PARTS: Mapping[str, Callable[[int], str]] = {
    "odd-even": lambda n: "test" if n % 2 == 0 else "val" if n % 10 == 9 else "train",
    "coseg": lambda n: "test" if n % 2 == 0 else "train",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the cases are to be made.

    Attributes:
        size: side of images and label maps in px: 16, 32, ... 2048; by default that of the images. Smaller
            images are box averages; a pixel belongs to a structure if at least half of it does.
        overlap: codes keeps overlapping structures as combination codes; ordered lets the later structure win.
        structure: all structures, or the one whose binary map is wanted.
        sides: merged (lung, clavicle) or kept (right and left, where the source has them).
        polarity: raw (optical density: lungs bright) or display (as films are shown: lungs dark).
    """

    size: int | None = None
    overlap: Literal["codes", "ordered"] = "codes"
    structure: Literal["all", "lung", "heart", "clavicle"] = "all"
    sides: Literal["merged", "kept"] = "merged"
    polarity: Literal["raw", "display"] = "raw"

    def __post_init__(self) -> None:
        if self.size is not None and self.size not in SIZES:
            raise UsageError(
                f"JSRT cannot be made at {self.size} px; the size may be {', '.join(map(str, SIZES))}."
            )
        for name, value, known in (
            ("overlap", self.overlap, ("codes", "ordered")),
            ("structure", self.structure, ("all", *MERGED)),
            ("sides", self.sides, ("merged", "kept")),
            ("polarity", self.polarity, ("raw", "display")),
        ):
            if value not in known:
                raise UsageError(f"The {name} of JSRT is {', '.join(known)}, not '{value}'.")
        if self.sides == "kept" and self.structure != "all":
            raise UsageError("Right and left are kept for all structures together; leave structure out.")

    @property
    def wanted(self) -> tuple[str, ...]:
        """The structures of the label map."""
        if self.sides == "kept":
            return SINGLE
        return MERGED if self.structure == "all" else (self.structure,)


def info(facts: SourceFacts, options: Options) -> DatasetInfo:
    """What holds for every case."""
    table = facts.tables[options.overlap + ("-sides" if options.sides == "kept" else "")]
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
        InvalidData: an unknown layout, a name that is no JSRT id, or a wanted structure that is not there at all.
    """
    found = find(raw, facts)
    parts = _sources(raw, found, options)
    items, findings = [], list(found.findings)
    for case_id in sorted(set(found.images).union(*(found.structures[name] for name in parts))):
        files = {"image": found.images.get(case_id)} | {n: found.structures[n].get(case_id) for n in parts}
        lost = [name for name, path in files.items() if path is None]
        if lost:
            text = f"Case {case_id} has no file of the {lost[0]}, so it is left out."
            findings.append(Finding(kind="damaged", what=case_id, text=text))
            continue
        about = {"parts": list(parts), "clinical": found.clinical.get(case_id, {})}
        items.append(Item(key=case_id, files=tuple(path for path in files.values() if path), about=about))
    every = [f"{series}{n:03d}" for series, count in facts.series.items() for n in range(1, count + 1)]
    missing = [case_id for case_id in every if case_id not in found.images]
    if missing:
        text = f"{len(missing)} of {len(every)} cases are not in the raw folder: {', '.join(missing)}."
        findings.append(Finding(kind="missing", what=str(raw), text=text))
    return Survey(items=tuple(items), findings=tuple(findings))


def _sources(raw: Path, found: Found, options: Options) -> tuple[str, ...]:
    """The structures in the files that make up the wanted ones."""
    if found.packed and options.sides == "kept":
        raise InvalidData(f"{raw} has right and left merged; only the original SCR masks keep them apart.")
    parts = options.wanted
    if not found.packed:
        parts = tuple(name for name in SINGLE if any(name.endswith(wanted) for wanted in options.wanted))
    for name in parts:
        if name not in found.structures:
            raise InvalidData(
                f"{raw} has no folder {name}, expected beside {', '.join(found.structures) or 'the images'}."
            )
    return parts


def read(item: Item, facts: SourceFacts, options: Options) -> Iterator[Case]:
    """The case of an item.

    Yields:
        One case with an image (1, Y, X), uint16 of 12 bits or uint8 from the re-packed layout, labels (Y, X), and
        a spacing in mm.

    Raises:
        InvalidData: an unreadable file, a wrong shape or size, a segmentation with other values than 0 and 255.
    """
    image = read_image(item.files[0])
    side = options.size or len(image)
    if side > len(image):
        raise InvalidData(f"{item.files[0]} has {len(image)} pixels a side; it cannot be made at {side}.")
    drawn: dict[str, NDArray[np.bool_]] = {}
    for name, path in zip(item.about["parts"], item.files[1:], strict=True):
        wanted = name if name in options.wanted else name.split()[-1]
        structure = read_mask(path)
        drawn[wanted] = drawn[wanted] | structure if wanted in drawn else structure
    structures = [resized_mask(drawn[name], side) for name in options.wanted]
    if options.polarity == "display":
        image = ((255 if len(image) == PACKED_SIDE else 4095) - image).astype(image.dtype)
    yield Case(
        case_id=item.key,
        labels=_label_map(item.key, structures, info(facts, options)),
        classes=info(facts, options).classes,
        image=np.ascontiguousarray(resized_image(image, side))[np.newaxis],
        spacing=(FIELD_MM / side, FIELD_MM / side),
        about=item.about["clinical"],
    )


def _label_map(case_id: str, structures: list[NDArray[np.bool_]], what: DatasetInfo) -> LabelMap:
    """One map of structures that may overlap: a class for every combination that has one."""
    single = what.classes[1 : len(structures) + 1]
    labels = np.zeros(structures[0].shape, dtype=np.uint8)
    for code, structure in enumerate(structures, start=1):
        labels[structure] = code
    if len(what.classes) == len(structures) + 1:
        return labels
    for first in range(len(structures)):
        for second in range(first + 1, len(structures)):
            both = structures[first] & structures[second]
            if not both.any():
                continue
            name = f"{single[first]}+{single[second]}"
            if name not in what.classes:
                raise InvalidData(
                    f"Case {case_id}: {single[first]} and {single[second]} overlap, for which there is no code; "
                    "correct the files, or use --overlap ordered."
                )
            labels[both] = what.classes.index(name)
    if sum(s.astype(np.uint8) for s in structures).max() > 2:  # type: ignore[union-attr]
        raise InvalidData(f"Case {case_id}: three structures overlap; use --overlap ordered.")
    return labels


def probe(item: Item, facts: SourceFacts, options: Options) -> Iterator[Finding]:
    """Whether images have their size and pictures can be decoded."""
    for path in item.files:
        try:
            _look(path)
        except Exception as error:  # Pillow raises whatever its decoders raise
            yield Finding(kind="damaged", what=str(path), text=f"{path} cannot be decoded ({error}).")


def _look(path: Path) -> None:
    from PIL import Image

    if path.suffix.lower() == ".img":
        if path.stat().st_size != RAW_SIDE * RAW_SIDE * 2:
            raise ValueError(f"{path.stat().st_size} bytes")
        return
    with Image.open(path) as picture:
        if picture.format == "GIF":  # verify() does not look at its data
            picture.load()
        else:
            picture.verify()


def splits(ids: Mapping[str, str], facts: SourceFacts, options: Options) -> dict[str, Split]:
    """The splits of the manifest among the cases that are there; ``ids`` maps case ids to groups."""
    found: dict[str, Split] = {}
    for name, stated in facts.splits.items():
        part_of = _PARTS[name]
        parts = {part: tuple(i for i in ids if part_of(int(i[5:])) == part) for part in PARTS}
        chosen = {part: members for part, members in parts.items() if members}
        found[name] = Split(parts=chosen, rule=stated.rule, source=stated.source)
    return found
