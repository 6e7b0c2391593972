"""Outlines that wander, discs on edges, superpixels: time beside public ways to do the same; Markdown tables.

Run ``python benchmarks/markov.py`` (a few minutes) or ``... --quick`` (fewer runs, no large frame, no volume
for the slow peers). OpenCV is not a dependency of the project and left out where it is missing.
Compilation is not timed: every call is made once before. Calls take turns; medians of wall time, one thread.
"""

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from time import perf_counter
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy import ndimage

from noisylabels.case import Case, LabelMap
from noisylabels.corruptions import edge_blobs, markov_boundary, superpixel
from noisylabels.draws import Draws
from noisylabels.kernels import philox
from noisylabels.phantoms.laparoscopy import cases

Job = Callable[[], Any]

NAMES = ("background", "one", "two", "three")


def ellipsoid(shape: tuple[int, ...], half: tuple[float, ...]) -> LabelMap:
    """One solid body in the middle of a frame."""
    grid = np.indices(shape)
    away = [(g - n / 2) / h for g, n, h in zip(grid, shape, half, strict=True)]
    return (sum(a * a for a in away) < 1).astype(np.uint8)


def measured(quick: bool) -> Iterator[tuple[str, Case, int]]:
    """Name, case and number of steps of every size."""
    mask = ellipsoid((256, 256), (80.0, 45.0))
    yield "256x256, one organ", Case(case_id="plane", labels=mask, classes=NAMES), 180
    yield "256x320, 3 classes", next(iter(cases(1, (256, 320), seed=5))), 180
    if not quick:
        yield "1024x1280, 3 classes", next(iter(cases(1, (1024, 1280), seed=5))), 180
    body = ellipsoid((180, 180, 88), (55.0, 45.0, 26.0))
    yield "180x180x88, one organ", Case(case_id="volume", labels=body, classes=NAMES), 80


def walked(mask: Any, steps: int, grow: float, rate: float, rng: np.random.Generator) -> Any:
    """The published walk of a binary mask: a distance transform and a search for its ones in every step."""
    now = mask.copy()
    for coin in rng.random(steps):
        edge = np.nonzero(ndimage.distance_transform_edt(~now if coin < grow else now) == 1)
        hit = rng.random(len(edge[0])) < rate
        now[tuple(axis[hit] for axis in edge)] ^= True
    return now


def walked_alike(mask: Any, params: markov_boundary.Params, draws: Draws) -> Any:
    """The same walk with the draws of ours: one word for every pixel of the frame in every step."""
    key, now = int(draws.at("walk").words(1)[0]), mask.copy()
    for step in range(params.steps):
        coin = philox.words(key, np.array([2**64 - 1], dtype=np.uint64), step, 1)[0, 0]
        grows = coin < philox.threshold(params.grow)
        words = philox.words(key, np.arange(mask.size), step, 1)[:, 0].reshape(mask.shape)
        edge = ndimage.distance_transform_edt(~now if grows else now) == 1
        now = now ^ (edge & (words < philox.threshold(params.rate)))
    return now


def markov_rows(quick: bool) -> Iterator[list[str]]:
    """The walk beside the published loop, which does one class after the other."""
    for size, case, steps in measured(quick):
        params = markov_boundary.Params(steps=steps, smooth=False, unit="class", keep=False)
        chosen = [c for c in range(1, 4) if (case.labels == c).any()]

        def published(case: Case = case, steps: int = steps, chosen: list[int] = chosen) -> None:
            rng = np.random.default_rng(0)
            for c in chosen:
                walked(case.labels == c, steps, 0.8, 0.05, rng)

        def ours(case: Case = case, params: markov_boundary.Params = params) -> LabelMap:
            return markov_boundary.corrupt(case, params, Draws(0))

        def smooth(case: Case = case, steps: int = steps) -> LabelMap:
            return markov_boundary.corrupt(case, markov_boundary.Params(steps=steps), Draws(0))

        slow = case.labels.size > 10**6
        mine, whole, theirs = milliseconds([ours, smooth, published], 1 if slow else 5)
        same = "not compared"
        if len(chosen) == 1 and not slow:
            same = "yes" if np.array_equal(ours(), walked_alike(case.labels == 1, params, Draws(0))) else "no"
        elif len(chosen) == 1:
            short = markov_boundary.Params(steps=5, smooth=False, unit="class", keep=False)
            found = markov_boundary.corrupt(case, short, Draws(0))
            equal = np.array_equal(found, walked_alike(case.labels == 1, short, Draws(0)))
            same = "yes (5 steps)" if equal else "no"
        yield [size, str(steps), f"{mine:.2f}", f"{whole:.2f}", f"{theirs:.0f}", f"{theirs / mine:.0f}", same]


