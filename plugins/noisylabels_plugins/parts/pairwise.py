"""Sums over all pairs of positions in tiles: plain torch, any device.

Positions are sorted by label first. Then whole tiles agree or differ: no comparison, no selection and no weight per
pair is left, and a pair costs three matrix products (the affinity, and its two shares of the gradient), of which the
symmetry of the affinity saves a fourth, and a handful of passes over a tile that is still in the cache.

The gradient is made beside the value, while the tile is at hand. Making it again in the backward pass would take a
fourth product for every pair and save nothing but one (B, N, D), as many numbers as the features themselves.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from noisylabels.case import IGNORE

WIDEST = 256
"""Channels that fit beside their gradient into the registers of a program of the GPU's kernel."""


class PairSums(NamedTuple):
    """Over ordered pairs: (i, j) and (j, i) both count.

    Attributes:
        loss: sum of -log P(what was seen), scalar float64.
        by_unit: its gradient by the features, (B, N, D), or None where no gradient was asked for.
        by_matrix: its gradient by T[0, 1] and T[1, 1], (2,) float64, or None likewise.
    """

    loss: Tensor
    by_unit: Tensor | None
    by_matrix: Tensor | None


def pair_sums(
    unit: Tensor,
    labels: Tensor,
    matrix: Tensor,
    *,
    self_pairs: bool,
    ignored_pairs: bool,
    floor: float,
    tile: int,
    gradient: bool,
) -> PairSums:
    """What :func:`noisylabels_plugins.parts.affinity.pairwise_loss` is made of, before the mean is taken.

    Args:
        unit: F, (B, N, D) float.
        labels: (B, N) integers.
        matrix: T of pairs, (2, 2).
        self_pairs: count (i, i).
        ignored_pairs: IGNORE is a class of its own instead of left out.
        floor: probabilities below it count as this value and have no slope.
        tile: rows and columns of a tile.
        gradient: make the gradients too.

    Returns:
        The sums of all images.
    """
    different_same, same_same = matrix[:, 1].tolist()
    tiles = _Tiles(unit, different_same, same_same - different_same, self_pairs, floor, tile, gradient)
    by_unit = torch.zeros_like(unit, memory_format=torch.contiguous_format) if gradient else None
    for image, given in enumerate(labels):
        kept = torch.arange(len(given), device=given.device)
        if not ignored_pairs:
            kept = kept[given != IGNORE]
        order = kept[given[kept].argsort(stable=True)]
        sizes = given[order].unique_consecutive(return_counts=True)[1].tolist()
        found = tiles.add(unit[image].index_select(0, order), sizes)
        if by_unit is not None:
            by_unit[image].index_copy_(0, order, found)
    return PairSums(tiles.loss, by_unit, tiles.by_matrix if gradient else None)


class _Tiles:
    """The sums so far, and two buffers that every tile is written into."""

    def __init__(
        self,
        unit: Tensor,
        offset: float,
        slope: float,
        self_pairs: bool,
        floor: float,
        tile: int,
        gradient: bool,
    ) -> None:
        self.offset, self.slope = offset, slope
        self.self_pairs, self.floor, self.tile, self.gradient = self_pairs, floor, tile, gradient
        # Several probabilities are multiplied before one logarithm: as many as cannot leave the normal numbers.
        room = -math.log10(torch.finfo(unit.dtype).tiny) - 7
        self.factors = max(1, min(8, int(room / -math.log10(floor)))) if floor < 1 else 1
        edge = min(tile, unit.shape[1])
        self.buffer = unit.new_empty(edge * edge)
        self.scratch = unit.new_empty(edge * edge // self.factors)
        self.loss = torch.zeros((), dtype=torch.float64, device=unit.device)
        self.by_matrix = torch.zeros(2, dtype=torch.float64, device=unit.device)

    def add(self, unit: Tensor, sizes: list[int]) -> Tensor:
        """Add one image's pairs.

        Args:
            unit: features of its positions, sorted by label, (n, D).
            sizes: positions of every label, in order.

        Returns:
            Gradient of the loss by the features, (n, D); zeros where no gradient is made.
        """
        pull = torch.zeros_like(unit)  # sum over j of dL/dp_ij F_j, where p rises with the affinity
        slopes = torch.zeros(len(unit), dtype=torch.float64, device=unit.device)  # the same without F_j
        for rows, columns, agree in _blocks(sizes, self.tile):
            own, others = unit[rows], unit[columns]
            seen = self.buffer[: len(own) * len(others)].view(len(own), len(others))
            # Probability of what was seen: p where the labels agree, 1 - p where not.
            sign = 1 if agree else -1
            offset = unit.new_tensor(self.offset if agree else 1 - self.offset).expand(1, len(others))
            torch.addmm(offset, own, others.T, alpha=sign * self.slope, out=seen)
            seen.clamp_(min=self.floor)
            diagonal = rows == columns
            if diagonal and not self.self_pairs:
                seen.diagonal().fill_(1)
            self.loss -= (1 if diagonal else 2) * self._log_sum(seen.view(-1))
            if not self.gradient:
                continue
            torch.nn.functional.threshold_(seen, self.floor, math.inf)
            seen.reciprocal_()  # 0 at the floor
            if diagonal and not self.self_pairs:
                seen.diagonal().zero_()
            pull[rows].addmm_(seen, others, alpha=-sign)
            slopes[rows] -= sign * seen.sum(1)
            if not diagonal:
                pull[columns].addmm_(seen.T, own, alpha=-sign)
                slopes[columns] -= sign * seen.sum(0)
        if self.gradient:
            along = torch.dot(pull.flatten().double(), unit.flatten().double())
            self.by_matrix += torch.stack([slopes.sum() - along, along])
        return pull.mul_(2 * self.slope)

    def _log_sum(self, values: Tensor) -> Tensor:
        """Sum of the logarithms of (n,) numbers within floor .. 1, float64."""
        count = len(values) // self.factors
        products = self.scratch[:count]
        first, *rest = values[: count * self.factors].view(self.factors, count)
        products.copy_(first)
        for factor in rest:
            products.mul_(factor)
        left = values[count * self.factors :].log()
        return products.log_().sum(dtype=torch.float64) + left.sum(dtype=torch.float64)


def _blocks(sizes: list[int], tile: int) -> Iterator[tuple[slice, slice, bool]]:
    """Tiles that cover every unordered pair once: rows, columns, whether the labels agree."""
    count, first = sum(sizes), 0
    for size in sizes:
        last = first + size
        for start in range(first, last, tile):
            stop = min(start + tile, last)
            yield slice(start, stop), slice(start, stop), True
            for agree, begin, end in ((True, stop, last), (False, last, count)):
                for column in range(begin, end, tile):
                    yield slice(start, stop), slice(column, min(column + tile, end)), agree
        first = last
