"""One image with its labels: the unit that everything else passes around."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.errors import InvalidData

LabelMap: TypeAlias = NDArray[np.uint8]
"""Integer class of every pixel, (Y, X) or (Z, Y, X), uint8."""

IGNORE = 255
"""The label of a pixel that has none: no corruption writes to it, no loss and no score counts it."""

_BLOCK = 1 << 22

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One image with its labels, checked on creation.

    Attributes:
        case_id: name of the case inside its dataset; letters, digits, dot, underscore and hyphen.
        labels: class of every pixel, shape S = (Y, X) or (Z, Y, X), uint8; values below ``len(classes)`` or ``IGNORE``.
        classes: name of every class; the index is the class, ``classes[0]`` is the background.
        image: intensities, shape (C, *S), or None where only labels are needed.
        spacing: size of a pixel in mm along every axis of S, in the same order; None when it is not known.
        group: what must not be torn apart by a split (patient, sequence); the case id when nothing else is known.
        readers: other label maps of the same image by name, each of shape S.
        scores: for readers that are models, how sure they are of every class: (K, *S) uint8 in steps of 1/255.
        notes: what was found and repaired in the source, one sentence each.
        about: what the source tells about the case, such as age or sex, as text; columns of ``cases.csv``.

    Raises:
        InvalidData: a field contradicts another; the message names the case.
    """

    case_id: str
    labels: LabelMap
    classes: tuple[str, ...]
    image: NDArray[Any] | None = None
    spacing: tuple[float, ...] | None = None
    group: str = ""
    readers: Mapping[str, LabelMap] = field(default_factory=lambda: MappingProxyType({}))
    scores: Mapping[str, NDArray[np.uint8]] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.case_id):
            raise InvalidData(
                f"Case id '{self.case_id}' holds characters that cannot be a file name; use A-Z a-z 0-9 . _ and -."
            )
        object.__setattr__(self, "group", self.group or self.case_id)
        self._check_labels(self.labels, "labels")
        shape = self.labels.shape
        if self.image is not None and self.image.shape[1:] != shape:
            raise InvalidData(
                f"Case {self.case_id}: the image has shape {self.image.shape[1:]} and the labels {shape}; "
                "they must show the same pixels."
            )
        if self.spacing is not None and (
            len(self.spacing) != len(shape) or not all(0 < s < float("inf") for s in self.spacing)
        ):
            raise InvalidData(
                f"Case {self.case_id}: spacing {self.spacing} is not {len(shape)} positive numbers, one for each axis."
            )
        for name, labels in self.readers.items():
            self._check_labels(labels, f"labels of reader {name}")
            if labels.shape != shape:
                raise InvalidData(
                    f"Case {self.case_id}: reader {name} has shape {labels.shape}, the labels {shape}."
                )

        for name, scores in self.scores.items():
            if scores.dtype != np.uint8 or scores.shape != (len(self.classes), *shape):
                raise InvalidData(
                    f"Case {self.case_id}: the scores of reader {name} are {scores.dtype} of shape {scores.shape}; "
                    f"expected uint8 of shape {(len(self.classes), *shape)}."
                )

    def _check_labels(self, labels: LabelMap, what: str) -> None:
        if labels.dtype != np.uint8 or labels.ndim not in (2, 3) or 0 in labels.shape:
            raise InvalidData(
                f"Case {self.case_id}: {what} must be a non-empty 2-D or 3-D uint8 array, "
                f"not {labels.ndim}-D {labels.dtype} of shape {labels.shape}."
            )
        if labels.max() < len(self.classes):  # the usual case, told without a count of every value
            return
        undeclared = _undeclared(labels, len(self.classes))
        if undeclared:
            raise InvalidData(
                f"Case {self.case_id}: {what} hold the value {undeclared[0]}, but only the classes 0 to "
                f"{len(self.classes) - 1} ({', '.join(self.classes)}) and {IGNORE} (ignore) are declared."
            )

    @property
    def num_classes(self) -> int:
        """How many classes are declared, background included."""
        return len(self.classes)

    def with_labels(self, labels: LabelMap) -> "Case":
        """The same case with other labels, checked again."""
        return replace(self, labels=labels)


def _undeclared(labels: LabelMap, num_classes: int) -> list[int]:
    """Values that are neither a class nor IGNORE, ascending; block by block, since a large volume leaves no room."""
    flat, found = labels.reshape(-1), set[int]()
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        found.update(np.flatnonzero(np.bincount(block[block >= num_classes])).tolist())
    return sorted(found - {IGNORE})
