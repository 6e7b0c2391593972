"""The semivariogram of what is measured along outlines, and the smooth field behind it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.metrics._boundary import FloatArray

_BINS, _RATIO = 56, 1.25
_MOST = 400
"""Places of an object that are compared with each other; of more, every so many is taken."""
_FEW = 30
"""Pairs that a distance must have to count."""


class Field(NamedTuple):
    """A smooth field along outlines: gamma(h) = rough**2 + sd**2 (1 - 2**-(h / length)**2)."""

    sd: float
    length: float
    rough: float


class Variogram:
    """Half the mean squared difference of two places of one object, by their distance.

    Args:
        finest: the shortest distance of interest, in the unit of places; the distances of a bin are 25 %
            longer than those of the one before.
    """

    def __init__(self, finest: float) -> None:
        self.finest = finest
        self._edges = finest * _RATIO ** np.arange(1, _BINS)
        self._pairs = np.zeros(_BINS)
        self._far = np.zeros(_BINS)
        self._half = np.zeros(_BINS)
        self._means: list[float] = []
        self._shares = np.zeros(_BINS)  # of the pairs of an object that fall into a bin, added up
        self._alone = 0.0

    def add(self, places: FloatArray, values: FloatArray) -> None:
        """Take in one object.

        Args:
            places: (n, D), n at least 1.
            values: (n,).
        """
        every = -(-len(values) // _MOST)
        places, values = places[::every], values[::every]
        n = len(values)
        one, other = np.triu_indices(n, 1)
        steps = places[one] - places[other]
        far = np.sqrt((steps * steps).sum(axis=1))
        half = 0.5 * (values[one] - values[other]) ** 2
        where: NDArray[np.int64] = np.searchsorted(self._edges, far, side="right")
        pairs = np.bincount(where, minlength=_BINS)
        self._pairs += pairs
        self._far += np.bincount(where, far, _BINS)
        self._half += np.bincount(where, half, _BINS)
        self._means.append(float(values.mean()))
        self._shares += 2.0 * pairs / (n * n)
        self._alone += 1.0 / n

    @property
    def objects(self) -> int:
        """How many were taken in."""
        return len(self._means)

    def curve(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Distances, semivariances and numbers of pairs of the bins that have enough."""
        some = self._pairs >= _FEW
        pairs = self._pairs[some]
        return self._far[some] / pairs, self._half[some] / pairs, pairs

    def field(self) -> Field:
        """The field that fits best: least squares weighted by pairs, over a range of lengths.

        Returns:
            The field; sd 0 and the shortest length where nothing varies or there are too few pairs.
        """
        far, half, pairs = self.curve()
        best, error = Field(0.0, self.finest, 0.0), np.inf
        if len(far) < 3 or not half.any():
            return best
        for length in np.geomspace(self.finest, far.max(), 121):
            rise = 1.0 - np.exp2(-((far / length) ** 2))
            rough, sill = _two_terms(rise, half, pairs)
            off = float((pairs * (half - rough - sill * rise) ** 2).sum())
            if off < error:
                best, error = Field(float(np.sqrt(sill)), float(length), float(np.sqrt(rough))), off
        return best

    def offsets(self, field: Field) -> tuple[float, float]:
        """Mean of the objects' means, and their standard deviation without what the field adds to it.

        A mean of n places of a field of variance v varies by v times the mean correlation of two of them.
        """
        means = np.array(self._means)
        if not len(means):
            return 0.0, 0.0
        if len(means) < 2:
            return float(means[0]), 0.0
        some = self._pairs > 0
        correlation = np.exp2(-((self._far[some] / self._pairs[some] / field.length) ** 2))
        alone = self._alone / len(means)
        shared = float((self._shares[some] * correlation).sum()) / len(means) + alone
        left = float(means.var(ddof=1)) - field.sd**2 * shared - field.rough**2 * alone
        return float(means.mean()), float(np.sqrt(max(left, 0.0)))


def _two_terms(rise: FloatArray, half: FloatArray, pairs: FloatArray) -> tuple[float, float]:
    """Weighted least squares of half = a + b rise, neither below 0."""
    total = pairs.sum()
    mean_rise, mean_half = (pairs * rise).sum() / total, (pairs * half).sum() / total
    spread = (pairs * (rise - mean_rise) ** 2).sum()
    slope = (pairs * (rise - mean_rise) * (half - mean_half)).sum() / spread if spread > 0 else 0.0
    if slope <= 0:
        return float(mean_half), 0.0
    start = mean_half - slope * mean_rise
    if start < 0:
        return 0.0, float((pairs * rise * half).sum() / (pairs * rise * rise).sum())
    return float(start), float(slope)
