"""Elastic deformation of label maps beside public tools, in one process and run: a Markdown table.

Run ``python benchmarks/elastic.py`` (some ten minutes with all peers) or ``... --quick`` (small maps, a minute). Peers
that are not installed are left out. ``--map FILE`` adds a label map that SimpleITK reads; ``--memory`` measures what a
512 x 512 x 400 map needs beyond itself instead, each tool in a process of its own (Linux).

Every call makes its own random field of 3 control points an axis and a standard deviation of 8 px, or what comes
nearest to it, and fetches labels by nearest. Single thread; compilation is not timed; medians of interleaved calls.
"""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from corruptions import Job, installed
from elastic_peers import PEERS, POINTS, SIGMA

from noisylabels.case import Case, LabelMap
from noisylabels.corruptions import elastic
from noisylabels.draws import Draws
from noisylabels.parts import splines, warp
from noisylabels.phantoms.laparoscopy import cases

NAMES = ("background", "one", "two", "three")


def bodies(shape: tuple[int, int, int]) -> LabelMap:
    """A large body with two smaller ones in it, at the places of liver, vessel and tumour."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    labels = np.zeros(shape, np.uint8)
    for value, middle, half in (
        (1, (0.5, 0.5, 0.45), (0.3, 0.28, 0.3)),
        (2, (0.45, 0.45, 0.5), (0.25, 0.04, 0.05)),
        (3, (0.55, 0.6, 0.35), (0.06, 0.05, 0.06)),
    ):
        away = [(a - m * n) / (h * n) for a, m, h, n in zip((z, y, x), middle, half, shape, strict=True)]
        labels[away[0] ** 2 + away[1] ** 2 + away[2] ** 2 < 1] = value
    return labels


def measured(quick: bool, more: list[str]) -> Iterator[tuple[str, Case]]:
    """Name and case of every map."""
    yield "256x320", next(iter(cases(1, (256, 320), seed=5)))
    yield "1024x1280", next(iter(cases(1, (1024, 1280), seed=5)))
    yield "180x180x88", Case(case_id="atrium", labels=bodies((180, 180, 88)), classes=NAMES)
    rng = np.random.default_rng(0)
    speckle = rng.integers(0, 4, (180, 180, 88), dtype=np.uint8)
    yield "180x180x88, every pixel random", Case(case_id="speckle", labels=speckle, classes=NAMES)
    for path in more:
        labels = np.asarray(
            import_module("SimpleITK").GetArrayFromImage(import_module("SimpleITK").ReadImage(path))
        )
        values = np.unique(labels)
        labels = np.searchsorted(values, labels).astype(np.uint8)
        known = tuple(f"class {v}" for v in values)
        yield (
            f"{Path(path).stem} {'x'.join(map(str, labels.shape))}",
            Case(case_id="map", labels=labels, classes=known),
        )
    if not quick:
        yield "200x512x512", Case(case_id="ct", labels=bodies((200, 512, 512)), classes=NAMES)


def by_ours(case: Case) -> Job:
    """The mode."""
    params = elastic.Params(sigma_px=SIGMA, points=POINTS)
    return lambda: elastic.corrupt(case, params, Draws(0))


def timed(jobs: dict[str, Job], rounds: int) -> dict[str, float]:
    """Median milliseconds of every job: a first call each, then rounds; what takes seconds is called less often."""
    times: dict[str, list[float]] = {}
    for name, job in jobs.items():
        start = perf_counter()
        job()
        times[name] = [perf_counter() - start]
    slow = {name for name, (first,) in times.items() if first > 1.5}
    for count in range(rounds):
        for name, job in jobs.items():
            if name in slow and count >= 2:
                continue
            start = perf_counter()
            job()
            times[name].append(perf_counter() - start)
    return {name: 1000 * median(found[1:]) for name, found in times.items()}


def same_pixels(case: Case) -> str:
    """Whether elasticdeform gives our pixels for our grid, both edges."""
    if installed("elasticdeform") is None:
        return ""
    grid = splines.rounded_grid(Draws(1).normal((case.labels.ndim, *(POINTS,) * case.labels.ndim)) * SIGMA)
    classes = tuple(range(1, case.num_classes))
    for edge in ("nearest", "constant"):
        one, other = (
            warp.deformed(case.labels, classes, grid, None, edge, name) for name in ("own", "elasticdeform")
        )
        if not np.array_equal(one, other):
            return "no"
    return "yes"


def versions() -> str:
    """What was measured with."""
    found = []
    for name in (
        "numpy", "scipy", "numba", "elasticdeform", "opencv-python-headless", "torch", "SimpleITK", "monai", "torchio",
        "batchgeneratorsv2",
    ):  # fmt: skip
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return f"Python {platform.python_version()}, {os.cpu_count()} CPU cores, {', '.join(found)}"


def peak(tool: str) -> None:
    """Print the milliseconds of a call on a 400 x 512 x 512 map, and what it needs beyond the map and the libraries."""
    make = by_ours if tool == "noisylabels" else PEERS[tool]
    small = make(Case(case_id="small", labels=bodies((16, 32, 32)), classes=NAMES))
    if small is None:
        return
    small()
    labels = bodies((400, 512, 512))
    case = Case(case_id="ct", labels=labels[:1], classes=NAMES)
    object.__setattr__(case, "labels", labels)  # the check of a case is not what is measured

    def status(key: str) -> int:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(next(line for line in text.splitlines() if line.startswith(key)).split()[1])

    job = make(case)
    assert job is not None
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before, start = status("VmRSS"), perf_counter()
    job()
    took = perf_counter() - start
    need = (status("VmHWM") - before) / 1024
    print(f"| {tool} | {1000 * took:.0f} | {need:.0f} | {need / (labels.size / 2**20):.1f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 9, without 200x512x512")
    parser.add_argument("--map", action="append", default=[], help="a label map that SimpleITK reads")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        peak(args.peak)
        return
    print(f"{versions()}\n")
    if args.memory:
        print("| 400x512x512 | ms | MB beyond input | label maps |\n|---|---|---|---|", flush=True)
        for tool in ("noisylabels", "elasticdeform", "torch grid_sample"):
            subprocess.run([sys.executable, __file__, "--peak", tool], check=True)
        return
    print(
        "| map | noisylabels, ms | elasticdeform, ms | ratio | its pixels | fastest peer, ms | ratio | others, ms |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, case in measured(args.quick, args.map):
        jobs = {"noisylabels": by_ours(case)}
        jobs |= {tool: job for tool, make in PEERS.items() if (job := make(case)) is not None}
        found = timed(jobs, 3 if args.quick else 9)
        mine, theirs = found.pop("noisylabels"), found.pop("elasticdeform", None)
        row = [name, f"{mine:.2f}"]
        row += (
            [f"{theirs:.0f}", f"{theirs / mine:.0f}", same_pixels(case)]
            if theirs is not None
            else ["", "", ""]
        )
        (best, least), *rest = sorted(found.items(), key=lambda item: item[1]) or [("", 0.0)]
        row += [
            f"{best} {least:.2f}",
            f"{least / mine:.1f}",
            ", ".join(f"{tool} {ms:.{1 if ms < 10 else 0}f}" for tool, ms in rest),
        ]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
