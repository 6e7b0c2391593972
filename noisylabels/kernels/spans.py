"""Paint runs of pixels along rows, where a higher class lies above a lower one."""

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled


def paint(
    out: LabelMap,
    labels: LabelMap,
    fixed: Mask,
    rows: Ints,
    first: Ints,
    last: Ints,
    value: NDArray[np.uint8],
) -> None:
    """Raise every pixel of the runs to the run's class where it is lower; in place.

    Args:
        out: (Z, Y, X).
        labels: the clean labels, the same shape.
        fixed: (256,); where the clean class of a pixel is fixed, the pixel stays.
        rows: z * Y + y of every run, (n,) int64.
        first: its first x, (n,) int64, inside the frame.
        last: its last x, (n,) int64, inside the frame; before ``first`` for a run of no pixel.
        value: its class, (n,) uint8.
    """
    fast = compiled("spans")
    if fast is not None:
        fast.paint(out, labels, fixed, rows, first, last, value)
        return
    flat, width = out.reshape(-1), out.shape[2]
    for c in np.unique(value):
        mine = (value == c) & (first <= last)
        change = np.bincount((rows * width + first)[mine], minlength=flat.size + 1)
        change -= np.bincount((rows * width + last)[mine] + 1, minlength=flat.size + 1)
        covered = (np.cumsum(change[:-1]) > 0) & ~fixed[labels.reshape(-1)]
        flat[covered & (flat < c)] = c
