"""Flip single pixels: one raw word each; the twin is :func:`noisylabels.transition.flip`."""

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.kernels.choice import compiled, plain
from noisylabels.transition import Matrix, flip, thresholds


def flip_pixels(labels: LabelMap, matrix: Matrix, words: NDArray[np.uint64]) -> LabelMap:
    """What :func:`noisylabels.transition.flip` gives, for many pixels.

    Args:
        labels: classes, any shape; values from K on stay.
        matrix: T[true, given], (K, K).
        words: raw words, the shape of ``labels``.
    """
    fast = compiled("flips")
    if fast is None:
        return flip(labels, matrix, words)
    out = np.empty_like(labels)
    fast.flip(plain(labels).ravel(), plain(words).ravel(), *thresholds(matrix), out.reshape(-1))
    return out
