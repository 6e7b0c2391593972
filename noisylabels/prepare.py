"""Bring raw files into the common format: in several processes, to be resumed, with damaged items left out.

Every item of raw data is read, written and recorded by itself. A run that is killed at any moment goes on from
the records when the same is asked again, and gives the same dataset.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from noisylabels.errors import InvalidData
from noisylabels.facts import SourceFacts
from noisylabels.parallel import map_cases
from noisylabels.params import plain
from noisylabels.sources import Item, Survey, source_digest
from noisylabels.store.dataset import Dataset
from noisylabels.store.entries import CaseEntry
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split
from noisylabels.store.work import WorkFolder
from noisylabels.store.write import case_files, complete, write_case

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What came of it.

    Attributes:
        dataset: opened.
        damaged: why an item was left out, by its key.
    """

    dataset: Dataset
    damaged: Mapping[str, str]


def prepare(
    adapter: ModuleType,
    raw: Path,
    facts: SourceFacts,
    options: Any,
    out: Path,
    *,
    default_split: str = "",
    survey: Survey | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Prepared:
    """Write the dataset that an adapter reads from a raw folder.

    Args:
        adapter: the module, as :mod:`noisylabels.sources` describes it.
        raw: folder with the files of the source; it is only read.
        facts: about the source.
        options: an instance of the adapter's ``Options``.
        out: the folder to make; it must not exist.
        default_split: name of the split that is meant when none is named; "" for the adapter's own.
        survey: the survey of ``raw``, if it was already made.
        jobs: processes.
        progress: called after each item with the number of finished items, of all items, and its key.

    Returns:
        The dataset without the damaged items, and what is wrong with those.

    Raises:
        UsageError: ``out`` is already there.
        InvalidData: the layout is not known, no item is usable, or two items give cases of the same id.
        NoisyLabelsError: the disk is full. What is finished stays for another try.
    """
    found = survey or adapter.survey(raw, facts, options)
    if not found.items:
        raise InvalidData(f"{raw} holds no case of {facts.name}; was the right folder given?")
    options = found.options or options
    info = adapter.info(facts, options)
    if default_split:
        info = replace(info, default_split=default_split)
    work = WorkFolder(out)
    task = _Task(adapter.__name__, {item.key: item for item in found.items}, facts, options, info, work)
    work.begin(task.meaning())
    try:
        open_keys = [key for key in task.items if not task.is_finished(key)]
        done = len(task.items) - len(open_keys)
        if done and progress:
            progress(done, len(task.items), "done before")
        for key in map_cases(task.run, open_keys, jobs):
            done += 1
            if progress:
                progress(done, len(task.items), key)
        damaged = _finish(task, adapter, found)
    except BaseException:
        work.leave()
        raise
    return Prepared(Dataset.open(out), damaged)


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker needs to do one item."""

    adapter: str
    items: Mapping[str, Item]
    facts: SourceFacts
    options: Any
    info: DatasetInfo
    work: WorkFolder

    def meaning(self) -> dict[str, Any]:
        """What the result depends on: options, and names and sizes of the raw files."""
        files = {
            k: [[f.name, f.stat().st_size] for f in item.files] + list(item.members)
            for k, item in self.items.items()
        }
        return {
            "adapter": self.adapter,
            "options": plain(self.options),
            "split": self.info.default_split,
            "items": files,
        }

    def is_finished(self, key: str) -> bool:
        """Whether an item has a record and its files are as long as that says."""
        record = self.work.recorded(key)
        if record is None or "damaged" in record:  # a damaged file may have been replaced
            return False
        sizes: Mapping[str, int] = record["sizes"]
        paths = {name: self.work.result / name for name in sizes}
        return all(path.is_file() and path.stat().st_size == sizes[name] for name, path in paths.items())

    def run(self, key: str) -> str:
        """Read, write and record one item; gives the key back."""
        from importlib import import_module

        item = self.items[key]
        try:
            cases = list(import_module(self.adapter).read(item, self.facts, self.options))
            digest = source_digest(item)
        except (InvalidData, OSError) as error:
            self.work.record(key, {"damaged": str(error)})
            return key
        entries = [write_case(case, self.info, self.work.result) for case in cases]
        written = [f for entry in entries for f in case_files(entry, self.info, self.work.result)]
        self.work.record(
            key,
            {
                "entries": [entry.to_row() for entry in entries],
                "sizes": {str(f.relative_to(self.work.result)): f.stat().st_size for f in written},
                "source": digest,
            },
        )
        return key


def _finish(task: _Task, adapter: ModuleType, survey: Survey) -> dict[str, str]:
    """Divide the cases, write the index and give the result its name; what is wrong with the rest."""
    records = {key: task.work.recorded(key) or {} for key in task.items}
    damaged = {key: str(record["damaged"]) for key, record in records.items() if "damaged" in record}
    entries: dict[str, CaseEntry] = {}
    for key, record in records.items():
        for row in record.get("entries", ()):
            entry = CaseEntry.from_row(row)
            if entry.case_id in entries:
                raise InvalidData(
                    f"Two cases of {task.facts.name} are called {entry.case_id}; one is in {key}."
                )
            entries[entry.case_id] = entry
    if not entries:
        first = next(iter(damaged.values()), "No item holds a case with these options.")
        raise InvalidData(f"Nothing of {task.facts.name} can be prepared. {first}")
    groups = {case_id: entry.group for case_id, entry in entries.items()}
    splits: dict[str, Split] = adapter.splits(groups, task.facts, task.options)
    provenance = {
        "adapter": task.facts.name,
        "source": task.facts.version,
        "options": plain(task.options),
        "findings": [[f.kind, f.what, f.text] for f in survey.findings],
        "damaged": damaged,
        "source_sha256": {key: record["source"] for key, record in records.items() if "source" in record},
    }
    complete(task.work.result, task.info, entries, splits, provenance)
    task.work.finish()
    return damaged
