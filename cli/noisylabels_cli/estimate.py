"""How long a noisy dataset would take and how much memory, measured on a few of its cases.

They are made in a process of its own, reading, measuring and writing included, into a temporary folder.
"""

import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from noisylabels.errors import NoisyLabelsError
from noisylabels_cli.workers import Workers

if TYPE_CHECKING:
    from noisylabels.plan import Plan
    from noisylabels.store.dataset import Dataset

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Measured:
    """What the process found.

    Attributes:
        seconds: by case id.
        start: resident memory before the measured cases, bytes.
        peak: the most during them, bytes.
    """

    seconds: dict[str, float]
    start: int
    peak: int


def estimate(clean: "Dataset", what: "Plan", by: Workers) -> Iterator[tuple[str, str]]:
    """Lines about time and memory, with how they were found.

    Args:
        clean: the dataset.
        what: the plan.
        by: who would work.

    Raises:
        NoisyLabelsError: a case cannot be made; the same error as in earnest.
    """
    size = {case_id: prod(clean.entries[case_id].shape) for case_id in what.ids}
    touched, rest = list(what.chosen), [case_id for case_id in what.ids if case_id not in what.chosen]
    samples = [*_sample(touched, size, 3), *_sample(rest, size, 1)]
    found = _measured(clean, what, samples)
    seconds = sum(_extrapolated(found, size, part) for part in (touched, rest))
    largest = max(samples, key=size.__getitem__)
    longest = max(found.seconds.values(), default=0.0)
    yield "time", f"about {_duration(seconds)} of work{_shared(seconds, longest, clean, by)}"
    yield (
        "memory",
        f"about {found.peak / _MIB:.0f} MiB for each process: {found.start / _MIB:.0f} at its start and "
        f"{max(1.0, (found.peak - found.start) / _MIB):.0f} for the largest case, {largest} "
        f"({'x'.join(map(str, clean.entries[largest].shape))})",
    )
    yield (
        "measured",
        f"on {len(samples)} of {len(size)} cases ({', '.join(samples)}), made once in a process of its own; the "
        "others by their number of pixels. Compiling for the first use on a machine is not counted.",
    )


def _sample(ids: Sequence[str], size: dict[str, int], count: int) -> list[str]:
    """At most ``count`` cases: the largest first, then evenly spread over the sizes."""
    ranked = sorted(ids, key=lambda case_id: (-size[case_id], case_id))
    if len(ranked) <= count:
        return ranked
    return [ranked[k * (len(ranked) - 1) // max(1, count - 1)] for k in range(count)]


def _extrapolated(found: Measured, size: dict[str, int], ids: Sequence[str]) -> float:
    """Seconds for all of ``ids``, from those among them that were measured."""
    known = [case_id for case_id in ids if case_id in found.seconds]
    pixels = sum(size[case_id] for case_id in known)
    rate = sum(found.seconds[case_id] for case_id in known) / pixels if pixels else 0.0
    return rate * sum(size[case_id] for case_id in ids)


def _measured(clean: "Dataset", what: "Plan", samples: Sequence[str]) -> Measured:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with TemporaryDirectory() as folder:
        words = (theirs, clean, what, list(samples), Path(folder))
        process = context.Process(target=_measure, args=words, daemon=True)
        process.start()
        theirs.close()
        try:
            answer = ours.recv()
        except EOFError:
            raise NoisyLabelsError(
                f"The process that tried case {samples[0]} was killed, most likely because memory ran out."
            ) from None
        finally:
            ours.close()
            process.terminate()
            process.join()
    if isinstance(answer, Exception):
        raise answer
    return answer  # type: ignore[no-any-return]


def _measure(answer: Connection, clean: "Dataset", what: "Plan", samples: list[str], folder: Path) -> None:
    """In the process: make the cases; send what was found, or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends this process
    from noisylabels.parallel import map_cases
    from noisylabels.store.work import WorkFolder
    from noisylabels.work import Work

    work = Work(clean, what, WorkFolder(folder / "estimate"))
    try:
        work.prepare()
        first = [case_id for case_id in samples if case_id in what.chosen][-1:] or samples[-1:]
        next(map_cases(work.run, first))  # loads libraries and compiled code
        start, seconds = _restart_peak(), {}
        for case_id in samples:
            before = time.perf_counter()
            next(map_cases(work.run, [case_id]))
            seconds[case_id] = time.perf_counter() - before
        answer.send(Measured(seconds, start, _peak()))
    except Exception as error:
        answer.send(error)
    finally:
        answer.close()


def _restart_peak() -> int:
    """Resident memory now, bytes; from here on the peak is counted anew, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """The most resident memory so far, bytes."""
    with suppress(OSError, ValueError, IndexError):
        # unlike getrusage's, this one does not begin with what the parent had when it started the process
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    with suppress(ImportError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return 0


def _shared(seconds: float, longest: float, clean: "Dataset", by: Workers) -> str:
    """Who shares the work; no number of processes makes it shorter than its longest case."""
    if by.executor == "dask":
        return f", shared by the workers at {by.scheduler}"
    jobs = by.jobs_for(clean)
    if jobs == 1:
        return ", in one process"
    return f", {_duration(max(seconds / jobs, longest))} with {jobs} processes"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds:.1g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
