"""Train on the labels as they are: what every robust method is compared with.

Trained on noisy labels it is the *baseline*; trained on clean labels it is the *upper bound*.

Paper:   none; the row "Baseline" of JCAS, MICCAI 2022, with its own network.
Code:    CityU-AIM-Group/JCAS, tools_ablation/Baseline.py.
Differs: the network is given from outside and trained from random weights, hence AdamW and its learning rate instead
         of SGD at 1e-4 (``--optimizer sgd`` has that); auxiliary heads, where the network has them, weigh 0.1 as there;
         cross-entropy unless another loss is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.parts.transition import log_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of the baseline: those that every method has."""


class Method(Base):
    """One network, one loss."""

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.net, self.loss = task.build_net(), task.build_loss()
        self.optimizer = self.new_optimizer(params, self.net, self.loss)

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """The loss of the main head, plus that of the auxiliary heads at their weight."""
        main = self.net(batch.image)
        loss = self.loss(log_given(main.logits, None), batch.labels)
        for output in main.aux:
            loss = loss + self.params.aux_weight * self.loss(log_given(output.logits, None), batch.labels)
        self.update(loss, at, self.optimizer)
        return {"loss": loss.item()}
