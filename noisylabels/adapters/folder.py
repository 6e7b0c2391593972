"""Your own images and labels: two patterns of file names, matched by what they have in common.

    noisylabels prepare folder --images "scans/*.nii.gz" --labels "masks/*_seg.nii.gz" --dry-run

A case's id is the name of its image without what all images have in common at their ends (as ``_0000``); its
labels are the file whose name gives the same id in the same way. Values of labels become classes in ascending
order; 255 stays "no label" where other values are there as well.

Source: none; the data are the user's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.adapters._any_file import FLAT, ending_of, read_picture
from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item, Survey
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split

RAW_OPTIONAL = True
"""Patterns are enough; they are relative to the raw folder, or to the present one."""

_TAIL = re.compile(r"[_-](?:[A-Za-z]+|0000)$")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which files, and what their labels mean.

    Attributes:
        images: pattern of the image files; ** matches folders.
        labels: pattern of the label files.
        name: of the dataset; it is part of the address of every draw.
        classes: names of the classes, background first; by default background, class_1, ...
        values: value of every class in the files; by default those that are found, in ascending order.
        channels: names of the image channels; by default red, green, blue or intensity.
        group: a regular expression that finds the patient or sequence in a case's id; by default every case is a
            group of its own.
        ending: png or nii.gz; by default png for flat pictures and nii.gz for everything else.
    """

    images: str = "images/*"
    labels: str = "labels/*"
    name: str = "folder"
    classes: tuple[str, ...] = ()
    values: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()
    group: str = ""
    ending: str = ""

    def __post_init__(self) -> None:
        try:
            re.compile(self.group)
        except re.error as error:
            raise UsageError(f"'{self.group}' is no regular expression ({error}).") from error
        if self.ending not in ("", "png", "nii.gz"):
            raise UsageError(f"The ending is png or nii.gz, not '{self.ending}'.")
        if self.classes and self.values and len(self.classes) != len(self.values):
            raise UsageError(
                f"There are {len(self.classes)} classes and {len(self.values)} values; each has one."
            )


def info(facts: SourceFacts, options: Options) -> DatasetInfo:
    """What holds for every case; the options are those of a survey."""
    return DatasetInfo(
        name=options.name,
        classes=options.classes,
        channels=options.channels,
        ending=f".{options.ending}",
        default_split=facts.default_split,
        title=facts.title,
        licence=facts.licence,
        citation=facts.citation,
    )


def survey(raw: Path, facts: SourceFacts, options: Options) -> Survey:
    """Which files belong together, and which values the labels hold; labels and one image are read for that.

    Raises:
        InvalidData: a pattern matches nothing, ids are not unique, or no image has its labels.
        UsageError: there are more values than classes, or the other way round.
    """
    images, labels = _matched(raw, options.images, "image"), _matched(raw, options.labels, "label")
    findings = [
        Finding(kind="damaged", what=key, text=f"{path} has no {what}, so it is left out.")
        for what, mine, others in (("labels", images, labels), ("image", labels, images))
        for key, path in mine.items()
        if key not in others
    ]
    items, values = [], set[int]()
    for key in sorted(images.keys() & labels.keys()):
        try:
            found, notes = _looked_at(key, images[key], labels[key])
        except InvalidData as error:
            findings.append(Finding(kind="damaged", what=key, text=str(error)))
            continue
        values |= found
        findings += [Finding(kind="repaired", what=key, text=note) for note in notes]
        about = {"notes": list(notes)}
        items.append(
            Item(key=key, files=(images[key], labels[key]), group=_group(options.group, key), about=about)
        )
    if not items:
        raise InvalidData(
            f"No image of '{options.images}' has its labels in '{options.labels}'; expected equal names."
        )
    told = _told(options, values, items[0])
    counts = ", ".join(f"{v} is {c}" for v, c in zip(told.values, told.classes, strict=True))
    findings.append(Finding(kind="found", what="values", text=f"Of the labels' values {counts}."))
    return Survey(items=tuple(items), findings=tuple(findings), options=told)


def read(item: Item, facts: SourceFacts, options: Options) -> Iterator[Case]:
    """The case of an item; the options are those of a survey.

    Raises:
        InvalidData: a file is damaged, extents differ, or the labels hold another value.
    """
    image, drawn = read_picture(item.files[0]), read_picture(item.files[1])
    _same_extent(item, image.pixels.shape[1:], drawn.pixels.shape[1:])
    table = np.full(256, 254, dtype=np.uint8)
    table[list(options.values)] = np.arange(len(options.values))
    table[IGNORE] = options.values.index(IGNORE) if IGNORE in options.values else IGNORE
    labels = table[_whole(item.files[1], drawn.pixels[0])]
    if (labels == 254).any():
        raise InvalidData(
            f"{item.files[1]} holds a value that is none of {', '.join(map(str, options.values))}."
        )
    yield Case(
        case_id=item.key,
        group=item.group,
        image=np.ascontiguousarray(image.pixels),
        labels=np.ascontiguousarray(labels),
        classes=options.classes,
        spacing=image.spacing,
        notes=tuple(item.about["notes"]),
    )


