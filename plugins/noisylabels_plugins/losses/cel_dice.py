"""CEL-Dice: cross-entropy, and the logarithm of soft Dice, which never lets go of a class that is missed.

(1 - a) CE - a * mean over classes of log Dice_c, Dice_c = (2 sum p y + eps) / (sum p + sum y + eps) over the batch.

Source: Ni et al., RAUNet: residual attention U-Net for semantic segmentation of cataract surgical instruments, ICONIP
2019; a = 0.2 is theirs. Differs: from the released code, unless ``classes`` is all. The code sums over the classes, so
that the Dice part outweighs cross-entropy as soon as there are four of them, and gives a class that no label of the
batch has the logarithm of a Dice of nearly 0: about a * 34 for eps = 1e-15, out of proportion to what can be learned
from it. Here the classes that the batch's labels hold are averaged, and eps is 1e-7.

Where a batch is cut into parts or shared by processes, every part has its own loss.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.labelled import dice_of_classes, mean_of, mean_present, of_given, one_hot


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of CEL-Dice.

    Attributes:
        a: share of the Dice part, 0 .. 1; 0 is cross-entropy.
        classes: present for the mean over the classes that the batch's labels hold, all for the sum over all.
    """

    a: float = 0.2
    classes: Literal["present", "all"] = "present"

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if not 0 <= self.a <= 1:
            raise UsageError(f"a must be 0 .. 1, not {self.a}.")


class Loss(nn.Module):
    """(1 - a) CE - a log Dice, background included."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.params, self.num_classes = params, num_classes

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        found, used = of_given(log_probs, labels)
        targets = one_hot(labels, self.num_classes, log_probs.dtype)
        everything = self.params.classes == "all"
        dice, present = dice_of_classes(log_probs.exp(), targets, eps=1e-15 if everything else 1e-7)
        missed = -dice.log().sum() if everything else mean_present(-dice.log(), present)
        return (1 - self.params.a) * mean_of(-found, used) + self.params.a * missed
