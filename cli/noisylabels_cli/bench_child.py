"""One task of a suite in a process of its own: takes the lock, runs the commands, goes on where an earlier try was.

    python -m noisylabels_cli.bench_child FOLDER_OF_TASK/task.json PARENT

It stops, leaving everything resumable, on SIGTERM and when the process PARENT, which started it, is gone.
"""

import json
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from noisylabels.store.locks import Lock, holder, is_alive, this_host
from noisylabels.store.runs import MODEL, RunRecord, is_made
from noisylabels_cli.main import INTERRUPTED, run

BUSY = 75
"""Exit code of a task that somebody else is at."""

_POLL_SECONDS = 0.5
_WAIT_SECONDS = 60.0
"""How long to wait for an orphan that is about to notice that it is one."""


def main(file: Path, parent: int) -> int:
    """Do the task that a file describes for the process ``parent``; returns an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_stop_without, args=(parent,), daemon=True).start()
    lock = Lock(file.with_name("lock"), {"parent": parent})
    try:
        if not _taken(lock):
            return BUSY
        steps = json.loads(file.read_text(encoding="utf-8"))["steps"]
        try:
            return next((code for step in open_steps(steps) if (code := _do(step))), 0)
        finally:
            lock.release()
    except KeyboardInterrupt:
        return INTERRUPTED


def open_steps(steps: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Those after the last one whose product is there.

    A model is written by a training that was stopped too, and may have been evaluated; a recipe costs nothing: none
    of them says that it is done.
    """
    return steps[max((i + 1 for i, step in enumerate(steps) if _is_done(step)), default=0) :]


def _is_done(step: dict[str, Any]) -> bool:
    return step["args"][0] not in ("train", "_write") and is_made(Path(step["makes"]))


def _do(step: dict[str, Any]) -> int:
    args = list(step["args"])
    if args[0][0] != "_":
        click.echo(f"$ noisylabels {shlex.join(args)}", err=True)
    if args[0] == "_write":
        Path(args[1]).write_text(args[2], encoding="utf-8")
        return 0
    if args[0] == "_few":
        return _few(*args[1:])
    return _train(args) if args[0] == "train" else run(args)


def _train(args: list[str]) -> int:
    """Train, or go on with a training where there is something to go on with."""
    out, device = Path(args[args.index("--out") + 1]), args[args.index("--device") + 1]
    if (out / "state.pt").exists():
        return run(["train", "--resume", "--out", str(out), "--device", device])
    if (out / MODEL).exists() and RunRecord.open(out).finished:  # where the state is not kept
        return 0
    if (out / "run.json").exists():  # killed before the first state was saved, or somebody removed the state
        shutil.rmtree(out)
    return run(args)


def _few(clean: str, count: str, seed: str, out: str) -> int:
    from noisylabels.errors import NoisyLabelsError
    from noisylabels.store.dataset import Dataset
    from noisylabels.suites.few import few_cases

    try:
        few_cases(Dataset.open(clean), int(count), int(seed), Path(out))
    except NoisyLabelsError as error:
        click.echo(f"noisylabels: {error}", err=True)
        return error.exit_code
    return 0


def _taken(lock: Lock) -> bool:
    """Take a lock; wait for a holder on this machine whose own parent is gone, since it is about to stop."""
    end = time.monotonic() + _WAIT_SECONDS
    while not lock.take():
        note = holder(lock.path)
        orphan = note and note.get("host") == this_host() and not is_alive(int(note.get("parent", 1)))
        if note is not None and (not orphan or time.monotonic() > end):
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _stop_without(parent: int) -> None:
    """Send this process SIGTERM once its parent is another."""
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else os.getppid()))
