"""The only training loop: it owns time, device and learning-rate schedule, and knows no method by name."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

from noisylabels.errors import NoisyLabelsError
from noisylabels_plugins.api import Batch, Progress
from noisylabels_plugins.base import Base
from noisylabels_plugins.batches import TrainingSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the training cases.
        batch_size: cases in one update.
        schedule: learning rate over the training: cosine to 0, poly (1 - t) ** 0.9 as the seed papers, or constant.
    """

    epochs: int
    batch_size: int
    schedule: Literal["cosine", "poly", "constant"] = "cosine"

    def lr_factor(self, fraction: float) -> float:
        """What the learning rate is multiplied with when ``fraction`` of the training is done."""
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "poly":
            return float((1 - fraction) ** 0.9)
        return float(0.5 + 0.5 * torch.cos(torch.tensor(torch.pi * fraction, dtype=torch.float64)))


def train(
    method: Base,
    data: TrainingSet,
    plan: Plan,
    device: torch.device,
    *,
    start: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[dict[str, Any]]:
    """Train from step ``start`` to the end, or until ``stop()`` says so between two updates.

    Yields:
        One record for every update: epoch, step (updates done), lr, seconds, what the method logged, and
        ``epoch_done`` with the record of ``end_epoch`` after the last update of an epoch.

    Raises:
        NoisyLabelsError: a loss is not finite; the message names step and cases.
    """
    per_epoch = data.steps_per_epoch(plan.batch_size)
    steps = plan.epochs * per_epoch
    for step in range(start, steps):
        if stop():
            return
        began = time.perf_counter()
        epoch, index = divmod(step, per_epoch)
        at = Progress(epoch=epoch, step=step, steps=steps, schedule=plan.lr_factor)
        batch = _to(data.batch(epoch, index, plan.batch_size), device)
        method.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=_has_bf16(device)):
            log = dict(method.step(batch, at))
        if not abs(log["loss"]) < float("inf"):
            raise NoisyLabelsError(
                f"The loss is {log['loss']} at step {step} (cases {', '.join(batch.case_ids)}); "
                "lower the learning rate, or look at these cases."
            )
        record = {"epoch": epoch, "step": step + 1, "lr": method.lr, **log}
        if index == per_epoch - 1:
            batches = (_to(b, device) for b in data.plain_batches(plan.batch_size))
            record["epoch_done"] = dict(method.end_epoch(batches, at))
        yield record | {"seconds": time.perf_counter() - began}


def _to(batch: Batch, device: torch.device) -> Batch:
    memory_format = torch.channels_last if batch.image.ndim == 4 else torch.channels_last_3d
    return Batch(
        image=batch.image.to(device, non_blocking=True, memory_format=memory_format),
        labels=batch.labels.to(device, non_blocking=True),
        case_ids=batch.case_ids,
    )


def _has_bf16(device: torch.device) -> bool:
    """Mixed precision where the hardware has it: bfloat16 needs no loss scaling."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported()
