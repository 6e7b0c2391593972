"""Time and memory of reader, pseudo-label, annotator and like on a CT label map of 512x512x400 with three classes.

    python benchmarks/readers_ct.py            # about a minute, 2 GB of memory
    python benchmarks/readers_ct.py --quick    # a quarter of the slices

Memory is the peak of what the call allocates, its result included, over the size of the label map.
"""

import argparse
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from noisylabels.case import Case
from noisylabels.corruptions import annotator, like, pseudo_label, reader
from noisylabels.draws import Draws


def ct(slices: int) -> Case:
    """A liver with tumours, and two kidneys, as ellipsoids; two readers who are late by two and three pixels."""
    rng = np.random.default_rng(0)
    bodies = [(1, (0.5, 0.49, 0.35), (0.22, 0.21, 0.2))]
    for _ in range(25):
        middle, half = rng.uniform((0.33, 0.35, 0.23), (0.67, 0.63, 0.47)), rng.uniform(0.006, 0.035, 3)
        bodies.append((2, tuple(middle), tuple(half)))
    bodies += [(3, (0.55, 0.51, 0.74), (0.15, 0.08, 0.06)), (3, (0.5, 0.59, 0.18), (0.12, 0.08, 0.06))]
    labels = np.zeros((slices, 512, 512), np.uint8)
    y, x = (np.arange(512) / 512)[:, None], (np.arange(512) / 512)[None, :]
    for value, middle, half in bodies:
        plane = ((y - middle[1]) / half[1]) ** 2 + ((x - middle[2]) / half[2]) ** 2
        for z in range(slices):
            labels[z][plane + ((z / slices - middle[0]) / half[0]) ** 2 <= 1] = value
    return Case(
        case_id="ct",
        labels=labels,
        classes=("background", "liver", "tumour", "kidney"),
        spacing=(1.0, 0.8, 0.8),
        readers={"1": np.roll(labels, 2, 1), "2": np.roll(labels, -3, 2)},
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a quarter of the slices")
    case, draws = ct(100 if parser.parse_args().quick else 400), Draws(0, "ct")
    jobs: list[tuple[str, Callable[[Case], Any]]] = [
        ("like", lambda c: like.corrupt(c, like.Params(), draws)),
        ("reader, per object", lambda c: reader.corrupt(c, reader.Params(per="object"), draws)),
        (
            "pseudo-label, 2 vote",
            lambda c: pseudo_label.corrupt(c, pseudo_label.Params(threshold=0.6), draws),
        ),
    ]
    for style in annotator.STYLES[1:]:
        params = annotator.Params(styles=(style,))
        jobs.append((f"annotator, {style}", lambda c, p=params: annotator.corrupt(c, p, draws)))
    print(f"| {'x'.join(map(str, case.labels.shape))} | s | peak / label map | changed |\n|---|---|---|---|")
    for name, job in jobs:
        job(case)
        start = time.perf_counter()
        noisy = job(case)
        seconds = time.perf_counter() - start
        changed = np.count_nonzero(noisy != case.labels) / noisy.size
        tracemalloc.start()
        job(case)
        peak = tracemalloc.get_traced_memory()[1] / case.labels.nbytes
        tracemalloc.stop()
        print(f"| {name} | {seconds:.2f} | {peak:.1f} | {changed:.2%} |", flush=True)


if __name__ == "__main__":
    main()
