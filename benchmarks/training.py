"""Time and memory of a JCAS step beside a baseline step of the same network and batch.

Run ``python benchmarks/training.py`` (some minutes), ``... --quick`` (a small network and images), ``... --threads 2``
or ``... --device cuda``. The candidates run in this process in turns, so that other work on the machine hits all
alike; times are medians over the turns and ratios are medians of the ratios within a turn. With one thread the time is
the processor's, which is that of the clock on an idle machine; with more threads or a GPU it is the clock's. Memory is
what torch's allocator holds at most beyond what it held before the call; it does not depend on the machine's load.
"""

import argparse
import os
import platform
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time
from types import ModuleType
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import torch
from torch.profiler import ProfilerActivity, profile

from noisylabels_plugins.api import Batch, Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.losses import ce
from noisylabels_plugins.methods import baseline, jcas
from noisylabels_plugins.nets import deeplab, unet

Job = Callable[[], Any]
CLASSES = ("background", "shaft", "wrist", "clasper")
Method = tuple[ModuleType, dict[str, Any]]
BASELINE: Method = (baseline, {})
JCAS: Method = (jcas, {"warmup": 0.0})


def timed(jobs: dict[str, Job], turns: int, device: str = "cpu", before: int = 2) -> dict[str, list[float]]:
    """Seconds of every job in every turn; each job runs some times before."""
    clock = process_time if device == "cpu" and torch.get_num_threads() == 1 else perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(-before, turns):
        for name, job in jobs.items():
            began = clock()
            job()
            if device == "cuda":
                torch.cuda.synchronize()
            if turn >= 0:
                seconds[name].append(clock() - began)
    return seconds


def peak_bytes(job: Job, device: str = "cpu") -> int:
    """Most bytes that torch held during a call beyond those before it."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        job()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        job()
    events = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def ratio(ours: list[float], reference: list[float]) -> float:
    """Median of the ratios within a turn."""
    return median(one / other for one, other in zip(ours, reference, strict=True))


def show(head: list[str], lines: list[list[str]]) -> None:
    """Print a Markdown table; columns of numbers to the right."""
    marks = ["--:" if cell[:1].isdigit() else "---" for cell in lines[0]]
    print("\n".join("| " + " | ".join(line) + " |" for line in (head, marks, *lines)), flush=True)


def machine(device: str, turns: int) -> None:
    """Print what this runs on."""
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, {name},")
    load = os.getloadavg()[0]  # the machine may be shared
    print(f"{turns} turns; {os.cpu_count()} cores, load average {load:.1f} at the start.")


def steps(
    net: ModuleType,
    params: dict[str, Any],
    size: tuple[int, int],
    count: int,
    methods: dict[str, Method],
    device: str,
) -> dict[str, Job]:
    """One update of every method at the same network and batch."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (count, size[0] // 8, size[1] // 8), generator=generator)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    task = Task(
        classes=CLASSES,
        channels=3,
        shape=size,
        class_counts=tuple(torch.bincount(labels.flatten()).tolist()),
        build_net=lambda: net.Net(net.Params(**params), 3, 4, 2),
        build_loss=lambda: ce.Loss(ce.Params(), 4),
    )
    image = torch.randn(count, 3, *size, generator=generator)
    names = tuple(map(str, range(count)))
    batch = Batch(image=image.to(device), labels=labels.to(device), case_ids=names)
    at = Progress(epoch=0, step=0, steps=1000, schedule=lambda fraction: 1.0)

    def job(module: ModuleType, values: dict[str, Any]) -> Job:
        method: Base = module.Method(module.Params(**values), task)
        method.to(torch.device(device)).train()
        return lambda: method.step(batch, at)

    return {name: job(*method) for name, method in methods.items()}


def step_lines(head: list[str], jobs: dict[str, Job], turns: int, device: str) -> list[list[str]]:
    """Lines of a table: every job beside the first."""
    seconds = timed(jobs, turns, device, before=1)
    peaks = {name: peak_bytes(job, device) for name, job in jobs.items()}
    reference = next(iter(jobs))
    return [
        [
            *head,
            name,
            f"{1e3 * median(seconds[name]):.1f}",
            f"{1e3 * min(seconds[name]):.1f}",
            f"{ratio(seconds[name], seconds[reference]):.2f}",
            f"{peaks[name] / 2**20:.1f}",
            f"{peaks[name] / peaks[reference]:.2f}",
        ]
        for name in jobs
    ]


def step_table(quick: bool, turns: int, device: str) -> None:
    """Print the steps of the networks."""
    few = {"baseline": BASELINE, "JCAS": JCAS}
    all_of_them = {
        "baseline": BASELINE,
        "JCAS, warm-up": (jcas, {"warmup": 1.0}),
        "JCAS, correcting": JCAS,
        "JCAS, correcting, published": (jcas, {"warmup": 0.0, "variant": "published"}),
    }
    wide = few | {"JCAS, 256 channels": (jcas, {"warmup": 0.0, "affinity_channels": 256})}
    small, release = {"width": 16, "depth": 4}, {"layers": 101, "dilations": (6, 12)}
    if quick:
        runs = [("U-Net 16", unet, small, (128, 128), 4, few)]
    else:
        runs = [
            ("U-Net 16", unet, small, (128, 128), 4, all_of_them),
            ("U-Net 16", unet, small, (256, 320), 2, few),
            ("DeepLab-v2, ResNet-101", deeplab, release, (256, 320), 2, wide),
        ]
    lines = []
    for name, net, params, size, count, methods in runs:
        jobs = steps(net, params, size, count, methods, device)
        lines += step_lines([name, f"{count} x {size[0]}x{size[1]}"], jobs, turns, device)
    show(
        ["network", "batch", "method", "ms, median", "ms, least", "time ratio", "peak MiB", "memory ratio"],
        lines,
    )


def arguments(summary: str) -> argparse.Namespace:
    """The command line, obeyed as far as torch is concerned."""
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--quick", action="store_true", help="small images and grids, fewer turns")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    return asked


def main() -> None:
    """Print the table."""
    asked = arguments("Time and memory of training steps, as Markdown.")
    turns = 3 if asked.quick else 5
    machine(asked.device, turns)
    print("\nOne update beside the baseline:\n")
    step_table(asked.quick, turns, asked.device)


if __name__ == "__main__":
    main()
