"""MTCL: a mean teacher learns from clean labels and consistency, and corrects the noisy labels on the way.

A few cases have labels that may be believed. The student is trained on them; on all others it is asked to agree with
the running mean of itself under disturbance, and to learn the given labels after the teacher has corrected what
confident learning flags in them.

Paper:   Xu et al., Noisy Labels are Treasure: Mean-Teacher-Assisted Confident Learning for Hepatic Vessel Segmentation,
         MICCAI 2021, and Anti-Interference from Noisy Labels, TMI 2022; the row "MTCL" of JCAS, MICCAI 2022.
Code:    lemoshu/MTCL (no licence; nothing is taken from it).
Differs: 1. any number of classes: y' = (1 - s X) y + s X t, X the flagged pixels and t the teacher's class; for two
         classes this is the published flip. 2. Corrected labels stay soft; the code cuts them to whole numbers, which
         undoes both kinds of smoothing. 3. Both losses are half cross-entropy, half Dice, in 2-D as in 3-D; the 2-D
         code adds focal and boundary loss and a vesselness channel, which are made for thin vessels. Dice leaves out
         classes that its labels do not hold. 4. The teacher averages the running statistics of normalisation too, and
         predicts with them; the code lets it use each batch's own. 5. Its ramps are shares of the training (2-D: weight
         up over all 30 000 updates, correction from update 200 on; 3-D: up over 6 000 of 8 000), since trainings here
         are shorter. 6. Where confident learning flags nothing, the given labels are used; the code takes the loss of
         an earlier batch. 7. AdamW from random weights unless told otherwise (theirs: SGD at 0.01).
         Predictions are the student's, as in the code.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from noisylabels.case import IGNORE
from noisylabels.errors import UsageError
from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.parts.confident import probably_wrong
from noisylabels_plugins.parts.ema import early_decay, follow, teacher_of
from noisylabels_plugins.parts.labelled import dice_of_classes, mean_present, one_hot
from noisylabels_plugins.parts.transition import log_given


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of MTCL.

    Attributes:
        smoothing: how far a flagged label moves to the teacher's class: hard (all the way), fixed (by ``smooth``), or
            uncertainty (by one minus the teacher's normalised entropy).
        smooth: how far in fixed smoothing, 0 .. 1.
        passes: disturbed predictions whose mean gives that entropy; not given: 4 in 2-D, 6 in 3-D.
        decay: of the running mean that the teacher is, below 1.
        consistency: full weight of all that is learned from the other cases.
        correction: weight of the corrected labels within that; agreement with the teacher weighs 1.
        ramp: share of the training over which that weight grows; not given: 1 in 2-D, 0.75 in 3-D.
        correct_from: share of the training after which corrected labels are learned.
        disturbance: standard deviation of the noise on the teacher's images, in standard deviations of the images;
            cut at twice this.
    """

    smoothing: Literal["uncertainty", "fixed", "hard"] = "uncertainty"
    smooth: float = 0.8
    passes: int | None = None
    decay: float = 0.99
    consistency: float = 0.1
    correction: float = 5.0
    ramp: float | None = None
    correct_from: float = 0.0067
    disturbance: float = 0.1

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        base.Params.__post_init__(self)
        self.positive("passes", "ramp")
        self.not_negative("consistency", "correction", "disturbance")
        for name in ("smooth", "decay", "correct_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name.replace('_', '-')} must be 0 .. 1, not {getattr(self, name)}.")


