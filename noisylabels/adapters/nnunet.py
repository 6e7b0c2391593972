"""A raw dataset of nnU-Net v2: dataset.json, imagesTr, labelsTr and, with labels, imagesTs, labelsTs.

Regions (structures that share voxels) and the ignore label are kept. Test images without labels are left out:
there is nothing to make noisy or to score.

Source: Isensee et al., nnU-Net, Nature Methods 18 (2021); the format of version 2.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from noisylabels.adapters._any_file import FLAT, read_picture
from noisylabels.case import IGNORE, Case
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData
from noisylabels.facts import SourceFacts
from noisylabels.sources import Finding, Item, Survey
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``dataset.json`` says; there is nothing to choose.

    Attributes:
        name: of the dataset; by default that of its folder.
        classes: names of the classes, by their values.
        channels: names of the image channels.
        regions: structures of several classes, as "name=1,2", where there are any.
        ignore: the value that means "no label"; -1 for none.
        ending: png or nii.gz.
    """

    name: str = ""
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    ignore: int = -1
    ending: str = ""


def info(facts: SourceFacts, options: Options) -> DatasetInfo:
    """What holds for every case; the options are those of a survey."""
    structures = {}
    for region in options.regions:
        name, _, codes = region.rpartition("=")
        structures[name] = tuple(int(code) for code in codes.split(","))
    return DatasetInfo(
        name=options.name,
        classes=options.classes,
        structures=structures,
        channels=options.channels,
        ending=f".{options.ending}",
        default_split=facts.default_split,
        title=facts.title,
        licence=facts.licence,
        citation=facts.citation,
    )


def survey(raw: Path, facts: SourceFacts, options: Options) -> Survey:
    """Which cases are there, told by ``dataset.json`` and file names.

    Raises:
        InvalidData: ``dataset.json`` is missing, damaged or of another version, or no case is complete.
    """
    path = raw / "dataset.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        told = _told(document, raw, options)
        ending = str(document["file_ending"])
    except FileNotFoundError as error:
        raise InvalidData(f"{path} is missing; expected a raw dataset of nnU-Net v2.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidData(f"{path} is damaged or not of nnU-Net v2 ({error}).") from error
    items, findings = [], []
    for part in ("Tr", "Ts"):
        for key, files in _cases(raw, part, ending, len(told.channels)).items():
            lost = next((file for file in files if not file.is_file()), None)
            if lost is not None and part == "Ts" and lost == files[-1]:
                findings.append(Finding(kind="missing", what=key, text=f"The test case {key} has no labels."))
            elif lost is not None:
                text = f"{lost} is missing, so case {key} is left out."
                findings.append(Finding(kind="damaged", what=key, text=text))
            else:
                items.append(Item(key=key, files=files, about={"part": part}))
    if not items:
        raise InvalidData(
            f"{raw} holds no complete case; expected imagesTr/case_0000{ending} and labelsTr/case{ending}."
        )
    return Survey(items=tuple(items), findings=tuple(findings), options=told)


def read(item: Item, facts: SourceFacts, options: Options) -> Iterator[Case]:
    """The case of an item; the options are those of a survey.

    Raises:
        InvalidData: a file is damaged, extents differ, or the labels hold a value that is not declared.
    """
    *images, labels = (read_picture(path) for path in item.files)
    pixels = np.concatenate([image.pixels for image in images])
    if pixels.shape[1:] != labels.pixels.shape[1:]:
        raise InvalidData(f"{item.files[-1]} has another extent than its image.")
    drawn = labels.pixels[0]
    whole = drawn.astype(np.int64)
    allowed = {*range(len(options.classes)), options.ignore}
    stray = set(np.unique(whole).tolist()) - allowed
    if stray or not np.array_equal(whole, drawn):
        raise InvalidData(f"{item.files[-1]} holds values that dataset.json does not declare.")
    notes = []
    if images[0].geometry and labels.geometry and images[0].geometry != labels.geometry:
        notes.append("The labels' header states another geometry than the image's, which is used.")
    yield Case(
        case_id=item.key,
        image=np.ascontiguousarray(pixels),
        labels=np.ascontiguousarray(np.where(whole == options.ignore, IGNORE, whole).astype(np.uint8)),
        classes=options.classes,
        spacing=images[0].spacing,
        notes=tuple(notes),
        about={"part": item.about["part"]},
    )


def probe(item: Item, facts: SourceFacts, options: Options) -> Iterator[Finding]:
    """Whether every file can be decoded."""
    for path in item.files:
        try:
            read_picture(path)
        except InvalidData as error:
            yield Finding(kind="damaged", what=str(path), text=str(error))


def splits(ids: Mapping[str, str], facts: SourceFacts, options: Options) -> dict[str, Split]:
    """One split by draws; ``ids`` maps case ids to groups."""
    ranked = sorted(ids, key=lambda i: (int(Draws(0, "split", options.name, i).words(1)[0]), i))
    test, val = (max(1, round(share * len(ranked))) if len(ranked) >= 3 else 0 for share in (0.2, 0.1))
    parts = {"test": ranked[:test], "val": ranked[test : test + val], "train": ranked[test + val :]}
    stated = facts.splits["random"]
    chosen = {part: tuple(members) for part, members in parts.items() if members}
    return {"random": Split(parts=chosen, rule=stated.rule, source=stated.source)}


def _told(document: Mapping[str, Any], raw: Path, options: Options) -> Options:
    """The options that ``dataset.json`` states."""
    labels = dict(document["labels"])
    ignore = int(labels.pop("ignore", -1))
    regions = {name: _codes(value) for name, value in labels.items() if name != "background"}
    most = max(code for codes in regions.values() for code in codes)
    plain = {codes[0]: name for name, codes in regions.items() if len(codes) == 1}
    classes = ["background"]
    for code in range(1, most + 1):
        members = [name for name, codes in regions.items() if code in codes]
        classes.append(plain.get(code) or "+".join(members) or f"class_{code}")
    if len(set(classes)) < len(classes):
        classes = ["background", *(f"class_{code}" for code in range(1, most + 1))]
    joined = any(len(codes) > 1 for codes in regions.values())
    flat = str(document["file_ending"]).lower() in FLAT
    return replace(
        options,
        name=options.name or raw.resolve().name,
        classes=tuple(classes),
        channels=tuple(str(name) for name in document["channel_names"].values()),
        regions=tuple(f"{name}={','.join(map(str, codes))}" for name, codes in regions.items())
        if joined
        else (),
        ignore=ignore,
        ending="png" if flat else "nii.gz",
    )


def _codes(value: Any) -> tuple[int, ...]:
    return tuple(int(code) for code in value) if isinstance(value, list) else (int(value),)


def _cases(raw: Path, part: str, ending: str, channels: int) -> dict[str, tuple[Path, ...]]:
    """Image files and label file of every case, also those that are not there."""
    images, labels = raw / f"images{part}", raw / f"labels{part}"
    keys = {path.name.removesuffix(f"_0000{ending}") for path in _listed(images, f"_0000{ending}")}
    keys |= {path.name.removesuffix(ending) for path in _listed(labels, ending)}
    colour = channels == 3 and ending.lower() in FLAT  # one file with three channels
    files = 1 if colour else channels
    return {
        key: (*(images / f"{key}_{n:04d}{ending}" for n in range(files)), labels / f"{key}{ending}")
        for key in sorted(keys)
    }


def _listed(folder: Path, ending: str) -> list[Path]:
    return (
        [p for p in folder.iterdir() if p.name.endswith(ending) and p.name[0] != "."]
        if folder.is_dir()
        else []
    )
