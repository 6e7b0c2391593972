"""Polygons, hulls, boxes, blocks and fitted ellipses beside public tools in the same process: a Markdown table.

Run ``python benchmarks/polygons.py`` (two minutes) or ``... --quick`` (fewer runs and sizes). Peers that are
not installed are left out; OpenCV is no dependency of the project. Every call is made once before it is
timed; then ours and the peers' take turns, and the medians of their processor time (one thread) are compared.
"""

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from time import process_time
from types import ModuleType
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.phantoms.laparoscopy import cases

Job = Callable[[], Any]
Peers = Iterator[tuple[str, Job]]
NAMES = ("background", "one", "two", "three")


def installed(name: str) -> ModuleType | None:
    """A module, or None where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


cv2 = installed("cv2")
if cv2 is not None:
    cv2.setNumThreads(1)


def volume() -> LabelMap:
    """Three bodies that fill a tenth of the frame, (180, 180, 88)."""
    z, y, x = np.indices((180, 180, 88)) - np.array([90, 85, 45]).reshape(3, 1, 1, 1)
    wavy = 1 + 0.3 * np.sin(z / 9) * np.cos(y / 7)
    labels = ((z / 55) ** 2 + (y / 45) ** 2 + (x / 26) ** 2 < wavy).astype(np.uint8)
    labels[((z + 30) / 25) ** 2 + ((y + 25) / 20) ** 2 + ((x + 5) / 20) ** 2 < 1] = 2
    labels[((z - 40) / 20) ** 2 + ((y - 35) / 20) ** 2 + ((x - 5) / 15) ** 2 < 1] = 3
    return labels


def noisy(labels: LabelMap) -> LabelMap:
    """The same with 5 % of the pixels of a random class: tens of thousands of objects."""
    rng = np.random.default_rng(0)
    hit = rng.random(labels.shape) < 0.05
    return np.where(hit, rng.integers(0, 4, labels.shape), labels).astype(np.uint8)


def measured_cases(quick: bool) -> Iterator[tuple[str, Case]]:
    """Name and case of every size."""
    yield "256x320", next(iter(cases(1, (256, 320), seed=5)))
    if not quick:
        large = next(iter(cases(1, (1024, 1280), seed=5)))
        yield "1024x1280", large
        yield "1024x1280, 5 % noise", Case(case_id="noise", labels=noisy(large.labels), classes=NAMES)
    yield "180x180x88", Case(case_id="volume", labels=volume(), classes=NAMES)


def every_plane(labels: LabelMap, redraw: Callable[[Any, LabelMap, int], None]) -> LabelMap:
    """Class after class in every slice; ``redraw`` gets the mask, what to paint on, and the class."""
    out = np.zeros_like(labels)
    for plane, canvas in zip(np.atleast_3d(labels.T).T, out.reshape(-1, *labels.shape[-2:]), strict=True):
        for c in np.flatnonzero(np.bincount(plane.reshape(-1), minlength=4)[1:4]) + 1:
            redraw((plane == c).view(np.uint8), canvas, int(c))
    return out


def by_opencv(labels: LabelMap, shape: Callable[[Any], Any], holes: bool) -> LabelMap:
    """Contours, each replaced by another polygon, filled together (even-odd), so that holes stay."""

    def redraw(mask: Any, canvas: LabelMap, c: int) -> None:
        kind = cv2.RETR_CCOMP if holes else cv2.RETR_EXTERNAL
        contours = cv2.findContours(mask, kind, cv2.CHAIN_APPROX_NONE)[0]
        cv2.fillPoly(canvas, [shape(contour) for contour in contours], c)

    return every_plane(labels, redraw)


def by_skimage(labels: LabelMap, shape: Callable[[Any], Any]) -> LabelMap:
    """Contours, each replaced by another polygon, made masks one by one; holes by exclusive or."""
    from skimage.draw import polygon
    from skimage.measure import find_contours

    def redraw(mask: Any, canvas: LabelMap, c: int) -> None:
        inside = np.zeros(mask.shape, dtype=bool)
        for contour in find_contours(np.pad(mask, 1), 0.5):
            rows, columns = polygon(*(shape(contour) - 1).T, mask.shape)
            inside[rows, columns] ^= True
        canvas[inside] = c

    return every_plane(labels, redraw)


def simplify_peers(labels: LabelMap) -> Peers:
    """Douglas-Peucker with a tolerance of 5 px."""
    from skimage.measure import approximate_polygon

    if cv2 is not None:
        yield (
            "OpenCV findContours, approxPolyDP, fillPoly",
            lambda: by_opencv(labels, lambda contour: cv2.approxPolyDP(contour, 5, True), True),
        )
    yield (
        "skimage find_contours, approximate_polygon, polygon",
        lambda: by_skimage(labels, lambda contour: approximate_polygon(contour, 5)),
    )


def moved_peers(labels: LabelMap, every: int, sd: float) -> Peers:
    """Points at equal distances of a contour, jittered."""
    rng = np.random.default_rng(0)

    def moved(contour: Any) -> Any:
        points = contour[:: every if len(contour) > 4 * every else max(1, len(contour) // 4)]
        return (points + rng.normal(0, sd, points.shape)).astype(contour.dtype)

    if cv2 is not None:
        yield "OpenCV findContours, fillPoly, numpy", lambda: by_opencv(labels, moved, True)
    yield "skimage find_contours, polygon, numpy", lambda: by_skimage(labels, moved)


def hull_peers(labels: LabelMap) -> Peers:
    """Convex hulls of components."""
    from skimage.measure import label, regionprops

    def redraw(mask: Any, canvas: LabelMap, c: int) -> None:
        for region in regionprops(label(mask)):
            canvas[region.slice][region.image_convex] = c

    if cv2 is not None:
        yield "OpenCV findContours, convexHull, fillPoly", lambda: by_opencv(labels, cv2.convexHull, False)
    if labels.shape[0] < 1000 or np.bincount(labels.reshape(-1))[1:].sum() < 0.2 * labels.size:
        yield "skimage label, regionprops, convex_hull_image", lambda: every_plane(labels, redraw)


def box_peers(labels: LabelMap) -> Peers:
    """Boxes along the axes, slice by slice."""
    from skimage.measure import label, regionprops

    def by_regions(mask: Any, canvas: LabelMap, c: int) -> None:
        for region in regionprops(label(mask)):
            canvas[region.slice] = c

    def by_stats(mask: Any, canvas: LabelMap, c: int) -> None:
        for x, y, width, height, _ in cv2.connectedComponentsWithStats(mask)[2][1:]:
            canvas[y : y + height, x : x + width] = c

    if cv2 is not None:
        yield "OpenCV connectedComponentsWithStats", lambda: every_plane(labels, by_stats)
    yield "skimage label, regionprops", lambda: every_plane(labels, by_regions)


def turned_peers(labels: LabelMap) -> Peers:
    """Smallest rotated boxes."""
    if cv2 is not None:
        yield (
            "OpenCV findContours, minAreaRect, fillPoly",
            lambda: by_opencv(
                labels, lambda contour: cv2.boxPoints(cv2.minAreaRect(contour)).astype(np.int32), False
            ),
        )


def majority_peers(labels: LabelMap) -> Peers:
    """Majorities in blocks of 4 x 4, as sums of one-hot maps."""

    def blown_up() -> LabelMap:
        height, width = labels.shape[-2:]
        blocks = labels.reshape(-1, height // 4, 4, width // 4, 4)
        votes = np.stack([(blocks == c).sum(axis=(2, 4), dtype=np.uint8) for c in range(4)])
        small = votes.argmax(axis=0).astype(np.uint8)
        return small.repeat(4, axis=1).repeat(4, axis=2).reshape(labels.shape)

    yield "numpy, one-hot sums", blown_up


def nearest_peers(labels: LabelMap) -> Peers:
    """The nearest pixel, down and up by 4."""

    def blown_up() -> LabelMap:
        out = np.empty_like(labels)
        for plane, target in zip(
            labels.reshape(-1, *labels.shape[-2:]), out.reshape(-1, *labels.shape[-2:]), strict=True
        ):
            small = cv2.resize(plane, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
            cv2.resize(small, plane.shape[::-1], target, interpolation=cv2.INTER_NEAREST)
        return out

    if cv2 is not None:
        yield "OpenCV resize", blown_up


def fit_peers(labels: LabelMap, fit: str) -> Peers:
    """Ellipses fitted to contours, or in the smallest rotated box."""

    def redraw(mask: Any, canvas: LabelMap, c: int) -> None:
        for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            if fit == "box":
                cv2.ellipse(canvas, cv2.minAreaRect(contour), c, -1)
            elif len(contour) > 5:
                cv2.ellipse(canvas, cv2.fitEllipse(contour), c, -1)

    if cv2 is not None:
        what = "minAreaRect" if fit == "box" else "fitEllipse"
        yield f"OpenCV findContours, {what}, ellipse", lambda: every_plane(labels, redraw)


TASKS: tuple[tuple[str, dict[str, Any], Callable[[LabelMap], Peers] | None], ...] = (
    ("polygon", {"how": "simplify"}, simplify_peers),
    ("polygon", {"how": "clicks"}, lambda labels: moved_peers(labels, 12, 1.2)),
    ("polygon", {}, None),
    ("vertex-jitter", {}, None),
    ("vertex-jitter", {"spacing_px": 1.0}, lambda labels: moved_peers(labels, 1, 2.0)),
    ("hull", {}, hull_peers),
    ("hull", {"margin_px": 4.0}, None),
    ("box", {"per_slice": True}, box_peers),
    ("box", {"turned": True}, turned_peers),
    ("coarse", {}, majority_peers),
    ("coarse", {"rule": "nearest"}, nearest_peers),
    ("ellipse", {"fit": "contour"}, lambda labels: fit_peers(labels, "contour")),
    ("ellipse", {"fit": "box"}, lambda labels: fit_peers(labels, "box")),
)


def medians(jobs: list[Job], runs: int) -> list[float]:
    """Milliseconds of every job, which take turns; a slow one has fewer."""
    first = []
    for job in jobs:
        job()
        start = process_time()
        job()
        first.append(process_time() - start)
    times: list[list[float]] = [[one] for one in first]
    for turn in range(runs - 1):
        for job, taken in zip(jobs, times, strict=True):
            if taken[0] < 0.5 or turn < 1:
                start = process_time()
                job()
                taken.append(process_time() - start)
    return [1000 * median(taken) for taken in times]


def versions() -> str:
    """What was measured with."""
    found = []
    for name in ("numpy", "scipy", "scikit-image", "numba", "opencv-python-headless"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return f"Python {platform.python_version()}, {os.cpu_count()} CPU cores, {', '.join(found)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 runs a call instead of 7, without 1024x1280")
    quick = parser.parse_args().quick
    print(f"{versions()}\n")
    print("| labels | mode | ms | fastest peer | its ms | ratio | other peers, ms |")
    print("|---|---|---|---|---|---|---|")
    for size, case in measured_cases(quick):
        for name, values, peers in TASKS:
            module = MODES.load(name)
            params = module.Params(**values)
            found = list(peers(case.labels)) if peers is not None else []
            jobs = [lambda m=module, p=params, c=case: m.corrupt(c, p, Draws(0)), *(job for _, job in found)]
            mine, *others = medians(jobs, 3 if quick else 7)
            text = ", ".join(f"{key} {value}" for key, value in values.items())
            row = [size, f"{name} ({text})" if text else name, f"{mine:.2f}"]
            ranked = sorted((ms, peer) for ms, (peer, _) in zip(others, found, strict=True))
            if ranked:
                (best, peer), *rest = ranked
                row += [
                    peer,
                    f"{best:.2f}",
                    f"{best / mine:.1f}",
                    ", ".join(f"{n} {ms:.1f}" for ms, n in rest),
                ]
            else:
                row += ["", "", "", ""]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
