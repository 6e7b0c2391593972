"""Time, memory and exactness of the affinity part beside the published formulation with its N x N matrices.

Run ``python benchmarks/affinity.py --threads 2`` (some minutes), ``... --quick`` (N = 1024 alone) or
``... --device cuda``. What is measured starts at the output of the affinity heads and ends at their gradient: unit
features, pairwise loss and reasoning of both heads, values and gradients. Both ways run in this process in turns, so
that other work on the machine hits both alike. Memory is what torch's allocator holds at most beyond what it held
before the call, and what it keeps from the forward to the backward pass.
"""

import functools
import os
from collections.abc import Callable, Sequence
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor
from training import CLASSES, Job, arguments, machine, peak_bytes, ratio, show, step_table, timed

from noisylabels_plugins.parts import affinity, pairwise
from noisylabels_plugins.parts.affinity import differentiated_reasoning, pairwise_loss, unit_features

HEADS = (256, 128)
"""Channels of the affinity features of the released network, main head first."""

Part = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def plain_unit(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """Unit features (B, N, D) as the formula has them."""
    rows = (
        F.interpolate(features, grid, mode="bilinear", align_corners=True).relu().flatten(2).transpose(1, 2)
    )
    return rows / (rows.norm(dim=2, keepdim=True) + 1e-9)


def dense(
    unit: Tensor, logits: Tensor, labels: Tensor, matrix: Tensor, top: float = 1.0
) -> tuple[Tensor, Tensor]:
    """The published formulation with its matrices: pairwise loss, and what reasoning adds to the logits."""
    alike = (unit @ unit.transpose(1, 2)).clamp(1e-10, top)
    onehot = F.one_hot(labels, len(CLASSES) + 1).to(unit.dtype)
    onehot = onehot / (onehot.norm(dim=2, keepdim=True) + 1e-9)
    agree = onehot @ onehot.transpose(1, 2)
    given = (1 - alike) * matrix[0, 1] + alike * matrix[1, 1]
    loss = F.binary_cross_entropy(given, agree.clamp(0, 1))
    attended = alike / alike.sum(2, keepdim=True)
    reverse = 1 - attended
    reverse = reverse / reverse.sum(2, keepdim=True)
    refined = ((logits + attended @ logits) + (logits - reverse @ logits)) / 2
    return loss, refined - logits


def ours(unit: Tensor, logits: Tensor, labels: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The same without a matrix of all pairs."""
    loss = pairwise_loss(unit, labels, matrix, self_pairs=True, ignored_pairs=True, floor=1e-10)
    return loss, differentiated_reasoning(logits, unit, published=True)


def tiles(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Ours with plain torch where the kernel would be taken."""
    chosen, affinity._pair_sums = affinity._pair_sums, functools.partial(_tiles)
    try:
        return ours(*inputs)
    finally:
        affinity._pair_sums = chosen


def _tiles(*inputs: Tensor, tile: int, **options: bool) -> pairwise.PairSums:
    return pairwise.pair_sums(*inputs, tile=4 * tile, **options)


def inputs(batch: int, positions: int, channels: int, device: str) -> list[Tensor]:
    """Features at half the grid, logits and labels on it, and the 2 x 2 matrix."""
    side = round(positions**0.5)
    generator = torch.Generator().manual_seed(channels)
    return [
        torch.randn(batch, channels, side // 2 + 1, side // 2 + 1, generator=generator).to(device),
        torch.randn(batch, positions, len(CLASSES), generator=generator).to(device),
        torch.randint(0, len(CLASSES), (batch, positions), generator=generator).to(device),
        torch.tensor([[0.9, 0.1], [0.2, 0.8]], device=device),
    ]


def objective(part: Part, heads: Sequence[list[Tensor]]) -> Tensor:
    """Something that depends on all that the heads give."""
    total = torch.zeros((), device=heads[0][0].device)
    for features, logits, labels, matrix in heads:
        side = round(labels.shape[1] ** 0.5)
        unit = (plain_unit if part is dense else unit_features)(features, (side, side))
        loss, added = part(unit, logits, labels, matrix)
        total = total + loss + (added * logits.detach().sign()).mean()
    return total


def jobs_of(
    parts: dict[str, Part], batch: int, positions: int, device: str
) -> tuple[dict[str, Job], dict[str, int]]:
    """Value and gradient of both heads for every way, and the bytes that each keeps for the backward pass."""
    heads = [inputs(batch, positions, channels, device) for channels in HEADS]
    wanted = [
        one.requires_grad_() for features, logits, _, matrix in heads for one in (features, logits, matrix)
    ]

    def run(part: Part) -> None:
        torch.autograd.grad(objective(part, heads), wanted)

    def kept(part: Part) -> int:
        storages = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            total = objective(part, heads)
        del total
        return sum(storages.values())

    return (
        {name: functools.partial(run, part) for name, part in parts.items()},
        {name: kept(part) for name, part in parts.items()},
    )


def free_bytes(device: str) -> int:
    """Memory that nobody uses."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def beside_dense(sizes: Sequence[int], ways: dict[str, Part], turns: int, device: str) -> None:
    """Print the table against the dense formulation, as far as its matrices fit into memory."""
    lines, dense_peak = [], 0.0
    for positions in sizes:
        head = [str(positions)]
        needed = dense_peak * (positions / sizes[0]) ** 2
        parts = ways if needed < 0.7 * free_bytes(device) else {k: v for k, v in ways.items() if k != "dense"}
        jobs, kept = jobs_of(parts, 2, positions, device)
        peaks = {name: peak_bytes(job, device) for name, job in jobs.items()}
        seconds = timed(jobs, turns if len(parts) == len(ways) else 1, device, before=0)
        dense_peak = dense_peak or peaks["dense"]
        if "dense" not in parts:
            lines.append([*head, "dense", "does not fit", "", "", f"about {needed / 2**20:.0f}", "", ""])
        for name in parts:
            cells = [
                f"{1e3 * median(seconds[name]):.0f}",
                "",
                f"{kept[name] / 2**20:.1f}",
                f"{peaks[name] / 2**20:.1f}",
            ]
            times = ["", ""]
            if "dense" in parts:
                cells[1] = f"{1 / ratio(seconds[name], seconds['dense']):.1f}"
                times = [f"{kept['dense'] / kept[name]:.1f}", f"{peaks['dense'] / peaks[name]:.1f}"]
            lines.append([*head, name, *cells, *times])
    show(
        ["N", "way", "ms", "times faster", "kept MiB", "peak MiB", "kept, times less", "peak, times less"],
        lines,
    )


def growth(sizes: Sequence[int], device: str) -> None:
    """Print what ours takes for one image, up to a grid that no matrix is possible for."""
    lines = []
    for positions in sizes:
        jobs, kept = jobs_of({"ours": ours}, 1, positions, device)
        seconds = timed(jobs, 1, device, before=0)["ours"][0]
        peak = peak_bytes(jobs["ours"], device)
        matrix = 4 * positions**2 / 2**20
        lines.append(
            [
                str(positions),
                f"{seconds:.2f}",
                f"{kept['ours'] / 2**20:.1f}",
                f"{kept['ours'] / positions:.0f}",
                f"{peak / 2**20:.1f}",
                f"{matrix:.0f}",
            ]
        )
    show(["N", "s", "kept MiB", "kept bytes per position", "peak MiB", "one N x N matrix, MiB"], lines)


def exactness(positions: int, ways: dict[str, Part], device: str) -> None:
    """Print the distance to the dense formulation in float64 on the same float32 numbers.

    Without its clamp at 1: a rounding decides which self-pairs that one leaves a slope.
    """

    def results(part: Part, given: list[Tensor]) -> list[Tensor]:
        unit, logits, labels, matrix = given
        leaves = [one.detach().clone().requires_grad_() for one in (unit, logits, matrix)]
        loss, added = part(leaves[0], leaves[1], labels, leaves[2])
        gradients = torch.autograd.grad(loss, (leaves[0], leaves[2]), retain_graph=True)
        upstream = torch.sin(torch.arange(added.numel(), device=device)).to(added).view_as(added)
        return [
            one.detach().double()
            for one in (loss, added, *gradients, *torch.autograd.grad(added, leaves[:2], upstream))
        ]

    given = inputs(1, positions, HEADS[0], device)
    side = round(positions**0.5)
    given[0] = unit_features(given[0], (side, side))
    wide = [one.double() if one.is_floating_point() else one for one in given]
    open_top = functools.partial(dense, top=torch.inf)
    wanted = results(open_top, wide)
    lines = []
    for name, part in ways.items():
        found = results(open_top if part is dense else part, given)
        errors = [
            ((one - other).norm() / other.norm()).item() for one, other in zip(found, wanted, strict=True)
        ]
        lines.append([str(positions), name, *(f"{error:.0e}" for error in errors)])
    head = [
        "loss",
        "reasoning",
        "loss by features",
        "loss by T",
        "reasoning by features",
        "reasoning by logits",
    ]
    show(["N", "float32", *head], lines)


def main() -> None:
    """Print the tables."""
    asked = arguments("Time, memory and exactness of the affinity part, as Markdown.")
    turns = 3 if asked.quick else 5
    machine(asked.device, turns)
    ways: dict[str, Part] = {"dense": dense, "ours": ours}
    if asked.device == "cuda":
        ways["ours, tiles"] = tiles
    print(
        f"\nUnit features, pairwise loss, reasoning of two heads ({HEADS[0]} and {HEADS[1]} channels), 2 images:\n"
    )
    beside_dense((1024,) if asked.quick else (1024, 4096, 16384), ways, turns, asked.device)
    print("\nRelative distance to the dense formulation in float64, 1 image, main head:\n")
    exactness(1024 if asked.quick else 4096, ways, asked.device)
    print("\nThe same for 1 image without dense matrices:\n")
    growth((1024, 4096) if asked.quick else (1024, 4096, 16384, 65536), asked.device)
    print("\nOne whole update beside the baseline:\n")
    step_table(asked.quick, turns, asked.device)


if __name__ == "__main__":
    main()
