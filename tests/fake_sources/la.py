"""A small raw tree of LA, with the walls that one of its options wants."""

from pathlib import Path

from noisylabels.phantoms.la import write_raw


def write(folder: Path) -> int:
    """Write the tree; returns the number of its cases."""
    return len(write_raw(folder, cases=5, traps=("stray", "ones", "twins"), size=(6, 40, 48)))
