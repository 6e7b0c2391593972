"""Time and memory of a JCAS step beside a baseline step, and of its pairwise part beside N x N matrices.

Run ``python benchmarks/training.py`` (two minutes) or ``... --quick`` (smaller images and grids). Everything
runs on one thread of the CPU in this process, the candidates in turns, so that other work on the machine hits
all alike; times are medians over the turns and ratios are medians of the ratios within a turn. Memory is what
torch's allocator holds at most beyond what it held before the call, as its profiler records it; it does not
depend on the machine's load.
"""

import argparse
import os
import platform
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.methods import baseline, jcas
from noisylabels_plugins.nets import unet
from noisylabels_plugins.parts.affinity import differentiated_reasoning, pairwise_loss

Job = Callable[[], Any]
CLASSES = ("background", "shaft", "wrist", "clasper")
CHANNELS = 64
"""Of the affinity features, JCAS's default."""


def timed(jobs: dict[str, Job], turns: int) -> dict[str, list[float]]:
    """Seconds of every job in every turn; each job runs twice before."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(-2, turns):
        for name, job in jobs.items():
            began = perf_counter()
            job()
            if turn >= 0:
                seconds[name].append(perf_counter() - began)
    return seconds


def peak_bytes(job: Job) -> int:
    """Most bytes that torch held during a call beyond those before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        job()
    events = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def steps(size: tuple[int, int], count: int) -> dict[str, Job]:
    """One update of every method at the same network and batch."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (count, size[0] // 8, size[1] // 8), generator=generator)
    batch = Batch(
        image=torch.randn(count, 3, *size, generator=generator),
        labels=labels.repeat_interleave(8, 1).repeat_interleave(8, 2),
        case_ids=tuple(map(str, range(count))),
    )
    task = Task(
        classes=CLASSES,
        channels=3,
        shape=size,
        class_counts=tuple(torch.bincount(batch.labels.flatten()).tolist()),
        build_net=lambda: unet.Net(unet.Params(width=16, depth=4), 3, 4),
    )
    at = Progress(epoch=0, step=0, steps=1000, schedule=lambda fraction: 1.0)
    methods: dict[str, Base] = {
        "baseline": baseline.Method(baseline.Params(), task),
        "JCAS, warm-up": jcas.Method(jcas.Params(warmup=1.0), task),
        "JCAS, correcting": jcas.Method(jcas.Params(warmup=0.0), task),
        "JCAS, correcting, published": jcas.Method(jcas.Params(warmup=0.0, variant="published"), task),
    }
    return {name: (lambda method=method: method.step(batch, at)) for name, method in methods.items()}


def dense(unit: Tensor, logits: Tensor, labels: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The published formulation with its matrices: pairwise loss, and what reasoning adds to the logits."""
    affinity = (unit @ unit.transpose(1, 2)).clamp(1e-10, 1)
    onehot = torch.nn.functional.one_hot(labels, len(CLASSES)).to(unit.dtype)
    agree = onehot @ onehot.transpose(1, 2)
    given = (1 - affinity) * matrix[0, 1] + affinity * matrix[1, 1]
    loss = torch.nn.functional.binary_cross_entropy(given, agree)
    attended = affinity / affinity.sum(2, keepdim=True)
    reverse = 1 - attended
    reverse = reverse / reverse.sum(2, keepdim=True)
    refined = ((logits + attended @ logits) + (logits - reverse @ logits)) / 2
    return loss, refined - logits


def without(unit: Tensor, logits: Tensor, labels: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The same without a matrix of all pairs."""
    loss = pairwise_loss(unit, labels, matrix, self_pairs=True, ignored_pairs=True, floor=1e-10)
    return loss, differentiated_reasoning(logits, unit, published=True)


def pairwise(positions: int) -> dict[str, Job]:
    """Value and gradient of the pairwise part; both ways are compared before they are timed."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(1, positions, CHANNELS, generator=generator).relu()
    unit = (rows / rows.norm(dim=-1, keepdim=True)).requires_grad_()
    logits = torch.randn(1, positions, 4, generator=generator).requires_grad_()
    labels = torch.randint(0, 4, (1, positions), generator=generator)
    matrix = torch.tensor([[0.9, 0.1], [0.2, 0.8]], requires_grad=True)

    def run(function: Callable[..., tuple[Tensor, Tensor]]) -> list[Tensor]:
        loss, added = function(unit, logits, labels, matrix)
        gradients = torch.autograd.grad(loss + added.square().mean(), (unit, logits, matrix))
        return [loss.detach(), added.detach(), *gradients]

    for one, other in zip(run(dense), run(without), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    return {"dense": lambda: run(dense), "ours": lambda: run(without)}


def rows_of(jobs: dict[str, Job], turns: int, reference: str, head: list[str]) -> list[list[str]]:
    """Lines of a table: every job beside the reference."""
    seconds = timed(jobs, turns)
    peaks = {name: peak_bytes(job) for name, job in jobs.items()}
    lines = []
    for name in jobs:
        ratio = median(s / r for s, r in zip(seconds[name], seconds[reference], strict=True))
        lines.append(
            [
                *head,
                name,
                f"{1e3 * median(seconds[name]):.1f}",
                f"{1e3 * min(seconds[name]):.1f}",
                f"{ratio:.2f}",
                f"{peaks[name] / 2**20:.1f}",
                f"{peaks[name] / peaks[reference]:.2f}",
            ]
        )
    return lines


def show(head: list[str], lines: list[list[str]]) -> None:
    """Print a Markdown table; numbers to the right."""
    head = [*head, "ms, median", "ms, least", "time ratio", "peak MiB", "memory ratio"]
    texts = sum(not cell.replace(".", "").isdigit() for cell in lines[0])
    marks = ["---"] * texts + ["--:"] * (len(head) - texts)
    print("\n".join("| " + " | ".join(line) + " |" for line in (head, marks, *lines)))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Time and memory of training steps, as Markdown.")
    parser.add_argument("--quick", action="store_true", help="smaller images and grids, fewer turns")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    turns = 5 if quick else 9
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, one thread,")
    load = os.getloadavg()[0]  # the machine may be shared
    print(f"{turns} turns; {os.cpu_count()} cores, load average {load:.1f} at the start.")
    print("\nOne update, U-Net of width 16 and depth 4, beside the baseline:\n")
    lines = []
    for size, count in [((128, 128), 4)] if quick else [((128, 128), 4), ((256, 320), 2)]:
        head = [f"{count} x {size[0]}x{size[1]}"]
        lines += rows_of(steps(size, count), turns, "baseline", head)
    show(["batch", "method"], lines)
    print(f"\nPairwise loss and reasoning, value and gradient, one image, {CHANNELS} channels, 4 classes,")
    print("published formulation, beside its N x N matrices:\n")
    lines = []
    for positions in (1024,) if quick else (1024, 4096):
        lines += rows_of(pairwise(positions), turns, "dense", [f"N = {positions}"])
    show(["positions", "implementation"], lines)


if __name__ == "__main__":
    main()
