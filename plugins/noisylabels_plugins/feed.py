"""Batches prepared ahead of the update that needs them, cut into the parts that this process computes."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple, TypeVar

import torch

from noisylabels_plugins.api import Batch
from noisylabels_plugins.batches import TrainingSet
from noisylabels_plugins.distributed import ALONE, Group

Made = TypeVar("Made")
AHEAD = 2
"""Batches that wait or are being made, per worker."""


class Parts(NamedTuple):
    """A batch as this process sees it.

    Attributes:
        ids: all its cases.
        own: the parts of this process, each with its share of all cases; never empty.
    """

    ids: tuple[str, ...]
    own: list[tuple[Batch, float]]


def cut(items: Sequence[Made], parts: int, least: int) -> list[list[Made]]:
    """Cut a batch into at most so many parts of nearly equal size, none below ``least`` cases.

    >>> cut(["a", "b", "c", "d", "e"], 2, 1)
    [['a', 'b', 'c'], ['d', 'e']]
    >>> cut(["a", "b", "c"], 2, 2)
    [['a', 'b', 'c']]
    """
    count = max(1, min(parts, len(items) // least))
    ends = [-(-len(items) * part // count) for part in range(count + 1)]
    return [list(items[start:end]) for start, end in pairwise(ends)]


def parts(
    data: TrainingSet, epoch: int, index: int, batch_size: int, pieces: int = 1, group: Group = ALONE
) -> Parts:
    """What this process computes of a batch that is cut into ``pieces`` for each of the ``group``'s processes.

    A process that is left without a case takes some of the others' at weight 0, so that it makes the same update.
    """
    if pieces == group.size == 1:
        batch = data.batch(epoch, index, batch_size)
        return Parts(batch.case_ids, [(batch, 1.0)])
    items = data.items(epoch, index, batch_size)
    ids = tuple(item.case_id for item in items)
    every = cut(items, pieces * group.size, data.min_batch)
    own = [(data.make(part, epoch), len(part) / len(items)) for part in every[group.rank :: group.size]]
    if len(own) < -(-len(every) // group.size):
        own.append((data.make(items[: data.min_batch], epoch), 0.0))
    return Parts(ids, own)


def pinned(found: Parts) -> Parts:
    """In memory that a GPU reads while it computes."""
    own = [
        (Batch(image=b.image.pin_memory(), labels=b.labels.pin_memory(), case_ids=b.case_ids), weight)
        for b, weight in found.own
    ]
    return Parts(found.ids, own)


def to_device(batch: Batch, device: torch.device, channels_last: bool = True) -> Batch:
    """A batch on the device, in the order of memory that the networks have."""
    layout = torch.contiguous_format
    if channels_last:
        layout = torch.channels_last if batch.image.ndim == 4 else torch.channels_last_3d
    return Batch(
        image=batch.image.to(device, non_blocking=True, memory_format=layout),
        labels=batch.labels.to(device, non_blocking=True),
        case_ids=batch.case_ids,
    )


def ahead(make: Callable[[int], Made], numbers: Iterable[int], workers: int) -> Iterator[tuple[Made, float]]:
    """Make one thing after the other, some ahead of who takes them.

    Threads serve: NumPy lets others run while it works on an image.

    Args:
        make: a function of the number alone.
        numbers: which to make, in this order.
        workers: threads; 0 makes each when it is asked for.

    Yields:
        What was made, and the seconds that it had to be waited for.
    """
    if workers == 0:
        for number in numbers:
            began = time.perf_counter()
            made = make(number)
            yield made, time.perf_counter() - began
        return
    waiting: deque[Future[Made]] = deque()
    rest = iter(numbers)
    with ThreadPoolExecutor(workers, "batches") as pool:
        try:
            while True:
                while len(waiting) < AHEAD * workers and (number := next(rest, None)) is not None:
                    waiting.append(pool.submit(make, number))
                if not waiting:
                    return
                began = time.perf_counter()
                made = waiting.popleft().result()
                yield made, time.perf_counter() - began
        finally:
            for future in waiting:
                future.cancel()
