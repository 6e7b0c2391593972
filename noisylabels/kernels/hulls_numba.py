"""Compiled loop of :mod:`noisylabels.kernels.hulls`."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def bends(values: Any, begin: Any, keep: Any) -> None:
    """Mark where the envelopes bend: rows that turn the wrong way are dropped from a stack."""
    stack = np.empty(len(values), dtype=np.int64)
    for k in range(len(begin) - 1):
        size = 0
        for c in range(begin[k], begin[k + 1]):
            while size > 1:
                a, b = stack[size - 2], stack[size - 1]
                if (values[b] - values[a]) * (c - b) < (values[c] - values[b]) * (b - a):
                    break
                size -= 1
            stack[size] = c
            size += 1
        for i in range(size):
            keep[stack[i]] = True