def dabbed(mask: Any, share: float, low: int, high: int, rng: np.random.Generator) -> Any:
    """Discs on the edge of a binary mask, as one would write it with a loop over discs."""
    edge = np.argwhere(ndimage.binary_dilation(mask) & ~mask)
    out = mask.copy()
    for centre in edge[rng.random(len(edge)) < share]:
        r = int(rng.integers(low, high + 1))
        box = tuple(slice(max(0, c - r), c + r + 1) for c in centre)
        grid = np.ogrid[box]
        away = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
        out[box] |= away[tuple(slice(0, n) for n in out[box].shape)] <= r * r
    return out


def circled(cv2: Any, mask: Any, share: float, low: int, high: int, rng: np.random.Generator) -> None:
    """The same with OpenCV's circles."""
    edge = np.argwhere((cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0) & (mask == 0))
    for y, x in edge[rng.random(len(edge)) < share].tolist():
        cv2.circle(mask, (x, y), int(rng.integers(low, high + 1)), 1, -1)


def blob_rows(quick: bool) -> Iterator[list[str]]:
    """Discs that add, beside a loop over discs with numpy and one with OpenCV."""
    params, cv2 = edge_blobs.Params(sequence="add"), installed("cv2")
    for size, case, _ in measured(quick):
        chosen = [c for c in range(1, 4) if (case.labels == c).any()]

        def ours(case: Case = case) -> LabelMap:
            return edge_blobs.corrupt(case, params, Draws(0))

        def numpy_loop(case: Case = case, chosen: list[int] = chosen) -> None:
            rng = np.random.default_rng(0)
            for c in chosen:
                dabbed(case.labels == c, 0.1, 6, 12, rng)

        def opencv_loop(case: Case = case, chosen: list[int] = chosen) -> None:
            rng = np.random.default_rng(0)
            for c in chosen:
                circled(cv2, (case.labels == c).view(np.uint8).copy(), 0.1, 6, 12, rng)

        jobs: list[Job] = [ours, numpy_loop]
        if cv2 is not None and case.labels.ndim == 2:
            jobs.append(opencv_loop)
        times = milliseconds(jobs, 7)
        row = [size, *(f"{ms:.2f}" for ms in times)]
        yield [*row, *[""] * (4 - len(row)), f"{min(times[1:]) / times[0]:.1f}"]


def superpixel_rows(quick: bool) -> Iterator[list[str]]:
    """Snapping to superpixels beside scikit-image's superpixels alone."""
    from skimage.segmentation import slic

    params = superpixel.Params()
    for size, case, _ in measured(quick):
        image = case.image
        if image is None:
            texture = np.random.default_rng(0).integers(0, 60, case.labels.shape) + 100 * case.labels
            image = ndimage.uniform_filter(texture, 3).astype(np.uint8)[None]
        one = Case(case_id=case.case_id, labels=case.labels, classes=case.classes, image=image)
        whole = case.labels.copy()
        whole[(0,) * whole.ndim] = whole[(-1,) * whole.ndim] = 1
        everywhere = Case(case_id=case.case_id, labels=whole, classes=case.classes, image=image)
        jobs: list[Job] = [
            lambda one=one: superpixel.corrupt(one, params, Draws(0)),
            lambda everywhere=everywhere: superpixel.corrupt(everywhere, params, Draws(0)),
            lambda image=image: slic(image, 800, 0.1, channel_axis=0, convert2lab=False, max_num_iter=10),
        ]
        mine, full, theirs = milliseconds(jobs, 3 if quick else 5)
        yield [size, f"{mine:.1f}", f"{full:.1f}", f"{theirs:.1f}", f"{theirs / full:.1f}"]


def installed(name: str) -> Any:
    """A module, or None where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


def milliseconds(jobs: list[Job], runs: int) -> list[float]:
    """Medians of several calls that take turns, after a first one of each."""
    times: list[list[float]] = [[] for _ in jobs]
    for run in range(runs + 1):
        for job, mine in zip(jobs, times, strict=True):
            start = perf_counter()
            job()
            if run > 0:
                mine.append(perf_counter() - start)
    return [1000 * median(mine) for mine in times]


def versions() -> str:
    """What was measured with."""
    found = []
    for name in ("numpy", "scipy", "scikit-image", "numba", "opencv-python-headless"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return f"Python {platform.python_version()}, {os.cpu_count()} CPU cores, {', '.join(found)}"


TABLES: tuple[tuple[str, str, Callable[[bool], Iterator[list[str]]]], ...] = (
    ("markov-boundary", "size, steps, ms, smoothed ms, published loop ms, ratio, same bits", markov_rows),
    ("edge-blobs", "size, ms, numpy loop ms, OpenCV loop ms, ratio", blob_rows),
    ("superpixel", "size, ms, whole frame ms, scikit-image slic ms, ratio", superpixel_rows),
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without 1024x1280, fewer runs")
    quick = parser.parse_args().quick
    print(f"{versions()}\n")
    for name, head, rows in TABLES:
        columns = head.split(", ")
        print(f"\n{name}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        for row in rows(quick):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
