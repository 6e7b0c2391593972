"""A clean dataset with further readers, as a folder of its own; the images stay where they are.

<derived>/  dataset.json    nnU-Net's ``dataset`` names the images of the parent; ``images`` says which dataset that is
            cases.csv  provenance.json  splits/<name>.json
            labelsTr/<case>.<ext>  labelsTs/<case>.<ext>  readers/<reader>/<case>.<ext>  scores/<reader>/...
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from noisylabels.case import Case
from noisylabels.errors import InvalidData, UsageError
from noisylabels.store.dataset import Dataset
from noisylabels.store.digests import content_digest
from noisylabels.store.entries import CaseEntry
from noisylabels.store.files import disk_errors, write_image, write_labels
from noisylabels.store.index import DatasetInfo
from noisylabels.store.links import link_to, relative
from noisylabels.store.write import own_version, temporary_folder, write_index, write_text

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_new_readers(parent: Dataset, names: Sequence[str]) -> None:
    """Refuse names that further readers of a dataset cannot have.

    Raises:
        UsageError: a name cannot be a folder, comes twice, or is that of a reader who is there.
    """
    there = {name for entry in parent.entries.values() for name in entry.readers}
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"Reader '{name}' cannot be a folder name; use A-Z a-z 0-9 . _ and -.")
        if name in there:
            raise UsageError(f"{parent.path} already has a reader '{name}'; give the new one another name.")
    if len(set(names)) < len(names):
        raise UsageError(f"Two readers have the same name ({', '.join(names)}); give each its own.")


def derived_dataset(
    parent: Dataset,
    ids: Collection[str],
    add: Callable[[Case], Case],
    out: Path | str,
    provenance: Mapping[str, Any],
    progress: Callable[[int, str], None] | None = None,
) -> Dataset:
    """Write a dataset that is ``parent`` with further readers.

    It is clean, has the parent's name, labels, splits and readers, and may be derived from again; the link
    always leads to the folder that holds the images.

    Args:
        parent: a clean dataset; it is not changed.
        ids: the cases that get something.
        add: makes a case with further readers, and scores of them, out of one with its image.
        out: the folder to make; it must not exist.
        provenance: what ``provenance.json`` should hold beside our version and the parent.
        progress: called after each case with the number of cases so far and the case's id.

    Returns:
        The dataset, opened.

    Raises:
        UsageError: ``out`` is already there, or ``parent`` is noisy.
        InvalidData: a case of the parent is damaged, or its labels or image came back changed.
    """
    out = Path(out)
    if parent.noisy:
        raise UsageError(
            f"{parent.path} is noisy; readers are added to the clean dataset, {parent.clean.path}."
        )
    home, info = parent.image_home, parent.info
    images = link_to(home.info.name, home.path, home.digest, out)
    with temporary_folder(out) as part:
        entries: dict[str, CaseEntry] = {}
        for case_id in sorted(parent.entries):
            case = parent.load(case_id, image=case_id in ids, scores=True)
            found = add(case) if case_id in ids else case
            entries[case_id] = _write(found, parent.entries[case_id], info, part)
            if progress:
                progress(len(entries), case_id)
        for name, split in parent.splits.items():
            write_text(part / "splits" / f"{name}.json", split.to_json())
        pairs = {
            case_id: {
                "images": [relative(image, out) for image in parent.image_paths(case_id)],
                "label": f"labelsTr/{case_id}{info.ending}",
            }
            for case_id, entry in entries.items()
            if entry.folder == "Tr"
        }
        write_index(part, info, entries, dataset=pairs, noisylabels={"images": images})
        made = {"versions": {"noisylabels": own_version()}, "parent": parent.digest, **provenance}
        write_text(part / "provenance.json", json.dumps(made, indent=2) + "\n")
    return Dataset.open(out)


def _write(case: Case, entry: CaseEntry, info: DatasetInfo, part: Path) -> CaseEntry:
    """Write the label maps and scores of a case, and tell what is known of it now."""
    if content_digest(case.labels, case.spacing) != entry.labels_digest:
        raise InvalidData(f"The labels of case {case.case_id} were changed; a derived dataset keeps them.")
    readers = {part / "readers" / name: labels for name, labels in case.readers.items()}
    for folder, labels in {part / f"labels{entry.folder}": case.labels, **readers}.items():
        _make(folder)
        write_labels(folder / f"{case.case_id}{info.ending}", labels, case.spacing, info.ignore)
    for name, scores in case.scores.items():
        folder = part / "scores" / name
        _make(folder)
        write_image(folder, case.case_id, info.ending, scores, case.spacing)
    return replace(
        entry,
        readers={name: content_digest(labels, case.spacing) for name, labels in case.readers.items()},
        scores={name: content_digest(scores, case.spacing) for name, scores in case.scores.items()},
    )


def _make(folder: Path) -> None:
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
