"""Bite a piece out of objects: the pixels nearest to a place of theirs, as runs."""

from typing import NamedTuple

import numpy as np

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints
from noisylabels.kernels.choice import compiled
from noisylabels.kernels.components import RunTable, numbers, runs_of_values


class Bites(NamedTuple):
    """What is bitten off each object.

    Attributes:
        places: z, y and x around which it is bitten, (n + 1, 3) int64.
        pixels: how many pixels may go, (n + 1,) int64; 0 for none. Of pixels that are equally far away all go or
            none.
    """

    places: Ints
    pixels: Ints


def farthest(table: RunTable, height: int, directions: Ints) -> tuple[Ints, Ints]:
    """The pixel of every object that lies farthest in a direction, the first in C order of equal ones.

    Args:
        table: the runs of the objects.
        height: Y.
        directions: z, y and x, in pixels, (n + 1, 3); for object 0 (none) it is not looked at.

    Returns:
        z, y and x, (n + 1, 3), and how many pixels it has, (n + 1,); 0 0 0 and 0 where there is no object.
    """
    row = np.repeat(np.arange(len(table.begin) - 1), np.diff(table.begin))
    first, last = table.runs[:, 1].astype(np.int64), table.runs[:, 2].astype(np.int64)
    uz, uy, ux = directions[table.objects].T
    x = np.where(ux > 0, last, first)
    far = row // height * uz + row % height * uy + x * ux
    best = np.full(len(directions), np.iinfo(np.int64).min)
    np.maximum.at(best, table.objects, far)
    at = np.flatnonzero(far == best[table.objects])[::-1]  # the last writer wins: the first run
    places = np.zeros((len(directions), 3), dtype=np.int64)
    places[table.objects[at]] = np.column_stack([row // height, row % height, x])[at]
    pixels = np.zeros(len(directions), dtype=np.int64)
    np.add.at(pixels, table.objects, last - first + 1)
    return places, pixels


def bite(out: LabelMap, table: RunTable, bites: Bites, steps: tuple[int, int, int]) -> RunTable:
    """Clear what is bitten off, in place.

    Args:
        out: the labels, (Z, Y, X).
        table: the runs of their objects.
        bites: of every object.
        steps: size of a pixel along z, y and x: distances are compared as integers.

    Returns:
        The runs that are left, with the numbers that their objects had.
    """
    fast = compiled("bites")
    if fast is not None:
        return RunTable(*fast.bite(out, *table, *bites, np.array(steps)))
    ids = numbers(table, slice(0, out.shape[0] * out.shape[1]), out.shape[2]).reshape(out.shape)
    for k in np.flatnonzero(bites.pixels):
        pixels = np.argwhere(ids == k)
        away = (pixels - bites.places[k]) * np.array(steps)
        far = (away * away).sum(axis=1)
        nearest = np.sort(far)
        gone = far < nearest[bites.pixels[k]] if bites.pixels[k] < len(far) else np.ones(len(far), dtype=bool)
        out[tuple(pixels[gone].T)] = 0
        ids[tuple(pixels[gone].T)] = 0
    return runs_of_values(out, ids)
