"""A small raw tree of LIDC-IDRI with much that is unusual and nothing that is damaged."""

from pathlib import Path

from noisylabels.phantoms.lidc import write_raw
from noisylabels.phantoms.lidc_traps import HARMLESS


def write(folder: Path) -> int:
    """Write the tree; returns the number of its cases."""
    traps = [trap for trap in (*HARMLESS, "x-rays") if trap != "lost-slice"]
    return len(write_raw(folder, cases=3, traps=traps, size=(5, 128, 136)))
