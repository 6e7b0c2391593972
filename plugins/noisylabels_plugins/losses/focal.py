"""Focal loss: cross-entropy that forgets what it already knows, (1 - p) ** gamma * -log p.

It is made for rare classes, not for noise: a wrong label, which the network finds unlikely, keeps its full weight.

Source: Lin et al., Focal loss for dense object detection, ICCV 2017; gamma = 2 is theirs (LWANet has 6). Differs:
without their class weights.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.labelled import mean_of, of_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of the focal loss.

    Attributes:
        gamma: 0 or more; 0 is cross-entropy.
        constant: take the weight (1 - p) ** gamma as a constant that no gradient goes through, as much released code
            does.
    """

    gamma: float = 2.0
    constant: bool = False

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if not 0 <= self.gamma < float("inf"):
            raise UsageError(f"gamma must be 0 or more, not {self.gamma}.")


class Loss(nn.Module):
    """(1 - p(given)) ** gamma * -log p(given), mean over the labelled pixels."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.params = params

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        found, used = of_given(log_probs, labels)
        # Clamped because at p = 1 the power of 0 has no slope for gamma below 1.
        weight = (-torch.expm1(found)).clamp(min=1e-7) ** self.params.gamma
        return mean_of(-(weight.detach() if self.params.constant else weight) * found, used)
