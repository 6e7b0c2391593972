"""Liver and liver tumours in CT (LiTS), in the original layout or as the Decathlon's task 3.

    .../volume-N.nii  .../segmentation-N.nii                  original, N = 0 .. 130, in any folders, .nii or .nii.gz
    imagesTr/liver_N.nii.gz  labelsTr/liver_N.nii.gz          Decathlon

Labels are 0 background, 1 liver, 2 tumour; intensities are HU in 16 bits. Geometry is taken from the volume, and
all arrays are turned to one orientation; what a header says otherwise is written into the notes.

Source: Bilic et al., Medical Image Analysis 84 (2023); Antonelli et al., Nature Communications 13 (2022).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from noisylabels.adapters._nifti import Volume, read_volume, size_error
from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item, Survey
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split

IRCAD = range(28, 48)
"""Volumes that are those of 3D-IRCADb-01; their original headers falsely say 1 mm along all axes."""

_CASES = ("volumes", "slices", "liver-slices", "tumour-slices")
_NAME = re.compile(r"(volume|segmentation|liver)[-_](\d{1,3})\.nii(\.gz)?")
_TEST = re.compile(r"test-(volume|segmentation)-\d+\.nii(\.gz)?")
_MCPM = {"train": 1471, "val": 300, "test": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the cases are to be made.

    Attributes:
        cases: volumes, or axial slices of them: all slices, liver-slices (with liver or tumour) or tumour-slices.
    """

    cases: Literal["volumes", "slices", "liver-slices", "tumour-slices"] = "volumes"

    def __post_init__(self) -> None:
        if self.cases not in _CASES:
            raise UsageError(f"The cases of LiTS are {', '.join(_CASES)}, not '{self.cases}'.")


def info(facts: SourceFacts, options: Options) -> DatasetInfo:
    """What holds for every case."""
    return DatasetInfo(
        name=facts.name,
        classes=facts.tables["liver"].classes,
        channels=("CT",),
        ending=".nii.gz",
        default_split=facts.default_split,
        title=facts.title,
        licence=facts.licence,
        citation=facts.citation,
    )


def survey(raw: Path, facts: SourceFacts, options: Options) -> Survey:
    """Which volumes are there, told by file names.

    Raises:
        InvalidData: there is none.
    """
    images, labels, findings = dict[int, Path](), dict[int, Path](), list[Finding]()
    unlabelled = 0
    for path in sorted(raw.rglob("*.nii*")) if raw.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if path.name.startswith("._") or not path.is_file():
            continue
        if _TEST.fullmatch(path.name) or path.parent.name == "imagesTs":
            unlabelled += 1
        elif not match or int(match[2]) >= facts.series["volumes"]:
            text = f"{path} is not named after a volume of LiTS (0 to 130) and is ignored."
            findings.append(Finding(kind="unexpected", what=str(path), text=text))
        else:
            kind = labels if match[1] == "segmentation" or path.parent.name == "labelsTr" else images
            _note(kind, int(match[2]), path, findings)
    if unlabelled:
        text = f"{unlabelled} test volumes have no labels and are ignored."
        findings.append(Finding(kind="unexpected", what="test volumes", text=text))
    if not images and not labels:
        raise InvalidData(
            f"{raw} holds no volume of LiTS; expected volume-N.nii and segmentation-N.nii, or imagesTr/liver_N.nii.gz "
            "and labelsTr/liver_N.nii.gz."
        )
    items = [
        Item(key=_key(number), files=(images[number], labels[number]), about={"number": number})
        for number in sorted(images.keys() & labels.keys())
    ]
    for number in sorted(images.keys() ^ labels.keys()):
        there = images.get(number) or labels[number]
        text = f"{there} has no {'labels' if number in images else 'volume'}, so it is left out."
        findings.append(Finding(kind="damaged", what=_key(number), text=text))
    missing = [str(n) for n in range(facts.series["volumes"]) if n not in images and n not in labels]
    if missing:
        text = f"{len(missing)} of {facts.series['volumes']} volumes are not in the raw folder: {', '.join(missing)}."
        findings.append(Finding(kind="missing", what=str(raw), text=text))
    return Survey(items=tuple(items), findings=tuple(findings))


def read(item: Item, facts: SourceFacts, options: Options) -> Iterator[Case]:
    """The volume of an item, or its slices.

    Yields:
        Cases with an image (1, Z, Y, X) or (1, Y, X) int16 in HU and labels of the same extent.

    Raises:
        InvalidData: a file is damaged, shapes differ, or there is a label other than 0, 1 and 2.
    """
    volume, drawn = (read_volume(path) for path in item.files)
    if volume.voxels.shape != drawn.voxels.shape:
        raise InvalidData(
            f"{item.files[1]} has {drawn.stored} voxels and {item.files[0].name} {volume.stored}; they must show the "
            "same scan."
        )
    labels = _labels(item.files[1], volume, drawn)
    image, rounded = _hounsfield(item.files[0], volume.voxels)
    notes = _notes(item, volume, drawn) + rounded
    classes = facts.tables["liver"].classes
    if options.cases == "volumes":
        yield Case(
            case_id=item.key,
            image=image[None],
            labels=labels,
            classes=classes,
            spacing=volume.spacing,
            notes=notes,
        )
        return
    least = {"slices": 0, "liver-slices": 1, "tumour-slices": 2}[options.cases]
    for number in np.flatnonzero(labels.max(axis=(1, 2)) >= least).tolist():
        yield Case(
            case_id=f"{item.key}_s{number:04d}",
            group=item.group,
            image=np.ascontiguousarray(image[number])[None],
            labels=np.ascontiguousarray(labels[number]),
            classes=classes,
            spacing=volume.spacing[1:],
            notes=notes,
        )


