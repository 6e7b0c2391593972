"""Tasks in child processes, several at a time where memory allows; whatever happens, what was begun can go on."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from noisylabels_cli.bench_child import BUSY
from noisylabels_cli.bench_tasks import Task
from noisylabels_cli.signals import collected

State = Literal["done", "failed", "busy", "left out"]

_POLL_SECONDS = 0.2
_SHOW_SECONDS = 10.0
"""How long a cell is given to show how much memory it takes, while none has ended."""

_RETRY_SECONDS = 3.0
"""How long to wait before looking again at data that another process is making."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a task went.

    Attributes:
        task: what.
        state: done; failed; busy (another process is at it); left out (what it needs could not be made).
        seconds: how long it took.
        log: what was said.
        code: exit code of its process; below 0 the signal that killed it.
        start: where in the log, in bytes, this try begins.
    """

    task: Task
    state: State
    seconds: float
    log: Path
    code: int = 0
    start: int = 0

    @property
    def reason(self) -> str:
        """The last sentence of a failure, without its full stop."""
        if self.code < 0:
            why = ", perhaps for lack of memory" if self.code == -signal.SIGKILL else ""
            return f"it was killed by signal {-self.code}{why}"
        try:
            text = self.log.read_bytes()[self.start :].decode(errors="replace")
        except OSError:
            text = ""
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("$ ")]
        said = [line.removeprefix("noisylabels: ") for line in lines if line.startswith("noisylabels: ")]
        return (said or lines or ["it said nothing"])[-1].strip().rstrip(".")


@dataclass
class _Child:
    task: Task
    process: "subprocess.Popen[bytes]"
    began: float
    log_start: int


@dataclass
class Runner:
    """Runs tasks.

    Attributes:
        work: gives the folder of a task.
        jobs: how many at a time, at most.
        env: environment of the children.
        ended: called with every task that ended.
        running: called now and then with the tasks that run.
    """

    work: Callable[[str], Path]
    jobs: int
    env: Mapping[str, str]
    ended: Callable[[Ended], None]
    running: Callable[[Sequence[Task]], None] = lambda tasks: None
    _children: list[_Child] = field(default_factory=list)
    _peak: int = 0
    _seen: bool = False

    def run(self, tasks: Sequence[Task]) -> list[Ended]:
        """Run tasks in their order, each when what it needs is done.

        Args:
            tasks: those to do, with those that they need; what is done already is not done again.

        Returns:
            How each went, in the order in which they ended.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; the children have saved what they had.
        """
        results: dict[str, Ended] = {}
        waiting = list(tasks)
        later: dict[str, float] = {}
        with collected() as got:
            try:
                while (waiting or self._children) and not got:
                    for end in self._collect():
                        if end.state == "busy" and end.task.cell is None:
                            later[end.task.name] = time.monotonic() + _RETRY_SECONDS
                            waiting.insert(0, end.task)
                            continue
                        results[end.task.name] = end
                        self.ended(end)
                    self._start(waiting, results, later)
                    self.running([child.task for child in self._children])
                    time.sleep(_POLL_SECONDS)
            finally:
                self._stop(got)
        if got:
            raise KeyboardInterrupt
        return list(results.values())

    def _start(self, waiting: list[Task], results: dict[str, Ended], later: Mapping[str, float]) -> None:
        """Start what can be started; settle what never can."""
        for task in list(waiting):
            missing = [name for name in task.needs if name in results and results[name].state != "done"]
            if task.done or missing:
                waiting.remove(task)
                results[task.name] = Ended(task, "left out" if missing else "done", 0.0, self._log(task))
                if missing:
                    self.ended(results[task.name])
            elif len(self._children) >= self.jobs or not self._room():
                return
            elif later.get(task.name, 0.0) <= time.monotonic() and self._ready(task, waiting, results):
                waiting.remove(task)
                self._children.append(self._spawn(task))

    def _ready(self, task: Task, waiting: Sequence[Task], results: Mapping[str, Ended]) -> bool:
        open_names = {other.name for other in waiting} | {child.task.name for child in self._children}
        return not any(name in open_names for name in task.needs)

    def _spawn(self, task: Task) -> _Child:
        from noisylabels.store.write import write_text

        record = self.work(task.name) / "task.json"
        write_text(record, _json(task))
        with self._log(task).open("ab") as log:
            log_start = log.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                [sys.executable, "-m", "noisylabels_cli.bench_child", str(record), str(os.getpid())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(self.env), start_new_session=True,
            )  # fmt: skip
        return _Child(task, process, time.monotonic(), log_start)

    def _collect(self) -> Iterator[Ended]:
        for child in list(self._children):
            self._peak = max(self._peak, _memory_kib(child.process.pid, "VmHWM"))
            code = child.process.poll()
            if code is None:
                continue
            self._children.remove(child)
            self._seen = self._seen or child.task.cell is not None
            state: State = "done" if code == 0 and child.task.done else "busy" if code == BUSY else "failed"
            seconds = time.monotonic() - child.began
            yield Ended(child.task, state, seconds, self._log(child.task), code, child.log_start)

    def _room(self) -> bool:
        """Whether one more cell as large as the largest so far fits, when those that run have grown as large."""
        if not self._children:
            return True
        young = time.monotonic() - self._children[-1].began < _SHOW_SECONDS
        if not self._seen and len(self._children) > 1 and young:
            return False
        free = available_kib()
        if free is None:
            return True
        growth = sum(max(0, self._peak - _memory_kib(child.process.pid, "VmRSS")) for child in self._children)
        return free > self._peak + growth

    def _stop(self, got: Sequence[int]) -> None:
        """End the children: first kindly, and with a second signal at once."""
        for child in self._children:
            child.process.terminate()
        while any(child.process.poll() is None for child in self._children):
            if len(got) > 1:
                for child in self._children:
                    child.process.kill()
            time.sleep(_POLL_SECONDS / 4)
        self._children.clear()

    def _log(self, task: Task) -> Path:
        return self.work(task.name) / "log.txt"


def available_kib() -> int | None:
    """Memory that is free for use, of the machine or of the group of processes; None where it is not told."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    try:
        group = Path("/sys/fs/cgroup")
        limit, used = (
            (group / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current")
        )
        stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        return min(free, (int(limit) - int(used) + int(stat.get("inactive_file", 0))) // 1024)
    except (OSError, ValueError):  # no limit, or another kind of system
        return free


def largest_child_gib() -> float:
    """Memory of the largest child so far, GiB."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale / 2**30


def _memory_kib(pid: int, which: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{which}:")), 0)


def _json(task: Task) -> str:
    import json

    return json.dumps(task.document(), indent=2) + "\n"


def child_environment(threads: int | None) -> dict[str, str]:
    """Environment of the children: this one's, with so many threads for each; None leaves that open."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    if threads is not None:
        env |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return env
