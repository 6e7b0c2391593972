"""Compiled loops of :mod:`noisylabels.kernels.stamps`."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _inside(dz: float, dy: float, dx: float, radius: float, swing: Any, axes: Any, w: Any, k: int) -> bool:
    """Whether balloon k holds the point (dz, dy, dx) about its anchor."""
    length = np.sqrt(dz * dz + dy * dy + dx * dx)
    most = abs(swing[k, 0]) + abs(swing[k, 1]) + abs(swing[k, 2])  # no wave is larger than its swing
    if length < radius * (0.999999 - most):
        return True
    if length > radius * (1.000001 + most):
        return False
    unit = 1.0 / length
    a = (dz * axes[k, 0, 0] + dy * axes[k, 0, 1] + dx * axes[k, 0, 2]) * unit
    b = (dz * axes[k, 1, 0] + dy * axes[k, 1, 1] + dx * axes[k, 1, 2]) * unit
    c = (dz * axes[k, 2, 0] + dy * axes[k, 2, 1] + dx * axes[k, 2, 2]) * unit
    aa, bb, cc = a * a, b * b, c * c
    size = 1.0 + swing[k, 0] * (w[0] * aa + w[1])
    size = size + swing[k, 1] * (b * (w[2] * bb + w[3]))
    size = size + swing[k, 2] * (cc * (w[4] * cc + w[5]) + w[6])
    return bool(length <= radius * size)


@kernel
def inflate(radius: Any, swing: Any, axes: Any, reach: Any, w: Any, sz: int, sy: int, sx: int) -> Any:
    """Segments along x, (n, 5), and where those of every balloon begin."""
    table = np.empty((1024, 5), dtype=np.int32)
    begin = np.zeros(len(radius) + 1, dtype=np.int64)
    n = 0
    for k in range(len(radius)):
        far = reach[k, 2]
        for z in range(-reach[k, 0], reach[k, 0] + 1):
            for y in range(-reach[k, 1], reach[k, 1] + 1):
                if n + far + 1 > len(table):
                    longer = np.empty((2 * len(table) + far, 5), dtype=np.int32)
                    for i in range(n):
                        for j in range(5):
                            longer[i, j] = table[i, j]
                    table = longer
                length = 0
                for x in range(-far, far + 2):
                    if x <= far and _inside(
                        z * float(sz), y * float(sy), x * float(sx), radius[k], swing, axes, w, k
                    ):
                        length += 1
                    elif length > 0:
                        table[n, 0], table[n, 1], table[n, 2], table[n, 3] = z, y, x - length, 2
                        table[n, 4] = length
                        n += 1
                        length = 0
        begin[k + 1] = n
    return table[:n], begin


@kernel
def _touches(labels: Any, z: int, y: int, x: int, value: int) -> bool:
    """Whether a pixel or one beside it is of a class."""
    depth, height, width = labels.shape
    for nz in range(max(z - 1, 0), min(z + 2, depth)):
        for ny in range(max(y - 1, 0), min(y + 2, height)):
            for nx in range(max(x - 1, 0), min(x + 2, width)):
                if labels[nz, ny, nx] == value:
                    return True
    return False


@kernel
def _on(labels: Any, segments: Any, i: int, z: int, y: int, x: int, on: int) -> Any:
    """Pixels of segment i about (z, y, x), and those of them that lie inside the frame on a class."""
    depth, height, width = labels.shape
    z += segments[i, 0]
    y += segments[i, 1]
    x += segments[i, 2]
    count = 0
    if 0 <= z < depth:
        for step in range(segments[i, 4]):
            py = y + step if segments[i, 3] == 1 else y
            px = x + step if segments[i, 3] == 2 else x
            if 0 <= py < height and 0 <= px < width and labels[z, py, px] == on:
                count += 1
    return count


@kernel
def _apart(labels: Any, segments: Any, first: int, end: int, z: int, y: int, x: int, value: int) -> bool:
    """Whether segments inside the frame touch no pixel of a class."""
    for i in range(first, end):
        for step in range(segments[i, 4]):
            py = y + segments[i, 1] + (step if segments[i, 3] == 1 else 0)
            px = x + segments[i, 2] + (step if segments[i, 3] == 2 else 0)
            if _touches(labels, z + segments[i, 0], py, px, value):
                return False
    return True


@kernel
def _paint(
    out: Any, segments: Any, first: int, end: int, z0: int, y0: int, x0: int, on: int, value: int
) -> None:
    """Paint segments about (z0, y0, x0) where they lie inside the frame on a class."""
    depth, height, width = out.shape
    for i in range(first, end):
        z = z0 + segments[i, 0]
        if not 0 <= z < depth:
            continue
        for step in range(segments[i, 4]):
            y = y0 + segments[i, 1] + (step if segments[i, 3] == 1 else 0)
            x = x0 + segments[i, 2] + (step if segments[i, 3] == 2 else 0)
            if 0 <= y < height and 0 <= x < width and out[z, y, x] == on:
                out[z, y, x] = value


@kernel
def settle(out: Any, on: int, segments: Any, begin: Any, classes: Any, order: Any, anchors: Any) -> None:
    """Paint the stamps of ``order``, each at the best of its anchors."""
    _, height, width = out.shape
    for k in order:
        size = 0
        for i in range(begin[k], begin[k + 1]):
            size += segments[i, 4]
        most, best = -1, np.int64(0)
        for t in range(anchors.shape[1]):
            at = anchors[k, t]
            z, y, x = at // width // height, at // width % height, at % width
            count = 0
            for i in range(begin[k], begin[k + 1]):
                count += _on(out, segments, i, z, y, x, on)
            whole = count == size and _apart(out, segments, begin[k], begin[k + 1], z, y, x, classes[k])
            if whole or count > most:
                most, best = count, at
            if whole:
                break
        if 2 * most >= size:
            z, y, x = best // width // height, best // width % height, best % width
            _paint(out, segments, begin[k], begin[k + 1], z, y, x, on, classes[k])
