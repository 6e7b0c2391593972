"""Laparoscopic scenes of the 2018 Robotic Scene Segmentation Sub-Challenge (Endovis18).

    <release>/labels.json  seq_N/left_frames/frameNNN.png  seq_N/labels/frameNNN.png     1280x1024, 149 frames each
    repairs/seq_N_frameNNN.png                                                           corrected labels
    test_data/seq_N-<stamp>-001/seq_N/...                                                the challenge's test set

Releases and repairs may be folders or the archives as they were downloaded. Labels are coloured; a colour is
looked up in the union of all ``labels.json``, by its class's name and never by its number: files count clasper
before wrist, JCAS wrist before clasper.

Source: Allan et al., arXiv 2001.11190; Guo and Yuan (JCAS), MICCAI 2022, for parts and split.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from noisylabels.adapters._endovis18_files import find, read_colours
from noisylabels.case import Case, LabelMap
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item, Survey, contents
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split

SHAPE = (1024, 1280)

_PARTS = {"instrument-shaft": "shaft", "instrument-wrist": "wrist", "instrument-clasper": "clasper"}
_UNKNOWN = 254
_TEST, _VAL = {2, 5, 9, 15}, {6, 13}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the cases are to be made.

    Attributes:
        labels: full (all twelve classes, in the order of the files), parts (shaft, wrist, clasper; everything
            else is background) or binary (these three as one).
        size: height and width in px; by default as they are, 1024x1280. Images are reduced bicubically with a
            low pass, labels by the nearest pixel, after their colours were looked up.
    """

    labels: Literal["full", "parts", "binary"] = "full"
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.labels not in ("full", "parts", "binary"):
            raise UsageError(f"The labels of Endovis18 are full, parts or binary, not '{self.labels}'.")
        if self.size is not None and not all(
            16 <= n <= most for n, most in zip(self.size, SHAPE, strict=True)
        ):
            raise UsageError(
                f"Endovis18 can be made at 16x16 to 1024x1280 px, not {self.size[0]}x{self.size[1]}."
            )


def info(facts: SourceFacts, options: Options) -> DatasetInfo:
    """What holds for every case."""
    return DatasetInfo(
        name=facts.name,
        classes=facts.tables[options.labels].classes,
        channels=("red", "green", "blue"),
        ending=".png",
        default_split=facts.default_split,
        title=facts.title,
        licence=facts.licence,
        citation=facts.citation,
    )


def survey(raw: Path, facts: SourceFacts, options: Options) -> Survey:
    """Which frames are there, told by the names of files and of members of archives.

    Raises:
        InvalidData: there is no frame, or two ``labels.json`` contradict each other.
    """
    found = find(raw)
    colours, notes = read_colours(found.tables, facts)
    items, findings = [], [*found.findings, *notes]
    for key, frame in found.frames.items():
        if frame.image is None or frame.labels is None:
            lacks = "labels" if frame.labels is None else "image"
            text = f"Frame {key} has no {lacks}, so it is left out."
            findings.append(Finding(kind="damaged", what=key, text=text))
            continue
        about = {"colours": colours, "repaired": frame.repaired}
        items.append(frame.item(key, about))
    if not items:
        raise InvalidData(
            f"{raw} holds no frame of Endovis18; expected seq_N/left_frames/frameNNN.png and seq_N/labels/frameNNN.png "
            "in folders or in the archives of the challenge."
        )
    for part, count in facts.series.items():
        there = sum(item.key.startswith("test_") == (part == "test") for item in items)
        if there < count:
            text = f"{count - there} of the {count} frames of the part '{part}' are not there."
            findings.append(Finding(kind="missing", what=part, text=text))
    return Survey(items=tuple(items), findings=tuple(findings))


def read(item: Item, facts: SourceFacts, options: Options) -> Iterator[Case]:
    """The frame of an item.

    Yields:
        One case with an image (3, Y, X) uint8 and labels (Y, X).

    Raises:
        InvalidData: a picture is damaged or of another size, or a colour is not known.
    """
    (image_name, image_bytes), (labels_name, label_bytes) = contents(item)
    image = _decoded(image_name, image_bytes)
    coloured = np.asarray(_decoded(labels_name, label_bytes))
    labels = _looked_up(coloured, _table(item.about["colours"], facts, options), labels_name)
    if options.size is not None:
        image = image.resize(options.size[::-1], Image.Resampling.BICUBIC)
        labels = _nearest(labels, options.size)
    repaired = "The labels are those of the archive of repairs."
    yield Case(
        case_id=item.key,
        group=item.group,
        image=np.ascontiguousarray(np.moveaxis(np.asarray(image), -1, 0)),
        labels=labels,
        classes=info(facts, options).classes,
        notes=(repaired,) if item.about["repaired"] else (),
    )


