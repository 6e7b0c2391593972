"""From scores of every class to pseudo-labels: temperature, threshold, resolution, in exact arithmetic.

A score is a whole number, 0 to 255: a probability in steps of 1/255, or how many of several predictions vote
for a class. The class with the highest score is taken (of equal ones the lowest). With the scores q_c and a
temperature T its confidence is ::

    q_best**(1/T) / sum over c of q_c**(1/T)

which is the softmax of logits divided by T. There are only 256 powers; they are looked up in a table that is
rounded correctly, so that no library's power function decides a pixel.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, Mask

Floats = NDArray[np.float64]


@cache
def powers(temperature: float) -> Floats:
    """q**(1 / temperature) for q = 0 .. 255, each the nearest float64; exactly q at temperature 1.

    Logarithm and exponential of :mod:`decimal` are rounded correctly at 60 digits on every platform.

    Args:
        temperature: above 0.
    """
    table = [0.0, 1.0]
    with localcontext() as context:
        context.prec, context.rounding = 60, ROUND_HALF_EVEN
        exact = Decimal(temperature)
        table += [float((Decimal(q).ln() / exact).exp()) for q in range(2, 256)]
    return np.arange(256.0) if temperature == 1 else np.array(table)


def decide(
    scores: Iterable[NDArray[np.uint8]], temperature: float, threshold: float
) -> tuple[LabelMap, Mask]:
    """The best class of every pixel, and whether its confidence reaches a threshold.

    Args:
        scores: of class 0, 1, ..., each of shape S; one at a time is enough.
        temperature: above 0; it never changes the best class. Above 1 confidence is flattened, below 1
            sharpened.
        threshold: 0 to 1. A confidence equal to it is enough.

    Returns:
        The classes, uint8 (S), and where they count, bool (S): nowhere where all scores are 0.

    >>> scores = np.array([[[51, 0]], [[102, 128]], [[102, 127]]], dtype=np.uint8)
    >>> decide(scores, 1.0, 0.45)
    (array([[1, 1]], dtype=uint8), array([[False,  True]]))
    """
    table = powers(temperature)
    best = top = total = None
    for c, score in enumerate(scores):
        if best is None or top is None:
            top, best = score.copy(), np.zeros(score.shape, dtype=np.uint8)
        else:
            higher = score > top
            best[higher] = c
            np.maximum(top, score, out=top)
        if threshold > 0:
            total = table[score] + (0.0 if total is None else total)
    if best is None or top is None:
        raise ValueError("there are scores of no class")
    sure = top > 0
    if total is not None:
        sure &= table[top] >= threshold * total
    return best, sure


def from_scores(
    scores: NDArray[np.uint8],
    temperature: float = 1.0,
    threshold: float = 0.0,
    below: LabelMap | int = 0,
    shape: Sequence[int] | None = None,
) -> LabelMap:
    """Pseudo-labels from the score maps of a model, of the grid of the labels or of another one.

    Args:
        scores: (K, \\*S) uint8, probabilities in steps of 1/255.
        temperature: above 0.
        threshold: confidence from which on a class counts, 0 to 1.
        below: what the other pixels get: a class, ``IGNORE``, or a map of the resulting shape.
        shape: of the result, where it is not S: the labels are brought to it by nearest.

    Returns:
        Labels, uint8, of ``shape``.
    """
    best, sure = decide(scores, temperature, threshold)
    if shape is not None:
        places = np.ix_(*[nearest(new, old) for new, old in zip(shape, best.shape, strict=True)])
        best, sure = best[places], sure[places]
    return np.where(sure, best, np.asarray(below, dtype=np.uint8))


def nearest(new: int, old: int) -> Ints:
    """Which of ``old`` pixels lies at the middle of each of ``new`` ones along the same side, (new,).

    >>> nearest(3, 9).tolist(), nearest(6, 3).tolist()
    ([1, 4, 7], [0, 0, 1, 1, 2, 2])
    """
    return (2 * np.arange(new, dtype=np.int64) + 1) * old // (2 * new)


def at_resolution(labels: LabelMap, size: Sequence[int]) -> LabelMap:
    """The labels brought to a grid of ``size`` and back, both by nearest; bringing them there twice is once.

    ::

        1 1 2 2 2 .        1 2 .        1 1 2 2 . .
        1 1 1 2 2 .   ->         ->     1 1 2 2 . .        size (1, 3)

    Args:
        labels: (Y, X) or (Z, Y, X).
        size: pixels along every axis; a grid as fine as the labels or finer changes nothing.
    """
    axes = []
    for old, new in zip(labels.shape, size, strict=True):
        axes.append(nearest(new, old)[nearest(old, new)] if new < old else np.arange(old, dtype=np.int64))
    return np.ascontiguousarray(labels[np.ix_(*axes)])


def votes(maps: Sequence[LabelMap], num_classes: int) -> Iterable[NDArray[np.uint8]]:
    """How many of the maps give class 0, 1, ..., K - 1, class by class; at most 255 maps."""
    for c in range(num_classes):
        count = np.zeros(maps[0].shape, dtype=np.uint8)
        for one in maps:
            count += one == c
        yield count


def mean(maps: Sequence[NDArray[np.uint8]]) -> Iterable[NDArray[np.uint8]]:
    """The mean score of class 0, 1, ..., K - 1 over several maps (K, \\*S), class by class, halves rounded up."""
    for scores in zip(*maps, strict=True):
        total = np.zeros(scores[0].shape, dtype=np.uint32)
        for one in scores:
            total += one
        yield ((2 * total + len(scores)) // (2 * len(scores))).astype(np.uint8)
