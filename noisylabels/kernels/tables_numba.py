"""Compiled loop of :mod:`noisylabels.kernels.tables`."""

from typing import Any

from noisylabels.kernels.jit import kernel


@kernel
def look_up(table: Any, places: Any, out: Any) -> None:
    """Fill ``out``; flat arrays."""
    for i in range(len(places)):
        out[i] = table[places[i]]
