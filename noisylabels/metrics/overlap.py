"""Overlap of a prediction with a reference: Dice and Jaccard from exact pixel counts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.metrics._pixels import confusion as confusion
from noisylabels.metrics._pixels import dice as dice

DEFINITIONS = {
    "dice": "Dice = 2 TP / (2 TP + FP + FN) over the pixels that the reference does not ignore; absent in "
    "both 1, missed 0.",
    "jaccard": "Jaccard = TP / (TP + FP + FN) over the pixels that the reference does not ignore; absent in "
    "both 1, missed 0.",
}
"""What each number means, in a sentence to be printed with it."""


class Counts(NamedTuple):
    """Pixels of one structure: right (tp), too many (fp), missing (fn)."""

    tp: int
    fp: int
    fn: int


def structure_counts(matrix: NDArray[np.int64], codes: Sequence[int]) -> Counts:
    """Counts of a structure that consists of the classes ``codes``; a swap among them is no fault.

    Args:
        matrix: (K, K) counts ``[true, given]`` from :func:`confusion`.
        codes: the classes of the structure; none give (0, 0, 0).

    Returns:
        Exact integer counts.
    """
    inside = np.zeros(len(matrix), dtype=bool)
    inside[list(codes)] = True
    tp = int(matrix[np.ix_(inside, inside)].sum())
    return Counts(tp, int(matrix[:, inside].sum()) - tp, int(matrix[inside].sum()) - tp)


def jaccard(tp: int, fp: int, fn: int) -> float:
    """TP / (TP + FP + FN), in 0 .. 1; absent in both maps gives 1, missed or invented gives 0.

    Source: Jaccard, The distribution of the flora in the alpine zone, New Phytologist 11, 1912.

    >>> jaccard(tp=3, fp=1, fn=1), jaccard(0, 0, 0), jaccard(0, 0, 5)
    (0.6, 1.0, 0.0)
    """
    return tp / (tp + fp + fn) if tp + fp + fn else 1.0
