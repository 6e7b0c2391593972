"""Symmetric cross-entropy: cross-entropy, plus the same with label and prediction exchanged.

a * -log p + b * -A (1 - p), p the probability of the given label; A stands for the logarithm of 0 that the exchange
asks for. The second term is a mean absolute error.

Source: Wang et al., Symmetric cross entropy for robust learning with noisy labels, ICCV 2019; a = 0.1, b = 1, A = -4
are theirs for CIFAR-10 (CIFAR-100: a = 6, b = 0.1). Differs: from the released code, where A is the logarithm of 1e-4,
which is -9.21.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.labelled import mean_of, of_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of symmetric cross-entropy.

    Attributes:
        a: weight of cross-entropy.
        b: weight of reverse cross-entropy.
        log_zero: what the logarithm of 0 counts as, below 0.
    """

    a: float = 0.1
    b: float = 1.0
    log_zero: float = -4.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if min(self.a, self.b) < 0 or self.log_zero >= 0:
            raise UsageError("a and b must be 0 or more, log-zero below 0.")


class Loss(nn.Module):
    """a * CE + b * reverse CE, mean over the labelled pixels."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.params = params

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        found, used = of_given(log_probs, labels)
        reverse = self.params.log_zero * torch.expm1(found)
        return mean_of(self.params.b * reverse - self.params.a * found, used)
