"""Who does the work of a command: this process, several, or a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from noisylabels.errors import UsageError

if TYPE_CHECKING:
    from noisylabels.parallel import Executor
    from noisylabels.store.dataset import Dataset

WORTH_PROCESSES = 30_000_000
"""Pixels from which on starting processes pays."""


@dataclass(frozen=True, slots=True)
class Workers:
    """What was asked for.

    Attributes:
        executor: serial, processes or dask.
        jobs: processes; None for as many as pay.
        scheduler: address of a dask scheduler, or None.
    """

    executor: "Executor"
    jobs: int | None
    scheduler: str | None

    def jobs_for(self, dataset: "Dataset") -> int:
        """Processes to use: one for little work, all cores where starting processes pays."""
        from noisylabels.parallel import usable_cores

        if self.executor != "processes":
            return 1
        pixels = sum(prod(entry.shape) for entry in dataset.entries.values())
        return self.jobs or (usable_cores() if pixels >= WORTH_PROCESSES else 1)


def workers(given: Mapping[str, Any]) -> Workers:
    """What the flags ``executor``, ``jobs`` and ``scheduler`` say; a scheduler alone means dask.

    Raises:
        UsageError: they contradict each other, or dask is not installed.
    """
    from noisylabels.parallel import check_executor

    jobs, scheduler = given.get("jobs"), given.get("scheduler")
    executor: Any = given.get("executor") or ("dask" if scheduler else "processes")
    check_executor(executor, scheduler)
    if jobs is not None and executor != "processes":
        many = "works in this process alone" if executor == "serial" else "has as many workers as it has"
        raise UsageError(f"--jobs belongs to the executor processes; {executor} {many}, so leave it out.")
    return Workers(executor, jobs, scheduler)
