"""Cross-entropy plus soft Dice: the usual loss of medical segmentation, not made for noise.

CE + 1 - mean over classes of (2 sum p y + eps) / (sum p + sum y + eps), sums over the whole batch.

Source: Isensee et al., nnU-Net, Nature Methods 2021; background has no Dice there and here, eps = 1e-5. Differs: a
class that the batch's labels do not hold has no Dice (theirs is a constant near 1 with next to no slope).

Where a batch is cut into parts or shared by processes, every part has its own loss.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.labelled import dice_of_classes, mean_of, mean_present, of_given, one_hot


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of cross-entropy plus Dice.

    Attributes:
        dice_weight: weight of the Dice part; cross-entropy weighs 1.
    """

    dice_weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if not 0 <= self.dice_weight < float("inf"):
            raise UsageError(f"dice-weight must be 0 or more, not {self.dice_weight}.")


class Loss(nn.Module):
    """CE + dice_weight * (1 - Dice)."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.dice_weight, self.num_classes = params.dice_weight, num_classes

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        found, used = of_given(log_probs, labels)
        targets = one_hot(labels, self.num_classes, log_probs.dtype)
        dice, present = dice_of_classes(log_probs.exp(), targets)
        return mean_of(-found, used) + self.dice_weight * mean_present(1 - dice[1:], present[1:])
