"""What moves as one: components, classes, or all classes together; their boxes and centres of mass."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints
from noisylabels.kernels.components import RunTable, component_runs
from noisylabels.parts.turns import PLACE_STEP, rounded

Floats: TypeAlias = NDArray[np.float64]
Unit: TypeAlias = Literal["object", "class", "case"]


class Units(NamedTuple):
    """What moves as one, n of them.

    Attributes:
        table: runs of the labels; with components where they are the units.
        owner: unit of every class, -1 for none, (256,); where components are the units, 0 for the classes that move.
        order: the units that move, in painting order.
        box: first and last pixel along every axis, (n, 2, 3).
        centre: centre of mass, (n, 3), in 2**-10 px.
    """

    table: RunTable
    owner: NDArray[np.int32]
    order: Ints
    box: Ints
    centre: Floats


def units_of(volume: LabelMap, num_classes: int, chosen: NDArray[np.bool_], unit: str) -> Units:
    """Find what moves as one; the number of a unit does not depend on the choice of classes."""
    if unit == "object":
        table, of_class = component_runs(volume, range(1, num_classes))
        of_run, count = table.objects.astype(np.int64) - 1, len(of_class)
        owner = np.where(chosen, 0, -1).astype(np.int32)
        order = np.argsort(of_class, kind="stable")
        order = order[chosen[of_class[order]]]
    else:
        table, _ = component_runs(volume, np.flatnonzero(chosen).tolist())
        table = table._replace(objects=table.objects[:0])
        number = np.arange(256) if unit == "class" else np.zeros(256, dtype=np.int64)
        owner = np.where(chosen, number, -1).astype(np.int32)
        of_run, count = number[table.runs[:, 0]], num_classes
        order = np.unique(of_run)
    box, centre = _extent(table, of_run, count, volume.shape)
    return Units(table, owner, order.astype(np.int64), box, centre)


def _extent(table: RunTable, of_run: Ints, count: int, shape: tuple[int, ...]) -> tuple[Ints, Floats]:
    """Boxes and centres of mass of units; sums of integers below 2**53 are exact in floats."""
    row = np.repeat(np.arange(len(table.begin) - 1), np.diff(table.begin))
    first, last = table.runs[:, 1].astype(np.int64), table.runs[:, 2].astype(np.int64)
    length = (last - first + 1).astype(np.float64)
    places = ((row // shape[1],) * 2, (row % shape[1],) * 2, (first, last))
    box = np.zeros((count, 2, 3), dtype=np.int64)
    box[:, 0] = shape
    pixels = np.maximum(np.bincount(of_run, length, count), 1.0)
    centre = np.zeros((count, 3))
    for axis, (low, high) in enumerate(places):
        np.minimum.at(box[:, 0, axis], of_run, low)
        np.maximum.at(box[:, 1, axis], of_run, high)
        twice = np.bincount(of_run, (low + high) * length, count)
        centre[:, axis] = rounded(twice / (2.0 * pixels), PLACE_STEP)
    return box, centre
