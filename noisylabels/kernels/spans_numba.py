"""Compiled loop of :mod:`noisylabels.kernels.spans`."""

from typing import Any

from noisylabels.kernels.jit import kernel


@kernel
def paint(out: Any, labels: Any, fixed: Any, rows: Any, first: Any, last: Any, value: Any) -> None:
    """Raise the pixels of every run."""
    width = out.shape[2]
    flat, clean = out.reshape(-1), labels.reshape(-1)
    for n in range(len(rows)):
        c = value[n]
        for at in range(rows[n] * width + first[n], rows[n] * width + last[n] + 1):
            if flat[at] < c and not fixed[clean[at]]:
                flat[at] = c
