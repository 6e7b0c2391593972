"""Named splits: which cases train, validate and test, by which rule, and who says so."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from noisylabels.errors import InvalidData

PARTS = ("train", "val", "test")
"""The parts of a split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One way to divide the cases.

    Attributes:
        parts: case ids of "train", "val" and "test"; a part may be left out, and not every case must be in
            one.
        rule: how the cases were divided, in words.
        source: who divided them so: a paper, a repository, a challenge.
    """

    parts: Mapping[str, tuple[str, ...]]
    rule: str = ""
    source: str = ""
    _of: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        of: dict[str, str] = {}
        for part, ids in self.parts.items():
            if part not in PARTS:
                raise InvalidData(f"A split has the parts {', '.join(PARTS)}, not '{part}'.")
            for case_id in ids:
                if case_id in of:
                    raise InvalidData(
                        f"Case {case_id} is both in '{of[case_id]}' and in '{part}' of a split."
                    )
                of[case_id] = part
        object.__setattr__(self, "parts", {p: tuple(sorted(self.parts[p])) for p in PARTS if p in self.parts})
        object.__setattr__(self, "_of", of)

    def part_of(self, case_id: str) -> str:
        """The part that a case is in, "" for none."""
        return self._of.get(case_id, "")

    def ids(self) -> Iterable[str]:
        """Every case id of the split."""
        return self._of.keys()

    def to_json(self) -> str:
        """The text of ``splits/<name>.json``."""
        parts = {part: list(ids) for part, ids in self.parts.items()}
        document = {"rule": self.rule, "source": self.source, **parts}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, path: Path) -> "Split":
        """Read ``splits/<name>.json``.

        Raises:
            InvalidData: it is damaged; the message names ``path``.
        """
        try:
            document = json.loads(text)
            parts = {part: tuple(document[part]) for part in PARTS if part in document}
            return cls(parts=parts, rule=document["rule"], source=document["source"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidData(f"{path} is damaged ({error}).") from error
