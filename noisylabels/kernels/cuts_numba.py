"""Compiled loops of :mod:`noisylabels.kernels.cuts`."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def sides(
    row: Any, first: Any, last: Any, owner: Any, centre: Any, slope: Any, half: Any, height: int, count: Any
) -> None:
    """Count the pixels on either side."""
    for i in range(len(row)):
        k = owner[i]
        z, y = row[i] // height - centre[k, 0], row[i] % height - centre[k, 1]
        rest = z * slope[k, 0] + y * slope[k, 1]
        for x in range(first[i], last[i] + 1):
            here = rest + (x - centre[k, 2]) * slope[k, 2]
            if here < -half[k]:
                count[k, 0] += 1
            elif here >= half[k]:
                count[k, 1] += 1


@kernel
def cut(out: Any, row: Any, first: Any, last: Any, owner: Any, centre: Any, slope: Any, half: Any) -> None:
    """Clear the pixels in between."""
    _, height, width = out.shape
    flat = out.reshape(-1)
    for i in range(len(row)):
        k, start = owner[i], np.int64(row[i]) * width
        z, y = row[i] // height - centre[k, 0], row[i] % height - centre[k, 1]
        rest = z * slope[k, 0] + y * slope[k, 1]
        for x in range(first[i], last[i] + 1):
            here = rest + (x - centre[k, 2]) * slope[k, 2]
            if -half[k] <= here < half[k]:
                flat[start + x] = 0
