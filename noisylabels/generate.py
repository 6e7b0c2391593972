"""Where cases, a recipe and draws meet: a noisy dataset out of a clean one.

The work happens in a folder beside the result, ``.<name>.part``. Every finished case leaves its label file
there and then a record; a run that is killed at any moment goes on from the records when the same is asked
again. At the end the index is written and the folder gets its name.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noisylabels import toml
from noisylabels.apply import choose, corrupted
from noisylabels.catalogue import MODES
from noisylabels.errors import InvalidData, UsageError
from noisylabels.metrics.noise import NoiseMeasure, measure, pool
from noisylabels.parallel import map_cases
from noisylabels.recipe import Recipe
from noisylabels.store.dataset import Dataset
from noisylabels.store.digests import combined_digest, content_digest
from noisylabels.store.entries import CaseEntry
from noisylabels.store.files import disk_errors, read_labels, write_labels
from noisylabels.store.write import (
    count_pixels,
    finish,
    own_version,
    refuse_existing,
    write_index,
    write_text,
)

_NOTE = "work.json"


def noisy_dataset(
    clean: Dataset,
    recipe: Recipe,
    out: Path | str,
    jobs: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> Dataset:
    """Make a noisy dataset: labels of the recipe's splits, corrupted and measured, without images.

    The labels depend on the parent's labels and the recipe alone: not on ``jobs``, on the order, on which
    other cases there are, or on how often the run was killed and started again.

    Args:
        clean: the parent; it is not changed.
        recipe: what to do.
        out: the folder to make; it must not exist.
        jobs: processes.
        progress: called after each case with the number of finished cases, of all cases, and the case's id.

    Returns:
        The noisy dataset, opened.

    Raises:
        UsageError: ``out`` is already there, ``clean`` is itself noisy, or a parameter is wrong.
        InvalidData: a case of the parent is damaged.
        NoisyLabelsError: the disk is full or a mode broke its contract. What is finished stays for another
            try.
    """
    out = Path(out)
    refuse_existing(out)
    ids = _ids(clean, recipe)
    work = Work(
        clean, recipe, out.parent / f".{out.name}.part", frozenset(choose(ids, recipe, clean.info.name))
    )
    try:
        work.prepare(ids)
        open_ids = [case_id for case_id in ids if not work.is_finished(case_id)]
        done = len(ids) - len(open_ids)
        if done and progress:
            progress(done, len(ids), "done before")
        for finished in map_cases(work.run, open_ids, jobs):
            done += 1
            if progress:
                progress(done, len(ids), finished)
        work.finish(ids, out)
    except BaseException:
        work.leave()
        raise
    shutil.rmtree(work.folder)
    return Dataset.open(out)


def _ids(clean: Dataset, recipe: Recipe) -> list[str]:
    """The cases whose labels are to be made, after what can be refused before any work."""
    if clean.noisy:
        raise UsageError(
            f"{clean.path} is already noisy; add a step to its recipe instead, and start from the clean one."
        )
    ids = sorted({case_id for part in recipe.splits for case_id in clean.ids(part)})
    if not ids:
        raise InvalidData(f"{clean.path} has no case in the split part {', '.join(recipe.splits)}.")
    if len({clean.entries[case_id].spacing is None for case_id in ids}) > 1:
        raise InvalidData(
            f"{clean.path} has cases with a spacing and cases without; their noise has no common unit, so "
            "prepare them as two datasets."
        )
    return ids


@dataclass(frozen=True)
class Work:
    """A run in its folder: which cases are finished, and how to do one.

    Attributes:
        clean: the parent.
        recipe: what to do.
        folder: holds ``result/`` (the dataset to be), ``records/`` and ``work.json``.
        chosen: the cases that are touched.
    """

    clean: Dataset
    recipe: Recipe
    folder: Path
    chosen: frozenset[str]

    @property
    def result(self) -> Path:
        """The dataset to be."""
        return self.folder / "result"

    @property
    def records(self) -> Path:
        """One small file for every finished case."""
        return self.folder / "records"

    def prepare(self, ids: Iterable[str]) -> None:
        """Make the folder, or keep what a killed run of the same work left in it."""
        for step in self.recipe.steps:
            step.params_for(MODES.load(step.mode))
        key = {
            "recipe": self.recipe.digest,
            "parent": self.clean.digest,
            "cases": combined_digest((i, "") for i in ids),
        }
        text = json.dumps(key, indent=2) + "\n"
        note = self.folder / _NOTE
        with disk_errors(self.folder):
            if self.folder.exists() and not (note.exists() and note.read_text() == text):
                self._discard()
            for folder in (self.records, self.result / "labelsTr"):
                folder.mkdir(parents=True, exist_ok=True)
        write_text(note, text)

    def is_finished(self, case_id: str) -> bool:
        """Whether the case has a record and its label file is what the record says."""
        try:
            entry, _ = self.record(case_id)
            labels, _ = read_labels(self._label_file(case_id), len(entry.shape), self.clean.info.ignore)
        except (OSError, ValueError, TypeError, KeyError, InvalidData):
            return False
        return content_digest(labels, entry.spacing) == entry.labels_digest

    def record(self, case_id: str) -> tuple[CaseEntry, NoiseMeasure]:
        """What is known of a finished case."""
        kept = json.loads((self.records / f"{case_id}.json").read_text(encoding="utf-8"))
        return CaseEntry.from_row(kept["entry"]), NoiseMeasure.from_dict(kept["noise"])

    def run(self, case_id: str) -> str:
        """Make one case: its label file, then its record; gives the id back."""
        case = self.clean.load(case_id, image=False)
        touched = case_id in self.chosen
        labels = corrupted(case, self.recipe, self.clean.info.name) if touched else case.labels
        noise = measure(case.labels, labels, case.classes, case.spacing)
        entry = replace(
            self.clean.entries[case_id],
            image_digest="",
            readers={},
            labels_digest=content_digest(labels, case.spacing),
            pixels=count_pixels(labels, case.classes),
            measured={"chosen": "yes" if touched else "no", **noise.columns()},
        )
        write_labels(self._label_file(case_id), labels, case.spacing, self.clean.info.ignore)
        write_text(
            self.records / f"{case_id}.json", json.dumps({"entry": entry.to_row(), "noise": noise.to_dict()})
        )
        return case_id

    def finish(self, ids: Iterable[str], out: Path) -> None:
        """Write the index of the finished cases and give the result its name."""
        records = [self.record(case_id) for case_id in ids]
        entries = {entry.case_id: entry for entry, _ in records}
        parent = {
            "name": self.clean.info.name,
            "path": _relative(self.clean.path, out),
            "digest": self.clean.digest,
        }
        measured = rounded(pool(noise for _, noise in records).to_dict())
        tables = {"made_with": {"noisylabels": own_version()}, "parent": parent, "measured": measured}
        write_text(self.result / "recipe.toml", self.recipe.to_toml() + "\n" + toml.dumps(tables))
        pairs = {
            case_id: {
                "images": [_relative(image, out) for image in self.clean.image_paths(case_id)],
                "label": f"labelsTr/{case_id}{self.clean.info.ending}",
            }
            for case_id in entries
        }
        write_index(self.result, self.clean.info, entries, dataset=pairs, noisylabels={"parent": parent})
        for stray in self.result.rglob("*.part"):  # what a killed writer did not get to rename
            stray.unlink()
        finish(self.result, out)

    def leave(self) -> None:
        """Clear away what another try could not use."""
        if self.folder.exists() and not self._strange() and not any(self.records.glob("*.json")):
            shutil.rmtree(self.folder)

    def _strange(self) -> set[str]:
        ours = {"result", "records", _NOTE}
        return {f.name for f in self.folder.iterdir() if not f.name.startswith(f".{_NOTE}")} - ours

    def _label_file(self, case_id: str) -> Path:
        return self.result / "labelsTr" / f"{case_id}{self.clean.info.ending}"

    def _discard(self) -> None:
        """Remove what another recipe left; only what is ours."""
        strange = self._strange()
        if strange:
            raise UsageError(f"{self.folder} is in the way and not ours: it holds {min(strange)}.")
        shutil.rmtree(self.folder)


def rounded(value: Any) -> Any:
    """Real numbers with ten digits, so that the last bits of a sum do not show."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path.resolve(), start.resolve())).as_posix()
