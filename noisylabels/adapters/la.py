"""Left atria in late gadolinium-enhanced MR: the 2018 Atrial Segmentation Challenge.

    Training Set/<id>/lgemri.nrrd  laendo.nrrd  lawall.nrrd       100 scans, uint8, labels 0 and 255
    Testing Set/<id>/...                                           54 scans
    <id>/mri_norm2.h5                                              the public cropped and normalised form

Published headers say 1 mm; see the option ``spacing``. Two training scans have the same label; they form one
group, which no split tears apart.

Source: Xiong et al., Medical Image Analysis 67 (2021); Yu et al. (UA-MT), MICCAI 2019, for the crop.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from noisylabels.adapters._nrrd import payload_error, read_nrrd
from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item, Survey
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split

SPACINGS: Mapping[str, tuple[float, float, float]] = {
    "published": (0.625, 0.625, 0.625),
    "measured": (1.25, 0.625, 0.625),
    "header": (1.0, 1.0, 1.0),
}
"""mm along (z, y, x)."""

TWINS = ("0RZDK210BSMWAA6467LU", "CMPXO4J23G58J53Q98SZ")
"""Two training scans with the same label, whose images correlate by 0.99."""

_PARTS = {"Training Set": "train", "Testing Set": "test"}
_LEAST, _MARGIN = (
    (112, 112, 80),
    (10, 19),
)  # the crop's extent in (x, y, z) and its margin in plane, both of UA-MT


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the cases are to be made.

    Attributes:
        spacing: published (0.625 mm along every axis, as the challenge page says), measured (z 1.25 mm, which
            the atria's extent fits) or header (1 mm, as the files say). The public cropped form has none, so
            it is treated alike.
        crop: none keeps the full field of view; atrium cuts to the label's box, grown to 112x112x80 at
            least with a margin of 10 to 19 voxels in plane drawn for each side, as UA-MT does (whose own
            draws are not known).
        structures: atrium, or atrium+wall where the files of the wall are there.
    """

    spacing: Literal["published", "measured", "header"] = "published"
    crop: Literal["none", "atrium"] = "none"
    structures: Literal["atrium", "atrium+wall"] = "atrium"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("spacing", self.spacing, tuple(SPACINGS)),
            ("crop", self.crop, ("none", "atrium")),
            ("structures", self.structures, ("atrium", "atrium+wall")),
        ):
            if value not in known:
                raise UsageError(f"The {name} of LA is {' or '.join(known)}, not '{value}'.")


def info(facts: SourceFacts, options: Options) -> DatasetInfo:
    """What holds for every case."""
    return DatasetInfo(
        name=facts.name,
        classes=facts.tables[options.structures].classes,
        channels=("LGE-MR",),
        ending=".nii.gz",
        default_split=facts.default_split,
        title=facts.title,
        licence=facts.licence,
        citation=facts.citation,
    )


def survey(raw: Path, facts: SourceFacts, options: Options) -> Survey:
    """Which scans are there, told by folder names.

    Raises:
        InvalidData: the layout is none of those above.
    """
    items, findings = [], []
    folders = [(raw / name, part) for name, part in _PARTS.items() if (raw / name).is_dir()] or [(raw, "")]
    for folder, part in folders:
        for place in sorted(folder.iterdir()) if folder.is_dir() else ():
            item, finding = _item(place, part, options)
            items += [item] if item else []
            findings += [finding] if finding else []
    if not items:
        raise InvalidData(
            f"{raw} holds no scan of LA; expected 'Training Set/<id>/lgemri.nrrd' and 'laendo.nrrd' beside it, or "
            "'<id>/mri_norm2.h5'."
        )
    keys = {item.key for item in items}
    listed = {i for ids in facts.splits["uamt"].parts.values() for i in ids}
    missing = sorted(listed - keys)
    if missing:
        text = f"{len(missing)} of the {len(listed)} listed scans are not in the raw folder: {', '.join(missing)}."
        findings.append(Finding(kind="missing", what=str(raw), text=text))
    if set(TWINS) <= keys:
        text = f"{TWINS[0]} and {TWINS[1]} have the same label; they are one group and stay on one side of a split."
        findings.append(Finding(kind="duplicate", what=TWINS[1], text=text))
    return Survey(items=tuple(items), findings=tuple(findings))


def _item(place: Path, part: str, options: Options) -> tuple[Item | None, Finding | None]:
    """The scan in a folder, or what keeps it from being one."""
    if not place.is_dir() or place.name.startswith((".", "__")):
        return None, None
    packed = place / "mri_norm2.h5"
    names = ["lgemri.nrrd", "laendo.nrrd"] + (["lawall.nrrd"] if options.structures != "atrium" else [])
    files = (packed,) if packed.is_file() else tuple(place / name for name in names)
    there = [path for path in files if path.is_file()]
    if not there:
        return None, None
    if len(there) < len(files):
        lost = next(path for path in files if path not in there)
        text = f"{lost} is missing, so the scan is left out."
        return None, Finding(kind="damaged", what=place.name, text=text)
    group = TWINS[0] if place.name in TWINS else place.name
    return Item(key=place.name, files=files, group=group, about={"part": part}), None


