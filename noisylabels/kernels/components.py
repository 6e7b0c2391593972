"""Connected components of all classes at once, by runs along the fastest axis, with their exact moments."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels import geometry
from noisylabels.case import LabelMap
from noisylabels.geometry import Components, Ints
from noisylabels.kernels.choice import compiled, plain


class RunTable(NamedTuple):
    """The runs along x of the components of some classes, in C order.

    Attributes:
        runs: class, first and last x of every run, (n, 3) int32.
        begin: the first run of every row (row z Y + y), and at the end n, (rows + 1,) int64.
        objects: number of the component of every run, from 1 on, (n,) int32.
    """

    runs: NDArray[np.int32]
    begin: Ints
    objects: NDArray[np.int32]


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


def component_runs(labels: LabelMap, classes: Iterable[int]) -> tuple[RunTable, NDArray[np.uint8]]:
    """The runs of the components of some classes, and the class of every component.

    Args:
        labels: (Y, X) or (Z, Y, X).
        classes: the classes whose components are wanted; numbered as in :func:`components`.
    """
    volume = _volume(labels)
    fast = compiled("components")
    if fast is None:
        ids, of_class = geometry.components(volume, classes)
        return runs_of_values(volume, ids), of_class
    runs, begin, number, count = fast._numbered(volume, _taken(classes))
    of_class = np.zeros(count, dtype=np.uint8)
    of_class[number] = runs[:, 0]
    return RunTable(runs, begin, number + 1), of_class


def runs_of_values(volume: LabelMap, ids: NDArray[np.int32]) -> RunTable:
    """The runs of equal numbers above 0, for the twins.

    Args:
        volume: the class of every pixel, (Z, Y, X).
        ids: the number of its component, the same shape.
    """
    rows = np.pad(ids.reshape(-1, ids.shape[2]), ((0, 0), (1, 1)))
    here = rows[:, 1:-1]
    row, first = np.nonzero((here > 0) & (here != rows[:, :-2]))
    last = np.nonzero((here > 0) & (here != rows[:, 2:]))[1]
    runs = np.column_stack([volume.reshape(-1, ids.shape[2])[row, first], first, last]).astype(np.int32)
    begin = np.searchsorted(row, np.arange(len(rows) + 1)).astype(np.int64)
    return RunTable(runs, begin, here[row, first])


def numbers(table: RunTable, rows: slice, width: int) -> NDArray[np.int32]:
    """The number of the component of every pixel in some rows, 0 for none, (rows, X) int32.

    Args:
        table: of components.
        rows: which; with a start and a stop.
        width: X.
    """
    ids = np.zeros((rows.stop - rows.start, width), dtype=np.int32)
    fast = compiled("components")
    if fast is not None:
        fast.numbers(ids, table.runs, table.begin, table.objects, rows.start)
        return ids
    chosen = slice(table.begin[rows.start], table.begin[rows.stop])
    _, first, last = table.runs[chosen].T
    row = np.repeat(np.arange(len(ids)), np.diff(table.begin[rows.start : rows.stop + 1]))
    change = np.zeros((len(ids), width + 1), dtype=np.int32)
    np.add.at(change, (row, first), table.objects[chosen])
    np.add.at(change, (row, last + 1), -table.objects[chosen])
    return np.cumsum(change, axis=1, dtype=np.int32)[:, :width]


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
