"""Fetch every pixel of a label map from where a smooth field points to: the nearest pixel there.

The field is a cubic spline: displacements in pixels, given by B-spline coefficients on a coarse grid. It is summed up
axis by axis: over the grid's planes once for a slice, over its lines once for a row; along a row it is one cubic
polynomial for each cell of the grid. So it is never stored, and every number comes from + - * / in one fixed order.

The compiled half cuts the map into tiles and first bounds where a tile's pixels can come from: a tile whose source
holds one class only is filled with it, without a look at its pixels. The plain half looks at all of them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled, plain
from noisylabels.kernels.tables import look_up

Floats = NDArray[np.float64]

_CHUNK = 2**17  # pixels that the twin holds in floats at a time


class Field(NamedTuple):
    """A displacement field over a volume (Z, Y, X); planes have Z = 1, and axes of one pixel are not displaced.

    Attributes:
        coefficients: of the B-spline along (z, y, x), in pixels, (3, Gz, Gy, Gx); one more than the grid has before
            and one behind, so that nothing is mirrored here.
        cells: for every z, every y and every x the first of the four coefficients that count there.
        weights: of those four, for every z and every y, (Z, 4) and (Y, 4).
        offsets: where every x lies in its cell, 0 to 1, (X,).
    """

    coefficients: Floats
    cells: tuple[Ints, Ints, Ints]
    weights: tuple[Floats, Floats]
    offsets: Floats


def moving(labels: LabelMap, moves: Mask) -> tuple[LabelMap, bool]:
    """The labels without what does not move, and whether anything does not.

    Args:
        labels: (Y, X) or (Z, Y, X).
        moves: whether a class moves, (256,); the background may be either.

    Returns:
        The labels with 0 for every class that stays (the labels themselves if none does), and whether some does.
    """
    found = np.zeros(256, dtype=np.bool_)
    found[np.unique(labels)] = True
    return _without(labels, found & ~moves)


def _without(labels: LabelMap, stays: Mask) -> tuple[LabelMap, bool]:
    """The labels with 0 for what stays, and whether anything does."""
    if not stays[1:].any():
        return labels, False
    return look_up(np.where(stays, 0, np.arange(256)).astype(np.uint8), labels), True


def keep(out: LabelMap, labels: LabelMap, moves: Mask) -> None:
    """Put what does not move back into its place, in place; arguments as in :func:`moving`."""
    stays = ~moves
    stays[0] = False
    fast = compiled("warps")
    if fast is not None:
        fast.keep(out.reshape(-1), plain(labels).reshape(-1), stays)
    else:
        np.copyto(out, labels, where=stays[labels])


def warp(labels: LabelMap, moves: Mask, field: Field, constant: bool) -> LabelMap:
    """Every pixel p of the result is the pixel of ``labels`` nearest to p + displacement(p).

    Exactly between two pixels the higher index is taken. What does not move stays in its place; as a source it is
    background.

    Args:
        labels: (Y, X) or (Z, Y, X).
        moves: whether a class moves, (256,).
        field: over the same frame.
        constant: what lies beyond the centre of the last pixel is background (0); else it is as the last pixel.
    """
    volume = plain(labels).reshape((-1, *labels.shape[-2:]))
    out = np.empty(volume.shape, dtype=np.uint8)
    fast, tiles = compiled("warps"), compiled("tiles")
    if fast is not None and tiles is not None:
        side = (1, 16, 32) if len(volume) == 1 else (4, 8, 16)  # of a tile: powers of two, found by trial
        one_valued, found = tiles.survey(volume, side)
        source, anything_stays = _without(volume, found & ~moves)
        if anything_stays:
            one_valued, _ = tiles.survey(source, side)
        shared = (field.coefficients, *field.cells, *field.weights, field.offsets)
        fast.warp(out, source, one_valued, side, *shared, constant)
    else:
        source, anything_stays = moving(volume, moves)
        height, width = volume.shape[1:]
        rows = max(1, _CHUNK // width)
        for z in range(len(volume)):
            for first in range(0, height, rows):
                y = slice(first, min(first + rows, height))
                _some_rows(out[z, y], source, field, z, y, constant)
    if anything_stays:
        keep(out, volume, moves)
    return out.reshape(labels.shape)


def _some_rows(out: LabelMap, volume: LabelMap, field: Field, z: int, y: slice, constant: bool) -> None:
    """The twin: some rows of one slice at once."""
    width = out.shape[1]
    index = np.zeros(out.shape, dtype=np.int64)
    beyond = np.zeros(out.shape, dtype=bool)
    start: tuple[NDArray[np.float64] | float, ...]
    start = (
        float(z),
        np.arange(y.start, y.stop, dtype=np.float64)[:, None],
        np.arange(width, dtype=np.float64),
    )
    for axis, size in enumerate(volume.shape):
        if size == 1:
            continue
        cell = field.cells[0][z]
        planes = _weighted(*field.coefficients[axis, cell : cell + 4], *field.weights[0][z])
        first, weights = field.cells[1][y], field.weights[1][y]
        lines = _weighted(*(planes[first + k] for k in range(4)), *(weights[:, k, None] for k in range(4)))
        at = np.asarray(start[axis] + _along(lines, field.cells[2], field.offsets))
        last = size - 1.0
        if constant:
            beyond |= (at < 0.0) | (at > last)
        at = np.where(at < 0.0, 0.0, np.where(at > last, last, at))
        index = index * size + np.floor(at + 0.5).astype(np.int64)
    out[:] = volume.reshape(-1)[index]
    out[beyond] = 0


def _weighted(
    c0: Floats, c1: Floats, c2: Floats, c3: Floats, w0: Floats, w1: Floats, w2: Floats, w3: Floats
) -> Floats:
    return np.asarray(((c0 * w0 + c1 * w1) + c2 * w2) + c3 * w3)


def _along(lines: Floats, cells: Ints, offsets: Floats) -> Floats:
    """Values of splines along the last axis, (rows, X), from their coefficients (rows, Gx)."""
    c0, c1, c2, c3 = lines[:, :-3], lines[:, 1:-2], lines[:, 2:-1], lines[:, 3:]
    constant = ((c0 + 4.0 * c1) + c2) / 6.0
    linear = (c2 - c0) * 0.5
    square = ((c0 - 2.0 * c1) + c2) * 0.5
    cube = ((c3 - c0) + 3.0 * (c1 - c2)) / 6.0
    value = cube[:, cells] * offsets + square[:, cells]
    value = value * offsets + linear[:, cells]
    return np.asarray(value * offsets + constant[:, cells])
