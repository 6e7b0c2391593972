"""Several processes that train one model: each takes its share of every batch, and gradients are added up.

They are started by ``torchrun``. Every process holds the whole model and makes the same updates; the first one
writes, logs and prints. What a method changes by other means than gradients must be the same in every process, see
``docs/training.md``.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from noisylabels.errors import NoisyLabelsError, UsageError

_BUCKET = 1 << 23
"""Numbers that are sent at once: 32 MiB in fp32."""


SECONDS_TO_SPEAK = 2.0
"""``torchrun`` ends all processes as soon as one has failed."""


SECONDS_TO_HANG_UP = 0.2
"""Nobody closes its connections while another still reads the last message."""


class OtherFailed(NoisyLabelsError):
    """Another process ended, and has said why; or the connection between them broke."""


class Group:
    """The processes of a training; a training in one process is a group of one.

    Args:
        rank: number of this process, from 0.
        size: how many there are.
        local: number of this process on its machine.
    """

    def __init__(self, rank: int = 0, size: int = 1, local: int = 0) -> None:
        self.rank, self.size, self.local = rank, size, local

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return bool(self.added([float(flag)])[0])

    def added(self, numbers: Sequence[float]) -> list[float]:
        """Every number added up over the processes, in float64."""
        if self.size == 1:
            return list(numbers)
        tensor = torch.tensor(numbers, dtype=torch.float64, device=_device())
        self._reduce(tensor)
        return [float(number) for number in tensor.tolist()]

    def add_gradients(self, weights: Sequence[Tensor], loss: Tensor) -> Tensor:
        """Add up the gradients in place, and give the sum of the losses.

        A weight without a gradient in every process keeps none; in some, it counts as 0 there.
        """
        if self.size == 1:
            return loss
        present = [float(weight.grad is not None) for weight in weights]
        facts = torch.cat([torch.tensor(present, device=loss.device), loss.detach().float().reshape(1)])
        self._reduce(facts)
        *used, total = facts.unbind()
        wanted = [weight for weight, count in zip(weights, torch.stack(used).tolist(), strict=True) if count]
        for weight in wanted:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        for bucket in _buckets([weight.grad for weight in wanted]):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            self._reduce(flat)
            for gradient, part in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                gradient.copy_(part.view_as(gradient))
        return total

    def share(self, modules: Iterable[nn.Module]) -> None:
        """Give every process the first one's weights and buffers."""
        if self.size == 1:
            return
        for module in modules:
            for tensor in module.state_dict().values():
                with _others_failing():
                    if tensor.is_contiguous():
                        dist.broadcast(tensor, 0)
                    else:
                        plain = tensor.contiguous()
                        dist.broadcast(plain, 0)
                        tensor.copy_(plain)

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with _others_failing():
            dist.all_gather_object(found, value)
        return found

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """What is refused in one process is refused in all, and said once.

        Raises:
            NoisyLabelsError: the first process's finding, or else that of the next that has one.
        """
        error = None
        try:
            yield
        except NoisyLabelsError as caught:
            error = caught
        found = next((one for one in self.gather(error) if one is not None), None)
        if found is not None:
            raise found if self.first else silent(found)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process goes ahead, the others follow when it is done."""
        if not self.first:
            self.gather(None)
        try:
            yield
        finally:
            if self.first:
                self.gather(None)

    def _reduce(self, tensor: Tensor) -> None:
        with _others_failing():
            dist.all_reduce(tensor)


ALONE = Group()
"""One process."""


def silent(error: NoisyLabelsError) -> SystemExit:
    """Leave with the exit code of an error that another process says, once it had the time to."""
    time.sleep(SECONDS_TO_SPEAK)
    return SystemExit(error.exit_code)


@contextmanager
def joined(device: str) -> Iterator[tuple[Group, str]]:
    """Join the processes that ``torchrun`` started, if it did.

    Args:
        device: as typed; auto and cuda become this process's own GPU.

    Yields:
        The group, and the device of this process.

    Raises:
        UsageError: there are more processes than GPUs on this machine.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield ALONE, device
        return
    group = Group(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if gpu:
        if group.local >= torch.cuda.device_count():
            raise UsageError(
                f"{group.local + 1} processes on this machine need as many GPUs, and it has "
                f"{torch.cuda.device_count()}; lower --nproc-per-node, or use --device cpu."
            )
        torch.cuda.set_device(group.local)
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield group, f"cuda:{group.local}" if gpu else "cpu"
        dist.barrier()
        time.sleep(SECONDS_TO_HANG_UP)
    finally:
        dist.destroy_process_group()


def _device() -> str:
    return "cuda" if dist.get_backend() == "nccl" else "cpu"


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors of one type put together, not much above ``_BUCKET`` numbers at a time."""
    waiting: list[Tensor] = []
    count = 0
    for tensor in tensors:
        if waiting and (count >= _BUCKET or tensor.dtype != waiting[0].dtype):
            yield waiting
            waiting, count = [], 0
        waiting.append(tensor)
        count += tensor.numel()
    if waiting:
        yield waiting


@contextmanager
def _others_failing() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        cause = " ".join(str(error).split())[:200]
        raise OtherFailed(
            f"Another process of this training ended or cannot be reached ({cause}); see what it said."
        ) from error
