"""Compiled loops of :mod:`noisylabels.kernels.balls`: what the sources reach.

Rows are addressed in flat arrays: a slice for every run would cost more than the run.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _bounds(low: int, high: int, reach: int, at: int, size: int) -> Any:
    """First and last offset between the signs ``low`` and ``high`` that stays inside the frame."""
    first = -reach if low < 0 else low
    last = reach if high > 0 else high
    return max(first, -at), min(last, size - 1 - at)


@kernel
def grow(top: Any, closed: Any, sources: Any, ranks: Any, table: Any, left: Any, right: Any) -> None:
    """Raise reached pixels to the rank of the source where they are not closed."""
    depth, height, width = top.shape
    out, shut = top.reshape(-1), closed.reshape(-1)
    mz, my = left.shape[1] // 2, left.shape[2] // 2
    for n in range(len(sources)):
        z, y, first, last = sources[n, 0], sources[n, 1], sources[n, 2], sources[n, 3]
        rank, t = ranks[n], table[n]
        z0, z1 = _bounds(sources[n, 4], sources[n, 5], mz, z, depth)
        y0, y1 = _bounds(sources[n, 6], sources[n, 7], my, y, height)
        for dz in range(z0, z1 + 1):
            for dy in range(y0, y1 + 1):
                before = left[t, dz + mz, dy + my]
                if before < 0:
                    continue
                row = ((z + dz) * height + y + dy) * width
                start = row + max(first - before, 0)
                stop = row + min(last + right[t, dz + mz, dy + my], width - 1) + 1
                for at in range(start, stop):
                    out[at] = out[at] if shut[at] != 0 else max(out[at], rank)


@kernel
def erase(canvas: Any, ids: Any, sources: Any, table: Any, left: Any, right: Any) -> None:
    """Clear reached pixels of the source's own object."""
    depth, height, width = canvas.shape
    out, of = canvas.reshape(-1), ids.reshape(-1)
    mz, my = left.shape[1] // 2, left.shape[2] // 2
    for n in range(len(sources)):
        z, y, first, last = sources[n, 0], sources[n, 1], sources[n, 2], sources[n, 3]
        owner, t = ids.dtype.type(sources[n, 8]), table[n]
        z0, z1 = _bounds(sources[n, 4], sources[n, 5], mz, z, depth)
        y0, y1 = _bounds(sources[n, 6], sources[n, 7], my, y, height)
        for dz in range(z0, z1 + 1):
            for dy in range(y0, y1 + 1):
                before = left[t, dz + mz, dy + my]
                if before < 0:
                    continue
                row = ((z + dz) * height + y + dy) * width
                start = row + max(first - before, 0)
                stop = row + min(last + right[t, dz + mz, dy + my], width - 1) + 1
                for at in range(start, stop):
                    out[at] = np.uint8(0) if of[at] == owner else out[at]


@kernel
def shrink(
    best: Any,
    low_z: int,
    low_y: int,
    labels: Any,
    ids: Any,
    sources: Any,
    table: Any,
    left: Any,
    right: Any,
    sz: int,
    sy: int,
    sx: int,
) -> None:
    """Lower every reached pixel of the source's object to the key of the source; ``best`` begins at a z and y."""
    _, height, width = labels.shape
    depth, rows, _ = best.shape
    out, of, origin = best.reshape(-1), ids.reshape(-1), labels.reshape(-1)
    mz, my = left.shape[1] // 2, left.shape[2] // 2
    for n in range(len(sources)):
        z, y, first, last = sources[n, 0], sources[n, 1], sources[n, 2], sources[n, 3]
        owner, t = sources[n, 8], table[n]
        home = (z * height + y) * width
        z0, z1 = _bounds(sources[n, 4], sources[n, 5], mz, z - low_z, depth)
        y0, y1 = _bounds(sources[n, 6], sources[n, 7], my, y - low_y, rows)
        for dz in range(z0, z1 + 1):
            for dy in range(y0, y1 + 1):
                before = left[t, dz + mz, dy + my]
                if before < 0:
                    continue
                row = ((z + dz) * height + y + dy) * width
                to = ((z - low_z + dz) * rows + y - low_y + dy) * width
                rest = dz * sz * dz * sz + dy * sy * dy * sy
                start = max(first - before, 0)
                stop = min(last + right[t, dz + mz, dy + my], width - 1) + 1
                for x in range(start, stop):
                    if of[row + x] == owner:
                        nearest = min(max(x, first), last)
                        dx = (x - nearest) * sx
                        out[to + x] = min(out[to + x], (rest + dx * dx) * 256 + origin[home + nearest])
