"""A small raw tree of Endovis18."""

from pathlib import Path

from noisylabels.phantoms.endovis18 import write_raw


def write(folder: Path) -> int:
    """Write the tree; returns the number of its cases."""
    return len(
        write_raw(folder, cases=4, traps=("alpha", "ghosts", "partial-table", "repairs", "test"), coarse=8)
    )
