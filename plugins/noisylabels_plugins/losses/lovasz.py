"""Lovasz-softmax: the smooth extension of one minus the Jaccard index, mean over the classes.

For every class the pixels' errors |y - p| are sorted from large to small; each counts by how much the Jaccard index
falls when it joins those before it. Where every p is 0 or 1, this is one minus the Jaccard index.

Source: Berman, Triki, Blaschko, The Lovasz-softmax loss, CVPR 2018; whole batch, classes that its labels hold ("batch",
"present").

Where a batch is cut into parts or shared by processes, every part has its own loss.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisylabels_plugins.parts.labelled import mean_present, one_hot


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Lovasz-softmax has no parameters."""


class Loss(nn.Module):
    """Lovasz extension of the Jaccard loss, background included."""

    def __init__(self, params: Params, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for (B, K, *S) and (B, *S); 0 when no pixel is labelled."""
        targets = one_hot(labels, self.num_classes, log_probs.dtype)
        used = targets.sum(1, keepdim=True) > 0
        # Unlabelled pixels come last in every order: errors are 0 .. 1.
        errors = (targets - log_probs.exp()).abs().masked_fill(~used, -1.0)
        by_class = [x.transpose(0, 1).flatten(1) for x in (errors, targets)]
        errors, order = by_class[0].sort(dim=1, descending=True, stable=True)
        with torch.no_grad():
            weights = _jaccard_steps(by_class[1].gather(1, order))
        losses = (errors.clamp(min=0) * weights).sum(1)
        return mean_present(losses, by_class[1].sum(1) > 0)


def _jaccard_steps(targets: Tensor) -> Tensor:
    """By how much one minus the Jaccard index grows with every further wrong pixel, (K, N).

    Args:
        targets: whether a pixel is of the class, 0 or 1, in the order of their errors, (K, N).
    """
    # Counted in whole numbers: a running sum in float32 stops at 2 ** 24 pixels.
    own = targets.long()
    total = own.sum(1, keepdim=True)
    right, union = total - own.cumsum(1), total + (1 - own).cumsum(1)
    wrong = 1 - right.double() / union.clamp(min=1)
    steps = torch.diff(wrong, dim=1, prepend=torch.zeros_like(wrong[:, :1]))
    return steps.to(targets.dtype)