def read(item: Item, facts: SourceFacts, options: Options) -> Iterator[Case]:
    """The scan of an item.

    Yields:
        One case with an image (1, Z, Y, X), uint8 or, from the normalised form, float32, and labels (Z, Y, X).

    Raises:
        InvalidData: a file is damaged, shapes differ, or a label has other values than 0 and 255 (or 0 and 1).
    """
    notes = [f"The spacing is set to {options.spacing}: {SPACINGS[options.spacing]} mm along (z, y, x)."]
    image, labels = _packed(item) if len(item.files) == 1 else _scan(item, notes)
    if options.crop == "atrium":
        box = _box(labels, Draws(0, "la", "crop", item.key))
        image, labels = image[box], labels[box]
        start = ", ".join(str(s.start) for s in box)
        notes.append(f"Cropped around the atrium; the first voxel was ({start}) along (z, y, x).")
    yield Case(
        case_id=item.key,
        group=item.group,
        image=np.ascontiguousarray(image)[np.newaxis],
        labels=np.ascontiguousarray(labels),
        classes=info(facts, options).classes,
        spacing=SPACINGS[options.spacing],
        notes=tuple(notes),
        about={"part": item.about["part"]} if item.about["part"] else {},
    )


def probe(item: Item, facts: SourceFacts, options: Options) -> Iterator[Finding]:
    """Whether every file holds as many voxels as its header says."""
    for path in item.files:
        wrong = _h5_error(path) if path.suffix == ".h5" else payload_error(path)
        if wrong:
            yield Finding(kind="damaged", what=str(path), text=f"{path} {wrong}.")


def splits(ids: Mapping[str, str], facts: SourceFacts, options: Options) -> dict[str, Split]:
    """The splits of the manifest among the scans that are there; ``ids`` maps case ids to groups."""
    found = {}
    lists = facts.splits["uamt"].parts
    training = [i for i in lists["train"] if i in ids]
    groups = sorted({ids[i] for i in training})
    held = set(groups[7::8])
    parts: dict[str, dict[str, list[str]]] = {
        "uamt": {part: [i for i in listed if i in ids] for part, listed in lists.items()},
        "uamt-val": {
            "train": [i for i in training if ids[i] not in held],
            "val": [i for i in training if ids[i] in held],
            "test": [i for i in lists["test"] if i in ids],
        },
        "challenge": {
            "train": [i for i in ids if i in lists["train"] or i in lists["test"]],
            "test": [i for i in ids if i not in lists["train"] and i not in lists["test"]],
        },
    }
    for name, stated in facts.splits.items():
        chosen = {part: tuple(members) for part, members in parts[name].items() if members}
        found[name] = Split(parts=chosen, rule=stated.rule, source=stated.source)
    return found


def _scan(item: Item, notes: list[str]) -> tuple[NDArray[Any], LabelMap]:
    image = read_nrrd(item.files[0])
    labels = np.zeros(image.shape, dtype=np.uint8)
    for code, path in enumerate(item.files[1:], start=1):
        structure = read_nrrd(path)
        if structure.shape != image.shape:
            raise InvalidData(
                f"{path} has {structure.shape[::-1]} voxels and {item.files[0].name} {image.shape[::-1]}; "
                "they must show the same scan."
            )
        high = int(structure.max())
        inside = structure > 0
        odd = inside & (structure != high)
        if high not in (0, 1, 255) or odd.any():
            value = high if high not in (0, 1, 255) else int(structure[odd][0])
            raise InvalidData(f"{path} holds the value {value}; only 0 and 255 are labels of LA.")
        if high == 1:
            notes.append(f"{path.name} holds 1 instead of 255 for the structure.")
        labels[inside & (labels == 0) if code > 1 else inside] = code
    return image, labels


def _packed(item: Item) -> tuple[NDArray[Any], LabelMap]:
    """The public form: axes (x, y, z) in the file."""
    with _open_h5(item.files[0]) as opened:
        try:
            image, labels = np.asarray(opened["image"]), np.asarray(opened["label"])
        except (KeyError, OSError) as error:
            raise InvalidData(f"{item.files[0]} is damaged or lacks 'image' or 'label' ({error}).") from error
    if image.shape != labels.shape or image.ndim != 3 or not set(np.unique(labels).tolist()) <= {0, 1}:
        raise InvalidData(f"{item.files[0]} does not hold a volume and its labels 0 and 1.")
    return image.transpose(2, 1, 0), labels.transpose(2, 1, 0).astype(np.uint8)


def _open_h5(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise UsageError(f"Reading {path} needs h5py: pip install 'noisylabels[h5]'.") from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InvalidData(f"{path} is damaged or not an HDF5 file.") from error


def _h5_error(path: Path) -> str:
    try:
        with _open_h5(path) as opened:
            return "" if {"image", "label"} <= set(opened) else "lacks 'image' or 'label'"
    except InvalidData as error:
        return str(error).removeprefix(f"{path} ").rstrip(".")


def _box(labels: LabelMap, draws: Draws) -> tuple[slice, ...]:
    """The label's box, grown to the least extent, with a drawn margin in plane; (z, y, x)."""
    margins = draws.integers((2, 2), *_MARGIN)
    box = []
    for axis, least in zip(range(3), _LEAST[::-1], strict=True):
        size = labels.shape[axis]
        if axis == 0:
            box.append(slice(0, size))  # the published crop keeps all slices
            continue
        where = np.flatnonzero(labels.any(axis=tuple(a for a in range(3) if a != axis)))
        first, last = (int(where[0]), int(where[-1]) + 1) if where.size else (size // 2, size // 2)
        lack = max(0, least - (last - first))
        first, last = first - lack // 2, last + lack - lack // 2
        low, high = (int(m) for m in margins[axis - 1])
        box.append(slice(max(0, first - low), min(size, last + high)))
    return tuple(box)
