"""Noise-robust Dice: sum |p - y| ** gamma / (sum p ** 2 + sum y ** 2), between Dice and mean absolute error.

With gamma = 2 it is one minus the soft Dice with squares below; with gamma = 1 a mean absolute error that every class
has for itself.

Source: Wang et al., A noise-robust framework for automatic segmentation of COVID-19 pneumonia lesions from CT images
(COPLE-Net), TMI 2020; gamma = 1.5, eps = 1e-5 are theirs. Differs: from the released code (PyMIC), which has sum p +
sum y below; classes that the batch's labels do not hold are left out.

Where a batch is cut into parts or shared by processes, every part has its own loss.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.labelled import mean_present, one_hot

_EPS = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of noise-robust Dice.

    Attributes:
        gamma: 1 .. 2: the smaller, the more robust.
    """

    gamma: float = 1.5

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if not 1 <= self.gamma <= 2:
            raise UsageError(f"gamma must be 1 .. 2, not {self.gamma}.")


class Loss(nn.Module):
    """Mean over the classes that are present, background included; sums over the whole batch."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.gamma, self.num_classes = params.gamma, num_classes

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        targets = one_hot(labels, self.num_classes, log_probs.dtype)
        probs = log_probs.exp() * (targets.sum(1, keepdim=True) > 0)
        axes = [axis for axis in range(probs.ndim) if axis != 1]
        above = ((probs - targets).abs() ** self.gamma).sum(axes)
        below = (probs.square() + targets.square()).sum(axes) + _EPS
        return mean_present(above / below, targets.sum(axes) > 0)
