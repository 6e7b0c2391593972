"""LWANet: a light network with attention and a focal loss; a plain competitor without a model of the noise.

With gamma = 6 the loss all but stops where the given label has a probability above a half, and stays strong where the
label is wrong: under heavy noise the row of the JCAS table collapses, and so may this.

Paper:   Ni et al., Attention-Guided Lightweight Network for Real-Time Segmentation of Robotic Surgical Instruments,
         ICRA 2020; the row "LWANet" of JCAS, MICCAI 2022.
Code:    nizhenliang/LWANet (no licence; nothing is taken from it).
Differs: labels are used at full resolution, and the focal weight takes part in the gradient. ``--compat author`` takes
         the largest class of every 4 x 4 pixels for all of them, as the code does (classes with large numbers grow),
         and the focal weight as a constant; the loss is still taken at every pixel, of logits that the network has
         up-sampled. ``--net-compat author`` restores the code's last layer. A pixel without a label stays without one.
         Adam at 1e-3 with the run's schedule from random weights unless told otherwise; theirs: 2e-5, times 0.8 every
         30 of 200 epochs, batches of 8, from ImageNet weights (``--lr 2e-5 --net-encoder-weights FILE``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from noisylabels.case import IGNORE
from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.losses import focal
from noisylabels_plugins.parts.transition import log_given

CELL = 4
"""Pixels along every axis that share a label in the authors' code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of the LWANet row.

    Attributes:
        gamma: of the focal loss; 0 is cross-entropy.
        compat: author for coarse labels and a focal weight without gradient.
    """

    lr: float = 1e-3
    weight_decay: float = 0.0
    gamma: float = 6.0
    compat: Literal["none", "author"] = "none"

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        base.Params.__post_init__(self)
        self.not_negative("gamma")


class Method(Base):
    """One network, the focal loss."""

    DEFAULT_NET = "lwanet"
    OWN_LOSS = True

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.author = params.compat == "author"
        self.net = task.build_net()
        self.loss = focal.Loss(focal.Params(gamma=params.gamma, constant=self.author), task.num_classes)
        self.optimizer = self.new_optimizer(params, self.net)

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """The loss of the main head, plus that of auxiliary heads, where another network has some."""
        labels = coarse(batch.labels) if self.author else batch.labels
        main = self.net(batch.image)
        loss = self.loss(log_given(main.logits, None), labels)
        for output in main.aux:
            loss = loss + self.params.aux_weight * self.loss(log_given(output.logits, None), labels)
        self.update(loss, at, self.optimizer)
        return {"loss": loss.item()}


def coarse(labels: Tensor) -> Tensor:
    """Every pixel gets the largest class of its cell; IGNORE, which is no class, stays where it is.

    >>> import torch
    >>> coarse(torch.tensor([[[0, 1, 0, 255, 0, 0, 0]]])).tolist()
    [[[1, 1, 1, 255, 0, 0, 0]]]

    Args:
        labels: (B, *S).
    """
    ignored = labels == IGNORE
    pool = F.max_pool2d if labels.ndim == 3 else F.max_pool3d
    large = pool(labels.masked_fill(ignored, 0)[:, None].float(), CELL, ceil_mode=True)[:, 0].long()
    for axis in range(1, labels.ndim):
        large = large.repeat_interleave(CELL, axis).narrow(axis, 0, labels.shape[axis])
    return large.masked_fill(ignored, IGNORE)
