"""A small raw tree of JSRT: odd and even ids of both series."""

from pathlib import Path

from noisylabels.phantoms.jsrt import write_raw

IDS = ("JPCLN001", "JPCLN002", "JPCLN009", "JPCNN003", "JPCNN092")


def write(folder: Path) -> int:
    """Write the tree; returns the number of its cases."""
    write_raw(folder, IDS)
    return len(IDS)
