"""Forward: correct the loss by the true transition matrix of the noise, which is known where the noise was made.

The network predicts the true class, the matrix turns this into the probabilities of the given label. Beside a method
that learns such a matrix it tells what is lost by estimating it from what no matrix can mend. It is no bound of them:
where one matrix for all pixels does not describe the noise, as when whole objects flip, a wrong one may train better.

Where the noise is a function of the image, even the true matrix changes nothing: the loss at a pixel is least where the
whole probability is on the class k with the largest T[k, given], which is the given label itself unless another class
turns into it more often than it keeps itself.

Paper:   Patrini et al., Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach, CVPR 2017
         ("forward"); no row of the JCAS table.
Code:    giorgiop/loss-correction.
Differs: the matrix is the one that was measured when the noise was made, pooled over all training pixels, not one
         estimated from anchor points.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.parts.transition import log_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of the forward correction: those that every method has."""


class Method(Base):
    """One network, one fixed matrix."""

    needs = frozenset({"transition"})

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.net, self.loss = task.build_net(), task.build_loss()
        self.matrix = torch.tensor(task.transition) if task.transition else torch.eye(task.num_classes)
        self.optimizer = self.new_optimizer(params, self.net, self.loss)

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """The loss of every head through the matrix."""
        main = self.net(batch.image)
        loss = self.loss(log_given(main.logits, self.matrix), batch.labels)
        for output in main.aux:
            loss = loss + self.params.aux_weight * self.loss(
                log_given(output.logits, self.matrix), batch.labels
            )
        self.update(loss, at, self.optimizer)
        return {"loss": loss.item()}
