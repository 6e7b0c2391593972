"""Cases per second of every corruption, beside public tools in the same process: a Markdown table.

Run ``python benchmarks/corruptions.py`` (minutes) or ``... --quick`` (fewer runs, no 1024 x 1280). Peers
that are not installed are left out; OpenCV and edt are not dependencies of the project. Compilation is not
timed: every call is made once before. Medians of wall time, one thread.
"""

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from time import perf_counter
from types import ModuleType
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.phantoms.laparoscopy import cases

Job = Callable[[], Any]


def installed(name: str) -> ModuleType | None:
    """A module, or None where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


def volume() -> LabelMap:
    """A body of the size and place of a left atrium, with two smaller ones, (180, 180, 88)."""
    z, y, x = np.indices((180, 180, 88)) - np.array([90, 85, 45]).reshape(3, 1, 1, 1)
    labels = ((z / 55) ** 2 + (y / 45) ** 2 + (x / 26) ** 2 < 1 + 0.3 * np.sin(z / 9) * np.cos(y / 7)).astype(
        np.uint8
    )
    labels[((z + 30) / 25) ** 2 + ((y + 25) / 20) ** 2 + ((x + 5) / 20) ** 2 < 1] = 2
    labels[((z - 40) / 20) ** 2 + ((y - 35) / 20) ** 2 + ((x - 5) / 15) ** 2 < 1] = 3
    return labels


def measured_cases(quick: bool) -> Iterator[tuple[str, Case]]:
    """Name and case of every size."""
    yield "256x320", next(iter(cases(1, (256, 320), seed=5)))
    if not quick:
        yield "1024x1280", next(iter(cases(1, (1024, 1280), seed=5)))
    names = ("background", "one", "two", "three")
    yield "180x180x88", Case(case_id="volume", labels=volume(), classes=names)


def ours(case: Case) -> Iterator[tuple[str, str, Job]]:
    """What is compared, what it is compared with, and the call."""
    settings: list[tuple[str, str, dict[str, Any]]] = [
        ("flips", "symmetric", {"unit": "pixel"}),
        ("", "symmetric", {"unit": "component"}),
        ("", "asymmetric", {"unit": "component"}),
        ("", "pair-flip", {"unit": "class_region"}),
        ("ellipse", "ellipse", {}),
        ("ellipse", "ellipse", {"fit": "contour"}),
        ("", "ellipse", {"fit": "box"}),
        ("", "dilate", {}),
        ("", "erode", {}),
        *((f"dilate {r}", "dilate", {"radius_px": (float(r), float(r))}) for r in (1, 4, 8)),
        *((f"erode {r}", "erode", {"radius_px": (float(r), float(r))}) for r in (1, 4, 8)),
        *(("", "boundary", {"granularity": g}) for g in ("object", "direction", "local")),
    ]
    for task, name, values in settings:
        module = MODES.load(name)
        params = module.Params(**values)
        text = ", ".join(f"{key} {value}" for key, value in values.items())
        yield (
            task,
            f"{name} ({text})" if text else name,
            lambda m=module, p=params: m.corrupt(case, p, Draws(0)),
        )


def peers(case: Case, task: str) -> Iterator[tuple[str, Job]]:
    """Public tools for a task: one class after the other, later classes on top, as one would write it."""
    if task == "flips":
        yield from flip_peers(case)
    elif task == "ellipse" and case.labels.ndim == 2:
        yield from ellipse_peers(case)
    elif task:
        word, radius = task.split() if " " in task else ("", "0")
        if word:
            yield from ball_peers(case.labels, int(radius), word == "dilate")


def flip_peers(case: Case) -> Iterator[tuple[str, Job]]:
    """Independent flips at 0.5 with numpy's generators."""

    def flip(generator: np.random.Generator) -> LabelMap:
        flipped = generator.random(case.labels.shape) < 0.5
        step = generator.integers(1, 4, case.labels.shape, dtype=np.uint8)
        return np.where(flipped, (case.labels + step) % 4, case.labels)

    yield "numpy, Philox", lambda: flip(np.random.Generator(np.random.Philox(0)))
    yield "numpy, PCG64", lambda: flip(np.random.Generator(np.random.PCG64(0)))


