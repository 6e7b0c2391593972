"""Confident learning: which given labels are probably wrong, from predicted probabilities.

Counts how often a confident prediction of one class meets a given label of another, and flags that many pixels: those
of a class with the lowest probability of their own label, and of every pair of classes those where the other is most
ahead. What both lists hold is flagged (pruning by "both").

Source: Northcutt, Jiang, Chuang, Confident learning: estimating uncertainty in dataset labels, JAIR 2021. Differs: from
cleanlab in that counts are rounded down, equal probabilities are told apart by position, and a class keeps no minimum;
as in its second version, a label that is itself the most probable class is never flagged.
"""

import torch
from torch import Tensor


def confident_joint(probs: Tensor, given: Tensor) -> Tensor:
    """Estimated number of pixels by (given, true) class, (K, K) float64; rows sum to the number of given labels.

    A prediction is confident of the classes whose probability is at least the mean over the pixels that are given
    this class; it counts for the most probable of them, or not at all.

    Args:
        probs: (N, K).
        given: (N,), classes.
    """
    k = probs.shape[1]
    counts = torch.bincount(given, minlength=k).double()
    sums = torch.zeros(k, dtype=torch.float64, device=probs.device)
    own = probs.gather(1, given[:, None])[:, 0].double()
    sums.index_add_(0, given, own)
    thresholds = torch.where(counts > 0, sums / counts.clamp(min=1), torch.inf)
    above = probs.double() >= thresholds - 1e-6
    found = torch.where(above, probs, -1.0).argmax(1)
    counted = above.any(1)
    joint = torch.bincount(given[counted] * k + found[counted], minlength=k * k).reshape(k, k).double()
    rows = joint.sum(1, keepdim=True)
    joint = torch.where(rows > 0, joint, torch.eye(k, dtype=torch.float64, device=probs.device))
    # Multiplied first: k / n * n may come out one rounding below the whole number k.
    return joint * counts[:, None] / joint.sum(1, keepdim=True)


def probably_wrong(probs: Tensor, given: Tensor) -> Tensor:
    """Which given labels are flagged, (N,) bool.

    Args:
        probs: (N, K).
        given: (N,), classes.
    """
    joint = confident_joint(probs, given)
    moved = (joint - torch.diag(joint.diagonal())).tolist()
    by_class = torch.zeros_like(given, dtype=torch.bool)
    by_pair = torch.zeros_like(by_class)
    for code, row in enumerate(moved):
        if sum(row) < 1:
            continue
        where = (given == code).nonzero()[:, 0]
        own = probs[where, code]
        by_class[where[_smallest(own, int(sum(row)))]] = True
        for other, count in enumerate(row):
            if count >= 1:
                by_pair[where[_smallest(own - probs[where, other], int(count))]] = True
    return by_class & by_pair & (probs.argmax(1) != given)


def _smallest(values: Tensor, count: int) -> Tensor:
    """Indices of the smallest values; of equal ones the first."""
    return values.sort(stable=True).indices[:count]
