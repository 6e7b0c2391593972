"""SR: sparse regularisation, which makes any loss robust by keeping predictions near one class.

Logits are normalised to length 1 over the classes and sharpened by a temperature, so that confidence is bounded; the
sum of the probabilities to a small power counts how many classes a prediction leaves open, and is kept small.

Paper:   Zhou et al., Learning with Noisy Labels via Sparse Regularization, ICCV 2021; the row "SR" of JCAS,
         MICCAI 2022.
Code:    hitcszx/lnl_sr, and CityU-AIM-Group/JCAS, tools_ablation/SparseReg.py (no licence; nothing is taken from
         either).
Differs: defaults are those of the JCAS table: temperature 0.5, power 0.01, weight 1, no growth (the paper, CIFAR-10:
         0.5, 0.1, 1.2, growing by 1.03 with every epoch). The table's predictions are refined by affinity features that
         nobody trained; these are the network's. AdamW from random weights unless told otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base

_SHORT = 1e-3
"""Logits shorter than this are not stretched to length 1: at 0 the slope would have no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of SR.

    Attributes:
        temperature: what normalised logits are divided by; for four classes 0.5 bounds a probability by 0.77. 0 leaves
            the logits as they are.
        power: exponent of the probabilities that are summed; towards 0 the sum counts classes.
        sparse_weight: weight of that sum in the first epoch.
        growth: what the weight is multiplied with after every epoch.
    """

    temperature: float = 0.5
    power: float = 0.01
    sparse_weight: float = 1.0
    growth: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        base.Params.__post_init__(self)
        self.positive("power", "growth")
        self.not_negative("temperature", "sparse_weight")


class Method(Base):
    """One network, its loss, and the sum of powers."""

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.net, self.loss = task.build_net(), task.build_loss()
        self.optimizer = self.new_optimizer(params, self.net, self.loss)

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """Loss and sparseness of every head."""
        main = self.net(batch.image)
        loss = self._objective(main.logits, batch.labels, at)
        for output in main.aux:
            loss = loss + self.params.aux_weight * self._objective(output.logits, batch.labels, at)
        self.update(loss, at, self.optimizer)
        return {"loss": loss.item()}

    def predict(self, image: Tensor) -> Tensor:
        """Class probabilities after the normalisation, (B, K, *S)."""
        return self._log_probs(self.net(image).logits).exp()

    def _objective(self, logits: Tensor, labels: Tensor, at: Progress) -> Tensor:
        log_probs = self._log_probs(logits)
        weight = self.params.sparse_weight * self.params.growth**at.epoch
        # Below 1e-7 the slope of the power, p ** (power - 1), has no use and no bound.
        powers = log_probs.exp().clamp(1e-7, 1) ** self.params.power
        return self.loss(log_probs, labels) + weight * powers.sum(1).mean()

    def _log_probs(self, logits: Tensor) -> Tensor:
        logits = logits if logits.dtype == torch.float64 else logits.float()
        if self.params.temperature > 0:
            logits = F.normalize(logits, dim=1, eps=_SHORT) / self.params.temperature
        return logits.log_softmax(1)
