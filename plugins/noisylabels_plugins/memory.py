"""When a GPU's memory does not suffice: how many cases would fit."""

from collections.abc import Callable

import torch
from torch import nn

from noisylabels_plugins.api import Batch, Progress
from noisylabels_plugins.base import Base
from noisylabels_plugins.distributed import ALONE
from noisylabels_plugins.loop import Place

_FULL = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
ROOM = 0.9
"""Part of the memory that is counted on; the rest is lost between the blocks."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine has no memory left."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(words in str(error) for words in _FULL)


def sentence(method: Base, batch: Batch, at: Progress, place: Place, accumulate: int, least: int = 1) -> str:
    """What to say when the part of a batch in one process was too large, measured with a few of its cases.

    The method is spoilt by it: its state must have been saved. Where processes share batch normalisation nothing is
    measured, as every forward pass would wait for the others.

    Args:
        method: what is trained.
        batch: the part.
        at: where training is.
        place: where it runs.
        accumulate: parts that a batch is cut into.
        least: fewest cases that the network can be trained with.
    """
    fitting, cases = None, len(batch.case_ids)
    if place.device.type == "cuda" and not _talks(method):
        method.updates.group = ALONE  # the other processes wait for this update, not for one of those below
        try:
            fitting = least * measured(
                lambda few: _step(method, _few(batch, few * least), at, place), cases // least, place.device
            )
        except Exception:  # not even those few fit, or what is not finite any more
            fitting = None
    head = f"The memory of {place.device} does not suffice for {cases} cases at once"
    if fitting is None or fitting < 1:
        return f"{head}; use a smaller network or smaller images, or lower --batch-size."
    size, parts = fitting * accumulate * place.group.size, -(-cases * accumulate // fitting)
    return (
        f"{head}; about {fitting} would fit: use --batch-size {size}, or --accumulate {parts} for the same updates "
        "in more parts."
    )


def measured(step: Callable[[int], object], cases: int, device: torch.device) -> int:
    """How many cases would fit, from the peaks of an update with one case and with two."""
    step(1)  # momenta are made at the first update
    peaks = []
    for few in (1, 2) if cases > 2 else (1,):
        torch.cuda.reset_peak_memory_stats(device)
        step(few)
        peaks.append(torch.cuda.max_memory_allocated(device))
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return largest(peaks, free + torch.cuda.memory_allocated(device))


def largest(peaks: list[int], limit: float) -> int:
    """The most cases whose peak stays below the limit, when memory grows by the same for every case.

    >>> largest([300, 400], 1000)
    7
    >>> largest([300], 1000)
    3
    """
    each = max(1, peaks[-1] - peaks[0] if len(peaks) > 1 else peaks[0])
    return max(0, 1 + int((ROOM * limit - peaks[0]) // each))


def _talks(method: Base) -> bool:
    return any(isinstance(m, nn.SyncBatchNorm) for own in method.modules().values() for m in own.modules())


def _few(batch: Batch, count: int) -> Batch:
    return Batch(image=batch.image[:count], labels=batch.labels[:count], case_ids=batch.case_ids[:count])


def _step(method: Base, batch: Batch, at: Progress, place: Place) -> None:
    method.updates.start()
    method.updates.part(1.0, True, True)
    with place.precision.autocast():
        method.step(place.moved(batch), at)
