"""Where the time of a whole ``noisylabels corrupt`` goes: reading, corrupting, measuring, writing.

    python benchmarks/shares.py DATASET [--mode dilate] [--cases 12]

Does for some cases of a prepared dataset, in one process, what a worker does, and prints the share of each part.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.metrics.noise import measure
from noisylabels.store.dataset import Dataset
from noisylabels.store.digests import content_digest
from noisylabels.store.files import write_labels

PARTS = ("read and check", "corrupt", "measure", "digest", "write")


def main() -> None:
    """Print a line of the table."""
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("dataset", type=Path)
    words.add_argument("--mode", default="dilate")
    words.add_argument("--cases", type=int, default=12)
    asked = words.parse_args()
    dataset, module = Dataset.open(asked.dataset), MODES.load(asked.mode)
    ids = dataset.ids("train")[: asked.cases]
    total = dict.fromkeys(PARTS, 0.0)
    for number, case_id in enumerate([ids[0], *ids]):  # the first once more: kernels are compiled by then
        times = [time.perf_counter()]
        case = dataset.load(case_id, image=False)
        times.append(time.perf_counter())
        labels = module.corrupt(case, module.EXAMPLE, Draws(0, "shares", case_id))
        times.append(time.perf_counter())
        measure(case.labels, labels, case.classes, case.spacing)
        times.append(time.perf_counter())
        content_digest(labels, case.spacing)
        times.append(time.perf_counter())
        with TemporaryDirectory() as folder:
            write_labels(
                Path(folder) / f"case{dataset.info.ending}", labels, case.spacing, dataset.info.ignore
            )
            times.append(time.perf_counter())
        if number:
            for part, start, end in zip(PARTS, times, times[1:], strict=False):
                total[part] += end - start
    whole = sum(total.values())
    shares = " | ".join(f"{total[part] / whole:.0%}" for part in PARTS)
    shape = "x".join(map(str, case.labels.shape))
    print(f"| {dataset.info.name} {shape} | {asked.mode} | {1000 * whole / len(ids):.1f} | {shares} |")


if __name__ == "__main__":
    main()
