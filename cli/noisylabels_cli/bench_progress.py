"""How far a grid is: one line for every cell that ended, with the time that is probably left.

On a terminal, a last line tells what runs at the moment.
"""

import json
import shutil
import sys
import time
from collections.abc import Sequence

import click

from noisylabels_cli.bench_runner import Ended
from noisylabels_cli.bench_tasks import Task
from noisylabels_cli.say import quiet, say

_SECONDS_BETWEEN_LOOKS = 2.0
_CLEAR = "\r\033[K"


class Progress:
    """Says how each task went.

    Args:
        total: cells to run.
        jobs: how many at a time.
    """

    def __init__(self, total: int, jobs: int) -> None:
        self.total, self.jobs = total, jobs
        self.over = 0
        self.seconds: list[float] = []
        self.looked = 0.0
        self.live = sys.stderr.isatty() and not quiet()

    def ended(self, end: Ended) -> None:
        """Say how a task went; data are said only when they failed."""
        if self.live:
            click.echo(_CLEAR, nl=False, err=True)
        if end.task.cell is None:
            if end.state == "failed":
                say(f"{end.task.name} failed: {end.reason}; see {end.log}")
            return
        self.over += 1
        start = f"[{self.over}/{self.total}] {end.task.name}"
        if end.state == "done":
            self.seconds.append(end.seconds)
            say(f"{start}: {_dice(end)}after {duration(end.seconds)}{self._left()}")
        elif end.state == "failed":
            say(f"{start} failed: {end.reason}; see {end.log}")
        elif end.state == "busy":
            say(f"{start} is being run by another process.")
        else:
            say(f"{start} was left out: what it is trained on could not be made.")

    def running(self, tasks: Sequence[Task]) -> None:
        """On a terminal, say what runs, in a line that the next one replaces."""
        if not self.live or (tasks and time.monotonic() - self.looked < _SECONDS_BETWEEN_LOOKS):
            return
        self.looked = time.monotonic()
        text = "" if not tasks else f"{self.over} of {self.total}; now {', '.join(map(_where, tasks))}"
        click.echo(f"{_CLEAR}{text[: shutil.get_terminal_size().columns - 1]}", nl=False, err=True)

    def _left(self) -> str:
        cells = self.total - self.over
        if not cells or not self.seconds:
            return ""
        return f"; about {duration(cells * sum(self.seconds) / len(self.seconds) / self.jobs)} left"


def _where(task: Task) -> str:
    """A task and how far its training is, as its log says."""
    log = task.product.parent / "log.jsonl"
    try:
        line = json.loads(log.read_text(encoding="utf-8").splitlines()[-1]) if task.cell else {}
    except (OSError, ValueError, IndexError):  # nothing yet, or a line that is being written
        line = {}
    return f"{task.name} (epoch {line['epoch'] + 1} done)" if "epoch" in line else task.name


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(42.3), duration(272), duration(9000)
    ('42 s', '4 min 32 s', '2 h 30 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _dice(end: Ended) -> str:
    from noisylabels.errors import NoisyLabelsError
    from noisylabels.scoring import summarise
    from noisylabels.store.scores import read_scores

    try:
        mean = summarise(read_scores(end.task.product)).mean.get("dice")
    except NoisyLabelsError:
        return ""
    return "" if mean is None else f"Dice {100 * mean:.2f} % "
