"""One function over many cases: here, or in several processes.

The result of a case does not depend on who computes it (see :mod:`noisylabels.draws`), so the only things to
get right are the ends: an error names its case, Ctrl-C stops the workers, and no worker outlives a parent
that was killed.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from noisylabels.errors import NoisyLabelsError

Result = TypeVar("Result")

_work: Callable[[str], Any]
"""In a worker: the function to apply."""


def map_cases(fn: Callable[[str], Result], ids: Iterable[str], jobs: int = 1) -> Iterator[Result]:
    """Apply ``fn`` to every case id and give the results as they come.

    Args:
        fn: of one case id; for ``jobs`` > 1 it and its results must be picklable.
        ids: case ids; none at all gives nothing.
        jobs: processes; 1 works in this one, in the order of ``ids``.

    Yields:
        The results; with several processes in the order in which they are finished.

    Raises:
        NoisyLabelsError: a case failed; the message names it. The class is that of the first error.
    """
    ids = list(ids)
    if jobs <= 1 or len(ids) <= 1:
        for case_id in ids:
            yield _named(fn, case_id)
        return
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(jobs, len(ids)), multiprocessing.get_context("spawn"), initializer=_start, initargs=(fn,)
    )
    done = False
    try:
        for future in as_completed([pool.submit(_run, case_id) for case_id in ids]):
            yield future.result()
        done = True
    except BrokenProcessPool as error:
        raise NoisyLabelsError(
            "A worker process was killed, most likely because memory ran out; try fewer --jobs."
        ) from error
    finally:
        if not done:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
                child.join()
                while child.is_alive():  # the pool's own thread has collected it, but not yet noted that
                    time.sleep(0.001)
        pool.shutdown()


def usable_cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def _named(fn: Callable[[str], Result], case_id: str) -> Result:
    try:
        return fn(case_id)
    except NoisyLabelsError as error:
        if case_id in str(error):
            raise
        raise type(error)(f"Case {case_id}: {error}") from error
    except MemoryError as error:
        raise NoisyLabelsError(f"Case {case_id}: memory ran out.") from error
    except Exception as error:
        raise NoisyLabelsError(f"Case {case_id}: {type(error).__name__}: {error}.") from error


def _run(case_id: str) -> Any:
    return _named(_work, case_id)


def _start(fn: Callable[[str], Any]) -> None:
    global _work
    _work = fn
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends the workers
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
