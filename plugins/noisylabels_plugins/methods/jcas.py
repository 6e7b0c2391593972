"""JCAS: correct the loss on classes and on pixel pairs jointly, and refine predictions by learned affinity.

Two branches share a network. One predicts the class of every pixel; the other predicts for every pair of positions
whether they belong to the same class. *Differentiated affinity reasoning* (DAR) lets the pairs refine the classes;
*class-affinity loss correction* (CALC) explains the noise in both by a transition matrix each, T_C (K x K) and T_A
(2 x 2), kept consistent by the T_A that follows from T_C. A warm-up trains both branches without correction.

Paper:   Guo and Yuan, Joint Class-Affinity Loss Correction for Robust Medical Image Segmentation with Noisy Labels,
         MICCAI 2022.
Code:    CityU-AIM-Group/JCAS (no licence; nothing is taken from it).
Differs: from the released code, in both variants: one network trains through both stages, each with the learning-rate
         schedule to itself (the release: two runs, the second from the checkpoint that was best on the test images);
         AdamW from random weights (the release: SGD from an unnamed checkpoint); the affinity heads have equally many
         channels (the release: 128 and 256), on a grid that keeps the shape of the image (the release: 64x64 for
         256x320). Losses are means, DAR acts on logits, its two directions are averaged, and the refined and the plain
         prediction are both supervised and added up at prediction: as in the code, where the poster does not say.
         Further in the default variant "corrected"; ``--variant published`` restores these:
         1. the reverse affinity of DAR is made from the affinity itself, as printed, not from its row-normalised
            form (which leaves nothing but the spatial mean);
         2. the T_A that follows from T_C is compared with the learned one in the same index order (the code compares
            same-same with different-different);
         3. class proportions are those before the noise, solved from n T_C = given, not the noisy ones;
         4. pairs with an ignored pixel, and a position's pair with itself, are left out of the affinity loss;
         5. auxiliary heads weigh 0.1 in the affinity loss as they do in the class loss (the code has them reversed);
         6. the transition matrices keep a learning rate of their own (the code overwrites it with the backbone's, a
            tenth of the heads': here a tenth of ``lr``);
         7. the volume term weighs 1e-4 as in VolMinNet, not 0.5: with a weight of that size it has no minimum, and is
            harmless in the code only because of 6;
         8. the affinity refines the full-resolution logits; the code down-samples them to the grid first and supervises
            and predicts with those, at prediction on half the grid and with the softmax before up-sampling;
         9. pair probabilities below 1e-6 count as 1e-6 (the code: affinities below 1e-10 as 1e-10, and a term of the
            loss of at most 100; published here: probabilities below 1e-10 as 1e-10, so at most 23);
         10. the matrices start from predicted against given classes (and pairs) at the end of the warm-up, not from a
            fixed value that a short training does not leave;
         11. the label of a position is that of the pixel where its features are, not up to a grid step before it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noisylabels.case import IGNORE
from noisylabels.errors import UsageError
from noisylabels_plugins import base
from noisylabels_plugins.api import Batch, Output, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.parts.affinity import (
    differentiated_reasoning,
    grid_for,
    labels_at,
    pairwise_loss,
    unit_features,
)
from noisylabels_plugins.parts.transition import (
    Transition,
    class_to_affinity,
    log_given,
    log_volume,
    true_proportions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(base.Params):
    """Parameters of JCAS.

    Attributes:
        parts: what is switched on: all, or an ablation row of the poster (affinity: the pairwise loss alone; dar:
            affinity and its reasoning, no correction; calc: both corrections, no reasoning).
        variant: corrected, or published for the behaviour of the released code.
        warmup: share of the training that runs without correction, 0 .. 1; it ends with an epoch, so a training of
            one epoch corrects nothing unless this is 0.
        transition_start: where the matrices start when the warm-up ends: warmup (predicted against given classes), or
            fixed (diagonal 0.737 for four classes, as published).
        stride: image pixels per position of the affinity grid, along every axis (fewer along one of few slices).
        positions: most positions of that grid; a larger image (most volumes) gets a coarser one. 64 x 64 as published.
        affinity_channels: channels D of the affinity features.
        affinity_weight: weight of the pairwise loss.
        volume_weight: weight of log |det T_C| + log |det T_A|; not given: 1e-4, or 0.5 when published.
        consistency_weight: weight of the mean squared difference between T_A and what follows from T_C.
        transition_lr: learning rate of the transition matrices (Adam; SGD with momentum 0.9 when published); not
            given: 0.01, or a tenth of lr when published.
    """

    parts: Literal["all", "affinity", "dar", "calc"] = "all"
    variant: Literal["corrected", "published"] = "corrected"
    warmup: float = 0.5
    transition_start: Literal["warmup", "fixed"] = "warmup"
    stride: int = 4
    positions: int = 4096
    affinity_channels: int = 64
    affinity_weight: float = 1.0
    volume_weight: float | None = None
    consistency_weight: float = 0.01
    transition_lr: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if not 0 <= self.warmup <= 1:
            raise UsageError(f"warmup is a share of the training and must be 0 .. 1, not {self.warmup}.")
        if min(self.stride, self.positions, self.affinity_channels) < 1:
            raise UsageError("stride, positions and affinity-channels must be at least 1.")
        base.Params.__post_init__(self)
        self.positive("transition_lr")
        self.not_negative("affinity_weight", "volume_weight", "consistency_weight")


class Method(Base):
    """Two branches, two transition matrices."""

    def __init__(self, params: Params, task: Task) -> None:
        self.params, self.task = params, task
        self.published = params.variant == "published"
        self.net, self.loss = task.build_net(), task.build_loss()
        self.affinity = nn.ModuleList(
            self.net.tap_head(index, params.affinity_channels) for index in range(len(self.net.tap_channels))
        )
        self.class_transition = Transition(task.num_classes)
        self.pair_transition = Transition(2)
        self.optimizer = self.new_optimizer(params, self.net, self.affinity, self.loss)
        self.transition_optimizer = self._transition_optimizer()
        self.warm_from = 0 if params.warmup == 0 else -1  # the step that ended the warm-up; -1 during it
        counts = torch.tensor(task.class_counts, dtype=torch.float32)
        self.given_proportions = counts / counts.sum().clamp(min=1)

    def _transition_optimizer(self) -> torch.optim.Optimizer:
        learnt = [*self.class_transition.parameters(), *self.pair_transition.parameters()]
        if self.published:
            return torch.optim.SGD(learnt, self.params.transition_lr or self.params.lr / 10, momentum=0.9)
        # A rate of its own that no schedule touches: the matrices must keep up while the network slows down.
        return torch.optim.Adam([{"params": learnt, "scheduled": False}], self.params.transition_lr or 0.01)

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """Class loss and pairwise loss of every head, through the transition matrices once the warm-up is over."""
        reasoning = self.params.parts in ("all", "dar")
        correcting = self.params.parts in ("all", "calc") and self.warm_from >= 0
        t_class = self.class_transition() if correcting else None
        t_pair = self.pair_transition() if correcting else None

        main = self.net(batch.image)
        loss = torch.zeros((), device=batch.image.device)
        log = {}
        heads = (main, *main.aux)
        for index, (output, head) in enumerate(zip(heads, self.affinity, strict=True)):
            weight = 1.0 if index == 0 else self.params.aux_weight
            unit = unit_features(head(output.tap), self._grid(batch.image))
            by_class = self.loss(log_given(self._plain(output), t_class), batch.labels)
            if reasoning:
                refined = log_given(self._refined(output, unit), t_class)
                by_class = by_class + self.loss(refined, batch.labels)
            by_pair = pairwise_loss(
                unit, self._grid_labels(batch.labels), t_pair,
                self_pairs=self.published, ignored_pairs=self.published, floor=1e-10 if self.published else 1e-6,
            )  # fmt: skip
            # The release gives the main head the auxiliary weight here, and the other way round.
            swapped = self.published and bool(main.aux)
            pair_weight = (self.params.aux_weight if index == 0 else 1.0) if swapped else weight
            loss = loss + weight * by_class + pair_weight * self.params.affinity_weight * by_pair
            if index == 0:
                log |= {"class_loss": by_class.item(), "pair_loss": by_pair.item()}

        loss = loss + self._regularise(t_class, t_pair)
        optimizers = (self.optimizer, self.transition_optimizer) if correcting else (self.optimizer,)
        self.update(loss, self._stage(at), *optimizers)
        return {"loss": loss.item(), **log}

    def _stage(self, at: Progress) -> Progress:
        """Each of the two stages has the learning-rate schedule to itself, as the two runs of the release do."""
        if self.params.parts in ("affinity", "dar"):
            return at
        if self.warm_from < 0:
            epochs = math.ceil(self.params.warmup * at.steps / at.per_epoch)
            return at.within(0, max(epochs * at.per_epoch, at.step + 1))
        return at.within(self.warm_from, at.steps)

    @torch.no_grad()
    def end_epoch(self, train: Iterable[Batch], at: Progress) -> Mapping[str, Any]:
        """End the warm-up where it is over: start both matrices from its predictions against the given labels."""
        if self.params.parts in ("affinity", "dar"):
            return {}
        if self.warm_from < 0 and at.step + 1 >= self.params.warmup * at.steps:
            self.warm_from = at.step + 1
            if self.params.transition_start == "warmup" and not self.published:
                self._start_transitions(train)
        return {"t_class": self.class_transition().tolist(), "t_pair": self.pair_transition().tolist()}

    def _start_transitions(self, train: Iterable[Batch]) -> None:
        """Count predicted against given classes, pixel by pixel, and pairs of pixels of one image likewise."""
        k = self.task.num_classes
        classes = torch.zeros(k, k, dtype=torch.float64)
        pairs = torch.zeros(2, 2, dtype=torch.float64)
        self.train(False)
        for batch in train:
            predicted = self.predict(batch.image).argmax(1)
            for image, labels in zip(predicted, batch.labels, strict=True):
                used = labels != IGNORE
                joint = (
                    torch.bincount(image[used] * k + labels[used], minlength=k * k)
                    .reshape(k, k)
                    .double()
                    .cpu()
                )
                classes += joint
                both = joint.square().sum()
                same_given, same_true = joint.sum(0).square().sum(), joint.sum(1).square().sum()
                rest = joint.sum().square() - same_given - same_true + both
                pairs += torch.stack([rest, same_given - both, same_true - both, both]).reshape(2, 2)
        self.class_transition.start_from(classes)
        self.pair_transition.start_from(pairs)

    def _regularise(self, t_class: Tensor | None, t_pair: Tensor | None) -> Tensor:
        """Volume and consistency of the transition matrices; 0 during warm-up, when no data term uses them."""
        if t_class is None or t_pair is None:
            return torch.zeros((), device=self.given_proportions.device)
        params = self.params
        volume_weight = params.volume_weight
        if volume_weight is None:
            volume_weight = 0.5 if self.published else 1e-4
        if self.published:
            followed = class_to_affinity(t_class, self.given_proportions).flip(0, 1)  # 0 = same, unaligned
            known = torch.ones(2, 1, device=t_pair.device)
        else:
            proportions = true_proportions(self.given_proportions, t_class)
            followed = class_to_affinity(t_class, proportions)
            # One class alone makes no pair of different ones, and nothing follows for them.
            several = (proportions > 1e-6).sum() > 1
            known = torch.stack([several, torch.ones_like(several)])[:, None].float()
        consistency = (known * (followed - t_pair).square()).mean()
        volume = log_volume(t_class) + log_volume(t_pair)
        return volume_weight * volume + params.consistency_weight * consistency

    def _grid(self, image: Tensor) -> tuple[int, ...]:
        return grid_for(tuple(image.shape[2:]), self.params.stride, self.params.positions)

    def _grid_labels(self, labels: Tensor) -> Tensor:
        """Labels at the grid's positions, (B, N)."""
        grid = self._grid(labels[:, None])
        if not self.published:
            return labels_at(labels, grid)
        return F.interpolate(labels[:, None].float(), grid, mode="nearest")[:, 0].long().flatten(1)

    def _plain(self, output: Output) -> Tensor:
        """Q at the size of the image; by way of the grid when published."""
        if not self.published:
            return output.logits
        coarse = _resize(output.logits, self._grid(output.logits))
        return _resize(coarse, tuple(output.logits.shape[2:]))

    def _added(self, output: Output, unit: Tensor, grid: tuple[int, ...]) -> Tensor:
        """What DAR adds to the logits, (B, K, *grid)."""
        coarse = _resize(output.logits, grid).flatten(2).transpose(1, 2)
        added = differentiated_reasoning(coarse, unit, published=self.published)
        return added.transpose(1, 2).unflatten(2, grid)

    def _refined(self, output: Output, unit: Tensor) -> Tensor:
        """P = Q + what DAR adds, at the size of the image."""
        added = self._added(output, unit, self._grid(output.logits))
        return self._plain(output) + _resize(added, tuple(output.logits.shape[2:]))

    def predict(self, image: Tensor) -> Tensor:
        """Mean of softmax(P) and softmax(Q), of the true class, (B, K, *S); no transition matrix takes part."""
        output = self.net(image)
        if self.params.parts not in ("all", "dar"):
            return output.logits.float().softmax(1)
        if not self.published:
            unit = unit_features(self.affinity[0](output.tap), self._grid(image))
            return (self._refined(output, unit).softmax(1) + output.logits.float().softmax(1)) / 2
        grid = tuple(max(1, size // 2) for size in self._grid(image))
        unit = unit_features(self.affinity[0](output.tap), grid)
        coarse = _resize(output.logits, grid)
        both = (coarse + self._added(output, unit, grid)).softmax(1) + coarse.softmax(1)
        return _resize(both / 2, tuple(image.shape[2:]))


def _resize(x: Tensor, size: tuple[int, ...]) -> Tensor:
    mode = "bilinear" if len(size) == 2 else "trilinear"
    return F.interpolate(x.float(), size, mode=mode, align_corners=True)
