"""Measure the profile of real readers: how their outlines stray from a reference, and which objects they miss.

The model is that of the mode ``like``: the displacement of an outline at a place p of object i is ::

    d(p) = bias + object_sd Z_i + outline_sd W(p)        corr(W(p), W(q)) = 2**-(|p - q| / length)**2

``outline_sd`` and ``length`` come from the semivariogram of the displacement, half the mean squared
difference of two places of one object as a function of their distance h, which the other terms leave alone.
The curve  rough + outline_sd**2 (1 - 2**-(h / length)**2)  is fitted to it by least squares, weighted by
numbers of pairs; ``rough`` is what pixels add at once, and is not drawn again. ``bias`` is the mean over the
objects, and ``object_sd**2`` the variance of their means, less what the field leaves in the mean of an
object. A length near the size of the objects cannot be told from an offset of the whole object.

Source: Matheron, Principles of geostatistics, Economic Geology 58 (1963) (the semivariogram).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from noisylabels import toml
from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.errors import InvalidData, UsageError, unknown
from noisylabels.metrics.displacement import DEFINITION, Straying, Totals, read
from noisylabels.parts.profiles import ClassProfile, Profile
from noisylabels.parts.scores import decide, votes
from noisylabels.store.dataset import Dataset

Reference: TypeAlias = Literal["labels", "majority", "others"]
Unit: TypeAlias = Literal["px", "mm"]

_LABELS = "labels"
"""The one reader of a noisy dataset without annotators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured for one class.

    Attributes:
        name: of the class.
        objects: reference objects; where every reader has a reference of its own, of the one with most.
        found: how the readers treat them.
    """

    name: str
    objects: int
    found: Straying

    @property
    def profile(self) -> ClassProfile:
        """What can be drawn again, with four digits."""
        found = self.found
        return ClassProfile(
            name=self.name,
            bias=_short(found.bias),
            object_sd=_short(found.object_sd),
            outline_sd=_short(found.field.sd),
            length=max(0.01, _short(found.field.length)),
            omission=tuple(map(_short, found.omission)),
            sizes=found.sizes,
        )

    def table(self) -> dict[str, Any]:
        """As a table of a profile file."""
        drawn, found = self.profile, self.found
        return {
            "name": drawn.name,
            "bias": drawn.bias,
            "object_sd": drawn.object_sd,
            "outline_sd": drawn.outline_sd,
            "length": drawn.length,
            "omission": list(drawn.omission),
            "sizes": list(drawn.sizes),
            "objects": self.objects,
            "readings": found.readings,
            "missed": found.missed,
            "added": found.added,
            "places": found.places,
            "rough": _short(found.field.rough),
        }


def _short(number: float) -> float:
    return float(f"{number:.4g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderProfile:
    """The profile of a dataset's readers, with where it comes from.

    Attributes:
        unit: of all lengths.
        dataset: its name.
        digest: its identity.
        cases: how many have one of the readers.
        readers: their names.
        reference: what they were compared with: labels, majority (of all of them), others (the majority of
            the other ones).
        classes: the classes of which there are objects.
    """

    unit: Unit
    dataset: str
    digest: str
    cases: int
    readers: tuple[str, ...]
    reference: Reference
    classes: tuple[Measured, ...]

    @property
    def profile(self) -> Profile:
        """What the mode ``like`` draws from."""
        return Profile(unit=self.unit, classes=tuple(one.profile for one in self.classes))

    def to_toml(self) -> str:
        """The text of a profile file; docs/profiles.md says what each key means."""
        head = {
            "format": 1,
            "unit": self.unit,
            "dataset": self.dataset,
            "digest": self.digest,
            "cases": self.cases,
            "readers": list(self.readers),
            "reference": self.reference,
            "definition": DEFINITION,
        }
        return toml.dumps({"profile": head, "classes": [one.table() for one in self.classes]})


def measure(
    dataset: Dataset,
    readers: Sequence[str] | None = None,
    reference: Reference = "labels",
    unit: Unit | None = None,
    part: str | None = None,
    ranges: int = 3,
    progress: Callable[[int, int, str], None] | None = None,
) -> ReaderProfile:
    """Measure the profile of a dataset's readers.

    Args:
        dataset: with several label maps of its cases. Of a noisy one, its annotators are the readers, or its
            labels a single one of that name, and the clean labels are the reference.
        readers: whose; pooled over all of them by default.
        reference: what they are compared with.
        unit: of lengths; mm by default if every case has a spacing.
        part: of the default split, as "train"; by default all cases.
        ranges: of sizes with an omission of their own, at most; fewer where a range would hold less than ten
            readings.
        progress: called after each case with the number of finished cases, of all cases, and the case's id.

    Raises:
        UsageError: an unknown reader or part, no spacing for mm, or a number outside its range.
        InvalidData: no case has a reader, or nothing can be compared.
    """
    ids, names, chosen, finest = _plan(dataset, readers, reference, unit, part, ranges)
    totals = {c: Totals(finest) for c in range(1, len(dataset.info.classes))}
    objects = dict.fromkeys(totals, 0)
    cases = 0
    for number, case_id in enumerate(ids):
        if set(_readers(dataset, case_id)) & set(names):
            cases += 1
            for c, count in _add(totals, _loaded(dataset, case_id), names, reference, chosen).items():
                objects[c] += count
        if progress:
            progress(number + 1, len(ids), case_id)
    found = {c: total.result(ranges) for c, total in totals.items() if total.readings}
    if not found:
        raise InvalidData(
            f"{dataset.path} has no object that a reader could be compared about with the reference '{reference}'."
        )
    return ReaderProfile(
        unit=chosen,
        dataset=dataset.info.name,
        digest=dataset.digest,
        cases=cases,
        readers=names,
        reference=reference,
        classes=tuple(
            Measured(name=dataset.info.classes[c], objects=objects[c], found=one) for c, one in found.items()
        ),
    )


def _plan(
    dataset: Dataset,
    readers: Sequence[str] | None,
    reference: Reference,
    unit: Unit | None,
    part: str | None,
    ranges: int,
) -> tuple[list[str], tuple[str, ...], Unit, float]:
    """What can be refused before any work; gives cases, readers, unit and the size of the finest pixel."""
    if reference not in get_args(Reference):
        raise unknown("reference:", reference, get_args(Reference))
    if unit not in (None, *get_args(Unit)):
        raise unknown("unit:", str(unit), get_args(Unit))
    if not 1 <= ranges <= 20:
        raise UsageError(f"Between 1 and 20 ranges of sizes can be told apart, not {ranges}.")
    ids = [case_id for case_id in dataset.ids(part) if case_id in dataset.entries]
    known = sorted({name for case_id in ids for name in _readers(dataset, case_id)})
    for name in readers or ():
        if name not in known:
            raise unknown("reader", name, known)
    spacings = [dataset.entries[case_id].spacing for case_id in ids]
    if unit == "mm" and None in spacings:
        raise UsageError(
            f"{dataset.path} has cases without a spacing, so lengths in mm have no meaning; use px."
        )
    chosen: Unit = unit or ("px" if None in spacings else "mm")
    finest = min((min(s) for s in spacings if s), default=1.0) if chosen == "mm" else 1.0
    return ids, tuple(sorted(set(readers or known))), chosen, finest


def _readers(dataset: Dataset, case_id: str) -> Sequence[str]:
    """Names of a case's readers."""
    return list(dataset.entries[case_id].readers) or ([_LABELS] if dataset.noisy else [])


