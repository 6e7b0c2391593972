"""Compiled loop of :mod:`noisylabels.kernels.flips`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.kernels.jit import kernel


@kernel
def flip(
    labels: LabelMap, words: NDArray[np.uint64], leave: NDArray[Any], reach: NDArray[Any], out: LabelMap
) -> None:
    """Fill ``out`` with the flipped labels; all flat arrays of one length."""
    size = len(leave)
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    for i in range(len(labels)):
        true = labels[i]
        out[i] = true
        if true < size and (words[i] >> half) < leave[true]:
            which = words[i] & low
            step = 0
            while which >= reach[true, step]:
                step += 1
            out[i] = (true + 1 + step) % size
