"""One function over many cases: here, in several processes, or on a dask cluster.

The result of a case does not depend on who computes it (see :mod:`noisylabels.draws`), so the only things to
get right are the ends: an error names its case, Ctrl-C stops the workers, no worker outlives a parent that
was killed, and a cluster that goes away is said in one sentence.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any, Literal, TypeVar, get_args

from noisylabels.errors import NoisyLabelsError, UsageError, unknown

Result = TypeVar("Result")
Executor = Literal["serial", "processes", "dask"]

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""

_work: Callable[[str], Any]
"""In a worker: the function to apply."""


def map_cases(
    fn: Callable[[str], Result],
    ids: Iterable[str],
    jobs: int = 1,
    executor: Executor = "processes",
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Apply ``fn`` to every case id and give the results as they come.

    Args:
        fn: of one case id; unless it runs in this process, it and its results must be picklable. On a cluster
            every path in it must mean the same on all machines: absolute, on a shared file system.
        ids: case ids; none at all gives nothing.
        jobs: processes; 1 works in this one, in the order of ``ids``. A cluster has as many as it has.
        executor: "serial" (in this process, whatever ``jobs`` says), "processes" or "dask".
        scheduler: address of the dask scheduler, as in ``tcp://10.0.0.1:8786``.

    Yields:
        The results; in this process in the order of ``ids``, else in the order in which they are finished.

    Raises:
        NoisyLabelsError: a case failed; the message names it, and the class is that of the first error. Or the
            cluster cannot be reached or went away.
        UsageError: an unknown executor, dask without a scheduler, or dask is not installed.
    """
    check_executor(executor, scheduler)
    ids = list(ids)
    if executor == "dask" and ids:
        yield from _on_cluster(fn, ids, str(scheduler))
    elif executor == "serial" or jobs <= 1 or len(ids) <= 1:
        for case_id in ids:
            yield _named(fn, case_id)
    else:
        yield from _in_processes(fn, ids, jobs)


def check_executor(executor: str, scheduler: str | None) -> None:
    """Refuse what cannot work before anything is done.

    Raises:
        UsageError: an unknown executor, dask without a scheduler or the other way round, or dask is missing.
    """
    if executor not in get_args(Executor):
        raise unknown("executor", executor, get_args(Executor))
    if executor != "dask" and scheduler is not None:
        raise UsageError(f"A scheduler belongs to the executor dask, not to {executor}.")
    if executor == "dask" and scheduler is None:
        raise UsageError(
            "The executor dask needs the address of a scheduler: --scheduler tcp://HOST:8786 (start one with: "
            "dask scheduler)."
        )
    if executor == "dask" and find_spec("distributed") is None:
        raise UsageError("The executor dask is not installed; run: pip install 'noisylabels[cluster]'.")


def usable_cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def _in_processes(fn: Callable[[str], Result], ids: Sequence[str], jobs: int) -> Iterator[Result]:
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


def _on_cluster(fn: Callable[[str], Result], ids: Sequence[str], scheduler: str) -> Iterator[Result]:
    """The function goes to every worker once, the ids one by one; what is left undone is forgotten at the end."""
    with _client(scheduler) as client:
        import distributed

        try:
            work = client.scatter(fn, broadcast=True, hash=False)
            futures = [client.submit(_named, work, case_id, pure=False) for case_id in ids]
            for future in distributed.as_completed(futures, loop=client.loop):
                yield future.result()
                future.release()
        except distributed.KilledWorker as error:
            raise NoisyLabelsError(
                "Workers of the cluster were killed again and again, most likely because memory ran out; give "
                "them more, or start fewer on each machine."
            ) from error
        except (distributed.CancelledError, OSError, TimeoutError) as error:
            raise NoisyLabelsError(
                f"The scheduler at {scheduler} or its last worker went away; what is finished is kept, so run "
                "the same again."
            ) from error
        except NoisyLabelsError:
            raise
        except Exception as error:  # as a rule a worker that cannot import what it is to run
            raise NoisyLabelsError(
                f"The cluster failed ({type(error).__name__}: {error}); is the same noisylabels installed on every "
                "worker?"
            ) from error


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    import distributed

    class Client(distributed.Client):  # type: ignore[misc]
        """Closed here if it cannot start.

        Left to the garbage collector it would be closed in whichever thread that runs: in the next client's own,
        dask waits there for a lock that is held until that thread has started.
        """

        def start(self, **words: Any) -> None:
            try:
                super().start(**words)
            except BaseException:
                _close(self)
                raise

    logs = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)  # a cluster that goes away is said once, by us
    client = None
    try:
        try:
            client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise NoisyLabelsError(
                f"No dask scheduler answers at {scheduler} within {CONNECT_SECONDS} s; check the address and that "
                "it is running."
            ) from error
        yield client
    finally:
        if client is not None:
            _close(client)
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _close(client: Any) -> None:
    with suppress(TimeoutError):  # a cluster that is gone does not say goodbye
        client.close(timeout=1)


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
