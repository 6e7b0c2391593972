"""Distance between the boundaries of a prediction and a reference: HD95 and ASSD, both pooled.

Packages that share these names do not share their definitions (two kinds of HD95, area-weighted ones, NaN for
a missed object), so the definition is printed with the number.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

from noisylabels.errors import InvalidData
from noisylabels.geometry import bounding_box
from noisylabels.metrics._boundary import BoolArray, FloatArray, boundary, distances
from noisylabels.metrics._pixels import same_shape

_SURFACE = (
    "surface = foreground pixels with a face neighbour outside (the frame's edge is outside); absent in "
    "both 0, absent in one the length of the image diagonal."
)
DEFINITIONS = {
    "hd95": f"HD95 = 95th percentile of the surface distances of both directions pooled; {_SURFACE}",
    "assd": f"ASSD = mean of the surface distances of both directions pooled; {_SURFACE}",
}
"""What each number means, in a sentence to be printed with it."""


class SurfaceScores(NamedTuple):
    """HD95 and ASSD in mm with a spacing, else in pixels; ``note`` says when a stated value was used."""

    hd95: float
    assd: float
    note: str


def surface_distances(
    reference: BoolArray, prediction: BoolArray, spacing: tuple[float, ...] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Distances from every surface pixel of one object to the nearest surface pixel of the other.

    Args:
        reference: the true object, shape S.
        prediction: the given object, shape S.
        spacing: size of a pixel in mm along every axis of S; None for distances in pixels.

    Returns:
        Distances from the reference to the prediction, and back; both empty when one of the objects is.

    Raises:
        InvalidData: the shapes differ, or the spacing has another number of axes.
    """
    same_shape(reference, prediction)
    if spacing is not None and len(spacing) != reference.ndim:
        raise InvalidData(f"Spacing {spacing} has {len(spacing)} axes, the label map {reference.ndim}.")
    if not (reference.any() and prediction.any()):
        return np.empty(0), np.empty(0)
    box = bounding_box(reference | prediction)
    assert box is not None
    true, given = boundary(reference[box]), boundary(prediction[box])
    return distances(true, given, spacing), distances(given, true, spacing)


def surface_scores(
    reference: BoolArray, prediction: BoolArray, spacing: tuple[float, ...] | None = None
) -> SurfaceScores:
    """HD95 and ASSD from one computation of the distances.

    Arguments and errors as in :func:`surface_distances`. Absent in both maps gives 0; absent in one gives the
    length of the image diagonal, the largest distance that fits in the frame, with a note.
    """
    there, back = surface_distances(reference, prediction, spacing)
    if len(there):
        pooled = np.concatenate([there, back])
        return SurfaceScores(float(np.percentile(pooled, 95)), float(pooled.mean()), "")
    missed, invented = bool(reference.any()), bool(prediction.any())
    if not missed and not invented:
        return SurfaceScores(0.0, 0.0, "absent in both")
    sizes = spacing or (1.0,) * reference.ndim
    diagonal = sqrt(sum((n * size) ** 2 for n, size in zip(reference.shape, sizes, strict=True)))
    return SurfaceScores(diagonal, diagonal, "missed" if missed else "invented")


def hd95(reference: BoolArray, prediction: BoolArray, spacing: tuple[float, ...] | None = None) -> float:
    """95th percentile (linear between ranks) of the surface distances of both directions pooled.

    Arguments and errors as in :func:`surface_distances`, empty objects as in :func:`surface_scores`.

    Source: the definition of medpy; MONAI takes the larger of the two directed percentiles instead.
    """
    return surface_scores(reference, prediction, spacing).hd95


def assd(reference: BoolArray, prediction: BoolArray, spacing: tuple[float, ...] | None = None) -> float:
    """Mean of the surface distances of both directions pooled.

    Arguments and errors as in :func:`surface_distances`, empty objects as in :func:`surface_scores`.

    Source: the definition of medpy 0.5 and MONAI.
    """
    return surface_scores(reference, prediction, spacing).assd