def _loaded(dataset: Dataset, case_id: str) -> Case:
    """A case with the labels that are the reference, and its readers."""
    case = dataset.load(case_id, image=False)
    if not dataset.noisy:
        return case
    maps = case.readers if dataset.entries[case_id].readers else {_LABELS: case.labels}
    return replace(dataset.clean.load(case_id, image=False, readers=False), readers=maps)


def _add(
    totals: Mapping[int, Totals], case: Case, names: Sequence[str], reference: Reference, unit: str
) -> dict[int, int]:
    """Take in the readers of a case; gives the number of reference objects by class."""
    spacing = case.spacing if unit == "mm" else None
    maps = {name: case.readers[name] for name in names if name in case.readers}
    objects = dict.fromkeys(totals, 0)
    for name, given in maps.items():
        true = _reference(case, maps, name, reference)
        if true is None:
            continue
        for c, total in totals.items():
            found = read(true, given, c, spacing)
            total.add(found, spacing, case.labels.shape)
            objects[c] = max(objects[c], len(found.pixels))
    return objects


def _reference(case: Case, maps: Mapping[str, LabelMap], name: str, kind: Reference) -> LabelMap | None:
    """What a reader is compared with; None where there is nobody else."""
    if kind == "labels":
        return case.labels
    voters = [one for other, one in maps.items() if kind == "majority" or other != name]
    if not voters:
        return None
    best, voted = decide(votes(voters, case.num_classes), 1.0, 0.0)
    return np.where(voted, best, np.uint8(IGNORE))
