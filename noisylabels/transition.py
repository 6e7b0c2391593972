"""Class-transition matrices: how likely a true class is given as another.

``T[true, given]`` is the probability that a unit (pixel, component, ...) of class ``true`` carries the
label ``given``; every row sums to 1. Three builders write the matrices that the literature uses;
:func:`flip` applies one to raw draws.

Three foreground classes at rate 0.3, background not taking part::

    symmetric                    asymmetric = pair
    1    0     0     0           1    0    0    0
    0    0.7   0.15  0.15        0    0.7  0.3  0
    0    0.15  0.7   0.15        0    0    0.7  0.3
    0    0.15  0.15  0.7         0    0.3  0    0.7

Source: Patrini et al., Making deep neural networks robust to label noise, CVPR 2017; Han et al.,
Co-teaching, NeurIPS 2018.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.errors import UsageError

Matrix: TypeAlias = NDArray[np.float64]
"""Class-transition matrix T[true, given], (K, K); rows sum to 1."""

_ONE = 2.0**32


def _kept(num_classes: int, rate: float, taking_part: Sequence[int]) -> Matrix:
    if not 0.0 <= rate <= 1.0:
        raise UsageError(f"A rate is a probability between 0 and 1, not {rate}.")
    if not all(0 <= c < num_classes for c in taking_part):
        raise UsageError(f"The classes {list(taking_part)} do not all lie in 0 .. {num_classes - 1}.")
    matrix = np.eye(num_classes)
    for true in taking_part:
        matrix[true, true] = 1.0 - rate
    return matrix


def symmetric(num_classes: int, rate: float, taking_part: Sequence[int]) -> Matrix:
    """Every class that takes part flips with probability ``rate``, to each of the others alike.

    At ``rate = (m - 1) / m`` of ``m`` classes nothing of the true class is left in the label.

    Args:
        num_classes: K, background included.
        rate: probability of a flip, 0 .. 1.
        taking_part: the classes that flip and are flipped to, at least two.
    """
    matrix = _kept(num_classes, rate, taking_part)
    for true in taking_part:
        for given in taking_part:
            if given != true:
                matrix[true, given] = rate / (len(taking_part) - 1)
    return matrix


def asymmetric(num_classes: int, rate: float, taking_part: Sequence[int]) -> Matrix:
    """Foreground flips to the next foreground class, cyclically; background to all of them alike.

    A single foreground class has no other to flip to and stays. From ``rate = 0.5`` on two classes tie, so
    that the true one cannot be identified.

    Args:
        num_classes: K, background included.
        rate: probability of a flip, 0 .. 1.
        taking_part: the classes that flip; 0 among them means that the background flips too.
    """
    foreground = [c for c in taking_part if c != 0]
    matrix = pair(num_classes, rate, foreground)
    if 0 in taking_part and foreground:
        matrix[0] = _kept(num_classes, rate, (0,))[0]
        matrix[0, foreground] = rate / len(foreground)
    return matrix


def pair(num_classes: int, rate: float, taking_part: Sequence[int]) -> Matrix:
    """Every class that takes part flips to the next one, cyclically; the background is one where it does.

    Args:
        num_classes: K, background included.
        rate: probability of a flip, 0 .. 1; from 0.5 on two classes tie.
        taking_part: the classes that flip; a single one stays.
    """
    order = sorted(taking_part)
    if len(order) < 2:
        return _kept(num_classes, 0.0, order)
    matrix = _kept(num_classes, rate, order)
    for true, given in zip(order, order[1:] + order[:1], strict=True):
        matrix[true, given] = rate
    return matrix


def check(matrix: NDArray[Any]) -> Matrix:
    """The matrix as float64, if it is one.

    Raises:
        UsageError: it is not square, has an entry outside 0 .. 1, or a row whose sum is off 1 by more than
            1e-9.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise UsageError(f"A transition matrix is square, not of shape {matrix.shape}.")
    if not ((matrix >= 0) & (matrix <= 1)).all():
        raise UsageError("A transition matrix holds probabilities between 0 and 1.")
    off = np.abs(matrix.sum(axis=1) - 1)
    if off.max() > 1e-9:
        row = int(off.argmax())
        raise UsageError(f"Row {row} of the transition matrix sums to {matrix[row].sum():.12g}, not to 1.")
    return matrix


def thresholds(matrix: Matrix) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """A matrix as integers on the scale 0 .. 2**32, the form in which it meets raw draws.

    Returns:
        ``leave`` (K,): a unit of class k flips when 32 random bits are below ``leave[k]``.
        ``reach`` (K, K): it flips to class (k + 1 + j) mod K for the first j with 32 other bits below
            ``reach[k, j]``.
        The targets are counted from k + 1 on, so that one draw shared by all classes permutes them.
    """
    size = len(matrix)
    leave = np.rint((1.0 - matrix.diagonal()) * _ONE).astype(np.uint64)
    reach = np.zeros((size, size), dtype=np.uint64)
    for k in range(size):
        cumulated = np.cumsum([matrix[k, (k + 1 + j) % size] for j in range(size - 1)] + [0.0])
        if cumulated[-1] > 0:
            reach[k] = np.rint(cumulated / cumulated[-1] * _ONE).astype(np.uint64)
    return leave, reach


def flip(labels: LabelMap, matrix: Matrix, words: NDArray[np.uint64]) -> LabelMap:
    """New classes from one raw word each: the upper half decides whether to flip, the lower half to what.

    A larger off-diagonal mass flips a superset, to the same classes as long as the row keeps its proportions.

    Args:
        labels: classes below K, or any other value, which stays; any shape.
        matrix: T[true, given], (K, K).
        words: raw words, the shape of ``labels``.

    >>> words = np.array([0, 2**63, 2**64 - 1], dtype=np.uint64)
    >>> flip(np.array([1, 1, 1], dtype=np.uint8), pair(3, 0.6, (1, 2)), words).tolist()
    [2, 2, 1]
    """
    leave, reach = thresholds(matrix)
    size = len(matrix)
    out = labels.copy()
    known = np.minimum(labels, size - 1)
    moved = np.flatnonzero((labels < size) & (words >> np.uint64(32) < leave[known]))
    true = labels.ravel()[moved].astype(np.int64)
    which = words.ravel()[moved] & np.uint64(0xFFFFFFFF)
    steps = (which[:, None] >= reach[true]).sum(axis=1)
    out.ravel()[moved] = (true + 1 + steps) % size
    return out
