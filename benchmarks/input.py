"""How fast batches are prepared, and how much of its time a training waits for them.

Run ``python benchmarks/input.py`` (a minute) or ``... --quick``. A batch is 16 cases of 256 x 320, RGB, decoded and
held in memory or in a mapped file; augmented by flip, or by everything there is. The step that takes the batches is a
pause, as that of a GPU is for the CPU: the table shows which part of the time it waits, and the shortest step that is
never kept waiting for more than 5 % of its time.
"""

import argparse
import os
import platform
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = "1"

import torch

from noisylabels.phantoms import phantom_dataset
from noisylabels.store.dataset import Dataset
from noisylabels_plugins.batches import AUGMENTATIONS, TrainingSet
from noisylabels_plugins.feed import ahead

SIZE, BATCH = (256, 320), 16


def waited(data: TrainingSet, workers: int, pause: float, batches: int) -> tuple[float, float]:
    """Seconds that ``batches`` steps took, and of them the seconds that they waited for data."""
    feed = ahead(lambda number: data.batch(*divmod(number, per_epoch), BATCH), range(batches + 1), workers)
    per_epoch = data.steps_per_epoch(BATCH)
    next(feed)  # the first one is waited for whatever is done
    began, total = time.perf_counter(), 0.0
    for _, seconds in feed:
        total += seconds
        time.sleep(pause)
    return time.perf_counter() - began, total


def shortest(data: TrainingSet, workers: int, batches: int) -> float:
    """Seconds of the shortest step that waits for at most 5 % of the time, by halving."""
    low, high = 0.0, 0.256
    while high - low > 0.004:
        pause = (low + high) / 2
        whole, wait = waited(data, workers, pause, batches)
        low, high = (low, pause) if wait <= 0.05 * whole else (pause, high)
    return high


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Preparation of batches, as Markdown.")
    parser.add_argument("--quick", action="store_true", help="fewer cases and batches")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    cases, batches, turns = (48, 6, 1) if quick else (96, 12, 3)
    print(f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores, ", end="")
    print(f"load average {os.getloadavg()[0]:.1f}; batches of {BATCH} x {SIZE[0]} x {SIZE[1]}, RGB.\n")
    print(
        "| augmentation | held in | workers | cases/s | ms per batch | shortest step, ms | waits at 100 ms |"
    )
    print("|---|---|--:|--:|--:|--:|--:|")
    with TemporaryDirectory() as folder:
        dataset: Dataset = phantom_dataset(Path(folder) / "phantoms", cases, SIZE)
        for augment in (("flip",), AUGMENTATIONS):
            for held in (None, str(Path(folder) / "cache")):
                data = TrainingSet(dataset, dataset, 0, augment, cache=held)
                for workers in (0, 1, 2):
                    free = median(waited(data, workers, 0, batches)[0] for _ in range(turns)) / batches
                    least = shortest(data, workers, batches)
                    whole, wait = waited(data, workers, 0.1, batches)
                    print(
                        f"| {', '.join(augment)} | {'a file' if held else 'memory'} | {workers} | {BATCH / free:.0f} | "
                        f"{1e3 * free:.1f} | {1e3 * least:.0f} | {wait / whole:.1%} |"
                    )


if __name__ == "__main__":
    main()
