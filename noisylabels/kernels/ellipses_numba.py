"""Compiled loops of :mod:`noisylabels.kernels.ellipses`."""

from typing import Any

import numpy as np

from noisylabels.case import LabelMap
from noisylabels.kernels.jit import kernel


@kernel
def paint(volume: LabelMap, classes: Any, centre: Any, form: Any, low: Any, high: Any) -> None:
    """Raise every pixel inside an ellipse to its class; (Z, Y, X), ellipses (n, 3) and (n, 3, 3)."""
    width = volume.shape[2]
    for k in range(len(classes)):
        value = classes[k]
        a = form[k, 2, 2]
        for z in range(low[k, 0], high[k, 0] + 1):
            dz = z - centre[k, 0]
            for y in range(low[k, 1], high[k, 1] + 1):
                dy = y - centre[k, 1]
                slope = form[k, 0, 2] * dz + form[k, 1, 2] * dy
                rest = form[k, 0, 0] * dz * dz + 2.0 * form[k, 0, 1] * dz * dy + form[k, 1, 1] * dy * dy - 1.0
                inside = slope * slope - a * rest
                if inside < 0:
                    continue
                half = np.sqrt(inside) / a
                middle = centre[k, 2] - slope / a
                first = max(np.ceil(middle - half), 0.0)
                last = min(np.floor(middle + half), width - 1.0)
                line = volume[z, y]
                for x in range(int(first), int(last) + 1):
                    if line[x] < value:  # IGNORE is 255, above every class
                        line[x] = value


@kernel
def contour_sums(labels: Any, runs: Any, begin: Any, objects: Any, origin: Any, sums: Any) -> None:
    """Add up x**i y**j over the contour pixels; a neighbour of the same class belongs to the same object."""
    height = len(labels)
    for row in range(height):
        above, below = labels[max(row - 1, 0)], labels[min(row + 1, height - 1)]
        open_above, open_below = row == 0, row == height - 1
        for run in range(begin[row], begin[row + 1]):
            value, first, last, k = runs[run, 0], runs[run, 1], runs[run, 2], objects[run] - 1
            y = row - origin[k, 0]
            for at in range(first, last + 1):
                inside = not open_above and not open_below and above[at] == value and below[at] == value
                if inside and at != first and at != last:
                    continue
                x = at - origin[k, 1]
                left, n = np.int64(1), 0
                for i in range(5):
                    term = left
                    for _ in range(5 - i):
                        sums[k, n] += term
                        term *= y
                        n += 1
                    left *= x
