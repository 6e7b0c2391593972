"""Affinity of every pair of positions in memory linear in their number.

With F the rectified features of N positions, normalised to length 1, the affinity is the Gram matrix F F^T, in
[0, 1]. It is never stored: products with it are F (F^T Q), and the pairwise loss is summed over tiles, in
``pairwise.py`` or, on a GPU, in the kernel of ``pairwise_triton.py``.

Source: JCAS, MICCAI 2022, sections on the affinity head and on differentiated affinity reasoning.
"""

import functools
import math
import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from noisylabels.case import IGNORE
from noisylabels.errors import UsageError
from noisylabels_plugins.parts import pairwise

_EPS = 1e-6
_ALIKE = 1e-5
"""Share of all positions below which the others of a position are no others: float32 rows have length 1 within 1e-7."""

_ROWS = 1024


def grid_for(shape: tuple[int, ...], stride: int, positions: int) -> tuple[int, ...]:
    """Grid of positions that pairs are made of: every ``stride`` pixels, coarser where that is too many.

    The time of the pairwise loss grows with the square of the number of positions, and a volume has many: a third
    axis takes 64 x 64 positions to 64 x 64 x 64, and the pairs to 4096 times as many. All axes shrink alike, but a thin
    axis, the slices of many volumes, keeps ``stride`` positions (or one per pixel): with one it would not be seen.

    Args:
        shape: size S of the image, pixels.
        stride: pixels per position along every axis.
        positions: most positions that the grid may have.

    Returns:
        Positions along every axis, at least 1 each.
    """
    if stride < 1 or positions < 1:
        raise UsageError(f"stride and positions must be at least 1, not {stride} and {positions}.")
    least = tuple(min(size, stride) for size in shape)
    if math.prod(least) > positions:
        least = (1,) * len(shape)
    grid = tuple(max(low, size // stride) for low, size in zip(least, shape, strict=True))
    while math.prod(grid) > positions:
        axes = sum(size > low for low, size in zip(least, grid, strict=True))
        shrink = (positions / math.prod(grid)) ** (1 / axes)
        # A root may come out one rounding below a whole number.
        grid = tuple(
            max(low, min(size - 1, int(size * shrink + 1e-9))) for low, size in zip(least, grid, strict=True)
        )
    return grid


def labels_at(labels: Tensor, grid: tuple[int, ...]) -> Tensor:
    """The label of the pixel nearest to each position of ``grid``, with the first and last pixels at its corners.

    That is where :func:`unit_features` takes its features. The usual nearest resampling, which the released code uses,
    takes labels up to ``stride - 1`` pixels before them.

    Args:
        labels: (B, *S).
        grid: positions along every axis.

    Returns:
        (B, N), N = product of ``grid``.
    """
    for axis, (size, count) in enumerate(zip(labels.shape[1:], grid, strict=True), start=1):
        places = torch.linspace(0, size - 1, count, dtype=torch.float64, device=labels.device)
        labels = labels.index_select(axis, places.round().long())
    return labels.flatten(1)


def unit_features(features: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Rectified features at ``grid``, each position normalised to length 1 (or 0 where nothing is active).

    Args:
        features: (B, D, *s), 2-D or 3-D.
        grid: size to resample to, linearly along every axis.

    Returns:
        (B, N, D) float32, contiguous, with N = product of ``grid``.
    """
    flat = len(grid) == 2
    # Channels last is the order of the result, and resampling is four times as fast in it.
    features = features.float().contiguous(
        memory_format=torch.channels_last if flat else torch.channels_last_3d
    )
    if features.shape[2:] != grid:
        mode = "bilinear" if flat else "trilinear"
        features = F.interpolate(features, grid, mode=mode, align_corners=True)
    rectified = features.movedim(1, -1).flatten(1, -2).relu().contiguous()
    return rectified / (rectified.norm(dim=-1, keepdim=True) + 1e-9)


class _AffinityProduct(torch.autograd.Function):
    """Q (F^T F) = Q A for Q (B, K, N) in float64, which only passes through: F is kept as it is given.

    In float64 because the two directions of the reasoning are nearly the same mean where features are alike; float32
    keeps one digit of their difference, with the matrices written out or without.
    """

    @staticmethod
    def forward(ctx: Any, unit: Tensor, q: Tensor) -> Tensor:
        wide = unit.double()
        inner = q @ wide
        ctx.save_for_backward(unit, q, inner)
        return inner @ wide.transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        unit, q, inner = ctx.saved_tensors
        wide = unit.double()
        by_inner = upstream @ wide
        left = torch.cat([upstream, q], 1).transpose(1, 2)
        right = torch.cat([inner, by_inner], 1)
        by_unit = torch.empty_like(unit)
        for image, found in enumerate(by_unit):
            for start in range(0, len(found), _ROWS):  # in parts that stay in the cache
                rows = slice(start, start + _ROWS)
                found[rows] = left[image, rows] @ right[image]
        return by_unit, by_inner @ wide.transpose(1, 2)


def differentiated_reasoning(logits: Tensor, unit: Tensor, *, published: bool = False) -> Tensor:
    """What DAR adds to the logits: (A Q - A_re Q) / 2, in O(N D K) operations.

    A is the affinity with rows that sum to 1: it moves a position towards its own class. A_re is one minus the
    affinity, rows again summing to 1: it moves a position away from the others. The released code makes A_re from the
    already normalised A, which leaves nothing but the mean over all positions (``published``; its clamp of the
    affinity at 1e-10 is left out where a row has any feature). A position that is like all others has nothing to move
    away from: its A_re is uniform. Nothing is added at a position without features, which is equally far from all.

    Args:
        logits: Q, (B, N, K).
        unit: F, (B, N, D), from :func:`unit_features`.
        published: reproduce the released code.

    Returns:
        (B, N, K) of the logits' type.
    """
    count = logits.shape[1]
    with torch.autocast(unit.device.type, enabled=False):
        q = logits.double()
        total = q.sum(1, keepdim=True)
        by_class = torch.cat([q, torch.ones_like(q[..., :1])], 2).transpose(1, 2)  # ones: the row sums of A
        attracted, row_sum = _AffinityProduct.apply(unit, by_class).transpose(1, 2).split([q.shape[2], 1], 2)
    # A position without features attends to all alike, as by the released code's clamp of the affinity at 1e-10.
    same = torch.where(row_sum > 0, attracted / row_sum.clamp(min=_EPS), total / count)
    if published:
        other = (total - same) / max(count - 1, 1)
    else:
        rest, least = count - row_sum, _ALIKE * count
        other = torch.where(rest > least, (total - attracted) / rest.clamp(min=least), total / count)
    return ((same - other) / 2).to(logits.dtype)


@functools.cache
def _kernel(device: torch.device, channels: int) -> Any:
    """The module of the Triton kernel; None where Triton is missing, or where it fails on this GPU, with a warning.

    Compilers and GPUs differ: before it is used, it must give on a small example what the tiles give.
    """
    try:
        from noisylabels_plugins.parts import pairwise_triton
    except ImportError:
        return None
    generator = torch.Generator().manual_seed(0)
    unit = F.normalize(torch.rand(2, 70, channels, generator=generator), dim=2).to(device)
    labels = torch.randint(0, 3, (2, 70), generator=generator).to(device)
    matrix = torch.tensor([[0.9, 0.1], [0.2, 0.8]], device=device)
    example = {"self_pairs": False, "ignored_pairs": False, "floor": 1e-6, "gradient": True}
    try:
        found = pairwise_triton.pair_sums(unit, labels, matrix, **example)
        expected = pairwise.pair_sums(unit, labels, matrix, tile=70, **example)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    except Exception as error:  # whatever a compiler may raise
        warnings.warn(
            f"The Triton kernel of the pairwise loss does not work on {device} ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}); plain torch does its work, slower.",
            stacklevel=2,
        )
        return None
    return pairwise_triton


def _pair_sums(unit: Tensor, *rest: Any, tile: int, **options: Any) -> pairwise.PairSums:
    if unit.is_cuda:
        fits = unit.dtype == torch.float32 and unit.shape[2] <= pairwise.WIDEST
        kernel = _kernel(unit.device, unit.shape[2]) if fits else None
        if kernel:
            return kernel.pair_sums(unit, *rest, **options)
        tile *= 4  # starting an operation costs a GPU as much as a small tile
    return pairwise.pair_sums(unit, *rest, tile=tile, **options)


class _PairwiseLoss(torch.autograd.Function):
    """Mean over all pairs; the gradient is made beside the value (see ``pairwise.py``) and scaled in ``backward``."""

    @staticmethod
    def forward(
        ctx: Any, unit: Tensor, labels: Tensor, matrix: Tensor, pairs: Tensor, options: dict[str, Any]
    ) -> Tensor:
        found = _pair_sums(unit, labels, matrix, **options)
        if found.by_unit is not None and found.by_matrix is not None:
            by_matrix = torch.zeros(2, 2, dtype=matrix.dtype, device=matrix.device)
            by_matrix[:, 1] = found.by_matrix / pairs
            ctx.save_for_backward(found.by_unit.div_(pairs), by_matrix)
        return (found.loss / pairs).to(unit.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        by_unit, by_matrix = ctx.saved_tensors
        return upstream * by_unit, None, upstream * by_matrix, None, None


def pairwise_loss(
    unit: Tensor,
    labels: Tensor,
    matrix: Tensor | None = None,
    *,
    self_pairs: bool = False,
    ignored_pairs: bool = False,
    floor: float = 1e-6,
    tile: int = 640,
) -> Tensor:
    """Binary cross-entropy of *these two labels agree* under the affinity, through a 2 x 2 transition matrix.

    P(agree) = (1 - a) T[0, 1] + a T[1, 1] with a the affinity, index 0 different and 1 same; mean over all pairs within
    the images of a batch.

    Args:
        unit: F, (B, N, D), from :func:`unit_features`.
        labels: (B, N) integers, as given.
        matrix: T of pairs, (2, 2); None for the identity.
        self_pairs: count a position's pair with itself too (as the released code does).
        ignored_pairs: treat IGNORE as a class of its own (as the released code does) instead of leaving it out.
        floor: probabilities below it count as this value.
        tile: rows and columns of a tile; memory is O(N D + tile^2).

    Returns:
        Scalar; 0 when there is no pair.
    """
    if matrix is None:
        matrix = torch.eye(2, dtype=unit.dtype, device=unit.device)
    used = torch.full_like(labels[:, 0], labels.shape[1]) if ignored_pairs else (labels != IGNORE).sum(1)
    pairs = (used * (used if self_pairs else used - 1)).sum().clamp(min=1)
    options = {
        "self_pairs": self_pairs,
        "ignored_pairs": ignored_pairs,
        "floor": floor,
        "tile": tile,
        "gradient": torch.is_grad_enabled() and (unit.requires_grad or matrix.requires_grad),
    }
    with torch.autocast(unit.device.type, enabled=False):  # 1 - affinity would lose its digits
        return _PairwiseLoss.apply(unit, labels, matrix, pairs, options)
