"""From a loss to an update: parts of a batch, scaling, processes, the length of the gradient, and what is not finite.

A method calls ``Base.update`` as if it had the whole batch to itself. The loop says here which part it really has.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels_plugins.distributed import ALONE, Group

SMALLEST_SCALE = 2.0**-10
"""fp16 halves its scale after an overflow; below this it is not the scale that is wrong."""


class NotFinite(NoisyLabelsError):
    """A loss or gradient is not finite; no weight was changed."""


class Updates:
    """How the gradient of a loss becomes one step of some optimisers.

    Args:
        scaler: of fp16; None elsewhere.
        clip_norm: longest gradient; None for any.
        group: the processes that share a batch.

    Attributes:
        settled: whether the weights are those after the last finished update, and not in the middle of one.
        grad_norm: length of the last gradient, before it was clipped; None before the first.
    """

    def __init__(
        self,
        scaler: torch.amp.GradScaler | None = None,
        clip_norm: float | None = None,
        group: Group = ALONE,
    ) -> None:
        self.scaler, self.clip_norm, self.group = scaler, clip_norm, group
        self.settled = True
        self.grad_norm: float | None = None
        self._weight, self._first, self._last = 1.0, True, True
        self._losses: dict[tuple[int, ...], Tensor] = {}
        self._seen: set[int] = set()

    def start(self) -> None:
        """A new batch."""
        self._losses = {}

    def part(self, weight: float, first: bool, last: bool) -> None:
        """The next part of the batch, with its share of all cases; gradients of the parts are added up."""
        self._weight, self._first, self._last = weight, first, last
        self._seen = set()

    @property
    def last(self) -> bool:
        """Whether this is the last part of the batch, the one that steps are made at."""
        return self._last

    def __call__(self, loss: Tensor, *optimizers: torch.optim.Optimizer) -> None:
        """Go down the gradient of ``loss``, or, before the last part of a batch, only keep it.

        Raises:
            NotFinite: the loss or its gradient is not finite.
        """
        weights = [weight for one in optimizers for group in one.param_groups for weight in group["params"]]
        key = self._key(optimizers)
        if self._first:
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
        own = loss * self._weight if self._weight != 1 else loss
        self._losses[key] = self._losses.get(key, 0.0) + own.detach()
        # Only the optimisers' own parameters: what another update of this step wants is not its business.
        # Out of autocast: it would make the products of the gradient in bf16, also of what was computed in fp32.
        with torch.autocast(own.device.type, enabled=False):
            (self.scaler.scale(own) if self.scaler else own).backward(inputs=weights)
        if self._last:
            self._step(self._losses[key], weights, optimizers)
            torch.clear_autocast_cache()  # its copies of the weights are those before the step

    def _key(self, optimizers: Sequence[torch.optim.Optimizer]) -> tuple[int, ...]:
        key = tuple(map(id, optimizers))
        if self._seen & set(key) and not (self._first and self._last):
            raise UsageError(
                "This method updates its network twice in a batch, which therefore cannot be cut; "
                "leave out --accumulate."
            )
        self._seen |= set(key)
        return key

    def _step(
        self, loss: Tensor, weights: Sequence[Tensor], optimizers: Sequence[torch.optim.Optimizer]
    ) -> None:
        total = self.group.add_gradients(weights, loss)
        if self.scaler:
            for optimizer in optimizers:
                self.scaler.unscale_(optimizer)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        norm = _length(gradients, total)
        # One wait for the device instead of two.
        value, length = torch.stack([total.float(), norm.float()]).tolist()
        self._check(value, length)
        if self.clip_norm is not None and self.clip_norm < length < math.inf:
            torch._foreach_mul_(gradients, self.clip_norm / length)
        self.settled = False
        if math.isfinite(length):  # else all of them skip it, not only those with a gradient that overflowed
            for optimizer in optimizers:
                if self.scaler:
                    self.scaler.step(optimizer)
                else:
                    optimizer.step()
        if self.scaler:
            self.scaler.update()

    def _check(self, loss: float, norm: float) -> None:
        if not math.isfinite(loss):
            raise NotFinite(f"The loss is {loss}")
        overflow = not math.isfinite(norm)
        if overflow and (self.scaler is None or self.scaler.get_scale() < SMALLEST_SCALE):
            raise NotFinite(f"The length of the gradient is {norm}")
        self.grad_norm = None if overflow else norm

    def state_dict(self) -> dict[str, Any]:
        """What a later training needs to go on: the scale of fp16."""
        return self.scaler.state_dict() if self.scaler else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` gave."""
        if self.scaler and state:
            self.scaler.load_state_dict(state)


def _length(gradients: Sequence[Tensor], like: Tensor) -> Tensor:
    """Euclidean length of all gradients together; 0 where there is none."""
    if not gradients:
        return torch.zeros_like(like)
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
