"""Cases from a scan and what its readers outlined: the scan itself, its slices, or patches around nodules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.adapters._lidc_nodules import Nodule, Readers
from noisylabels.adapters._lidc_stack import Stack, counted
from noisylabels.case import Case, LabelMap
from noisylabels.errors import InvalidData
from noisylabels.sources import Item

if TYPE_CHECKING:
    from noisylabels.adapters.lidc import Options

_ORDER = "Readers are numbered in the order of the annotation file; number k is not the same person in other scans."


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the cases of a scan.

    Attributes:
        item: the scan.
        classes: of the labels.
        options: how the cases are to be made.
        stack: its slices.
        drawn: what its readers outlined.
    """

    item: Item
    classes: tuple[str, ...]
    options: "Options"
    stack: Stack
    drawn: Readers

    def scan(self) -> Case:
        """All slices as one case."""
        extent = (len(self.stack.slices), *self.stack.shape)
        labels = np.zeros(extent, dtype=np.uint8)
        readers = {k: np.zeros(extent, dtype=np.uint8) for k in range(1, self.drawn.count + 1)}
        hollow = 0
        for number in sorted({z for nodule in self.drawn.nodules for z in nodule.pieces}):
            planes = {k: volume[number] for k, volume in readers.items()}
            self.drawn.paint(number, planes)
            labels[number] = self.reference(planes)
            hollow += self.drawn.hollow(number)
        about = {"nodules": str(len(self.drawn.nodules)), "thickness_mm": f"{self.stack.thickness:g}"}
        notes = (*self.stack.notes, *self.drawn.notes, *_hollow_note(hollow), _ORDER)
        named = {str(k): volume for k, volume in readers.items()}
        return self.case("", self.stack.volume(), labels, named, about, notes)

    def slices(self) -> Iterator[Case]:
        """All slices, or those on which a nodule was outlined."""
        for number, header in enumerate(self.stack.slices):
            nodules = self.drawn.on_slice(number)
            most = max((len(nodule.readers(number)) for nodule in nodules), default=0)
            if self.options.cases == "nodule-slices" and most < self.options.outlined_by:
                continue
            planes = self.drawn.planes(number)
            readers = {str(k): plane for k, plane in planes.items()}
            about = {"slice": str(number), "sop_uid": header.sop_uid, "nodules": str(len(nodules))}
            notes = (*self.stack.notes, *_hollow_note(self.drawn.hollow(number)), _ORDER)
            image = self.stack.plane(number)
            yield self.case(f"_s{number:04d}", image, self.reference(planes), readers, about, notes)

    def patches(self) -> Iterator[Case]:
        """One for every nodule and slice."""
        last = None
        for count, nodule in enumerate(self.drawn.nodules, start=1):
            box, cut = self.box(nodule)
            for number in sorted(nodule.pieces):
                if len(nodule.readers(number)) < self.options.outlined_by:
                    continue
                if last is None or last[0] != number:
                    last = (number, self.stack.plane(number))
                planes = {
                    k: np.ascontiguousarray(plane[box]) for k, plane in self.drawn.planes(number).items()
                }
                kept = planes if self.options.absent == "empty" else nodule.readers()
                readers = {str(k): planes[k] for k in kept}
                about = {
                    "slice": str(number),
                    "sop_uid": self.stack.slices[number].sop_uid,
                    "nodule": str(count),
                    "corner": f"{box[0].start} {box[1].start}",
                    "outlined_by": " ".join(map(str, nodule.readers(number))),
                    **{name: _by_reader(values) for name, values in nodule.ratings.items()},
                }
                hollow = sum(piece.hollow for piece in nodule.pieces[number])
                notes = (*self.stack.notes, *cut, *_hollow_note(hollow), _ORDER)
                labels, image = self.reference(planes), np.ascontiguousarray(last[1][box])
                yield self.case(f"_n{count:02d}_s{number:04d}", image, labels, readers, about, notes)

    def box(self, nodule: Nodule) -> tuple[tuple[slice, slice], tuple[str, ...]]:
        """Where a nodule's patches lie, and what to note if it is larger."""
        side = self.options.patch_px
        if side > min(self.stack.shape):
            raise InvalidData(
                f"{self.item.key} has slices of {self.stack.shape[1]}x{self.stack.shape[0]} pixels, too small for "
                f"patches of {side}."
            )
        starts = []
        for low, high, size in zip(nodule.low, nodule.high, self.stack.shape, strict=True):
            starts.append(min(max((low + high + 1) // 2 - side // 2, 0), size - side))
        larger = any(high - low - 1 > side for low, high in zip(nodule.low, nodule.high, strict=True))
        note = (f"The nodule is larger than the patch of {side} px, which cuts it off.",) if larger else ()
        return (slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)), note

    def reference(self, planes: Mapping[int, LabelMap]) -> LabelMap:
        """The labels that follow from those of the readers."""
        if self.options.reference == "reader":
            return planes[self.options.reader].copy()
        least = {"majority": (self.drawn.count + 1) // 2, "union": 1}.get(
            self.options.reference, self.options.at_least
        )
        votes = np.zeros(next(iter(planes.values())).shape, dtype=np.uint8)
        for plane in planes.values():
            votes += plane
        return np.asarray(votes >= least).view(np.uint8)

    def case(
        self,
        ending: str,
        image: NDArray[np.int16],
        labels: LabelMap,
        readers: Mapping[str, LabelMap],
        about: Mapping[str, Any],
        notes: tuple[str, ...],
    ) -> Case:
        """A case of this scan."""
        return Case(
            case_id=self.item.key + ending,
            group=self.item.group,
            image=image[np.newaxis],
            labels=labels,
            classes=self.classes,
            spacing=self.stack.spacing[-labels.ndim :],
            readers=readers,
            notes=notes,
            about={"series": self.item.about["series"], **about},
        )


def _by_reader(values: Mapping[int, str]) -> str:
    return " ".join(f"{reader}={value}" for reader, value in sorted(values.items()))


def _hollow_note(number: int) -> tuple[str, ...]:
    return (f"{counted(number, 'outline', 'enclose')} no pixel and mark nothing.",) if number else ()
