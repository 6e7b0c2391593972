"""Smooth what moved of an outline: a weighted majority, in whole numbers."""

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.markov import inside


def smoothed(
    labels: LabelMap,
    of_class: int,
    opens: Mask,
    state: LabelMap,
    box: Ints,
    along_z: NDArray[np.int32],
    weights: NDArray[np.int32],
) -> Mask:
    """Where a class is after smoothing: the weighted majority in the window of a pixel, known pixels only.

    Only a pixel with a changed one in its window is smoothed; where neither side has the majority it stays.

    Args:
        labels: class of every pixel, (Z, Y, X).
        of_class: the class.
        opens: which classes it may cover; other pixels never belong to it.
        state: from :func:`noisylabels.kernels.markov.run`.
        box: first and one past the last index along every axis, (3, 2).
        along_z: weights of the window along z; an odd number of them, at most 1024 together.
        weights: the same along y and x.

    Returns:
        The class in the box.
    """
    fast = compiled("smoothing")
    if fast is not None:
        out = np.empty(tuple(box[:, 1] - box[:, 0]), dtype=np.bool_)
        fast.smooth(labels, of_class, opens, state, box, along_z, weights, out)
        return out
    window = [along_z, weights, weights]
    reach = [len(one) // 2 for one in window]
    low = [max(first - r, 0) for (first, _), r in zip(box.tolist(), reach, strict=True)]
    wide = tuple(slice(a, last + r) for a, (_, last), r in zip(low, box.tolist(), reach, strict=True))
    core = tuple(slice(first - a, last - a) for a, (first, last) in zip(low, box.tolist(), strict=True))
    now = inside(labels[wide], of_class, state[wide])
    lean = np.where(labels[wide] == IGNORE, 0, np.where(now, 1, -1)).astype(np.int32)
    touched = (now != (labels[wide] == of_class)).astype(np.int32)
    lean, touched = (_convolved(one, window)[core] for one in (lean, touched))
    chosen = np.where((touched > 0) & (lean != 0), lean > 0, now[core])
    return np.asarray(chosen & opens[labels[wide][core]])


def _convolved(values: NDArray[np.int32], weights: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Weighted sums over a window, zeros beyond the array."""
    for axis, one in enumerate(weights):
        reach, size = len(one) // 2, values.shape[axis]
        padded = np.pad(values, [(reach, reach) if a == axis else (0, 0) for a in range(values.ndim)])
        total = np.zeros_like(values)
        for k, weight in enumerate(one):
            total += weight * np.take(padded, range(k, k + size), axis=axis)
        values = total
    return values
