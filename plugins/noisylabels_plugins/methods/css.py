"""CSS: object-contextual representations with Lovasz-softmax and more of the cases that hold rare classes.

A plain competitor without a model of the noise. Its loss knows no single pixel's likelihood: where wrong pixels make up
much of a rare class, the class is lost.

Paper:   Pissas et al., Effective Semantic Segmentation in Cataract Surgery: What Matters Most?, MICCAI 2021; taken to
         be the row "CSS" of JCAS, MICCAI 2022.
Code:    RViMLab/MICCAI2021_Cataract_semantic_segmentation (GPL-3; nothing is taken from it).
Differs: which classes a case holds is told from the given labels, noisy where they are: pixel noise puts every class
         into every case, and then all are drawn alike. An epoch has a fixed number of cases, see
         ``samplers.repeat_factor``. Images are not padded, blurred or colour-jittered; ``--augment`` says what is done.
         Adam at 1e-3 with the run's schedule from random weights unless told otherwise; theirs: 1e-4, times 0.96 with
         every one of 50 epochs, batches of 8, from ImageNet weights (``--lr 1e-4 --net-encoder-weights FILE``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.losses import lovasz
from noisylabels_plugins.parts.transition import log_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of the CSS row.

    Attributes:
        aux_weight: weight of the loss of the intermediate head.
    """

    lr: float = 1e-3
    weight_decay: float = 0.0
    aux_weight: float = 0.4


class Method(Base):
    """One network of two heads, Lovasz-softmax on both."""

    DEFAULT_NET = "ocrnet"
    OWN_LOSS = True
    SAMPLER = "repeat-factor"

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.net = task.build_net()
        self.loss = lovasz.Loss(lovasz.Params(), task.num_classes)
        self.optimizer = self.new_optimizer(params, self.net)

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """The loss of the main head, plus that of the intermediate one at its weight."""
        main = self.net(batch.image)
        loss = self.loss(log_given(main.logits, None), batch.labels)
        for output in main.aux:
            loss = loss + self.params.aux_weight * self.loss(log_given(output.logits, None), batch.labels)
        self.update(loss, at, self.optimizer)
        return {"loss": loss.item()}