def probe(item: Item, facts: SourceFacts, options: Options) -> Iterator[Finding]:
    """Whether both files can be decoded."""
    for path in item.files:
        try:
            read_picture(path)
        except InvalidData as error:
            yield Finding(kind="damaged", what=str(path), text=str(error))


def splits(ids: Mapping[str, str], facts: SourceFacts, options: Options) -> dict[str, Split]:
    """One split by groups: 20 % of them test, 10 % validate; ``ids`` maps case ids to groups."""

    def rank(group: str) -> tuple[int, str]:
        return int(Draws(0, "split", options.name, group).words(1)[0]), group

    groups = sorted(set(ids.values()), key=rank)
    test, val = max(1, round(0.2 * len(groups))), max(1, round(0.1 * len(groups)))
    if len(groups) < 3:
        test, val = 0, 0
    of = {
        group: "test" if k < test else "val" if k < test + val else "train" for k, group in enumerate(groups)
    }
    parts = {part: tuple(i for i in ids if of[ids[i]] == part) for part in ("train", "val", "test")}
    stated = facts.splits["random"]
    chosen = {part: members for part, members in parts.items() if members}
    return {"random": Split(parts=chosen, rule=stated.rule, source=stated.source)}


def _matched(raw: Path, pattern: str, what: str) -> dict[str, Path]:
    """Files by id: the name without ending, and without what all have in common at their ends."""
    asked = Path(pattern)
    base, rest = (Path(asked.anchor), asked.relative_to(asked.anchor)) if asked.anchor else (raw, asked)
    found = sorted(base.glob(str(rest)))
    paths = [path for path in found if path.is_file() and ending_of(path) and not path.name.startswith(".")]
    if not paths:
        raise InvalidData(f"'{pattern}' matches no {what} file; expected names such as {what}s/case.png.")
    names = [path.name[: -len(ending_of(path))] for path in paths]
    tails = {match[0] if (match := _TAIL.search(name)) else "" for name in names}
    tail = tails.pop() if len(tails) == 1 and len(names) > 1 else ""
    listed: dict[str, Path] = {}
    for name, path in zip(names, paths, strict=True):
        key = _UNFIT.sub("_", name.removesuffix(tail)).strip("._-")
        if not key or key in listed:
            raise InvalidData(
                f"{path} and {listed.get(key, path)} would both be case '{key}'; rename one of them."
            )
        listed[key] = path
    return listed


def _looked_at(key: str, image: Path, labels: Path) -> tuple[set[int], tuple[str, ...]]:
    """The values of a label file, and what there is to note about the pair."""
    seen, drawn = read_picture(image), read_picture(labels)
    item = Item(key=key, files=(image, labels))
    _same_extent(item, seen.pixels.shape[1:], drawn.pixels.shape[1:])
    values = set(np.unique(_whole(labels, drawn.pixels[0])).tolist())
    notes: tuple[str, ...] = ()
    if seen.geometry and drawn.geometry and seen.geometry != drawn.geometry:
        notes = (f"The header of {labels.name} states another geometry than the image's, which is used.",)
    return values, notes


def _same_extent(item: Item, image: Sequence[int], labels: Sequence[int]) -> None:
    if tuple(image) != tuple(labels):
        raise InvalidData(
            f"{item.files[1]} has the extent {'x'.join(map(str, labels))} and {item.files[0].name} "
            f"{'x'.join(map(str, image))}; they must show the same pixels."
        )


def _whole(path: Path, values: NDArray[Any]) -> LabelMap:
    whole = values.astype(np.int64)
    if not np.array_equal(whole, values) or whole.min() < 0 or whole.max() > 255:
        raise InvalidData(f"{path} holds values that are no whole numbers from 0 to 255; are these labels?")
    return whole.astype(np.uint8)


def _group(pattern: str, key: str) -> str:
    if not pattern:
        return key
    match = re.search(pattern, key)
    if not match:
        raise UsageError(f"The group pattern '{pattern}' finds nothing in the case id {key}.")
    return match[1] if match.groups() else match[0]


def _told(options: Options, values: set[int], first: Item) -> Options:
    """The options with values, classes, channels and ending filled in."""
    found = options.values or tuple(sorted(values if len(values) <= 2 else values - {IGNORE}))
    found = found if 0 in found else (0, *found)
    stray = values - set(found) - {IGNORE}
    if stray:
        raise UsageError(
            f"The labels hold the value {min(stray)}, which is none of {', '.join(map(str, found))}."
        )
    classes = options.classes or ("background", *(f"class_{k}" for k in range(1, len(found))))
    if len(classes) != len(found):
        raise UsageError(
            f"{len(classes)} classes are named, and the labels hold {len(found)} values ({', '.join(map(str, found))})."
        )
    pixels = read_picture(first.files[0]).pixels
    channels = options.channels or (("red", "green", "blue") if len(pixels) == 3 else ("intensity",))
    flat = ending_of(first.files[0]) in FLAT and pixels.dtype.name in ("uint8", "uint16")
    return replace(
        options,
        values=found,
        classes=classes,
        channels=channels,
        ending=options.ending or ("png" if flat else "nii.gz"),
    )
