"""What every method gets for free: an update rule, a checkpoint of all it holds, plain prediction."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Batch, Progress
from noisylabels_plugins.update import Updates

_PLAIN = (int, float, bool, str)
_GIVEN = ("params", "task", "updates")
"""Attributes that are given anew and no part of the state."""
_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What every method that trains networks by gradient descent has.

    Attributes:
        lr: learning rate of the networks.
        weight_decay: weight decay of the networks.
        optimizer: adamw; or sgd with momentum, as most papers of the field have it.
        momentum: of sgd, 0 .. 1.
        aux_weight: weight of the loss of each auxiliary head, where the network has any.
    """

    lr: float = 3e-3
    weight_decay: float = 1e-4
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.9
    aux_weight: float = 0.1

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        self.positive("lr")
        self.not_negative("weight_decay", "aux_weight")
        if not 0 <= self.momentum < 1:
            raise UsageError(f"momentum must be 0 or more and below 1, not {self.momentum}.")

    def positive(self, *names: str) -> None:
        """Refuse fields that are not above 0; None passes."""
        for name in names:
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name.replace('_', '-')} must be above 0, not {value}.")

    def not_negative(self, *names: str) -> None:
        """Refuse fields below 0; None passes."""
        for name in names:
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise UsageError(f"{name.replace('_', '-')} must be 0 or more, not {value}.")


class Base:
    """Base of all methods.

    Attributes set in ``__init__`` are the state: modules, optimisers, tensors, numbers, and dicts and lists of these.
    ``params``, ``task`` and ``updates`` are given anew and not part of it.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    DEFAULT_NET: ClassVar[str] = "unet"
    OWN_LOSS: ClassVar[bool] = False
    SAMPLER: ClassVar[str] = "shuffle"
    DISTRIBUTED: ClassVar[bool] = True
    net: nn.Module
    lr: float = 0.0
    """Learning rate of the last update, for the log."""

    @staticmethod
    def new_optimizer(params: Params, *modules: nn.Module) -> torch.optim.Optimizer:
        """The optimiser that ``params`` ask for, over all that the modules want to learn."""
        groups = []
        for module in modules:
            own = (
                module.groups()
                if hasattr(module, "groups")
                else [{"params": module.parameters(), "factor": 1.0}]
            )
            for group in own:
                learnt = [weight for weight in group["params"] if weight.requires_grad]
                if learnt:
                    groups.append({"params": learnt, "lr": params.lr * group["factor"]})
        if params.optimizer == "sgd":
            return torch.optim.SGD(
                groups, params.lr, momentum=params.momentum, weight_decay=params.weight_decay, fused=True
            )
        return torch.optim.AdamW(groups, params.lr, weight_decay=params.weight_decay, fused=True)

    @cached_property
    def updates(self) -> Updates:
        """How a loss becomes an update; training puts its own here."""
        return Updates()

    def update(self, loss: Tensor, at: Progress, *optimizers: torch.optim.Optimizer) -> None:
        """One step of every optimiser down the gradient of ``loss``, at the scheduled learning rate.

        A parameter group with ``"scheduled": False`` keeps its own rate. Where a batch is cut into parts, the step
        is made at the last of them.

        Raises:
            NotFinite: the loss or its gradient is not finite; nothing was changed.
        """
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                base = group.setdefault("base_lr", group["lr"])
                group["lr"] = base * (at.lr_factor if group.get("scheduled", True) else 1.0)
        self.lr = float(optimizers[0].param_groups[0]["lr"])
        self.updates(loss, *optimizers)

    def end_epoch(self, train: Iterable[Batch], at: Progress) -> Mapping[str, Any]:
        """Nothing to do between epochs."""
        return {}

    def predict(self, image: Tensor) -> Tensor:
        """The network's class probabilities, (B, K, *S)."""
        return self.net(image).logits.softmax(1)

    def modules(self) -> dict[str, nn.Module]:
        """The method's networks by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, nn.Module)}

    def to(self, device: torch.device, channels_last: bool = True) -> "Base":
        """Move networks and tensors; called before the first step.

        Args:
            device: where to.
            channels_last: whether the weights of convolutions lie in memory by channel: on a CPU up to twice as fast.
        """
        for module in self.modules().values():
            module.to(device)
            if channels_last:
                for weight in module.parameters():
                    if weight.ndim in _LAYOUTS:
                        weight.data = weight.data.contiguous(memory_format=_LAYOUTS[weight.ndim])
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def train(self, mode: bool = True) -> None:
        """Put all networks into training or evaluation mode."""
        for module in self.modules().values():
            module.train(mode)

    def own_values(self) -> dict[str, Any]:
        """What it holds beside networks and optimisers, by attribute name."""
        return {name: value for name, value in self._held().items() if not hasattr(value, "state_dict")}

    def _held(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _GIVEN}

    def state_dict(self) -> dict[str, Any]:
        """Everything that ``__init__`` set, as tensors and plain values."""
        state = {}
        for name, value in self._held().items():
            if hasattr(value, "state_dict"):
                state[name] = value.state_dict()
            elif isinstance(value, (Tensor, dict, list, *_PLAIN)):
                state[name] = value
            else:
                raise TypeError(f"{type(self).__module__}: attribute '{name}' cannot be part of a checkpoint")
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` gave."""
        for name, value in state.items():
            current = getattr(self, name)
            if hasattr(current, "load_state_dict"):
                current.load_state_dict(value)
            else:
                setattr(self, name, value)
