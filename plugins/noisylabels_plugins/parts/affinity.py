"""Affinity of every pair of positions in memory linear in their number.

With F the rectified features of N positions, normalised to length 1, the affinity is the Gram matrix F F^T, in
[0, 1]. It is never stored: products with it are F (F^T Q), and the pairwise loss is summed over tiles, its gradient
taken in the same pass.

Source: JCAS, MICCAI 2022, sections on the affinity head and on differentiated affinity reasoning.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from noisylabels.case import IGNORE

_EPS = 1e-6


def unit_features(features: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Rectified features at ``grid``, each position normalised to length 1 (or 0 where nothing is active).

    Args:
        features: (B, D, *s).
        grid: size to resample to, bilinearly.

    Returns:
        (B, N, D) float32 with N = product of ``grid``.
    """
    if features.shape[2:] != grid:
        mode = "bilinear" if len(grid) == 2 else "trilinear"
        features = F.interpolate(features.float(), grid, mode=mode, align_corners=True)
    rectified = features.float().relu().flatten(2).transpose(1, 2)
    return rectified / (rectified.norm(dim=-1, keepdim=True) + 1e-9)


def differentiated_reasoning(logits: Tensor, unit: Tensor, *, published: bool = False) -> Tensor:
    """What DAR adds to the logits: (A Q - A_re Q) / 2.

    A is the affinity with rows that sum to 1: it moves a position towards its own class. A_re is one minus the
    affinity, rows again summing to 1: it moves a position away from the others. The released code makes A_re from the
    already normalised A, which leaves nothing but the mean over all positions (``published``).

    Args:
        logits: Q, (B, N, K).
        unit: F, (B, N, D), from :func:`unit_features`.
        published: reproduce the released code.

    Returns:
        (B, N, K).
    """
    count = logits.shape[1]
    total = logits.sum(1, keepdim=True)
    with torch.autocast(unit.device.type, enabled=False):  # N - row_sum would lose its digits
        row_sum = unit @ unit.sum(1)[..., None]
        attracted = unit @ (unit.transpose(1, 2) @ logits)
    same = attracted / row_sum.clamp(min=_EPS)
    if published:
        # The released code clamps the affinity to 1e-10: a position without features attends to all alike.
        same = torch.where(row_sum > 0, same, total / count)
        other = (total - same) / (count - 1)
    else:
        other = (total - attracted) / (count - row_sum).clamp(min=_EPS)
    return (same - other) / 2


class _PairwiseLoss(torch.autograd.Function):
    """Sum over all pairs in tiles of rows; the gradient is made in the same pass and scaled in ``backward``."""

    @staticmethod
    def forward(
        ctx: Any,
        unit: Tensor,
        labels: Tensor,
        used: Tensor,
        matrix: Tensor,
        self_pairs: bool,
        floor: float,
        tile: int,
    ) -> Tensor:
        different_same, same_same = matrix[0, 1], matrix[1, 1]
        slope = same_same - different_same
        total = torch.zeros((), dtype=torch.float64, device=unit.device)
        by_matrix = torch.zeros(2, dtype=torch.float64, device=unit.device)
        by_unit = torch.zeros_like(unit)
        pairs = used.sum(1).double().square().sum() - (0 if self_pairs else used.sum().double())
        for image, given, valid, out in zip(unit, labels, used, by_unit, strict=True):
            for start in range(0, len(image), tile):
                rows, rest = image[start : start + tile], image[start:]
                affinity = rows @ rest.T
                given_same = different_same + slope * affinity
                agree = given[start : start + tile, None] == given[None, start:]
                # Probability of what was seen: same label or not.
                seen = torch.where(agree, given_same, 1 - given_same)
                weight = valid[start : start + tile, None] * valid[None, start:]
                weight[:, tile:] *= 2  # every pair stands for (i, j) and (j, i)
                if not self_pairs:
                    weight.diagonal().zero_()
                total -= (weight * seen.clamp(min=floor).log()).sum(dtype=torch.float64)
                weight *= seen > floor  # no slope below the clamp
                seen = seen.clamp(min=floor)
                slope_of_loss = torch.where(agree, -weight, weight) / seen
                by_affinity = slope_of_loss * slope
                out[start : start + tile] += by_affinity @ rest
                out[start:] += by_affinity.T @ rows
                along = (slope_of_loss * affinity).sum(dtype=torch.float64)
                by_matrix += torch.stack([slope_of_loss.sum(dtype=torch.float64) - along, along])
        pairs = pairs.clamp(min=1)
        ctx.save_for_backward(by_unit / pairs.to(unit.dtype), by_matrix / pairs)
        return (total / pairs).to(unit.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        by_unit, by_matrix = ctx.saved_tensors
        matrix = torch.zeros(2, 2, dtype=by_unit.dtype, device=by_unit.device)
        matrix[:, 1] = by_matrix.to(by_unit.dtype)
        return upstream * by_unit, None, None, upstream * matrix, None, None, None


def pairwise_loss(
    unit: Tensor,
    labels: Tensor,
    matrix: Tensor | None = None,
    *,
    self_pairs: bool = False,
    ignored_pairs: bool = False,
    floor: float = 1e-6,
    tile: int = 512,
) -> Tensor:
    """Binary cross-entropy of *these two labels agree* under the affinity, through a 2 x 2 transition matrix.

    P(agree) = (1 - a) T[0, 1] + a T[1, 1] with a the affinity, index 0 different and 1 same; mean over all pairs of an
    image.

    Args:
        unit: F, (B, N, D), from :func:`unit_features`.
        labels: (B, N) integers, as given.
        matrix: T of pairs, (2, 2); None for the identity.
        self_pairs: count a position's pair with itself too (as the released code does).
        ignored_pairs: treat IGNORE as a class of its own (as the released code does) instead of leaving it out.
        floor: probabilities below it count as this value.
        tile: rows per tile; memory is O(N (D + tile)).

    Returns:
        Scalar; 0 when there is no pair.
    """
    if matrix is None:
        matrix = torch.eye(2, dtype=unit.dtype, device=unit.device)
    used = torch.ones_like(labels, dtype=unit.dtype) if ignored_pairs else (labels != IGNORE).to(unit.dtype)
    with torch.autocast(unit.device.type, enabled=False):  # 1 - affinity would lose its digits
        return _PairwiseLoss.apply(unit, labels, used, matrix, self_pairs, floor, tile)
