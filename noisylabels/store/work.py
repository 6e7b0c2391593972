"""A folder in which a long piece of work lies until it is finished, so that a killed run can go on.

.<name>.part/  work.json   what is being made: a run that means the same goes on, any other starts anew
               records/    one small file for every finished part
               result/     the dataset to be, renamed to <name> at the very end
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisylabels.errors import UsageError
from noisylabels.store.files import disk_errors
from noisylabels.store.write import finish, refuse_existing, write_text

_NOTE = "work.json"


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The folder beside a result that is being made.

    Attributes:
        out: where the result will be.
    """

    out: Path

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.out.parent / f".{self.out.name}.part"

    @property
    def result(self) -> Path:
        """The dataset to be."""
        return self.folder / "result"

    @property
    def records(self) -> Path:
        """One small file for every finished part."""
        return self.folder / "records"

    def begin(self, meaning: Mapping[str, Any]) -> None:
        """Make the folder, or keep what a killed run of the same meaning left in it.

        Args:
            meaning: everything that the result depends on, as plain values.

        Raises:
            UsageError: ``out`` is already there, or something that is not ours is in the way.
        """
        refuse_existing(self.out)
        text = json.dumps(meaning, indent=2, sort_keys=True) + "\n"
        note = self.folder / _NOTE
        with disk_errors(self.folder):
            if self.folder.exists() and not (note.exists() and note.read_text(encoding="utf-8") == text):
                strange = self._strange()
                if strange:
                    raise UsageError(f"{self.folder} is in the way and not ours: it holds {min(strange)}.")
                shutil.rmtree(self.folder)
            for folder in (self.records, self.result):
                folder.mkdir(parents=True, exist_ok=True)
        write_text(note, text)

    def record(self, name: str, content: Mapping[str, Any]) -> None:
        """Note that a part is finished; its files must be there before."""
        write_text(self.records / f"{name}.json", json.dumps(content))

    def recorded(self, name: str) -> dict[str, Any] | None:
        """What was noted of a part; None if it is not finished."""
        try:
            found = json.loads((self.records / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def finish(self) -> None:
        """Give the result its name and clear the rest away."""
        for stray in self.result.rglob("*.part"):  # what a killed writer did not get to rename
            stray.unlink()
        finish(self.result, self.out)
        shutil.rmtree(self.folder)

    def leave(self) -> None:
        """Clear away what another try could not use."""
        if self.folder.exists() and not self._strange() and not any(self.records.glob("*.json")):
            shutil.rmtree(self.folder)

    def _strange(self) -> set[str]:
        ours = {"result", "records", _NOTE}
        return {f.name for f in self.folder.iterdir() if not f.name.startswith(f".{_NOTE}")} - ours
