"""The embedded dataset as a folder: laparoscopic phantoms with a split that keeps sequences whole."""

from collections.abc import Callable
from pathlib import Path

from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.phantoms.domains import SOURCE
from noisylabels.phantoms.laparoscopy import CLASSES, cases
from noisylabels.store.dataset import Dataset, write_dataset
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split

NAME = "phantoms"
FRAMES = 4
"""Cases in one sequence."""


def phantom_dataset(
    out: Path | str,
    count: int = 120,
    size: tuple[int, int] = (128, 160),
    seed: int = 0,
    progress: Callable[[int, str], None] | None = None,
    domain: str = "source",
) -> Dataset:
    """Write the embedded dataset.

    Args:
        out: the folder to make; it must not exist.
        count: number of cases, at least 9 (three sequences, one for each part of the split).
        size: (Y, X) in px.
        seed: of the scenes and of the split.
        progress: called after each case with the number of cases so far and the case's id.
        domain: how the scenes look: source, or target for other tissue, light, optics and instruments with the
            same classes.

    Returns:
        The dataset, opened.

    Raises:
        UsageError: too few cases, a side below 32 px, an unknown domain, or ``out`` is already there.
    """
    info = DatasetInfo(
        name=name_of(domain),
        classes=CLASSES,
        channels=("red", "green", "blue"),
        ending=".png",
        title="Synthetic laparoscopic scenes with instruments made of shaft, wrist and clasper"
        + ("" if domain == SOURCE.name else f", {domain} domain"),
        licence="Apache-2.0",
        citation="noisylabels, embedded phantoms",
    )
    options = {"count": count, "size": list(size), "seed": seed, "frames": FRAMES}
    if domain != SOURCE.name:  # the record of a source stays what it was before there were domains
        options["domain"] = domain
    return write_dataset(
        cases(count, size, seed, FRAMES, domain),
        info,
        out,
        {"default": _split(count, seed)},
        provenance={"source": "noisylabels.phantoms.laparoscopy", "options": options},
        progress=progress,
    )


def name_of(domain: str) -> str:
    """Name of the dataset of a domain, and of the folder that it is written to by default."""
    return NAME if domain == SOURCE.name else f"{NAME}-{domain}"


def _split(count: int, seed: int) -> Split:
    sequences = -(-count // FRAMES)
    if sequences < 3:
        raise UsageError(f"{count} phantoms are too few to train, validate and test; ask for at least 9.")
    test, val = max(1, round(0.25 * sequences)), max(1, round(0.15 * sequences))
    order = Draws(seed, "phantom", "split").permutation(sequences).tolist()
    groups = {"test": order[:test], "val": order[test : test + val], "train": order[test + val :]}
    parts = {
        part: tuple(
            f"phantom_{i:04d}" for s in found for i in range(s * FRAMES, min((s + 1) * FRAMES, count))
        )
        for part, found in groups.items()
    }
    return Split(
        parts=parts,
        rule="whole sequences in random order: 25 % for test, 15 % for validation, the rest for training",
        source="noisylabels",
    )
