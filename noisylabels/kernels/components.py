"""Connected components of all classes at once, by runs along the fastest axis, with their exact moments."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels import geometry
from noisylabels.case import LabelMap
from noisylabels.geometry import Components, Ints
from noisylabels.kernels.choice import compiled, plain


class Moments(NamedTuple):
    """Exact sums over the pixels of every component, numbered as in :class:`noisylabels.geometry.Components`.

    Attributes:
        classes: class of every component, (n,) uint8.
        pixels: how many it has, (n,) int64.
        first: sums of the coordinates, (n, D) int64, in axis order.
        second: sums of the products of two coordinates, (n, D, D) int64, symmetric.
    """

    classes: NDArray[np.uint8]
    pixels: Ints
    first: Ints
    second: Ints


def _taken(classes: Iterable[int]) -> NDArray[np.bool_]:
    taken = np.zeros(256, dtype=np.bool_)
    taken[list(classes)] = True
    return taken


def _volume(labels: LabelMap) -> LabelMap:
    return plain(labels).reshape((-1, *labels.shape[-2:]))


def components(labels: LabelMap, classes: Iterable[int]) -> Components:
    """What :func:`noisylabels.geometry.components` gives, fast.

    Args:
        labels: (Y, X) or (Z, Y, X).
        classes: the classes whose components are wanted.
    """
    fast = compiled("components")
    if fast is None:
        return geometry.components(labels, classes)
    ids, of_class = fast.components(_volume(labels), _taken(classes))
    return Components(ids.reshape(labels.shape), of_class)


def moments(labels: LabelMap, classes: Iterable[int]) -> Moments:
    """Class, size and exact first and second moments of every component; corners touch.

    Args:
        labels: (Y, X) or (Z, Y, X).
        classes: the classes whose components are wanted.

    Returns:
        The sums; arrays of length 0 where no pixel is of a wanted class.
    """
    fast = compiled("components")
    if fast is None:
        return _moments(labels, classes)
    of_class, count, first, second = fast.moments(_volume(labels), _taken(classes))
    skip = 3 - labels.ndim
    return Moments(of_class, count, first[:, skip:], second[:, skip:, skip:])


def _moments(labels: LabelMap, classes: Iterable[int]) -> Moments:
    """The twin: float sums of integers below 2**53 are exact."""
    ids, of_class = geometry.components(labels, classes)
    where = np.nonzero(ids)
    owner = ids[where]

    def total(weights: NDArray[np.float64]) -> Ints:
        return np.bincount(owner, weights, len(of_class) + 1)[1:].astype(np.int64)

    axes = [axis.astype(np.float64) for axis in where]
    first = np.stack([total(a) for a in axes], axis=1)
    second = np.stack([np.stack([total(a * b) for b in axes], axis=1) for a in axes], axis=1)
    return Moments(of_class, total(np.ones(len(owner))), first, second)