class Method(Base):
    """A student and its teacher.

    Only one process can train it: confident learning looks at all the labels of a batch, and the teacher's disturbance
    is drawn for all of it.
    """

    needs = frozenset({"trusted"})
    OWN_LOSS = True
    SAMPLER = "two-stream"
    DISTRIBUTED = False

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.net = task.build_net()
        self.teacher = teacher_of(self.net)
        self.optimizer = self.new_optimizer(params, self.net)

    def train(self, mode: bool = True) -> None:
        """Student in training or evaluation mode; the teacher always evaluates."""
        super().train(mode)
        self.teacher.train(False)

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """Trusted labels, agreement with the teacher and corrected labels, for every head of the student."""
        trusted = [case_id in self.task.trusted for case_id in batch.case_ids]
        clean = torch.tensor(
            [i for i, known in enumerate(trusted) if known], device=batch.labels.device
        ).long()
        noisy = torch.tensor([i for i, known in enumerate(trusted) if not known]).to(clean)
        labels = one_hot(batch.labels, self.task.num_classes)
        agreed, corrected, flagged = self._teach(batch.image[noisy], batch.labels[noisy], labels[noisy])
        correcting = at.fraction >= self.params.correct_from

        main = self.net(batch.image)
        loss = torch.zeros((), device=batch.image.device)
        for output in (main, *main.aux):
            log_probs = log_given(output.logits, None)
            by_others = _disagreement(log_probs[noisy], agreed)
            if correcting:
                by_others = by_others + self.params.correction * _supervised(log_probs[noisy], corrected)
            own = _supervised(log_probs[clean], labels[clean]) + self.weight(at) * by_others
            loss = loss + (1.0 if output is main else self.params.aux_weight) * own
        self.update(loss, at, self.optimizer)
        if self.updates.last:  # of the parts that a batch may be cut into
            follow(self.teacher, self.net, early_decay(self.params.decay, at.step))
        return {"loss": loss.item(), "flagged": flagged.item()}

    def weight(self, at: Progress) -> float:
        """What is learned from the other cases weighs consistency * exp(-5 (1 - t) ** 2), t from 0 to 1."""
        ramp = self.params.ramp or (1.0 if self.task.dims == 2 else 0.75)
        return self.params.consistency * math.exp(-5 * (1 - min(at.fraction / ramp, 1)) ** 2)

    @torch.no_grad()
    def _teach(self, image: Tensor, labels: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the teacher says about images (B, C, *S), labels (B, *S) and the same one-hot (B, K, *S).

        Returns:
            Its probabilities under disturbance (B, K, *S), the corrected labels (B, K, *S), and the flagged share.
        """
        if not len(image):
            return given, given, torch.zeros(())
        agreed = self._probs(self._disturbed(image))
        probs = self._probs(image)
        used = labels != IGNORE
        wrong = torch.zeros_like(used)
        wrong[used] = probably_wrong(probs.movedim(1, -1)[used], labels[used])
        moved = wrong[:, None] * self._how_far(image)
        taught = one_hot(probs.argmax(1), self.task.num_classes)
        return agreed, (1 - moved) * given + moved * taught, wrong.sum() / used.sum().clamp(min=1)

    def _how_far(self, image: Tensor) -> Tensor | float:
        """How far flagged labels move, 0 .. 1: a number, or (B, 1, *S)."""
        if self.params.smoothing != "uncertainty":
            return 1.0 if self.params.smoothing == "hard" else self.params.smooth
        passes = self.params.passes or (4 if self.task.dims == 2 else 6)
        mean = sum(self._probs(self._disturbed(image)) for _ in range(passes)) / passes
        entropy = -torch.special.xlogy(mean, mean).sum(1, keepdim=True)
        return (1 - entropy / math.log(self.task.num_classes)).clamp(0, 1)

    def _disturbed(self, image: Tensor) -> Tensor:
        size = self.params.disturbance
        return image + (size * torch.randn_like(image)).clamp(-2 * size, 2 * size)

    def _probs(self, image: Tensor) -> Tensor:
        return self.teacher(image).logits.float().softmax(1)


def _supervised(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Half cross-entropy, half Dice against labels (B, K, *S) that may be soft; 0 when no pixel has one."""
    used = targets.sum(1) > 0
    entropy = -(targets * log_probs).sum() / used.sum().clamp(min=1)
    dice, present = dice_of_classes(log_probs.exp(), targets, squared=True)
    return 0.5 * (entropy + mean_present(1 - dice, present))


def _disagreement(log_probs: Tensor, agreed: Tensor) -> Tensor:
    """Mean squared difference of probabilities (B, K, *S); 0 without cases."""
    return (log_probs.exp() - agreed).square().sum() / max(1, agreed.numel())
