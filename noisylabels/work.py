"""The work on a noisy dataset: one case after another, each finished for good.

It happens in a folder beside the result, ``.<name>.part``. Every finished case leaves its label files there
and then a record, so a killed run goes on from the records. At the end the index is written and the folder
gets its name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import isfinite
from pathlib import Path
from typing import Any

from noisylabels import toml
from noisylabels.apply import Made, corrupted
from noisylabels.case import Case
from noisylabels.errors import InvalidData
from noisylabels.metrics.aims import gauge
from noisylabels.metrics.noise import NoiseMeasure, measure, pool
from noisylabels.plan import Plan
from noisylabels.store.dataset import Dataset
from noisylabels.store.digests import combined_digest, content_digest
from noisylabels.store.entries import CaseEntry
from noisylabels.store.files import disk_errors, read_labels, write_labels
from noisylabels.store.links import link_to, relative
from noisylabels.store.work import WorkFolder
from noisylabels.store.write import count_pixels, own_version, write_index, write_text


def make(case: Case, what: Plan) -> list[Made]:
    """The labels of a case: one map, or one for every annotator; the clean ones where it is not touched.

    Args:
        case: clean, with what the plan needs.
        what: the plan.
    """
    annotators = range(what.recipe.annotators) if what.recipe.annotators else [None]
    if case.case_id not in what.chosen:
        return [Made(case.labels) for _ in annotators]
    address, classes = what.addresses[case.case_id], what.chosen[case.case_id]
    return [corrupted(case, what.recipe, what.dataset, address, classes, k) for k in annotators]


@dataclass(frozen=True)
class Work:
    """A run in its folder: which cases are finished, and how to do one.

    Attributes:
        clean: the parent.
        plan: what to do.
        folder: where the files lie until all are there.
    """

    clean: Dataset
    plan: Plan
    folder: WorkFolder

    def prepare(self) -> None:
        """Make the folder, or keep what a killed run of the same work left in it."""
        cases = ((i, f"{self.plan.addresses[i]} {self.plan.chosen.get(i, 'clean')}") for i in self.plan.ids)
        self.folder.begin(
            {
                "recipe": self.plan.recipe.digest,
                "parent": self.clean.digest,
                "cases": combined_digest(cases),
            }
        )
        with disk_errors(self.folder.folder):
            for path in self._label_files("any"):
                path.parent.mkdir(parents=True, exist_ok=True)

    def is_finished(self, case_id: str) -> bool:
        """Whether the case has a record and its label files are what the record says."""
        try:
            entry = CaseEntry.from_row((self.folder.recorded(case_id) or {})["entry"])
            found = [
                content_digest(read_labels(path, len(entry.shape), self.clean.info.ignore)[0], entry.spacing)
                for path in self._label_files(case_id)
            ]
        except (ValueError, TypeError, KeyError, AttributeError, InvalidData):
            return False
        return found == [entry.labels_digest, *entry.readers.values()]

    def run(self, case_id: str) -> str:
        """Make one case: its label files, then its record; gives the id back."""
        needs = self.plan.needs if case_id in self.plan.chosen else frozenset[str]()
        case = self.clean.load(case_id, "image" in needs, "readers" in needs, "scores" in needs)
        made = make(case, self.plan)
        labels = made[0].labels
        noise = measure(case.labels, labels, case.classes, case.spacing)
        digests = [content_digest(one.labels, case.spacing) for one in made]
        entry = replace(
            self.clean.entries[case_id],
            image_digest="",
            readers=dict(zip(self._annotators(), digests, strict=False)),
            scores={},
            labels_digest=digests[0],
            pixels=count_pixels(labels, case.classes),
            measured={**self._columns(case, made), **noise.columns()},
        )
        maps = [labels, *(one.labels for one in made if self.plan.recipe.annotators)]
        for path, one in zip(self._label_files(case_id), maps, strict=True):
            write_labels(path, one, case.spacing, self.clean.info.ignore)
        solved = [[s.aim, s.value, s.factor] for one in made if (s := one.solved)]
        self.folder.record(case_id, {"entry": entry.to_row(), "noise": noise.to_dict(), "solved": solved})
        return case_id

    def _columns(self, case: Case, made: Sequence[Made]) -> dict[str, str]:
        """The columns of ``cases.csv`` that tell what was done to a case."""
        recipe = self.plan.recipe
        row = {"chosen": _yes(case.case_id in self.plan.chosen)}
        if recipe.selection.per_class:
            touched = self.plan.chosen.get(case.case_id) or ()
            row |= {f"chosen_{name}": _yes(c in touched) for c, name in enumerate(case.classes) if c}
        if recipe.target is not None:
            for number, one in enumerate(made, start=1):
                end, s = f"_{number}" if number > 1 else "", one.solved
                row[f"target{end}"] = f"{s.aim:.6f}" if s else ""
                row[f"reached{end}"] = f"{s.value:.6f}" if s else ""
                row[f"factor{end}"] = f"{s.factor:.6g}" if s else ""
        if len(made) > 1:
            row["dice_between_annotators"] = f"{_agreement(case, made):.6f}"
        return row

    def finish(self) -> None:
        """Write the index of the finished cases and give the result its name."""
        records = [self.folder.recorded(case_id) or {} for case_id in self.plan.ids]
        found = [CaseEntry.from_row(record["entry"]) for record in records]
        entries = {entry.case_id: entry for entry in found}
        info, out = self.clean.info, self.folder.out
        parent = link_to(info.name, self.clean.path, self.clean.digest, out)
        measured = {
            **pool(NoiseMeasure.from_dict(record["noise"]) for record in records).to_dict(),
            **self._summary(found, records),
        }
        tables = {
            "made_with": {"noisylabels": own_version()},
            "parent": parent,
            "measured": rounded(measured),
        }
        text = self.plan.recipe.to_toml() + "\n" + toml.dumps(tables)
        write_text(self.folder.result / "recipe.toml", text)
        pairs = {
            case_id: {
                "images": [relative(image, out) for image in self.clean.image_paths(case_id)],
                "label": f"labelsTr/{case_id}{info.ending}",
            }
            for case_id in entries
        }
        write_index(self.folder.result, info, entries, dataset=pairs, noisylabels={"parent": parent})
        self.folder.finish()

    def _summary(self, entries: Sequence[CaseEntry], records: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """Tables about a target and about annotators, where the recipe has any."""
        recipe, tables = self.plan.recipe, dict[str, Any]()
        if recipe.target is not None:
            solved = [one for record in records for one in record["solved"]]
            values = [value for _, value, _ in solved if isfinite(value)]
            tables["target"] = {
                "metric": recipe.target.metric,
                "aimed": len(solved),
                "reached": sum(recipe.target.reached(aim, value) for aim, value, _ in solved),
                **({"mean": sum(values) / len(values)} if values else {}),
            }
        if recipe.annotators > 1:
            agreed = [float(entry.measured["dice_between_annotators"]) for entry in entries]
            tables["annotators"] = {"count": recipe.annotators, "dice_between": sum(agreed) / len(agreed)}
        return tables

    def _annotators(self) -> list[str]:
        return [str(k) for k in range(1, self.plan.recipe.annotators + 1)]

    def _label_files(self, case_id: str) -> list[Path]:
        """The labels, then those of every annotator."""
        folders = ["labelsTr", *(f"readers/{k}" for k in self._annotators())]
        return [self.folder.result / folder / f"{case_id}{self.clean.info.ending}" for folder in folders]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _agreement(case: Case, made: Sequence[Made]) -> float:
    """Mean over all pairs of annotators of the mean Dice between them."""
    pairs = list(combinations([one.labels for one in made], 2))
    return sum(gauge("dice", a, case.num_classes, None)(b) for a, b in pairs) / len(pairs)


def rounded(value: Any) -> Any:
    """Real numbers with ten digits, so that the last bits of a sum do not show."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value
