"""Sums over all pairs of positions on a GPU: one kernel, the loop over tiles inside.

A program owns a block of rows. It walks over all columns, makes the affinity of a tile, its logarithms and their
slope, and adds to its own rows' gradient in registers: nothing of a tile reaches memory, nothing is shared between
programs, so the sums come out the same every time. Both orders of a pair are computed; the symmetry that halves the
work on a CPU would need atomic additions here.

It takes float32 features of at most ``pairwise.WIDEST`` channels. Importing it needs Triton.
``TRITON_INTERPRET=1`` runs it on a CPU, slowly, for its arithmetic.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from noisylabels.case import IGNORE
from noisylabels_plugins.parts.pairwise import PairSums

PRECISION = "ieee"
"""Of the matrix products. TensorFloat-32 keeps 11 bits of a feature and misses the stated 1e-6 by far; three of them
(``tf32x3``) are close to float32 and faster."""


@triton.jit
def _kernel(  # noqa: ANN202
    unit, labels, matrix, by_unit, by_row, count, channels, floor,  # noqa: ANN001
    ignore: tl.constexpr, self_pairs: tl.constexpr, ignored_pairs: tl.constexpr, gradient: tl.constexpr,
    height: tl.constexpr, width: tl.constexpr, padded: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(1).to(tl.int64)
    unit += image * count * channels
    labels += image * count
    different_same = tl.load(matrix + 1)
    slope = tl.load(matrix + 3) - different_same

    rows = tl.program_id(0) * height + tl.arange(0, height)
    channel = tl.arange(0, padded)
    row_cells = rows[:, None].to(tl.int64) * channels + channel[None, :]
    row_mask = (rows < count)[:, None] & (channel < channels)[None, :]
    own = tl.load(unit + row_cells, mask=row_mask, other=0.0)
    own_label = tl.load(labels + rows, mask=rows < count, other=ignore)
    own_used = rows < count
    if not ignored_pairs:
        own_used = own_used & (own_label != ignore)

    loss = tl.zeros([height], dtype=tl.float32)
    slopes = tl.zeros([height], dtype=tl.float32)
    along = tl.zeros([height], dtype=tl.float32)
    pull = tl.zeros([height, padded], dtype=tl.float32)
    for start in range(0, count, width):
        columns = start + tl.arange(0, width)
        cells = columns[:, None].to(tl.int64) * channels + channel[None, :]
        mask = (columns < count)[:, None] & (channel < channels)[None, :]
        others = tl.load(unit + cells, mask=mask, other=0.0)
        label = tl.load(labels + columns, mask=columns < count, other=ignore)
        used = columns < count
        if not ignored_pairs:
            used = used & (label != ignore)
        counted = own_used[:, None] & used[None, :]
        if not self_pairs:
            counted = counted & (rows[:, None] != columns[None, :])

        affinity = tl.dot(own, tl.trans(others), input_precision=precision)
        probability = different_same + slope * affinity
        agree = own_label[:, None] == label[None, :]
        seen = tl.where(agree, probability, 1 - probability)
        above = counted & (seen > floor)
        seen = tl.maximum(seen, floor)
        loss -= tl.sum(tl.where(counted, tl.log(seen), 0.0), 1)
        if gradient:
            by_probability = tl.where(above, tl.where(agree, -1.0, 1.0) / seen, 0.0)
            pull += tl.dot(by_probability, others, input_precision=precision)
            slopes += tl.sum(by_probability, 1)
            along += tl.sum(by_probability * affinity, 1)

    by_row += image * (3 if gradient else 1) * count
    tl.store(by_row + rows, loss, mask=rows < count)
    if gradient:
        tl.store(by_row + count + rows, slopes, mask=rows < count)
        tl.store(by_row + 2 * count + rows, along, mask=rows < count)
        tl.store(by_unit + image * count * channels + row_cells, 2 * slope * pull, mask=row_mask)


def pair_sums(
    unit: Tensor,
    labels: Tensor,
    matrix: Tensor,
    *,
    self_pairs: bool,
    ignored_pairs: bool,
    floor: float,
    gradient: bool,
) -> PairSums:
    """The same as :func:`noisylabels_plugins.parts.pairwise.pair_sums`, for float32 and few channels.

    Args:
        unit: F, (B, N, D) float32.
        labels: (B, N) integers.
        matrix: T of pairs, (2, 2).
        self_pairs: count (i, i).
        ignored_pairs: IGNORE is a class of its own instead of left out.
        floor: probabilities below it count as this value and have no slope.
        gradient: make the gradients too.

    Returns:
        The sums of all images.
    """
    batch, count, channels = unit.shape
    unit = unit.contiguous()
    padded = max(16, triton.next_power_of_2(channels))
    edge = 32  # 70 KB of shared memory at 256 channels, and nothing spilled: compiled for sm_80, not measured
    by_unit = torch.empty_like(unit) if gradient else None
    by_row = unit.new_empty(batch, 3 if gradient else 1, count)
    _kernel[(triton.cdiv(count, edge), batch)](
        unit, labels.contiguous(), matrix.to(unit.dtype).contiguous(), by_unit, by_row, count, channels, floor,
        ignore=IGNORE, self_pairs=self_pairs, ignored_pairs=ignored_pairs, gradient=gradient,
        height=edge, width=edge, padded=padded, precision=PRECISION,
        num_warps=4 if padded <= 64 else 8, num_stages=1, enable_fp_fusion=True,
    )  # fmt: skip
    loss, *rest = by_row.sum(2, dtype=torch.float64).sum(0)
    if not gradient:
        return PairSums(loss, None, None)
    slopes, along = rest
    return PairSums(loss, by_unit, torch.stack([slopes - along, along]))
