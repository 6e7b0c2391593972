"""The numbers that a network computes in."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from noisylabels.errors import UsageError

FP32, BF16, FP16 = "fp32", "bf16", "fp16"
_TYPES = {FP32: torch.float32, BF16: torch.bfloat16, FP16: torch.float16}


@dataclass(frozen=True, slots=True)
class Precision:
    """Where a network computes, and in what.

    Attributes:
        name: fp32, bf16 or fp16.
        device: where.
    """

    name: str
    device: torch.device

    def autocast(self) -> AbstractContextManager[None]:
        """Within it, convolutions and matrix products are computed in this precision."""
        return torch.autocast(self.device.type, _TYPES[self.name], enabled=self.name != FP32)

    def scaler(self) -> torch.amp.GradScaler | None:
        """Keeps small gradients from becoming 0 in fp16; None where nothing of the kind is needed."""
        return torch.amp.GradScaler(self.device.type) if self.name == FP16 else None


def choose_precision(name: str, device: torch.device) -> Precision:
    """The precision that was asked for; ``auto`` is bf16 on a GPU that has it, else fp32.

    Raises:
        UsageError: the device has no such numbers.
    """
    has_bf16 = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "auto":
        return Precision(BF16 if device.type == "cuda" and has_bf16 else FP32, device)
    if name == BF16 and not has_bf16:
        raise UsageError("This GPU has no bf16; use --precision fp16 or fp32.")
    return Precision(name, device)
