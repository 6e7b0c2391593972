"""What every method gets for free: an update rule, a checkpoint of all it holds, plain prediction."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from noisylabels_plugins.api import Batch, Progress

_PLAIN = (int, float, bool, str)


class Base:
    """Base of all methods.

    Attributes set in ``__init__`` are the state: modules, optimisers, tensors, numbers, and dicts and lists of these.
    ``params`` and ``task`` are given anew and not part of it.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    net: nn.Module
    lr: float = 0.0
    """Learning rate of the last update, for the log."""

    def update(self, loss: Tensor, at: Progress, *optimizers: torch.optim.Optimizer) -> None:
        """One step of every optimiser down the gradient of ``loss``, at the scheduled learning rate.

        A parameter group with ``"scheduled": False`` keeps its own rate.
        """
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                base = group.setdefault("base_lr", group["lr"])
                group["lr"] = base * (at.lr_factor if group.get("scheduled", True) else 1.0)
        self.lr = float(optimizers[0].param_groups[0]["lr"])
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()

    def end_epoch(self, train: Iterable[Batch], at: Progress) -> Mapping[str, Any]:
        """Nothing to do between epochs."""
        return {}

    def predict(self, image: Tensor) -> Tensor:
        """The network's class probabilities, (B, K, *S)."""
        return self.net(image).logits.softmax(1)

    def modules(self) -> dict[str, nn.Module]:
        """The method's networks by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, nn.Module)}

    def to(self, device: torch.device) -> "Base":
        """Move networks and tensors; called by the loop before the first step."""
        for module in self.modules().values():
            module.to(device, memory_format=torch.channels_last)  # convolutions on a CPU: up to twice as fast
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def train(self, mode: bool = True) -> None:
        """Put all networks into training or evaluation mode."""
        for module in self.modules().values():
            module.train(mode)

    def state_dict(self) -> dict[str, Any]:
        """Everything that ``__init__`` set, as tensors and plain values."""
        state = {}
        for name, value in vars(self).items():
            if name in ("params", "task"):
                continue
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