def probe(item: Item, facts: SourceFacts, options: Options) -> Iterator[Finding]:
    """Whether headers can be read, agree, and files are as long as they say."""
    shapes = []
    for path in item.files:
        wrong, shape = size_error(path)
        shapes.append(shape)
        if wrong:
            yield Finding(kind="damaged", what=str(path), text=f"{path} {wrong}.")
    if None not in shapes and shapes[0] != shapes[1]:
        text = f"{item.files[1]} has {shapes[1]} voxels and {item.files[0].name} {shapes[0]}."
        yield Finding(kind="damaged", what=str(item.files[1]), text=text)


def splits(ids: Mapping[str, str], facts: SourceFacts, options: Options) -> dict[str, Split]:
    """The splits of the manifest among the cases that are there; ``ids`` maps case ids to volumes."""
    numbers = {case_id: int(case_id.split("_")[1]) for case_id in ids}
    parts = {
        "volumes": {i: _by_digit(n) for i, n in numbers.items()},
        "eva-linear": {i: "train" if n <= 100 else "val" if n <= 115 else "test" for i, n in numbers.items()},
        "mcpm": _mcpm(sorted(ids)),
    }
    found = {}
    for name, stated in facts.splits.items():
        chosen = {
            part: tuple(i for i, own in parts[name].items() if own == part)
            for part in ("train", "val", "test")
        }
        chosen = {part: members for part, members in chosen.items() if members}
        found[name] = Split(parts=chosen, rule=stated.rule, source=stated.source)
    return found


def _key(number: int) -> str:
    return f"lits_{number:03d}"


def _note(found: dict[int, Path], number: int, path: Path, findings: list[Finding]) -> None:
    first = found.setdefault(number, path)
    if first != path:
        text = f"{path} is number {number} once more; {first} is used."
        findings.append(Finding(kind="duplicate", what=str(path), text=text))


def _by_digit(number: int) -> str:
    return "test" if number % 5 == 4 else "val" if number % 10 == 7 else "train"


def _mcpm(ids: list[str]) -> dict[str, str]:
    """The cases in the order of their draws, cut at MCPM's counts or at the same shares."""
    total = sum(_MCPM.values())
    ranked = sorted(ids, key=lambda i: (int(Draws(0, "split", "mcpm", "lits", i).words(1)[0]), i))[:total]
    found, start, counted = dict[str, str](), 0, 0
    for part, count in _MCPM.items():
        counted += count
        end = (counted * len(ranked) + total // 2) // total
        found |= dict.fromkeys(ranked[start:end], part)
        start = end
    return found


def _labels(path: Path, volume: Volume, drawn: Volume) -> LabelMap:
    """The labels, turned as the volume is."""
    stored = drawn.as_stored
    codes = set(np.unique(stored).tolist())
    if not codes <= {0, 1, 2}:
        raise InvalidData(
            f"{path} holds the value {max(codes - {0, 1, 2}):g}; LiTS has the labels 0, 1 and 2."
        )
    return np.ascontiguousarray(volume.turn(stored).astype(np.uint8))


def _hounsfield(path: Path, voxels: NDArray[Any]) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    if voxels.dtype.kind == "f":
        if not np.isfinite(voxels).all():
            raise InvalidData(f"{path} holds values that are not numbers.")
        whole = np.rint(voxels)
        if not np.array_equal(whole, voxels):
            notes = ("Intensities were not whole numbers and are rounded.",)
        voxels = whole
    if voxels.dtype != np.int16 and (voxels.min() < -32768 or voxels.max() > 32767):
        raise InvalidData(
            f"{path} holds values beyond 16 bits ({voxels.min():g} to {voxels.max():g}); HU fit into them."
        )
    return np.ascontiguousarray(voxels.astype(np.int16, copy=False)), notes


def _notes(item: Item, volume: Volume, drawn: Volume) -> tuple[str, ...]:
    notes = []
    if not np.allclose(volume.affine, drawn.affine, atol=1e-3):
        notes.append("The labels' header states another geometry than the volume's, which is used.")
    if volume.codes != "LPS":
        notes.append(f"Turned from the orientation {volume.codes} to LPS.")
    if item.about["number"] in IRCAD and volume.spacing == (1.0, 1.0, 1.0):
        notes.append(
            "The header's spacing of 1 mm is false: this is a volume of 3D-IRCADb-01; lengths in mm are wrong."
        )
    return tuple(notes)
