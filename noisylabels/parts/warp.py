"""Deform a label map by a grid of displacements: the deterministic half of the mode elastic, by either backend."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.errors import UsageError
from noisylabels.geometry import steps_mm, steps_px
from noisylabels.kernels import warps
from noisylabels.parts import splines, turns

Floats: TypeAlias = NDArray[np.float64]
Edge: TypeAlias = Literal["nearest", "constant"]
Backend: TypeAlias = Literal["own", "elasticdeform"]


def turned_frame(case: Case, axes: Sequence[int], degrees: float, shift: Floats) -> Floats:
    """The linear map from a pixel to its source when a frame is turned about its centre, and then shifted.

    Args:
        case: gives frame and spacing.
        axes: those longer than a pixel, A of them; without both axes of a slice nothing is turned.
        degrees: the angle, within the slices; positive from y towards x.
        shift: in pixels, (A,); rounded to 2**-10 px.

    Returns:
        Matrix and shift, (A, A + 1).
    """
    shape = case.labels.shape
    matrix = np.eye(len(axes))
    plane = [axes.index(axis) for axis in range(len(shape) - 2, len(shape)) if axis in axes]
    if len(plane) == 2:
        turn = turns.about_z(np.array([-degrees]))[0, 1:, 1:]
        steps = np.array(
            steps_px(2) if case.spacing is None else steps_mm(case.spacing)[-2:], dtype=np.float64
        )
        matrix[np.ix_(plane, plane)] = turns.rounded(turn * steps / steps[:, None], turns.MATRIX_STEP)
    centre = np.array([(shape[axis] - 1) / 2 for axis in axes])
    landing = centre + turns.rounded(shift, turns.PLACE_STEP)
    for k in range(len(axes)):
        centre = centre - matrix[:, k] * landing[k]
    return np.column_stack([matrix, centre])


def deformed(
    labels: LabelMap,
    classes: Sequence[int],
    grid: Floats,
    linear: Floats | None = None,
    edge: Edge = "nearest",
    backend: Backend = "own",
) -> LabelMap:
    """Labels deformed by a grid of displacements, and a linear map.

    Args:
        labels: (Y, X) or (Z, Y, X).
        classes: those that move; what was not chosen stays, as does ``IGNORE``.
        grid: displacements of the control points in pixels, (A, ...), as :func:`noisylabels.parts.splines.field` has
            them.
        linear: from a pixel to its source, matrix and shift, (A, A + 1); None for the pixel itself.
        edge: what lies beyond the frame.
        backend: own, or the package elasticdeform.

    Raises:
        UsageError: the package is to be used and cannot be imported.
    """
    moves = np.zeros(256, dtype=np.bool_)
    moves[list(classes)] = True
    if backend == "own":
        extra = None if linear is None else linear - np.eye(*linear.shape)
        return warps.warp(labels, moves, splines.field(grid, labels.shape, extra), edge == "constant")
    source, anything_stays = warps.moving(labels, moves)
    out = _by_elasticdeform(source, grid, linear, edge)
    if anything_stays:
        warps.keep(out, labels, moves)
    return out


def elasticdeform() -> Any:
    """The package.

    Raises:
        UsageError: it cannot be imported; the message says how to install it.
    """
    try:
        return import_module("elasticdeform")
    except (ImportError, AttributeError, RuntimeError) as fault:
        raise UsageError(
            f"The backend elasticdeform cannot be imported ({fault}); its wheel does not fit numpy 2, so build it: "
            "pip install --no-binary elasticdeform elasticdeform"
        ) from fault


def _by_elasticdeform(source: LabelMap, grid: Floats, linear: Floats | None, edge: Edge) -> LabelMap:
    """What the package makes of it; it wants the map from the source to the pixel."""
    axes = tuple(axis for axis, size in enumerate(source.shape) if size > 1)
    if not axes:
        return source.copy()
    forth = None
    if linear is not None:
        inverse = np.linalg.inv(linear[:, :-1])
        forth = np.column_stack([inverse, -inverse @ linear[:, -1]])
    out = elasticdeform().deform_grid(source, grid, order=0, mode=edge, axis=axes, affine=forth)
    return np.ascontiguousarray(out, dtype=np.uint8)
