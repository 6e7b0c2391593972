"""Cross-entropy on the labels as they are: what every robust method is compared with.

Trained on noisy labels it is the *baseline*; trained on clean labels it is the *upper bound*.

Paper:   none; the row "Baseline" of JCAS, MICCAI 2022, with its own network.
Code:    CityU-AIM-Group/JCAS, tools_ablation/Baseline.py.
Differs: the network is given from outside and trained from random weights, hence AdamW and its learning rate instead
         of SGD at 1e-4; auxiliary heads, where the network has them, weigh 0.1 as there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.parts.transition import corrected_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of the baseline.

    Attributes:
        lr: learning rate of AdamW.
        weight_decay: weight decay of AdamW.
        aux_weight: weight of each auxiliary head's loss.
    """

    lr: float = 3e-3
    weight_decay: float = 1e-4
    aux_weight: float = 0.1

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if not 0 < self.lr < 1e6 or not 0 <= self.weight_decay < 1e6:
            raise UsageError(
                f"lr must be above 0 and weight-decay not below it, not {self.lr} and {self.weight_decay}."
            )


class Method(Base):
    """One network, cross-entropy."""

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.net = task.build_net()
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), params.lr, weight_decay=params.weight_decay, fused=True
        )

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """Cross-entropy of the main head, plus that of the auxiliary heads at their weight."""
        main = self.net(batch.image)
        loss = corrected_loss(main.logits, batch.labels, None)
        for output in main.aux:
            loss = loss + self.params.aux_weight * corrected_loss(output.logits, batch.labels, None)
        self.update(loss, at, self.optimizer)
        return {"loss": loss.item()}
