"""VolMin: learn the transition matrix with the network, as the one that encloses the class posteriors most tightly.

The network predicts the true class, a matrix T turns this into the probabilities of the given label, and both are
trained on the given labels together. Of the many pairs that explain them the one with the smallest |det T| is asked
for. Predictions are the network's, without T.

Paper:   Li et al., Provably End-to-end Label-Noise Learning without Anchor Points, ICML 2021; the row "VolMin" of
         JCAS, MICCAI 2022.
Code:    xuefeng-li1/Provably-end-to-end-label-noise-learning-without-anchor-points, and
         CityU-AIM-Group/JCAS, tools_ablation/VolMin.py (no licence; nothing is taken from either).
Differs: every pixel is an example. Volume weight and learning rate of T are the paper's; the row of the JCAS table has
         0.5 for the volume, starts from a trained baseline, overwrites the learning rate of T with the backbone's, and
         refines its predictions by affinity features that nobody trained. AdamW from random weights unless told
         otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.parts.transition import Transition, log_given, log_volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of VolMin.

    Attributes:
        volume_weight: weight of log |det T|.
        transition_lr: learning rate of the matrix (Adam, no schedule).
        initial: where every entry off the diagonal starts, before the sigmoid; -2 gives a diagonal of 0.737 for four
            classes.
    """

    volume_weight: float = 1e-4
    transition_lr: float = 0.01
    initial: float = -2.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        base.Params.__post_init__(self)
        self.positive("transition_lr")
        self.not_negative("volume_weight")


class Method(Base):
    """One network, one matrix."""

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.net, self.loss = task.build_net(), task.build_loss()
        self.transition = Transition(task.num_classes, params.initial)
        self.optimizer = self.new_optimizer(params, self.net, self.loss)
        self.transition_optimizer = torch.optim.Adam(
            [{"params": [*self.transition.parameters()], "scheduled": False}], params.transition_lr
        )

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """The loss of every head through T, and the volume of T."""
        matrix = self.transition()
        main = self.net(batch.image)
        loss = self.loss(log_given(main.logits, matrix), batch.labels)
        for output in main.aux:
            loss = loss + self.params.aux_weight * self.loss(log_given(output.logits, matrix), batch.labels)
        volume = log_volume(matrix)
        loss = loss + self.params.volume_weight * volume
        self.update(loss, at, self.optimizer, self.transition_optimizer)
        return {"loss": loss.item(), "log_volume": volume.item()}

    @torch.no_grad()
    def end_epoch(self, train: Iterable[Batch], at: Progress) -> Mapping[str, Any]:
        """The matrix, for the log."""
        return {"t_class": self.transition().tolist()}
