"""RAUNet: a residual attention U-Net with the CEL-Dice loss; a plain competitor without a model of the noise.

Paper:   Ni et al., RAUNet: Residual Attention U-Net for Semantic Segmentation of Cataract Surgical Instruments, ICONIP
         2019; the row "RAUNet" of JCAS, MICCAI 2022.
Code:    nizhenliang/RAUNet (no licence; nothing is taken from it).
Differs: the Dice part averages the classes that a batch holds instead of summing over all, see the loss ``cel-dice``;
         ``--compat author`` sums. The network pads images of any size inside. Adam at 1e-3 with the run's schedule from
         random weights unless told otherwise; theirs: 4e-5, times 0.8 every 30 of 200 epochs, batches of 8, from
         ImageNet weights (``--lr 4e-5 --net-encoder-weights FILE``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from noisylabels.errors import UsageError
from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.losses import cel_dice
from noisylabels_plugins.parts.transition import log_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of the RAUNet row.

    Attributes:
        dice_weight: share of the Dice part in the loss, 0 .. 1; cross-entropy has the rest.
        compat: author for the sum over all classes in the Dice part.
    """

    lr: float = 1e-3
    weight_decay: float = 0.0
    dice_weight: float = 0.2
    compat: Literal["none", "author"] = "none"

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        base.Params.__post_init__(self)
        if not 0 <= self.dice_weight <= 1:
            raise UsageError(f"dice-weight must be 0 .. 1, not {self.dice_weight}.")


class Method(Base):
    """One network, CEL-Dice."""

    DEFAULT_NET = "raunet"
    OWN_LOSS = True

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.net = task.build_net()
        classes = "all" if params.compat == "author" else "present"
        self.loss = cel_dice.Loss(cel_dice.Params(a=params.dice_weight, classes=classes), task.num_classes)
        self.optimizer = self.new_optimizer(params, self.net)

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """The loss of the main head, plus that of auxiliary heads, where another network has some."""
        main = self.net(batch.image)
        loss = self.loss(log_given(main.logits, None), batch.labels)
        for output in main.aux:
            loss = loss + self.params.aux_weight * self.loss(log_given(output.logits, None), batch.labels)
        self.update(loss, at, self.optimizer)
        return {"loss": loss.item()}
