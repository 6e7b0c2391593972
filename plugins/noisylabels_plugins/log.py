"""The log of a training: one line of JSON for every epoch, and the same for TensorBoard where it is asked for."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from noisylabels.errors import UsageError
from noisylabels.store.files import disk_errors, write_bytes

NAME = "log.jsonl"


class Epoch:
    """What the updates of the present epoch logged, added up.

    Attributes:
        sums: by name, the sum and how many there were.
    """

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """The record of one update."""
        for name, value in record.items():
            if name not in ("epoch", "step", "lr", "epoch_done") and isinstance(value, int | float):
                total, count = self.sums.get(name, (0.0, 0))
                self.sums[name] = (total + value, count + 1)

    def line(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The epoch as a line: place and learning rate of its last update, times as sums, all else as means."""
        line = {name: record[name] for name in ("epoch", "step", "lr")}
        for name, (total, count) in self.sums.items():
            timed = name in ("seconds", "waited")
            line[name] = round(total, 3) if timed else total / count
        return line | record["epoch_done"]


class Log:
    """Lines of a run folder.

    Args:
        folder: the run.
        tensorboard: whether to write for TensorBoard too, into ``tensorboard/``.
        step: updates done before.

    Raises:
        UsageError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, tensorboard: bool = False, step: int = 0) -> None:
        self.path = folder / NAME
        self._board = summary_writer()(str(folder / "tensorboard"), purge_step=step) if tensorboard else None

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        with disk_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._board is not None:
            for name, value in scalars(line):
                self._board.add_scalar(name, value, line["step"])
            self._board.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def cut(folder: Path, step: int) -> None:
    """Leave out the lines after this step, and a last one that was cut while it was written."""
    path = folder / NAME
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if _step_of(line) <= step]
    write_bytes(path, "".join(f"{line}\n" for line in kept).encode())


def last_step(folder: Path) -> int:
    """The step of the last line; 0 where there is none."""
    path = folder / NAME
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    steps = [step for step in map(_step_of, lines) if step < math.inf]
    return int(steps[-1]) if steps else 0


def scalars(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number by its path.

    >>> list(scalars({"loss": 0.5, "val": {"dice": {"liver": 0.9}}, "t_class": [[1.0]]}))
    [('loss', 0.5), ('val/dice/liver', 0.9)]
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value


def summary_writer() -> Any:
    """The class that writes for TensorBoard.

    Raises:
        UsageError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "--tensorboard needs tensorboard, which is not installed; install noisylabels[tensorboard]."
        ) from error
    return SummaryWriter


def _step_of(line: str) -> float:
    """The step of a line of the log; infinity for a line that was cut while it was written."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
