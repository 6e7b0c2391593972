"""Normalised plus reverse cross-entropy: an active and a passive robust loss that help each other to learn.

a * log p / sum_k log p_k + b * -A (1 - p), p the probability of the given label. Normalised cross-entropy lies between
0 and 1, and sums to 1 over all labels a pixel could have: this is what makes it robust.

Source: Ma et al., Normalized loss functions for deep learning with noisy labels, ICML 2020; a = b = 1 are theirs for
CIFAR-10 (CIFAR-100: a = 10, b = 0.1), and A = -4 as in symmetric cross-entropy. Differs: from the released code, where
A is the logarithm of 1e-4, which is -9.21.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.labelled import mean_of, of_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of normalised plus reverse cross-entropy.

    Attributes:
        a: weight of normalised cross-entropy, which is active: it raises the given label's probability alone.
        b: weight of reverse cross-entropy, which is passive: it lowers the others'.
        log_zero: what the logarithm of 0 counts as, below 0.
    """

    a: float = 1.0
    b: float = 1.0
    log_zero: float = -4.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if min(self.a, self.b) < 0 or self.log_zero >= 0:
            raise UsageError("a and b must be 0 or more, log-zero below 0.")


class Loss(nn.Module):
    """a * normalised CE + b * reverse CE, mean over the labelled pixels."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.params = params

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        found, used = of_given(log_probs, labels)
        normalised = found / log_probs.sum(1)  # of K probabilities the logarithms sum to -K log K or less
        reverse = self.params.log_zero * torch.expm1(found)
        return mean_of(self.params.a * normalised + self.params.b * reverse, used)
