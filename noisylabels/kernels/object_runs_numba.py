"""Compiled loops of :mod:`noisylabels.kernels.object_runs`."""

from typing import Any

import numpy as np

from noisylabels.case import IGNORE
from noisylabels.kernels.jit import kernel


@kernel
def fill(volume: Any, row: Any, first: Any, last: Any, values: Any, empty: bool) -> None:
    """Write the value of every run, or only over 0."""
    flat, width = volume.reshape(-1), volume.shape[2]
    for i in range(len(row)):
        start = np.int64(row[i]) * width
        for at in range(start + first[i], start + last[i] + 1):
            if not empty or flat[at] == 0:
                flat[at] = values[i]


@kernel
def touched(labels: Any, after: Any, row: Any, first: Any, last: Any, owner: Any, count: Any) -> None:
    """Count the faces of runs; a neighbour of the same class belongs to the same object."""
    depth, height, width = labels.shape
    flat, seen = labels.reshape(-1), after.reshape(-1)
    for i in range(len(row)):
        z, y = row[i] // height, row[i] % height
        start = np.int64(row[i]) * width
        mine, own = flat[start + first[i]], owner[i]
        for x in (first[i] - 1, last[i] + 1):
            if 0 <= x < width and flat[start + x] != IGNORE:
                count[own, seen[start + x]] += 1
        for face in range(4):
            dz, dy = (2 * face - 1, 0) if face < 2 else (0, 2 * face - 5)
            if not (0 <= z + dz < depth and 0 <= y + dy < height):
                continue
            away = start + (dz * height + dy) * width
            for at in range(away + first[i], away + last[i] + 1):
                if flat[at] != mine and flat[at] != IGNORE:
                    count[own, seen[at]] += 1