def ellipse_peers(case: Case) -> Iterator[tuple[str, Job]]:
    """One filled ellipse a component."""
    from skimage.draw import ellipse
    from skimage.measure import label, regionprops

    def by_skimage() -> LabelMap:
        out = np.zeros_like(case.labels)
        for c in (1, 2, 3):
            for region in regionprops(label(case.labels == c)):
                half = max(region.axis_major_length / 2, 0.6), max(region.axis_minor_length / 2, 0.6)
                rows, columns = ellipse(*region.centroid, *half, shape=out.shape, rotation=region.orientation)
                out[rows, columns] = c
        return out

    yield "skimage label, regionprops, draw", by_skimage
    cv2 = installed("cv2")
    if cv2 is None:
        return

    def by_opencv() -> LabelMap:
        out = np.zeros_like(case.labels)
        for c in (1, 2, 3):
            plane = (case.labels == c).astype(np.uint8)
            for contour in cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
                if len(contour) > 5:
                    cv2.ellipse(out, cv2.fitEllipse(contour), c, -1)
        return out

    yield "OpenCV findContours, fitEllipse", by_opencv


def disc(radius: int, ndim: int) -> Any:
    """A ball as a structuring element."""
    axes = np.indices((2 * radius + 1,) * ndim) - radius
    return (axes * axes).sum(axis=0) <= radius * radius


def ball_peers(labels: LabelMap, radius: int, grow: bool) -> Iterator[tuple[str, Job]]:
    """Growth or shrinkage of every class by a Euclidean ball; all give our pixels."""
    from scipy import ndimage

    element = disc(radius, labels.ndim)

    def every(move: Callable[[Any], Any]) -> LabelMap:
        out = labels.copy()
        for c in (1, 2, 3):
            mine = labels == c
            if grow:
                out[move(mine) & (labels == 0)] = c
            else:
                out[mine & ~move(mine)] = 0
        return out

    def by_distance(mine: Any) -> Any:
        if grow:
            return ndimage.distance_transform_edt(~mine) <= radius
        return ndimage.distance_transform_edt(mine) > radius

    yield "scipy distance transform", lambda: every(by_distance)
    if labels.ndim == 2 or radius < 8:
        move = ndimage.binary_dilation if grow else ndimage.binary_erosion
        border = {} if grow else {"border_value": 1}
        yield "scipy ball footprint", lambda: every(lambda mine: move(mine, element, **border))
        from skimage.morphology import dilation, erosion

        shift = dilation if grow else erosion
        yield "skimage ball footprint", lambda: every(lambda mine: shift(mine, element))
    cv2, edt = installed("cv2"), installed("edt")
    if cv2 is not None and labels.ndim == 2:
        operator = cv2.dilate if grow else cv2.erode
        kernel = element.astype(np.uint8)
        yield "OpenCV disc kernel", lambda: every(lambda mine: operator(mine.view(np.uint8), kernel) != 0)
    if edt is not None:

        def boxed(mine: Any) -> Any:
            where = ndimage.find_objects(mine.view(np.uint8))
            box = tuple(slice(max(0, s.start - radius - 1), s.stop + radius + 1) for s in where[0])
            out = np.zeros_like(mine)
            square = edt.edtsq(~mine[box] if grow else np.ascontiguousarray(mine[box]), parallel=1)
            out[box] = square <= radius * radius if grow else square > radius * radius
            return out

        yield "edt squared, bounding box", lambda: every(boxed)


def milliseconds(job: Job, runs: int) -> float:
    """Median of several calls after a first one."""
    job()
    times = []
    for _ in range(runs):
        start = perf_counter()
        job()
        times.append(perf_counter() - start)
    return 1000 * median(times)


def versions() -> str:
    """What was measured with."""
    found = []
    for name in ("numpy", "scipy", "scikit-image", "numba", "opencv-python-headless", "edt"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return f"Python {platform.python_version()}, {os.cpu_count()} CPU cores, {', '.join(found)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 runs a call instead of 5, without 1024x1280")
    quick = parser.parse_args().quick
    runs = 3 if quick else 5
    print(f"{versions()}\n")
    print("| size | mode | ms | cases/s | best peer | its ms | ratio | same pixels | other peers, ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    for size, case in measured_cases(quick):
        for task, text, job in ours(case):
            found = [(milliseconds(run, runs), name, run) for name, run in peers(case, task)]
            mine = milliseconds(job, runs)  # last: neither the first nor the only one in a warm cache
            row = [size, text, f"{mine:.2f}", f"{1000 / mine:.0f}"]
            if found:
                (best, name, run), *others = sorted(found, key=lambda item: item[0])
                same = "yes" if np.array_equal(job(), run()) else "no"
                rest = ", ".join(f"{other} {ms:.2f}" for ms, other, _ in others)
                row += [name, f"{best:.2f}", f"{best / mine:.1f}", same, rest]
            else:
                row += ["", "", "", "", ""]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
