"""Runs of boundary pixels, as :mod:`noisylabels.kernels.balls` finds them, taken apart."""

import numpy as np

from noisylabels.geometry import Ints
from noisylabels.kernels.balls import FIRST, LAST, Sources, Y, Z


def single(sources: Sources) -> Sources:
    """The pixels of runs, each as a run of its own; the runs of one object may name a pixel twice."""
    length = sources[:, LAST] - sources[:, FIRST] + 1
    pixels = np.repeat(sources, length, axis=0)
    pixels[:, FIRST] += np.arange(len(pixels)) - np.repeat(np.cumsum(length) - length, length)
    pixels[:, LAST] = pixels[:, FIRST]
    return pixels


def places(pixels: Sources, shape: tuple[int, ...]) -> Ints:
    """Flat indices of the pixels that :func:`single` gives.

    Args:
        pixels: (n, 9).
        shape: (Z, Y, X) of the label map.
    """
    z, y, x = (pixels[:, k].astype(np.int64) for k in (Z, Y, FIRST))
    return np.asarray((z * shape[1] + y) * shape[2] + x)
