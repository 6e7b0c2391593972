"""A small raw tree of LiTS with everything that is odd but readable."""

from pathlib import Path

from noisylabels.phantoms.lits import write_raw

ODD = ("other-header", "identity", "turned", "unit-spacing", "test")


def write(folder: Path) -> int:
    """Write the tree; returns the number of its cases."""
    return len(write_raw(folder, cases=5, traps=ODD, size=(8, 40, 48)))
