"""Growth and shrinkage by an exact Euclidean ball, radius 1 to 8, beside public tools: a Markdown table.

Run ``python benchmarks/balls.py`` (minutes) or ``... --quick`` (radius 1, 4 and 8, fewer rounds). The whole
call ``corrupt(case, params, draws)`` is timed, labels in memory. All that stand in a row take turns in one process,
one thread, and the medians of their processor time are compared, in which waiting for other processes does not count;
compilation is not timed. Peers that are not installed are left out.
With ``--memory`` time and memory on a map of the size of a CT instead.
"""

import argparse
import ctypes
import gc
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
from corruptions import Job, ball_peers, disc, installed, measured_cases, versions

from noisylabels.case import Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws

SLOW = ("scipy distance transform", "scipy ball footprint", "skimage ball footprint")
"""Peers that no row is decided by: left out to keep the run short."""


OWN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dilate", {}),
    ("dilate", {"radius_px": (8.0, 8.0)}),
    ("dilate", {"over": "all"}),
    ("dilate", {"granularity": "local"}),
    ("erode", {}),
    ("erode", {"radius_px": (8.0, 8.0)}),
    ("erode", {"fill": "nearest"}),
    ("boundary", {}),
    ("boundary", {"granularity": "direction"}),
    ("boundary", {"granularity": "local"}),
    ("boundary", {"granularity": "local", "over": "all", "fill": "nearest"}),
    ("cube-shift", {}),
    ("cube-shift", {"unit": "object", "edge_px": (15, 15), "grow": 0.0}),
    ("shift-contour", {"miss": 1.0}),
    ("shift-contour", {"offset_px": -4.0, "wobble_px": 2.0}),
)
"""Settings that are measured alone."""


def grey_peer(labels: LabelMap, radius: int, grow: bool) -> Iterator[tuple[str, Job]]:
    """OpenCV once for all classes: a maximum over the disc lets the highest class win, as ours does."""
    cv2 = installed("cv2")
    if cv2 is None or labels.ndim != 2:
        return
    kernel = disc(radius, 2).astype(np.uint8)

    def grown() -> LabelMap:
        out = cv2.dilate(labels, kernel)
        np.copyto(out, labels, where=labels != 0)
        return np.asarray(out)

    def shrunk() -> LabelMap:
        out = labels.copy()
        out[cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)] = 0
        return out

    yield "OpenCV, all classes at once", grown if grow else shrunk


def milliseconds(jobs: dict[str, Job], rounds: int) -> dict[str, float]:
    """Medians of all jobs, which take turns; slow ones are called fewer times."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for number in range(rounds):
        turn = number % len(jobs)
        for name, job in [*jobs.items()][turn:] + [*jobs.items()][:turn]:
            if number > 6 and median(times[name]) > 0.02:
                continue
            start = process_time()
            job()
            times[name].append(process_time() - start)
    return {name: 1000 * median(found) for name, found in times.items()}


def ct() -> Case:
    """A map of the size of a CT, (400, 512, 512), with three bodies that fill a seventh of it."""
    labels = np.zeros((400, 512, 512), dtype=np.uint8)
    y, x = np.indices((512, 512), dtype=np.float32)
    for z in range(400):
        wave = 1 + 0.2 * np.sin(z / 25) * np.cos(y / 31)
        for c, (cz, cy, cx, rz, ry, rx) in enumerate(
            ((190, 230, 180, 130, 150, 130), (250, 300, 360, 110, 90, 80), (90, 180, 330, 60, 70, 110)),
            start=1,
        ):
            inside = ((z - cz) / rz) ** 2 + ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < wave
            labels[z][inside] = c
    return Case(case_id="ct", labels=labels, classes=("background", "one", "two", "three"))


def _status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    return 0


def memory(job: Job, labels: LabelMap) -> float:
    """The most that a call takes beside its input, the result included, as a multiple of the label map (Linux)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before is not counted
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    before = _status("VmRSS")
    job()
    return (_status("VmHWM") - before) / labels.nbytes


def memory_table(quick: bool) -> None:
    """Time and memory of every mode on a large map."""
    case = ct()
    if quick:
        case = case.with_labels(np.ascontiguousarray(case.labels[100:300, ::2, ::2]))
    size = "x".join(map(str, case.labels.shape))
    print("| size | mode | setting | s | memory, maps |")
    print("|---|---|---|---|---|")
    for mode, values in OWN:
        module = MODES.load(mode)
        params = module.Params(**values)
        module.corrupt(blob(), params, Draws(0))  # compiled
        start = perf_counter()
        maps = memory(lambda m=module, p=params: m.corrupt(case, p, Draws(0)), case.labels)
        text = ", ".join(f"{key} {value}" for key, value in values.items()) or "defaults"
        print(f"| {size} | {mode} | {text} | {perf_counter() - start:.2f} | {maps:.2f} |", flush=True)


def blob() -> Case:
    """Something small, (8, 16, 16)."""
    labels = np.zeros((8, 16, 16), dtype=np.uint8)
    labels[2:5, 4:9, 4:9], labels[3:6, 8:12, 8:12] = 1, 2
    return Case(case_id="blob", labels=labels, classes=("background", "one", "two", "three"))


def row(size: str, case: Case, mode: str, values: dict[str, Any], radius: int | None, rounds: int) -> str:
    """One row of the table."""
    module = MODES.load(mode)
    params, draws = module.Params(**values), Draws(0)
    jobs: dict[str, Job] = {"": lambda: module.corrupt(case, params, draws)}
    if radius is not None:
        peers = [
            *ball_peers(case.labels, radius, mode == "dilate"),
            *grey_peer(case.labels, radius, mode == "dilate"),
        ]
        jobs |= {name: job for name, job in peers if name not in SLOW}
    found = milliseconds(jobs, rounds)
    mine = found.pop("")
    text = ", ".join(f"{key} {value}" for key, value in values.items()) or "defaults"
    cells = [size, mode, text if radius is None else f"radius {radius}", f"{mine:.3f}"]
    result = jobs[""]()
    cells.append(
        "; ".join(
            f"{name} {ms:.3f} ({ms / mine:.1f}{'' if np.array_equal(result, jobs[name]()) else ', other pixels'})"
            for name, ms in sorted(found.items(), key=lambda item: item[1])
        )
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="radius 1, 4 and 8 alone, fewer rounds; a smaller CT"
    )
    parser.add_argument(
        "--memory", action="store_true", help="time and memory on a map of 400x512x512 instead"
    )
    arguments = parser.parse_args()
    quick = arguments.quick
    print(f"{versions()}\n")
    if arguments.memory:
        memory_table(quick)
        return
    cv2 = installed("cv2")
    if cv2 is not None:
        cv2.setNumThreads(1)
    rounds = 15 if quick else 41
    print("| size | mode | setting | ms | peers: ms (times ours) |")
    print("|---|---|---|---|---|")
    for size, case in measured_cases(quick=False):
        for mode in ("dilate", "erode"):
            for radius in (1, 4, 8) if quick else range(1, 9):
                fixed = {"radius_px": (float(radius), float(radius))}
                print(row(size, case, mode, fixed, radius, rounds), flush=True)
        for mode, values in OWN:
            print(row(size, case, mode, values, None, rounds), flush=True)


if __name__ == "__main__":
    main()
