"""Writing a dataset folder: everything under a temporary name, then one rename."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.errors import InvalidData, UsageError
from noisylabels.store.digests import content_digest
from noisylabels.store.entries import CaseEntry, cases_to_csv, dataset_digest
from noisylabels.store.files import disk_errors, image_names, write_bytes, write_image, write_labels
from noisylabels.store.index import IGNORED, DatasetInfo
from noisylabels.store.splits import Split


def count_pixels(labels: LabelMap, classes: tuple[str, ...]) -> dict[str, int]:
    """How many pixels every class has, by name, and how many have none (``ignore``)."""
    counts = np.zeros(256, dtype=np.int64)
    for part in labels:  # slice by slice: bincount makes eight bytes of one
        counts += np.bincount(part.reshape(-1), minlength=256)
    return {**{name: int(counts[i]) for i, name in enumerate(classes)}, IGNORED: int(counts[IGNORE])}


def refuse_existing(out: Path) -> None:
    """Raise UsageError if something is at ``out``, or if its parent cannot be a folder."""
    if out.exists() or out.is_symlink():
        what = "a folder" if out.is_dir() else "a file"
        raise UsageError(
            f"{out} is already there ({what}); nothing is overwritten, so remove it or choose another name."
        )
    for above in out.parents:
        if above.exists() and not above.is_dir():
            raise UsageError(f"{out} cannot be made, because {above} is a file.")


def finish(part: Path, out: Path) -> None:
    """Give a complete folder its name.

    Raises:
        UsageError: another process was faster.
    """
    refuse_existing(out)
    with disk_errors(out):
        part.rename(out)


@contextmanager
def temporary_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that becomes ``out`` at the end, or vanishes if something goes wrong."""
    refuse_existing(out)
    part = out.parent / f".{out.name}.{os.getpid()}.part"
    with disk_errors(out):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    try:
        yield part
        finish(part, out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_folder(
    cases: Iterable[Case],
    info: DatasetInfo,
    out: Path,
    splits: Mapping[str, Split],
    provenance: Mapping[str, Any],
    progress: Callable[[int, str], None] | None,
) -> None:
    """Write a dataset folder; see :func:`noisylabels.store.dataset.write_dataset`."""
    with temporary_folder(out) as part:
        entries: dict[str, CaseEntry] = {}
        for case in cases:
            if case.case_id in entries:
                raise InvalidData(f"Two cases of dataset {info.name} are called {case.case_id}.")
            entries[case.case_id] = write_case(case, info, part)
            if progress:
                progress(len(entries), case.case_id)
        if not entries:
            raise InvalidData(f"Dataset {info.name} would have no case at all; was the right folder given?")
        complete(part, info, entries, splits, provenance)


def complete(
    part: Path,
    info: DatasetInfo,
    entries: Mapping[str, CaseEntry],
    splits: Mapping[str, Split],
    provenance: Mapping[str, Any],
) -> None:
    """Divide the cases that were written and add everything that is not a case.

    Args:
        part: holds the files of :func:`write_case`; those of test cases are moved to ``imagesTs`` and
            ``labelsTs``.
        info: what holds for every case.
        entries: from :func:`write_case`, by id.
        splits: every named split, with ``info.default_split`` among them.
        provenance: what ``provenance.json`` should hold beside our version.

    Raises:
        InvalidData: the default split is missing, or a split names a case that is not there.
    """
    if info.default_split not in splits:
        raise InvalidData(
            f"Dataset {info.name} has no split '{info.default_split}', which is to be its default."
        )
    for name, split in splits.items():
        missing = sorted(set(split.ids()) - set(entries))
        if missing:
            raise InvalidData(
                f"Split '{name}' names case {missing[0]}, which dataset {info.name} does not have."
            )
        write_text(part / "splits" / f"{name}.json", split.to_json())
    settled = {i: _settled(entry, info, part, splits[info.default_split]) for i, entry in entries.items()}
    write_index(part, info, settled)
    versions = {"noisylabels": own_version()}
    write_text(part / "provenance.json", json.dumps({"versions": versions, **provenance}, indent=2) + "\n")


def _settled(entry: CaseEntry, info: DatasetInfo, part: Path, split: Split) -> CaseEntry:
    """The entry with its part of the split, its files in the folders of that part."""
    there = replace(entry, split=split.part_of(entry.case_id))
    with disk_errors(part):
        for old, new in zip(case_files(entry, info, part), case_files(there, info, part), strict=True):
            if old != new:
                new.parent.mkdir(parents=True, exist_ok=True)
                old.rename(new)
    return there


def case_files(entry: CaseEntry, info: DatasetInfo, part: Path) -> list[Path]:
    """Every file of a case: images, labels, readers."""
    images = image_names(entry.case_id, info.ending, len(info.channels))
    label = f"{entry.case_id}{info.ending}"
    return [
        *(part / f"images{entry.folder}" / name for name in images),
        part / f"labels{entry.folder}" / label,
        *(part / "readers" / reader / label for reader in entry.readers),
        *(path for reader in entry.scores for path in score_files(entry.case_id, info, part, reader)),
    ]


def write_index(part: Path, info: DatasetInfo, entries: Mapping[str, CaseEntry], **more: Any) -> None:
    """Write ``cases.csv`` and, with its digest, ``dataset.json``."""
    training = sum(entry.folder == "Tr" for entry in entries.values())
    ignored = any(entry.pixels[IGNORED] for entry in entries.values())
    ours = {"digest": dataset_digest(entries.values()), **more.pop("noisylabels", {})}
    write_text(part / "cases.csv", cases_to_csv(entries.values()))
    write_text(part / "dataset.json", info.to_json(training, ignored, {**more, "noisylabels": ours}))


def write_text(path: Path, text: str) -> None:
    """Write a text file and the folder that it is in; it is complete or not there."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.encode())


def own_version() -> str:
    """The installed version of this package, "unknown" when it is run from a bare checkout."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("noisylabels")
    except PackageNotFoundError:
        return "unknown"


def score_files(case_id: str, info: DatasetInfo, part: Path, reader: str) -> list[Path]:
    """The files of a reader's scores, one a class (a single colour PNG for three)."""
    return [part / "scores" / reader / name for name in image_names(case_id, info.ending, len(info.classes))]


def write_case(case: Case, info: DatasetInfo, part: Path) -> CaseEntry:
    """Write the files of a case as if it trained, and tell what is known of it.

    Raises:
        InvalidData: the case contradicts ``info``.
        NoisyLabelsError: the disk is full.
    """
    image = _image_of(case, info)
    entry = CaseEntry(
        case_id=case.case_id,
        group=case.group,
        split="",
        shape=case.labels.shape,
        spacing=tuple(map(float, case.spacing)) if case.spacing else None,
        image_digest=content_digest(image, case.spacing),
        labels_digest=content_digest(case.labels, case.spacing),
        pixels=count_pixels(case.labels, info.classes),
        readers={name: content_digest(labels, case.spacing) for name, labels in case.readers.items()},
        scores={name: content_digest(scores, case.spacing) for name, scores in case.scores.items()},
        notes=case.notes,
        measured=case.about,
    )
    readers = {part / "readers" / name: labels for name, labels in case.readers.items()}
    maps = {part / "labelsTr": case.labels, **readers}
    with disk_errors(part):
        for folder in (*maps, part / "imagesTr", *(part / "scores" / name for name in case.scores)):
            folder.mkdir(parents=True, exist_ok=True)
    write_image(part / "imagesTr", case.case_id, info.ending, image, case.spacing)
    for folder, one in maps.items():
        write_labels(folder / f"{case.case_id}{info.ending}", one, case.spacing, info.ignore)
    for name, scores in case.scores.items():
        write_image(part / "scores" / name, case.case_id, info.ending, scores, case.spacing)
    return entry


def _image_of(case: Case, info: DatasetInfo) -> Any:
    if case.classes != info.classes:
        raise InvalidData(f"Case {case.case_id} has the classes {case.classes}, its dataset {info.classes}.")
    if case.image is None:
        raise InvalidData(f"Case {case.case_id} has no image.")
    if len(case.image) != len(info.channels):
        raise InvalidData(
            f"Case {case.case_id}: the image has {len(case.image)} channels, but its dataset names "
            f"{len(info.channels)} ({', '.join(info.channels)})."
        )
    if case.image.dtype.kind == "f" and not np.isfinite(case.image).all():
        raise InvalidData(
            f"Case {case.case_id}: the image holds values that are not numbers (NaN or infinite)."
        )
    return case.image
