"""Every mode on a CT label map of 512x512x400 with three classes: does it fit, and in what time?

    python benchmarks/large.py [--slices 400] [MODE ...]

Each mode runs in a process of its own, warm (its kernels compiled on a small map before). "peak" is the resident
memory above that of the process with the map in it, in times of the map (one byte a voxel). Prints a Markdown table.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from noisylabels.case import Case
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.phantoms.lits import abdomen

CLASSES = ("background", "liver", "tumour", "lesion")


def ct(slices: int) -> np.ndarray:
    """A liver with tumours, enlarged to 512x512, with lesions scattered over the body; (Z, Y, X) uint8."""
    _, small = abdomen(Draws(1, "docs", "abdomen"), (50, 128, 128))
    rows = (np.arange(slices) * 50) // slices
    labels = small[rows].repeat(4, axis=1).repeat(4, axis=2)
    rng = np.random.default_rng(0)
    for _ in range(300):
        z, y, x = (int(rng.integers(5, n - 5)) for n in labels.shape)
        r = int(rng.integers(2, 5))
        labels[z - r : z + r, y - r : y + r, x - r : x + r] = 3
    return np.ascontiguousarray(labels)


def case_of(labels: np.ndarray, readers: bool, image: bool) -> Case:
    """The map as a case, with what a mode may need."""
    other = {"1": np.roll(labels, 2, axis=2)} if readers else {}
    picture = ((labels.astype(np.int16) * 40) + 50)[None] if image else None
    return Case(
        case_id="ct", labels=labels, classes=CLASSES, spacing=(1.0, 0.8, 0.8), readers=other, image=picture
    )


def status(word: str) -> int:
    """A line of this process's status in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(word))) * 1024


def one(mode: str, path: str) -> None:
    """Run a mode on a stored map; prints seconds and peak."""
    module = MODES.load(mode)
    needs = getattr(module, "NEEDS", frozenset())
    labels = np.load(path)
    small = np.ascontiguousarray(labels[::16, ::8, ::8])
    params = module.EXAMPLE
    module.corrupt(case_of(small, "readers" in needs, "image" in needs), params, Draws(0, "warm"))
    case = case_of(labels, "readers" in needs, "image" in needs)
    case = replace(case)
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
    before, start = status("VmRSS"), time.perf_counter()
    noisy = module.corrupt(case, params, Draws(0, "large"))
    seconds = time.perf_counter() - start
    print(f"{seconds:.2f} {(status('VmHWM') - before) / labels.nbytes:.2f} {(noisy != labels).mean():.4f}")


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("modes", nargs="*")
    words.add_argument("--slices", type=int, default=400)
    words.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = words.parse_args()
    if asked.one:
        one(*asked.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "ct.npy")
        labels = ct(asked.slices)
        np.save(path, labels)
        print(f"map: {'x'.join(map(str, labels.shape[::-1]))}, {labels.nbytes / 2**20:.0f} MiB\n")
        print("| mode | seconds | peak, times the map | wrong voxels |\n|---|---|---|---|")
        for mode in asked.modes or MODES.names():
            done = subprocess.run(
                [sys.executable, __file__, "--one", mode, path], capture_output=True, text=True, check=False
            )
            cells = (
                done.stdout.split()
                if done.returncode == 0
                else ["failed", (done.stderr.splitlines() or [""])[-1], ""]
            )
            print(f"| {mode} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
