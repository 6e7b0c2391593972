"""A small raw tree of JSRT: odd and even ids of both series."""

from pathlib import Path

from noisylabels.phantoms.jsrt import write_raw

NOT_IN_THIS_LAYOUT = {("sides", "kept")}
"""Choices that need the original layout, whose full-size images are too slow for every test."""

IDS = ("JPCLN001", "JPCLN002", "JPCLN009", "JPCNN003", "JPCNN092")


def write(folder: Path) -> int:
    """Write the tree; returns the number of its cases."""
    write_raw(folder, IDS, traps=("repacked",))
    return len(IDS)
