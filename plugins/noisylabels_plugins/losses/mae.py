"""Mean absolute error between probabilities and given label: 2 (1 - p), robust to symmetric noise, slow to learn.

Source: Ghosh, Kumar, Sastry, Robust loss functions under label noise for deep neural networks, AAAI 2017.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisylabels_plugins.parts.labelled import mean_of, of_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Mean absolute error has no parameters."""


class Loss(nn.Module):
    """Sum over the classes of |p - one-hot label|, which is 2 (1 - p(given)); mean over the labelled pixels."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        found, used = of_given(log_probs, labels)
        return mean_of(-2 * torch.expm1(found), used)
