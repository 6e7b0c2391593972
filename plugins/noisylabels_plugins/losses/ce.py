"""Cross-entropy: minus the log-probability of the given label.

Source: the loss of every method here that names no other.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from noisylabels.case import IGNORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Cross-entropy has no parameters."""


class Loss(nn.Module):
    """-log p(given), mean over the labelled pixels."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        used = labels != IGNORE
        given = log_probs.gather(1, labels.masked_fill(~used, 0)[:, None])[:, 0]
        return -(given * used).sum() / used.sum().clamp(min=1)
