"""One at a time: a lock file that says who holds it, for processes on several machines that share a folder.

The file is made by exclusive creation and touched every few seconds. Who finds it untouched for two minutes, or its
holder's process gone from this machine, takes it over; the name of the next lock is reserved first, so that only one
of several can. Ages are measured by the clock of the file system, not by those of the machines.
"""

import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noisylabels.errors import UsageError
from noisylabels.store.files import disk_errors

LOCK = "lock"
"""Name of the file in a folder that one process writes into."""

BEAT_SECONDS = 10.0
"""How often a holder touches its lock."""

STALE_SECONDS = 120.0
"""How long an untouched lock is believed."""


class Lock:
    """A lock file; :meth:`take` it, and :meth:`release` it in the end.

    Args:
        path: of the file.
        about: what else to write into it, for those who wait.
    """

    def __init__(self, path: Path, about: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.note = {"token": uuid.uuid4().hex, "host": this_host(), "pid": os.getpid(), **(about or {})}
        self._done = threading.Event()

    def take(self) -> bool:
        """Take it if it is free or its holder is gone; False if somebody else has it.

        Raises:
            NoisyLabelsError: the folder cannot be written.
        """
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not (_create(self.path, self.note) or self._take_over()):
                return False
        threading.Thread(target=self._beat, daemon=True).start()
        return True

    def release(self) -> None:
        """Give it back, if it is still ours."""
        self._done.set()
        if (holder(self.path) or {}).get("token") == self.note["token"]:
            self.path.unlink(missing_ok=True)

    def _take_over(self) -> bool:
        old = holder(self.path)
        if old is None:  # it went away this moment
            return _create(self.path, self.note)
        if not is_stale(self.path, old):
            return False
        reserved = self.path.with_name(f"{self.path.name}.{old.get('token', 'damaged')}")
        if not _create(reserved, self.note):
            if _age(reserved) > STALE_SECONDS:  # who reserved it was killed in that moment
                reserved.unlink(missing_ok=True)
            return False
        try:
            if holder(self.path) != old:
                return False
            fresh = self.path.with_name(f".{self.path.name}.{self.note['token']}")
            fresh.write_text(json.dumps(self.note), encoding="utf-8")
            fresh.replace(self.path)
            return True
        finally:
            reserved.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            try:
                os.utime(self.path)
            except OSError:  # the disk is full or away for a moment; the next beat may succeed
                continue


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only process that writes into a folder; within this one it may be asked for again.

    Raises:
        UsageError: another process is at it.
        NoisyLabelsError: the folder cannot be written.
    """
    lock = Lock(folder / LOCK)
    if lock.take():
        try:
            yield
        finally:
            lock.release()
        return
    note = holder(lock.path) or {}
    if (note.get("host"), note.get("pid")) != (this_host(), os.getpid()):
        raise UsageError(f"Another process is writing into {folder}; wait until it has ended.")
    yield


def holder(path: Path) -> dict[str, Any] | None:
    """What the holder of a lock wrote; empty for a damaged file, None for no lock."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def is_stale(path: Path, note: Mapping[str, Any]) -> bool:
    """Whether the holder of a lock is gone: its process, where it can be seen, or else its heartbeat."""
    if note.get("host") == this_host() and not is_alive(int(note.get("pid", 0))):
        return True
    return _age(path) > STALE_SECONDS


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    if pid < 1:
        return False
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except ProcessLookupError:
        return False
    except (OSError, IndexError):  # somebody else's process, or a system without /proc
        return True
    return state != "Z"  # one that only waits to be collected does nothing any more


def this_host() -> str:
    """The machine, and on Linux the set of processes that can see each other on it."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _create(path: Path, note: Mapping[str, Any]) -> bool:
    """Write a file that is not there yet."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(note))
    except FileExistsError:
        return False
    return True


def _age(path: Path) -> float:
    """Seconds since a file was touched, by the clock of its file system."""
    probe = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
    finally:
        probe.unlink(missing_ok=True)
