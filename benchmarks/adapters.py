"""Reading raw files through an adapter, beside bare decoding of the same files by the same library.

    python benchmarks/adapters.py [endovis18 jsrt la lits]

Raw trees are phantoms of the real sizes. MB/s are raw bytes per second and worker; "against bare" is the time of
the adapter's ``read`` over that of bare decoding, in turns, the best of five. Peak memory is that of reading the
largest case beyond the imported libraries. LIDC has a table of its own in ``docs/results/adapters.md``.
"""

import argparse
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from noisylabels.catalogue import DATASETS
from noisylabels.facts import load_facts
from noisylabels.sources import Item

NAMES = ("endovis18", "jsrt", "la", "lits", "lits, Decathlon")


def write(name: str, folder: Path) -> None:
    """A small raw tree with files of the real size."""
    from noisylabels.phantoms import endovis18, jsrt, la, lits

    if name == "endovis18":
        endovis18.write_raw(folder, cases=3, coarse=2)
    elif name == "jsrt":
        jsrt.write_raw(folder, 3, coarse=2)
    elif name == "la":
        la.write_raw(folder, cases=2, size=(88, 576, 576))
    else:
        lits.write_raw(folder, 2, traps=("decathlon",) if "Decathlon" in name else (), size=(80, 512, 512))


def bare(name: str) -> Callable[[Path], int]:
    """Decodes one file and gives the bytes of its pixels."""
    from PIL import Image

    def flat(path: Path) -> int:
        if path.suffix == ".IMG":
            return int(np.fromfile(path, dtype=">u2").nbytes)
        with Image.open(path) as picture:
            return int(np.asarray(picture).nbytes)

    def nrrd(path: Path) -> int:
        import SimpleITK as sitk

        return int(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).nbytes)

    def nifti(path: Path) -> int:
        import nibabel as nib

        return int(np.array(np.asanyarray(nib.load(path).dataobj)).nbytes)

    return {"la": nrrd, "lits": nifti}.get(name, flat)


def best(job: Callable[[], object], runs: int = 5) -> float:
    """The shortest of some runs, seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


def measured(name: str, folder: str) -> tuple[float, float, int, int, int]:
    """Seconds of bare decoding and of reading, raw bytes, bytes of the largest case, peak memory."""
    name = name.split(",")[0]
    adapter, facts = DATASETS.load(name), load_facts(name)
    options = adapter.Options()
    items: list[Item] = list(adapter.survey(Path(folder), facts, options).items)
    decode = bare(name)

    def alone() -> None:
        for item in items:
            for path in item.files:
                decode(path)

    def whole() -> int:
        largest = 0
        for item in items:
            for case in adapter.read(item, facts, options):
                assert case.image is not None
                largest = max(largest, case.image.nbytes + case.labels.nbytes)
        return largest

    alone()
    largest = whole()
    seconds = best(alone), best(whole)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    whole()
    size = sum(path.stat().st_size for item in items for path in item.files)
    return (*seconds, size, largest, status("VmHWM") - before)


def status(word: str) -> int:
    """A line of this process's status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(word))) * 1024


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("names", nargs="*")
    asked = words.parse_args()
    print("| dataset | workers | bare, MB/s | read, MB/s | against bare | peak memory | times the case |")
    print("|---|---|---|---|---|---|---|")
    for name in asked.names or NAMES:
        with TemporaryDirectory() as folder:
            write(name, Path(folder))
            for workers in (1, 2):
                with get_context("spawn").Pool(workers) as pool:
                    found = pool.starmap(measured, [(name, folder)] * workers, chunksize=1)
                alone, whole, size, largest, peak = (max(column) for column in zip(*found, strict=True))
                print(
                    f"| {name} | {workers} | {size / alone / 1e6:.0f} | {size / whole / 1e6:.0f} | "
                    f"{whole / alone:.2f} | {peak / 1e6:.0f} MB | {peak / largest:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    sys.exit(main())
