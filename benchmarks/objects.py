"""Mistakes about whole objects and slices, beside what one would write with public tools: a Markdown table.

Run ``python benchmarks/objects.py`` (four minutes) or ``... --quick`` (smaller maps, fewer runs). Peers that are
not installed are left out; none of them but scipy and scikit-image is a dependency of the project. No public
tool makes this noise, so a peer is the shortest code with its functions that does the same to the objects;
how it chooses them is not timed against ours. Every call is made once before, so compilation is not timed;
ours and the peer run in turn. Medians of processor time, one thread.
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
from scipy import ndimage

from noisylabels.case import Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws

Job = Callable[[], Any]


def installed(name: str) -> ModuleType | None:
    """A module, or None where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


def cells(shape: tuple[int, int]) -> LabelMap:
    """Round cells of three classes on a jittered grid, some of which touch."""
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, dtype=np.uint8)
    grid = np.indices((31, 31)) - 15
    for y in range(20, shape[0] - 20, 32):
        for x in range(20, shape[1] - 20, 32):
            r, dy, dx = rng.integers(4, 15), *rng.integers(-4, 5, 2)
            disc = (grid * grid).sum(axis=0) <= r * r
            labels[y + dy - 15 : y + dy + 16, x + dx - 15 : x + dx + 16][disc] = rng.integers(1, 4)
    return labels


def noise(shape: tuple[int, int]) -> LabelMap:
    """Every twentieth pixel of one of three classes: tens of thousands of objects."""
    rng = np.random.default_rng(0)
    return np.where(rng.random(shape) < 0.05, rng.integers(1, 4, shape), 0).astype(np.uint8)


