"""When an update fails: the method as it was before, and what to say."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels_plugins.api import Progress
from noisylabels_plugins.base import Base


class Before:
    """What an update may change before its optimisers step: buffers of the networks, and the method's own numbers.

    Weights and momenta need no copy: nothing but a step changes them.
    """

    def __init__(self, method: Base) -> None:
        self.method = method
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for module in method.modules().values():
            for buffer in module.buffers():
                kinds.setdefault(buffer.dtype, []).append(buffer)
        self._buffers = list(kinds.values())
        self._copies = [[torch.empty_like(buffer) for buffer in kind] for kind in self._buffers]
        self._own: dict[str, Any] = {}

    def keep(self) -> None:
        """Remember how it is now."""
        self._copy(self._copies, self._buffers)
        self._own = {name: _copied(value) for name, value in self.method.own_values().items()}

    def put_back(self) -> None:
        """Undo a batch; nothing where an optimiser has already made its step."""
        if not self.method.updates.settled:
            return
        self._copy(self._buffers, self._copies)
        for name, value in self._own.items():
            setattr(self.method, name, value)

    @staticmethod
    @torch.no_grad()
    def _copy(to: list[list[Tensor]], source: list[list[Tensor]]) -> None:
        for some, others in zip(to, source, strict=True):
            torch._foreach_copy_(some, others)


class BrokenBatch(NoisyLabelsError):
    """A loss or gradient was not finite.

    Attributes:
        note: step, epoch, cases and finding, for a file.
    """

    def __init__(self, finding: str, at: Progress, ids: Sequence[str]) -> None:
        self.note: dict[str, Any] = {
            "finding": finding,
            "epoch": at.epoch,
            "step": at.step,
            "cases": list(ids),
        }
        super().__init__(
            f"{finding} at step {at.step} (cases {', '.join(ids)}); "
            "lower the learning rate, or look at these cases."
        )


def explained(error: Exception) -> Exception:
    """The same in one sentence, for what torch refuses because of a setting of ours; else the error itself."""
    text = " ".join(str(error).split())
    if "does not have a deterministic implementation" in text:
        what = text.split(" does not have")[0]
        return UsageError(f"{what} gives other bits every time on this GPU; leave out --deterministic.")
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return UsageError(
            f"torch.compile failed ({text[:200]}); leave out --compile or choose another backend."
        )
    if "Expected more than 1 value per channel" in text:
        return UsageError(
            "An image of this size leaves the network one value per channel, and batch normalisation needs more: use "
            "a larger --batch-size, larger images, a smaller --net-depth or, where there is one, --net-norm group."
        )
    return error


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return value.copy() if isinstance(value, dict | list) else value
