"""Compiled loops of :mod:`noisylabels.kernels.smoothing`.

Two maps go through together: where the class is (1, or -1 outside, or 0 where that is unknown), and where it
changed. All sums are whole numbers below 2**31.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel

_GROWN, _LOST = np.uint8(4), np.uint8(8)


@kernel
def _line(labels: Any, state: Any, of_class: int, z: int, y: int, x0: int, out: Any) -> None:
    """One row of the two maps, (2, X), with zeros beyond the frame."""
    width = labels.shape[2]
    for i in range(out.shape[1]):
        x = x0 + i
        out[0, i], out[1, i] = 0, 0
        if x < 0 or x >= width:
            continue
        own = labels[z, y, x] == of_class
        now = (own and (state[z, y, x] & _LOST) == 0) or (state[z, y, x] & _GROWN) != 0
        out[1, i] = now != own
        if labels[z, y, x] != 255:
            out[0, i] = 1 if now else -1


@kernel
def _along_x(line: Any, weights: Any, out: Any, row: int) -> None:
    """Weighted sums of neighbours in a row."""
    for c in range(2):
        for i in range(out.shape[2]):
            out[c, row, i] = 0
        for k in range(len(weights)):
            for i in range(out.shape[2]):
                out[c, row, i] += weights[k] * line[c, i + k]


@kernel
def _along_y(rows: Any, weights: Any, out: Any) -> None:
    """Weighted sums of neighbouring rows."""
    for c in range(2):
        for row in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[c, row, i] = 0
            for k in range(len(weights)):
                for i in range(out.shape[2]):
                    out[c, row, i] += weights[k] * rows[c, row + k, i]


@kernel
def _along_z(ring: Any, first: int, weights: Any, y: int, out: Any) -> None:
    """Weighted sums over the slices in the ring, the lowest of which is the given one."""
    for c in range(2):
        for i in range(out.shape[1]):
            out[c, i] = 0
        for k in range(len(weights)):
            plane = ring[(first + k) % len(weights)]
            for i in range(out.shape[1]):
                out[c, i] += weights[k] * plane[c, y, i]


@kernel
def _plane(
    labels: Any, state: Any, of_class: int, z: int, box: Any, weights: Any, rows: Any, out: Any
) -> None:
    """The maps of one slice, weighted along x and y, (2, Y, X)."""
    reach = len(weights) // 2
    line = np.zeros((2, out.shape[2] + 2 * reach), dtype=np.int32)
    for row in range(rows.shape[1]):
        y = box[1, 0] - reach + row
        if 0 <= y < labels.shape[1]:
            _line(labels, state, of_class, z, y, box[2, 0] - reach, line)
        else:
            line[:] = 0
        _along_x(line, weights, rows, row)
    _along_y(rows, weights, out)


@kernel
def smooth(
    labels: Any, of_class: int, opens: Any, state: Any, box: Any, along_z: Any, weights: Any, out: Any
) -> None:
    """Fill ``out`` with the smoothed class; slices pass through a ring as deep as the window."""
    depth, height, width = out.shape
    taps = len(along_z)
    rows = np.empty((2, height + len(weights) - 1, width), dtype=np.int32)
    ring = np.zeros((taps, 2, height, width), dtype=np.int32)
    total = np.empty((2, width), dtype=np.int32)
    for step in range(depth + taps - 1):
        z = box[0, 0] - taps // 2 + step
        if 0 <= z < labels.shape[0]:
            _plane(labels, state, of_class, z, box, weights, rows, ring[step % taps])
        else:
            ring[step % taps] = 0
        done = step - taps + 1
        for y in range(height if done >= 0 else 0):
            _along_z(ring, done, along_z, y, total)
            for i in range(width):
                at = box[0, 0] + done, box[1, 0] + y, box[2, 0] + i
                now = (labels[at] == of_class and (state[at] & _LOST) == 0) or (state[at] & _GROWN) != 0
                if total[1, i] > 0 and total[0, i] != 0:
                    now = total[0, i] > 0
                out[done, y, i] = now and opens[labels[at]]
