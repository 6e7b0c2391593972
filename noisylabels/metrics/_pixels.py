"""Joint pixel counts of two label maps, and what follows from counts alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.errors import InvalidData


def confusion(reference: LabelMap, prediction: LabelMap, num_classes: int) -> NDArray[np.int64]:
    """How many pixels of every true class were given every class.

    ::

        reference   0 0 1        confusion   given 0  1
                    0 1 1                true 0    2  1
        prediction  0 0 1                     1    1  2
                    1 1 0

    Args:
        reference: true class of every pixel, shape S; pixels with ``IGNORE`` are left out.
        prediction: given class of every pixel, shape S.
        num_classes: K, background included.

    Returns:
        (K, K) int64 counts ``[true, given]``; all 0 when every pixel is left out.

    Raises:
        InvalidData: the shapes differ, or a counted pixel has a class of K or more (an ``IGNORE`` in the
            prediction where the reference has a class is such a value).
    """
    same_shape(reference, prediction)
    true, given = reference.ravel(), prediction.ravel()
    if int(true.max(initial=0)) == IGNORE:
        counted = true != IGNORE
        true, given = true[counted], given[counted]
    highest = max(int(true.max(initial=0)), int(given.max(initial=0)))
    if highest >= num_classes:
        raise InvalidData(
            f"A label map holds the value {highest}, but only the classes 0 to {num_classes - 1} are "
            f"declared."
        )
    pairs = true.astype(np.uint16) * np.uint16(num_classes) + given
    counts = np.bincount(pairs, minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def same_shape(reference: NDArray[Any], prediction: NDArray[Any]) -> None:
    """Refuse two arrays that do not show the same pixels.

    Raises:
        InvalidData: the shapes differ.
    """
    if reference.shape != prediction.shape:
        raise InvalidData(
            f"The reference has shape {reference.shape} and the prediction {prediction.shape}; "
            "both must show the same pixels."
        )


def dice(tp: int, fp: int, fn: int) -> float:
    """2 TP / (2 TP + FP + FN), in 0 .. 1; absent in both maps gives 1, missed or invented gives 0.

    Source: Dice, Measures of the amount of ecologic association between species, Ecology 26, 1945.

    >>> dice(tp=3, fp=1, fn=1), dice(0, 0, 0), dice(0, 0, 5)
    (0.75, 1.0, 0.0)
    """
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0