def probe(item: Item, facts: SourceFacts, options: Options) -> Iterator[Finding]:
    """Whether both pictures can be decoded and have the size of the challenge."""
    try:
        for name, content in contents(item):
            try:
                with Image.open(BytesIO(content)) as picture:
                    size = picture.size[::-1]
                    picture.verify()
            except Exception as error:  # Pillow raises whatever its decoders raise
                yield Finding(kind="damaged", what=name, text=f"{name} cannot be decoded ({error}).")
                continue
            if size != SHAPE:
                text = f"{name} has {size[1]}x{size[0]} pixels instead of 1280x1024."
                yield Finding(kind="damaged", what=name, text=text)
    except InvalidData as error:
        yield Finding(kind="damaged", what=item.key, text=str(error))


def splits(ids: Mapping[str, str], facts: SourceFacts, options: Options) -> dict[str, Split]:
    """The splits of the manifest among the frames that are there; ``ids`` maps case ids to sequences."""

    def part_of(name: str, case_id: str) -> str:
        if case_id.startswith("test_"):
            return "test" if name == "challenge" else ""
        number = int(case_id.split("_")[1])
        if name != "challenge" and number in _TEST:
            return "test"
        return "val" if name == "jcas-val" and number in _VAL else "train"

    found = {}
    for name, stated in facts.splits.items():
        parts: dict[str, list[str]] = {}
        for case_id in ids:
            parts.setdefault(part_of(name, case_id), []).append(case_id)
        chosen = {part: tuple(members) for part, members in parts.items() if part}
        found[name] = Split(parts=chosen, rule=stated.rule, source=stated.source)
    return found


def _decoded(name: str, content: bytes) -> Image.Image:
    """A picture in red, green and blue; transparency is dropped."""
    try:
        with Image.open(BytesIO(content)) as picture:
            whole = picture.convert("RGB")
    except Exception as error:  # Pillow raises whatever its decoders raise
        raise InvalidData(f"{name} cannot be decoded ({error}).") from error
    if whole.size[::-1] != SHAPE:
        raise InvalidData(f"{name} has {whole.size[0]}x{whole.size[1]} pixels; expected 1280x1024.")
    return whole


def _table(colours: Mapping[str, list[int]], facts: SourceFacts, options: Options) -> dict[int, int]:
    """Class of every colour, as red, green and blue in one number."""
    classes = facts.tables[options.labels].classes
    found = {}
    for name, (red, green, blue) in colours.items():
        if options.labels == "full":
            code = classes.index(name)
        elif name not in _PARTS:
            code = 0
        else:
            code = 1 if options.labels == "binary" else classes.index(_PARTS[name])
        found[red << 16 | green << 8 | blue] = code
    return found


def _looked_up(coloured: NDArray[np.uint8], table: Mapping[int, int], name: str) -> LabelMap:
    packed = coloured[..., 0].astype(np.uint32) << 16
    packed |= coloured[..., 1].astype(np.uint32) << 8
    packed |= coloured[..., 2]
    labels: LabelMap = _by_colour(tuple(table.items()))[packed]
    unknown = labels == _UNKNOWN
    if unknown.any():
        found, counts = np.unique(packed[unknown], return_counts=True)
        most = int(found[np.argmax(counts)])
        raise InvalidData(
            f"{name} holds {int(counts.sum())} pixels of {len(found)} colours that no labels.json names, most often "
            f"({most >> 16}, {most >> 8 & 255}, {most & 255})."
        )
    return labels


@lru_cache(maxsize=2)
def _by_colour(table: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    """The class of every one of the 2**24 colours; 16 MB, made once in a process."""
    classes = np.full(1 << 24, _UNKNOWN, dtype=np.uint8)
    for colour, code in table:
        classes[colour] = code
    return classes


def _nearest(labels: LabelMap, size: tuple[int, int]) -> LabelMap:
    """The pixel under the middle of each new one; of two equally near ones the later."""
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, labels.shape, strict=True)
    )
    return np.ascontiguousarray(labels[rows[:, None], columns[None, :]])
