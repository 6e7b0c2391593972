"""Lung nodules in CT, outlined by four readers: LIDC-IDRI.

    LIDC-IDRI-NNNN/<study>/<series>/*.dcm        the images: any folders, one series each
    tcia-lidc-xml/<folder>/NNN.xml               the annotations: anywhere, or beside their series

Annotations find their series by its UID and their slices by theirs. A nodule of at least 3 mm has outlines, which lie
outside of it; smaller ones are points and have no labels. Every reader has a label map. Reader k is the k-th session of
a file: an order without meaning, and not the same person in other scans. Patients, not scans, are groups.

Source: Armato et al., Medical Physics 38 (2011) 915; Hancock and Magnan, Journal of Medical Imaging 3 (2016), for the
nodules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from noisylabels.adapters._lidc_cases import Maker
from noisylabels.adapters._lidc_dicom import Header, hounsfield, read_header
from noisylabels.adapters._lidc_files import find, items
from noisylabels.adapters._lidc_nodules import place
from noisylabels.adapters._lidc_splits import by_number, by_shares
from noisylabels.adapters._lidc_stack import Stack, counted, open_stack
from noisylabels.adapters._lidc_xml import Reading, read_reading
from noisylabels.case import Case
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item, Survey
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split

_CASES = ("scans", "slices", "nodule-slices", "patches")
_REFERENCES = ("majority", "union", "at-least", "reader")
_ABSENT = ("no-file", "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the cases are to be made.

    Attributes:
        cases: scans, or axial slices of them: all slices, nodule-slices (with an outline), or patches (one for every
            nodule and slice, cut around the nodule's middle; its neighbours are in the labels too).
        reference: what the labels are: pixels in the nodules of at least half of the scan's readers (majority: 2 of
            4), of any of them (union), of at least a number (at-least), or of one (reader).
        at_least: number of readers, for the reference at-least.
        reader: number of the reader, for the reference reader; an order without meaning.
        outlined_by: how many readers must have outlined the nodule on a slice to make it a nodule-slice or a patch.
        patch_px: side of a patch, which is moved inwards at the edge of the image.
        absent: what a patch has for a reader who did not mark its nodule at all: no-file, or an empty map (with the
            neighbours that this reader did mark).
    """

    cases: Literal["scans", "slices", "nodule-slices", "patches"] = "scans"
    reference: Literal["majority", "union", "at-least", "reader"] = "majority"
    at_least: int = 3
    reader: int = 1
    outlined_by: int = 1
    patch_px: int = 64
    absent: Literal["no-file", "empty"] = "no-file"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("cases", self.cases, _CASES),
            ("reference", self.reference, _REFERENCES),
            ("absent readers", self.absent, _ABSENT),
        ):
            if value not in known:
                raise UsageError(f"LIDC: {name} are one of {', '.join(known)}, not '{value}'.")
        for name, number, low, high in (
            ("at_least", self.at_least, 1, 8),
            ("reader", self.reader, 1, 8),
            ("outlined_by", self.outlined_by, 1, 8),
            ("patch_px", self.patch_px, 16, 512),
        ):
            if not low <= number <= high:
                raise UsageError(f"LIDC: {name} is a number from {low} to {high}, not {number}.")


def info(facts: SourceFacts, options: Options) -> DatasetInfo:
    """What holds for every case."""
    return DatasetInfo(
        name=facts.name,
        classes=facts.tables["nodule"].classes,
        channels=("CT",),
        ending=".nii.gz",
        default_split=facts.default_split,
        title=facts.title,
        licence=facts.licence,
        citation=facts.citation,
    )


def survey(raw: Path, facts: SourceFacts, options: Options) -> Survey:
    """Which scans are there, told by one header of every series and the first lines of every annotation file.

    Raises:
        InvalidData: there is no CT series, or none that is annotated.
    """
    found = find(raw)
    if not found.scans:
        raise InvalidData(
            f"{raw} holds no CT series of LIDC-IDRI; expected LIDC-IDRI-NNNN/<study>/<series>/*.dcm and "
            "tcia-lidc-xml/<folder>/NNN.xml."
        )
    there = tuple(items(found))
    if not there and not found.readings:
        raise InvalidData(
            f"{raw} holds {len(found.scans)} CT series, but no annotations of LIDC-IDRI; expected "
            "tcia-lidc-xml/<folder>/NNN.xml: noisylabels datasets fetch lidc gets them."
        )
    lacking = facts.num_cases - len(found.scans)
    if lacking > 0:
        text = f"{lacking} of the {facts.num_cases} scans are not in the raw folder."
        found.note("missing", raw, text)
    return Survey(items=there, findings=tuple(found.findings))


def read(item: Item, facts: SourceFacts, options: Options) -> Iterator[Case]:
    """The scan of an item, its slices or its patches.

    Yields:
        Cases with an image (1, Z, Y, X) or (1, Y, X) int16 in HU, and labels and readers' maps of the same extent.

    Raises:
        InvalidData: a file is damaged, files do not fit together, or the reader that is wanted did not read the scan.
    """
    reading = read_reading(item.files[-1])
    stack = _stack(reading, [read_header(path) for path in item.files[:-1]])
    drawn = place(reading, stack)
    if options.reference == "reader" and options.reader > drawn.count:
        raise InvalidData(
            f"{item.files[-1]} has {drawn.count} readers, not the wanted number {options.reader}."
        )
    maker = Maker(item, facts.tables["nodule"].classes, options, stack, drawn)
    if options.cases == "scans":
        yield maker.scan()
    elif options.cases == "patches":
        yield from maker.patches()
    else:
        yield from maker.slices()


def probe(item: Item, facts: SourceFacts, options: Options) -> Iterator[Finding]:
    """Whether headers, lengths and annotations are as they should be; only compressed pixels are decoded."""
    headers = []
    for path in item.files[:-1]:
        try:
            header = read_header(path)
            if not header.stored:
                hounsfield(header)
            headers.append(header)
        except InvalidData as error:
            yield Finding(kind="damaged", what=str(path), text=str(error))
    try:
        reading = read_reading(item.files[-1])
        drawn = place(reading, _stack(reading, headers)) if headers else None
    except InvalidData as error:
        yield Finding(kind="damaged", what=item.key, text=str(error))
        return
    if drawn and drawn.lost:
        text = f"{counted(drawn.lost, 'outline', 'lie')} on slices of {item.key} that are not there."
        yield Finding(kind="missing", what=item.key, text=text)


def splits(ids: Mapping[str, str], facts: SourceFacts, options: Options) -> dict[str, Split]:
    """The splits of the manifest among the cases that are there; ``ids`` maps case ids to patients."""
    parts = {"patients": by_number(ids), "mcpm": by_shares(ids)}
    return {
        name: Split(parts=parts[name], rule=stated.rule, source=stated.source)
        for name, stated in facts.splits.items()
    }


def _stack(reading: Reading, headers: list[Header]) -> Stack:
    outlined = {roi.sop_uid for session in reading.sessions for mark in session for roi in mark.rois}
    return open_stack(headers, outlined)
