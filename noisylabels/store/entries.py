"""What is known of every case: ``cases.csv``, and the digest of the dataset that follows from it."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from noisylabels.errors import InvalidData
from noisylabels.store.digests import combined_digest

_COLUMNS = (
    "case_id",
    "group",
    "split",
    "shape",
    "spacing",
    "image_digest",
    "labels_digest",
    "readers",
    "scores",
    "notes",
)
_PIXELS = "pixels_"
_NOTE_END = " | "


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEntry:
    """One line of ``cases.csv``.

    Attributes:
        case_id: name of the case.
        group: what a split must not tear apart.
        split: part of the default split: "train", "val", "test", or "" for none.
        shape: of the label map.
        spacing: mm along every axis, or None.
        image_digest: content digest of the image, "" in a noisy dataset.
        labels_digest: content digest of the labels as they are in memory, spacing included.
        pixels: how many pixels every class has, by name, and ``ignore``.
        readers: content digest of every reader's labels, by reader.
        scores: content digest of the scores of readers that are models, by reader.
        notes: what was repaired.
        measured: the further columns as text: of a noisy dataset its noise, of a clean one what the source
            tells about the case.
    """

    case_id: str
    group: str
    split: str
    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None
    image_digest: str
    labels_digest: str
    pixels: Mapping[str, int]
    readers: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    measured: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Ending of the folder names that hold the case: ``Ts`` for test cases, ``Tr`` for the rest."""
        return "Ts" if self.split == "test" else "Tr"

    def to_row(self) -> dict[str, str]:
        """The line as text by column."""
        return {
            "case_id": self.case_id,
            "group": self.group,
            "split": self.split,
            "shape": "x".join(map(str, self.shape)),
            "spacing": "x".join(map(repr, self.spacing)) if self.spacing else "",
            "image_digest": self.image_digest,
            "labels_digest": self.labels_digest,
            "readers": _pairs(self.readers),
            **({"scores": _pairs(self.scores)} if self.scores else {}),
            "notes": _NOTE_END.join(self.notes),
            **{_PIXELS + name: str(count) for name, count in self.pixels.items()},
            **self.measured,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "CaseEntry":
        """The inverse of :meth:`to_row`.

        Raises:
            KeyError: a column is missing.
            ValueError: a value is garbled.
        """
        return cls(
            case_id=row["case_id"],
            group=row["group"],
            split=row["split"],
            shape=tuple(int(n) for n in row["shape"].split("x")),
            spacing=tuple(float(s) for s in row["spacing"].split("x")) if row["spacing"] else None,
            image_digest=row["image_digest"],
            labels_digest=row["labels_digest"],
            readers=dict(pair.split("=") for pair in row["readers"].split()),
            scores=dict(pair.split("=") for pair in row.get("scores", "").split()),
            notes=tuple(note for note in row["notes"].split(_NOTE_END) if note),
            pixels={k.removeprefix(_PIXELS): int(v) for k, v in row.items() if k.startswith(_PIXELS)},
            measured={k: v for k, v in row.items() if k not in _COLUMNS and not k.startswith(_PIXELS)},
        )


def _pairs(digests: Mapping[str, str]) -> str:
    return " ".join(f"{name}={digest}" for name, digest in sorted(digests.items()))


def cases_to_csv(entries: Iterable[CaseEntry]) -> str:
    """The text of ``cases.csv``, sorted by case id."""
    rows = [entry.to_row() for entry in sorted(entries, key=lambda entry: entry.case_id)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def cases_from_csv(text: str) -> dict[str, CaseEntry]:
    """Read ``cases.csv``.

    Returns:
        The entries by case id, in the order of the file.

    Raises:
        InvalidData: a column or a value is missing or garbled; the message fits after a file name.
    """
    reader = csv.DictReader(io.StringIO(text), strict=True)
    entries: dict[str, CaseEntry] = {}
    try:
        for row in reader:
            entry = CaseEntry.from_row(row)
            if entry.case_id in entries:
                raise InvalidData(f"names case {entry.case_id} twice")
            entries[entry.case_id] = entry
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise InvalidData(f"is damaged in line {reader.line_num} ({error})") from error
    return entries


def dataset_digest(entries: Iterable[CaseEntry]) -> str:
    """Identity of a dataset: the combined digest of all its label maps, images and readers' label maps."""
    items = []
    for entry in entries:
        items.append((f"{entry.case_id} labels", entry.labels_digest))
        if entry.image_digest:
            items.append((f"{entry.case_id} image", entry.image_digest))
        items += [(f"{entry.case_id} reader {name}", digest) for name, digest in entry.readers.items()]
        items += [(f"{entry.case_id} scores {name}", digest) for name, digest in entry.scores.items()]
    return combined_digest(items)
