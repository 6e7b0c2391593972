"""The only training loop: it owns time, device and learning-rate schedule, and knows no method by name."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

from noisylabels.draws import Draws
from noisylabels_plugins.api import Batch, Progress
from noisylabels_plugins.base import Base
from noisylabels_plugins.batches import TrainingSet
from noisylabels_plugins.distributed import ALONE, Group
from noisylabels_plugins.feed import Parts, ahead, parts, pinned, to_device
from noisylabels_plugins.guards import Before, BrokenBatch
from noisylabels_plugins.precision import FP32, Precision
from noisylabels_plugins.update import NotFinite


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the training cases.
        batch_size: cases in one update, over all processes and parts.
        schedule: learning rate over the training: cosine to 0, poly (1 - t) ** 0.9 as in DeepLab, or constant.
        accumulate: parts that every batch is cut into.
        workers: threads that prepare batches ahead.
        seed: of what a method draws from torch while it trains.
    """

    epochs: int
    batch_size: int
    schedule: Literal["cosine", "poly", "constant"] = "cosine"
    accumulate: int = 1
    workers: int = 0
    seed: int = 0

    def lr_factor(self, fraction: float) -> float:
        """What the learning rate is multiplied with when ``fraction`` of the training is done."""
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "poly":
            return float((1 - fraction) ** 0.9)
        return float(0.5 + 0.5 * torch.cos(torch.tensor(torch.pi * fraction, dtype=torch.float64)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a training computes.

    Attributes:
        precision: in what numbers, on which device.
        group: with which other processes.
        channels_last: how images lie in memory.
    """

    precision: Precision
    group: Group = ALONE
    channels_last: bool = True

    @property
    def device(self) -> torch.device:
        """Of this process."""
        return self.precision.device

    def moved(self, batch: Batch) -> Batch:
        """A batch on the device."""
        return to_device(batch, self.device, self.channels_last)


def train(
    method: Base,
    data: TrainingSet,
    plan: Plan,
    place: Place | torch.device,
    *,
    start: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[dict[str, Any]]:
    """Train from step ``start`` to the end, or until ``stop()`` says so between two updates.

    Yields:
        One record for every update: epoch, step (updates done), lr, what the method logged, the length of the
        gradient, seconds, the seconds of them that it waited for data, and ``epoch_done`` with the record of
        ``end_epoch`` after the last update of an epoch.

    Raises:
        BrokenBatch: a loss or gradient is not finite; the method is as it was before that batch.
    """
    place = place if isinstance(place, Place) else Place(Precision(FP32, place))
    per_epoch = data.steps_per_epoch(plan.batch_size)
    steps = plan.epochs * per_epoch

    def prepared(step: int) -> Parts:
        found = parts(data, *divmod(step, per_epoch), plan.batch_size, plan.accumulate, place.group)
        return pinned(found) if place.device.type == "cuda" else found

    before = Before(method)
    began = time.perf_counter()
    for step, (batch, waited) in enumerate(ahead(prepared, range(start, steps), plan.workers), start):
        if place.group.any(stop()):
            return
        at = Progress(
            epoch=step // per_epoch, step=step, steps=steps, per_epoch=per_epoch, schedule=plan.lr_factor
        )
        _seed(plan.seed, step, place)
        before.keep()
        log = _update(method, batch, at, place, before)
        record = {"epoch": at.epoch, "step": step + 1, "lr": method.lr, **log}
        if (step + 1) % per_epoch == 0:
            place.group.share(method.modules().values())
            batches = (place.moved(b) for b in data.plain_batches(plan.batch_size))
            record["epoch_done"] = dict(method.end_epoch(batches, at))
            place.group.share(method.modules().values())
        method.updates.settled = True
        yield record | {"seconds": time.perf_counter() - began, "waited": waited}
        began = time.perf_counter()


def _update(method: Base, batch: Parts, at: Progress, place: Place, before: Before) -> dict[str, Any]:
    """One update of the method by the parts of a batch; its log, averaged over all cases of all processes."""
    method.updates.start()
    try:
        logs = list(_steps(method, batch, at, place))
        log = logs[0] if len(logs) == place.group.size == 1 else _averaged(logs, batch, place.group)
        if not abs(log["loss"]) < float("inf"):
            raise NotFinite(f"The loss is {log['loss']}")
    except NotFinite as error:
        before.put_back()
        raise BrokenBatch(str(error), at, batch.ids) from error
    except Exception:
        before.put_back()
        raise
    norm = method.updates.grad_norm
    return log if norm is None else log | {"grad_norm": norm}


def _steps(method: Base, batch: Parts, at: Progress, place: Place) -> Iterator[dict[str, Any]]:
    for index, (part, weight) in enumerate(batch.own):
        method.updates.part(weight, index == 0, index == len(batch.own) - 1)
        method.train()
        with place.precision.autocast():
            log = dict(method.step(place.moved(part), at))
        yield log


def _averaged(logs: list[dict[str, float]], batch: Parts, group: Group) -> dict[str, float]:
    weights = [weight for _, weight in batch.own]
    sums = [sum(w * log[name] for w, log in zip(weights, logs, strict=True)) for name in logs[0]]
    return dict(zip(logs[0], group.added(sums), strict=True))


def _seed(seed: int, step: int, place: Place) -> None:
    """What a method draws from torch in an update depends on seed, process and step, and on nothing before it."""
    number = int(Draws(seed, "update", str(place.group.rank), str(step)).words(1)[0] >> 1)
    torch.default_generator.manual_seed(number)
    if place.device.type == "cuda":
        torch.cuda.manual_seed(number)
