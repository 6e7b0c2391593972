"""What holds for a whole dataset: ``dataset.json``, as nnU-Net v2 wants it.

``dataset.json`` holds nnU-Net's keys and one more, ``noisylabels``, with what nnU-Net has no word for. In
memory a pixel without a label is 255; nnU-Net wants consecutive numbers with ``ignore`` last. So it is stored
as the number after the last class, and declared only where it occurs (``docs/decisions/ignore-on-disk.md``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from noisylabels.errors import InvalidData
from noisylabels.store.files import ENDINGS

FORMAT = 1
"""Version of the format on disk."""

IGNORED = "ignore"
"""What nnU-Net and the pixel counts call ``IGNORE``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """What holds for every case of a dataset.

    Attributes:
        name: short name, also part of the address of every draw; it stays when the folder is moved.
        classes: name of every class; the index is the class, ``classes[0]`` is the background.
        structures: what is scored and shown, by name, as the classes it consists of; empty means: every class
            but the background by itself. Overlapping structures share combination classes (nnU-Net calls them
            regions).
        channels: name of every image channel.
        ending: ``.png`` or ``.nii.gz``, for images and labels alike.
        default_split: name of the split that ``ids("train")`` means.
        title: one line for people.
        licence: what the owner allows, in short.
        citation: what to cite.
    """

    name: str
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    ending: str
    structures: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    default_split: str = "default"
    title: str = ""
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        given = {name: tuple(codes) for name, codes in self.structures.items()}
        plain = {name: (i,) for i, name in enumerate(self.classes) if i}
        object.__setattr__(self, "structures", given or plain)
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "channels", tuple(self.channels))
        self._check()

    def _check(self) -> None:
        where = f"Dataset {self.name}"
        covered = {code for codes in self.structures.values() for code in codes}
        if not self.name or set(self.name) & set("/\\\x1f") or self.name.startswith("."):
            raise InvalidData(f"'{self.name}' cannot name a dataset.")
        if self.ending not in ENDINGS:
            raise InvalidData(f"{where}: the ending is '{self.ending}'; it may be {' or '.join(ENDINGS)}.")
        if not 2 <= len(self.classes) < 255 or len(set(self.classes)) != len(self.classes):
            raise InvalidData(f"{where}: needs 2 to 254 classes with different names, background first.")
        if {"background", IGNORED} & set(self.structures):
            raise InvalidData(f"{where}: a structure cannot be called background or {IGNORED}.")
        if any(not codes or len(set(codes)) < len(codes) for codes in self.structures.values()):
            raise InvalidData(
                f"{where}: a structure consists of at least one class, and of every class once."
            )
        if not self.channels:
            raise InvalidData(f"{where}: an image needs at least one channel.")
        if covered != set(range(1, len(self.classes))):
            raise InvalidData(
                f"{where}: the structures consist of the classes {sorted(covered)}, but must use every class "
                f"from 1 to {len(self.classes) - 1}."
            )

    @property
    def ignore(self) -> int:
        """The number that stands for ``IGNORE`` in the label files."""
        return len(self.classes)

    @property
    def overlapping(self) -> bool:
        """Whether a structure consists of several classes."""
        return any(len(codes) > 1 for codes in self.structures.values())

    def to_json(self, num_training: int, ignore_occurs: bool, more: Mapping[str, Any]) -> str:
        """The text of ``dataset.json``.

        Args:
            num_training: cases in ``labelsTr``.
            ignore_occurs: whether any pixel of the dataset has no label.
            more: further keys, such as ``dataset``; a mapping ``noisylabels`` is merged into ours.
        """
        labels: dict[str, Any] = {"background": 0}
        for name, codes in self.structures.items():
            labels[name] = list(codes) if len(codes) > 1 else codes[0]  # nnU-Net loses regions written as [3]
        if ignore_occurs:
            labels[IGNORED] = self.ignore
        ours = {
            "format": FORMAT,
            "classes": list(self.classes),
            "structures": {name: list(codes) for name, codes in self.structures.items()},
            "default_split": self.default_split,
            **more.get("noisylabels", {}),
        }
        document = {
            "name": self.name,
            "description": self.title,
            "licence": self.licence,
            "reference": self.citation,
            "channel_names": {str(i): name for i, name in enumerate(self.channels)},
            "labels": labels,
            **({"regions_class_order": self._painted()} if self.overlapping else {}),
            "numTraining": num_training,
            "file_ending": self.ending,
            "noisylabels": ours,
            **{key: value for key, value in more.items() if key != "noisylabels"},
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def _painted(self) -> list[int]:
        """The class that nnU-Net paints for each region in turn: one that is in the fewest structures."""
        groups = list(self.structures.values())
        return [min(codes, key=lambda code: sum(code in group for group in groups)) for codes in groups]

    @classmethod
    def from_json(cls, text: str) -> tuple["DatasetInfo", dict[str, Any]]:
        """Read ``dataset.json``.

        Returns:
            The info, and the whole document.

        Raises:
            InvalidData: it is not JSON, not one of ours, or of a later format; the message fits after a file
                name.
        """
        try:
            document = json.loads(text)
            ours = dict(document["noisylabels"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidData("is not the dataset.json of a noisylabels dataset") from error
        if ours.get("format") != FORMAT:
            raise InvalidData(f"is of format {ours.get('format')}; this version reads format {FORMAT}")
        try:
            info = cls(
                name=document["name"],
                classes=tuple(ours["classes"]),
                structures={name: tuple(codes) for name, codes in ours["structures"].items()},
                channels=tuple(document["channel_names"].values()),
                ending=document["file_ending"],
                default_split=ours["default_split"],
                title=document["description"],
                licence=document["licence"],
                citation=document["reference"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidData(f"lacks or garbles the entry {error}") from error
        return info, document
