"""What several annotators of one case share: the style of each, and decisions that are correlated by design.

Every decision about an object, and every control point of a straying outline, is a standard normal number ::

    Z_k = sqrt(rho) C + sqrt(1 - rho) Z'_k        C common to all annotators, Z'_k the k-th one's own

so that two annotators are correlated by exactly rho: at 1 those of one style draw the same map, at 0 each
draws for himself. A decision with probability p is Z_k < q(p), with q the normal quantile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws
from noisylabels.normal import normal_quantile
from noisylabels.transition import Matrix

Floats = NDArray[np.float64]
Style: TypeAlias = Literal["good", "over", "under", "wrong_class", "omitter", "polygonal", "careless"]
STYLES = ("good", "over", "under", "wrong_class", "omitter", "polygonal", "careless")
"""Every style."""


@dataclass(frozen=True, slots=True)
class Latent:
    """Where the correlated numbers of one annotator come from.

    Attributes:
        draws: the stream of this annotator and case.
        rho: the correlation with the others, 0 to 1.
    """

    draws: Draws
    rho: float

    def normals(self, *what: str | int) -> Callable[[int | tuple[int, ...]], Floats]:
        """A function that draws arrays of standard normals of a quantity, one after the other."""
        common, own = self.draws.common.at("shared", *what), self.draws.at("own", *what)
        both, alone = sqrt(self.rho), sqrt(1.0 - self.rho)
        return lambda shape: both * common.normal(shape) + alone * own.normal(shape)

    def keys(self, what: str) -> tuple[int, int]:
        """Two raw words from which numbers without end are made: the common one, and an own one."""
        common, own = self.draws.common.at("shared", what), self.draws.at("own", what)
        return int(common.words(1)[0]), int(own.words(1)[0])

    def shared(self, what: str, count: int) -> NDArray[np.bool_]:
        """Which of ``count`` things are done as the common key says: each with probability sqrt(rho).

        Two annotators then do a thing alike with probability rho, and else independently: whatever they do is
        correlated by rho.
        """
        return np.asarray(self.draws.at("own", what, "choice").uniform(count) < sqrt(self.rho))


def quantile(probability: float) -> float:
    """The number that a standard normal is below with a probability; infinite at 0 and 1."""
    if not 0 < probability < 1:
        return -inf if probability <= 0 else inf
    return float(normal_quantile(np.array([probability]))[0])


def confused(classes: NDArray[np.uint8], matrix: Matrix, leave: Floats, pick: Floats) -> NDArray[np.uint8]:
    """The classes that objects are taken for.

    Args:
        classes: their true ones, (n,).
        matrix: T[true, given], (K, K); rows sum to 1.
        leave: standard normals that decide whether an object is taken for another class, (n,).
        pick: standard normals that decide for which, (n,).
    """
    out = classes.copy()
    for true in range(1, len(matrix)):
        mine = (classes == true) & (leave < quantile(1.0 - float(matrix[true, true])))
        if not mine.any():
            continue
        others = [(true + 1 + j) % len(matrix) for j in range(len(matrix) - 1)]
        shares = np.cumsum([float(matrix[true, c]) for c in others])
        ends = [quantile(float(share) / float(shares[-1])) for share in shares[:-1]]
        which = (pick[mine, None] >= np.array(ends, dtype=np.float64)[None, :]).sum(axis=1)
        out[mine] = np.array(others, dtype=np.uint8)[which]
    return out


def stronger(matrix: Matrix, strength: float) -> Matrix:
    """The matrix with each row's mistakes multiplied by a factor, as far as a row's sum of 1 allows."""
    out = np.eye(len(matrix))
    for true in range(len(matrix)):
        wrong = 1.0 - float(matrix[true, true])
        if wrong > 0:
            factor = min(strength, 1.0 / wrong)
            out[true] = factor * matrix[true]
            out[true, true] = 1.0 - factor * wrong
    return out
