"""Sums over labelled pixels: what losses and methods need to leave out IGNORE without ever dividing by nothing."""

import torch
from torch import Tensor

from noisylabels.case import IGNORE


def of_given(log_probs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The log-probability of every pixel's given label.

    Args:
        log_probs: (B, K, *S).
        labels: (B, *S), classes or IGNORE.

    Returns:
        (B, *S), 0 where there is no label, and which pixels have one, (B, *S) bool.
    """
    used = labels != IGNORE
    found = log_probs.gather(1, labels.masked_fill(~used, 0)[:, None])[:, 0]
    return found.masked_fill(~used, 0), used


def mean_of(values: Tensor, used: Tensor) -> Tensor:
    """Mean of values (B, *S) that are 0 where a pixel is not used; 0, with a gradient path, when none is."""
    return values.sum() / used.sum().clamp(min=1)


def one_hot(labels: Tensor, num_classes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B, K, *S) of 0 and 1 from labels (B, *S); IGNORE is 0 in every class."""
    codes = torch.arange(num_classes, device=labels.device).view(-1, *(1,) * (labels.ndim - 1))
    return (labels[:, None] == codes).to(dtype)


def dice_of_classes(
    probs: Tensor, targets: Tensor, *, squared: bool = False, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """Soft Dice of every class over the whole batch, (2 sum p y + eps) / (sum p + sum y + eps).

    Args:
        probs: p, (B, K, *S).
        targets: y, (B, K, *S), which sum to 1 over the classes, or to 0 where a pixel has no label.
        squared: put squares under the fraction bar, so that it is largest at p = y also where y is no whole number.
        eps: what makes 0 / 0 a 1.

    Returns:
        (K,), and which classes the targets hold at all, (K,) bool.
    """
    axes = [axis for axis in range(probs.ndim) if axis != 1]
    probs = probs * (targets.sum(1, keepdim=True) > 0)
    below = probs.square() + targets.square() if squared else probs + targets
    dice = (2 * (probs * targets).sum(axes) + eps) / (below.sum(axes) + eps)
    return dice, targets.sum(axes) > 0


def mean_present(values: Tensor, present: Tensor) -> Tensor:
    """Mean of values (K,) over the classes that are present, (K,) bool; 0, with a gradient path, when none is."""
    return (values * present).sum() / present.sum().clamp(min=1)