def body(slices: int, side: int) -> LabelMap:
    """A body with lesions and a vessel, (slices, side, side), as in a CT."""
    labels = np.zeros((slices, side, side), dtype=np.uint8)
    y, x = np.ogrid[:side, :side]
    rng = np.random.default_rng(0)
    lesions = [
        (rng.integers(slices), *rng.integers(side // 3, side * 2 // 3, 2), rng.integers(3, 20))
        for _ in range(60)
    ]
    for z, plane in enumerate(labels):
        wide = 1 - ((z - slices / 2) / (slices / 2)) ** 2
        plane[
            ((y / side - 0.5) / 0.4) ** 2 + ((x / side - 0.45) / (0.3 + 0.04 * (z // 9 % 2))) ** 2 < wide
        ] = 1
        for cz, cy, cx, r in lesions:
            plane[((y - cy) ** 2 + (x - cx) ** 2 < r * r - (z - cz) ** 2) & (plane == 1)] = 2
        plane[(y - side / 4 - z / 8) ** 2 + (x - side * 0.8 + z / 10) ** 2 < 200] = 3
    return labels


def drop_peers(labels: LabelMap) -> Iterator[tuple[str, Job]]:
    """Label the objects of each class, draw one number each, clear the missed ones."""
    rng = np.random.default_rng(0)
    structure = np.ones((3,) * labels.ndim)

    def cleared(label: Callable[[Any], Any]) -> LabelMap:
        out = labels.copy()
        for c in (1, 2, 3):
            ids, count = label(labels == c)
            missed = rng.random(count + 1) < 0.5
            missed[0] = False
            out[missed[ids]] = 0
        return out

    yield "scipy label", lambda: cleared(lambda mask: ndimage.label(mask, structure))
    from skimage.measure import label

    yield "skimage label", lambda: cleared(lambda mask: label(mask, return_num=True))
    cc3d = installed("cc3d")
    if cc3d is not None:

        def by_cc3d() -> LabelMap:
            ids, count = cc3d.connected_components(labels, return_N=True)
            missed = rng.random(count + 1) < 0.5
            missed[0] = False
            return np.where(missed[ids], 0, labels)

        yield "cc3d, all classes at once", by_cc3d


def merge_peers(labels: LabelMap) -> Iterator[tuple[str, Job]]:
    """Close the gaps of every class: joins all neighbours, not a share of them."""
    radius = 2
    element = (np.indices((2 * radius + 1,) * labels.ndim) - radius) ** 2
    ball = element.sum(axis=0) <= radius * radius

    def closed(close: Callable[[Any], Any]) -> LabelMap:
        out = labels.copy()
        for c in (1, 2, 3):
            out[close(labels == c) & (labels == 0)] = c
        return out

    yield "scipy binary_closing", lambda: closed(lambda mask: ndimage.binary_closing(mask, ball))
    cv2 = installed("cv2")
    if cv2 is not None and labels.ndim == 2:
        cv2.setNumThreads(1)
        disc = ball.astype(np.uint8)
        yield (
            "OpenCV morphologyEx",
            lambda: closed(lambda mask: cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, disc) != 0),
        )


def split_peers(labels: LabelMap) -> Iterator[tuple[str, Job]]:
    """Cut every object at right angles to its orientation."""
    if labels.ndim != 2 or labels.size > 2**20:
        return  # with fifty thousand objects it takes half a minute
    from skimage.measure import label, regionprops

    def by_skimage() -> LabelMap:
        out = labels.copy()
        for c in (1, 2, 3):
            for region in regionprops(label(labels == c)):
                y, x = (region.coords - np.array(region.centroid)).T
                away = y * np.cos(region.orientation) + x * np.sin(region.orientation)
                out[tuple(region.coords[np.abs(away) < 1].T)] = 0
        return out

    yield "skimage label, regionprops", by_skimage


def between_peers(labels: LabelMap) -> Iterator[tuple[str, Job]]:
    """Every sixth slice kept, the others interpolated class by class from signed distances."""

    def signed(mask: Any) -> Any:
        return ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)

    def by(distance: Callable[[Any], Any]) -> LabelMap:
        out = np.zeros_like(labels)
        for c in (1, 2, 3):
            for a in range(0, len(labels) - 6, 6):
                low, high = distance(labels[a] == c), distance(labels[a + 6] == c)
                for z in range(6):
                    out[a + z][(6 - z) * low + z * high > 0] = c
        return out

    if labels.ndim == 3:
        yield "scipy distance transform", lambda: by(signed)
        edt = installed("edt")
        if edt is not None:
            yield "edt", lambda: by(lambda mask: edt.sdf(mask, parallel=1))


ROWS: tuple[tuple[str, dict[str, Any], Any], ...] = (
    ("drop-object", {"rate": 0.5}, drop_peers),
    ("drop-object", {"rate": 0.5, "size_bias": 1.0, "fill": "neighbour"}, None),
    ("add-object", {"rate": 0.5}, None),
    ("add-object", {"rate": 0.5, "source": "blob"}, None),
    ("merge-objects", {"rate": 0.5, "gap_px": 4.0}, merge_peers),
    ("split-object", {"rate": 1.0}, split_peers),
    ("slice-dropout", {"rate": 0.3, "unit": "object"}, None),
    ("slice-repeat", {"rate": 0.5}, None),
    ("interpolate-slices", {"every": 6.0}, between_peers),
)


def measured(quick: bool) -> Iterator[tuple[str, LabelMap]]:
    """Name and label map of every size."""
    yield "cells 512x512", cells((512, 512))
    yield "noise 512x512", noise((512, 512))
    if quick:
        yield "body 60x128x128", body(60, 128)
        return
    yield "noise 1024x1280", noise((1024, 1280))
    yield "body 88x180x180", body(88, 180)
    yield "body 200x512x512", body(200, 512)


def in_turn(jobs: list[Job], runs: int) -> list[float]:
    """Median milliseconds of several jobs, one run of each after the other."""
    times: list[list[float]] = [[] for _ in jobs]
    for turn in range(runs + 1):
        for job, found in zip(jobs, times, strict=True):
            if turn > 1 and found[0] > 2:
                continue  # one run of a slow peer is enough
            start = process_time()
            job()
            if turn:
                found.append(process_time() - start)
    return [1000 * median(found) for found in times]


def versions() -> str:
    """What was measured with."""
    found = []
    for name in (
        "numpy",
        "scipy",
        "scikit-image",
        "numba",
        "opencv-python-headless",
        "edt",
        "connected-components-3d",
    ):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return f"Python {platform.python_version()}, {os.cpu_count()} CPU cores, {', '.join(found)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 runs instead of 5, smaller maps")
    quick = parser.parse_args().quick
    print(f"{versions()}\n")
    print("| map | mode | ms | best peer | its ms | ratio | other peers, ms |")
    print("|---|---|---|---|---|---|---|")
    for size, labels in measured(quick):
        case = Case(case_id="bench", labels=labels, classes=("background", "one", "two", "three"))
        for name, values, peers in ROWS:
            if labels.ndim == 2 and "slice" in name:
                continue
            module = MODES.load(name)
            params = module.Params(**values)
            found = list(peers(labels)) if peers else []
            jobs = [lambda m=module, p=params, c=case: m.corrupt(c, p, Draws(0)), *(job for _, job in found)]
            mine, *theirs = in_turn(jobs, 3 if quick else 5)
            text = ", ".join(f"{key} {value}" for key, value in values.items())
            row = [size, f"{name} ({text})", f"{mine:.2f}", "", "", "", ""]
            if theirs:
                ranked = sorted(zip(theirs, [peer for peer, _ in found], strict=True))
                (best, peer), *others = ranked
                row[3:] = [
                    peer,
                    f"{best:.1f}",
                    f"{best / mine:.1f}",
                    ", ".join(f"{n} {ms:.1f}" for ms, n in others),
                ]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
