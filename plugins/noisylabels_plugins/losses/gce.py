"""Generalised cross-entropy: between cross-entropy (q towards 0) and mean absolute error (q = 1).

(1 - p ** q) / q, p the probability of the given label. Its slope is that of cross-entropy times p ** q: pixels whose
label the network finds unlikely count less.

Source: Zhang and Sabuncu, Generalized cross entropy loss for training deep neural networks with noisy labels, NeurIPS
2018; q = 0.7 is theirs. Differs: without their truncation, which leaves out pixels below a probability.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.labelled import mean_of, of_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of generalised cross-entropy.

    Attributes:
        q: above 0, at most 1: the larger, the more robust and the slower to learn.
    """

    q: float = 0.7

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if not 0 < self.q <= 1:
            raise UsageError(f"q must be above 0 and at most 1, not {self.q}.")


class Loss(nn.Module):
    """(1 - p(given) ** q) / q, mean over the labelled pixels."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.q = params.q

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        found, used = of_given(log_probs, labels)
        return mean_of(-torch.expm1(self.q * found) / self.q, used)
