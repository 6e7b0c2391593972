"""A run folder as training leaves it, read back; what is damaged is refused.

<run>/  run.json       what was trained: method, params, net, data, labels, dataset, noise, seed, epochs
        log.jsonl      one line per epoch: epoch, step, loss, seconds, lr, further scalars and matrices,
        and
                       "val" where it was validated
        scores.csv     scores of the test cases, once they were evaluated
        predictions/   <case><ending>, label maps of the test cases
        scores-val.csv, predictions-val/   likewise, of the validation cases
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisylabels.errors import InvalidData
from noisylabels.store.files import ENDINGS
from noisylabels.store.scores import CaseScore, read_scores

MODEL, SCORES = "model.safetensors", "scores.csv"
ABOUT = "noisylabels"
"""Key of what a model says about itself."""
PARTS = ("test", "val")
"""Parts of the split that are scored."""
_REQUIRED = {"method": str, "labels": str, "dataset": str, "seed": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One training run; open one with :meth:`open`.

    Attributes:
        path: the folder.
        info: ``run.json``.
        log: the lines of ``log.jsonl``, epochs ascending; empty if nothing was logged yet.
        scores: ``scores.csv``; empty if the run was not evaluated.
        predictions: label file of every predicted case, by id.
        row: what a table calls it; "" for the method and what sets it apart.
        updates: how many had been made when the weights were written, and those of the whole training; None where
            they do not say.
    """

    path: Path
    info: Mapping[str, Any]
    log: Sequence[Mapping[str, Any]] = ()
    scores: Sequence[CaseScore] = ()
    predictions: Mapping[str, Path]
    row: str = ""
    updates: tuple[int, int] | None = None

    @classmethod
    def open(cls, path: Path | str) -> "RunRecord":
        """Read a run folder.

        Raises:
            InvalidData: it is no run, or a file in it is damaged; the message names the file and the finding.
        """
        path = Path(path)
        if not path.is_dir():
            finding = "is a file" if path.exists() else "does not exist"
            raise InvalidData(f"{path} {finding}; expected the folder of a run.")
        scores = path / SCORES
        return cls(
            path=path,
            info=_info(path / "run.json"),
            log=_log(path / "log.jsonl"),
            scores=read_scores(scores) if scores.exists() else (),
            predictions=_predictions(path / "predictions"),
            updates=_updates(path),
        )

    @property
    def method(self) -> str:
        """Name of the method."""
        return str(self.info["method"])

    @property
    def labels(self) -> str:
        """What it was trained on: ``noisy`` or ``clean``."""
        return str(self.info["labels"])

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return str(self.info["dataset"])

    @property
    def noise(self) -> str:
        """The noise in words, as in "asymmetric rate 0.5"; empty for clean labels."""
        return str(self.info.get("noise") or "") if self.labels == "noisy" else ""

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.info["seed"])

    @property
    def progress(self) -> tuple[int, int, str]:
        """How long the training had gone on when the weights were written, of how long, and the unit."""
        if self.updates is not None:
            return *self.updates, "updates"
        done = int(self.log[-1]["epoch"]) + 1 if self.log else 0
        return done, int(self.info.get("epochs") or done), "epochs"

    @property
    def finished(self) -> bool:
        """Whether its weights are those of the whole training."""
        done, whole, _ = self.progress
        return done >= whole


def is_made(product: Path) -> bool:
    """Whether a file is there; scores of a run count only if it was trained to its end."""
    if product.name != SCORES or not product.exists():
        return product.exists()
    updates = _updates(product.parent)
    return updates[0] >= updates[1] if updates else RunRecord.open(product.parent).finished


def beside(name: str, part: str) -> str:
    """Name of what belongs to a part of the split: the test cases have the plain one."""
    return name if part == "test" else f"{name}-{part}"


def forget_scores(folder: Path) -> None:
    """Remove scores and predictions: with other weights they would pass for theirs."""
    for part in PARTS:
        (folder / f"{beside('scores', part)}.csv").unlink(missing_ok=True)
        shutil.rmtree(folder / beside("predictions", part), ignore_errors=True)


def about_model(folder: Path) -> dict[str, str]:
    """What a run's model says about itself; empty where there is none to read, which whoever loads it explains.

    A safetensors file begins with the length of a JSON text, in eight bytes, and that text.
    """
    try:
        with (folder / MODEL).open("rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return dict(json.loads(head["__metadata__"][ABOUT]))
    except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError):
        return {}


def _updates(folder: Path) -> tuple[int, int] | None:
    about = about_model(folder)
    return (int(about["done"]), int(about["steps"])) if about.keys() >= {"done", "steps"} else None


def _info(path: Path) -> dict[str, Any]:
    try:
        info = json.loads(_read(path))
    except ValueError as error:
        raise InvalidData(f"{path} is no JSON ({error}); the run cannot be read.") from error
    for key, kind in _REQUIRED.items():
        if not isinstance(info, dict) or not isinstance(info.get(key), kind):
            raise InvalidData(f"{path} lacks '{key}'; it is not the record of a run.")
    if info["labels"] not in ("noisy", "clean"):
        raise InvalidData(f"{path} says that the labels are '{info['labels']}'; they are noisy or clean.")
    return dict(info)


def _log(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(_read(path).splitlines(), start=1):
        try:
            line = json.loads(text)
            epoch = int(line["epoch"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidData(f"{path} is damaged in line {number}: {text[:60]!r}.") from error
        if lines and epoch <= lines[-1]["epoch"]:
            raise InvalidData(f"{path} line {number}: epoch {epoch} comes after epoch {lines[-1]['epoch']}.")
        lines.append(line)
    return lines


def _predictions(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {
        file.name.removesuffix(ending): file
        for file in sorted(folder.iterdir())
        for ending in ENDINGS
        if file.name.endswith(ending) and not file.name.startswith(".")
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidData(f"{path} is missing; the folder is not the folder of a run.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidData(f"{path} cannot be read ({error}).") from error
