"""Deform the whole label map smoothly, as on rubber.

The control points of a coarse grid, corner to corner over the frame, are displaced at random; a cubic spline (mirrored
at the border) gives the displacement u in between, and every pixel takes the label that it finds there::

    noisy[p] = clean[nearest pixel to R**-1 (p - c - t) + c + u(p)]      u at the control points ~ N(0, sigma**2)

R turns about the centre c of the frame and t shifts, both none by default; a dilation may follow, as in the noise of
MCPM. With sigma 2 px and 3 points an axis::

    . . . . . . . . . . . . . . . . . . .        . . . . . . 1 1 1 . . . . . . . . . .
    . . . . . . . . . . . . 2 2 2 . . . .        . . 1 1 1 1 1 1 1 . . . 2 2 2 . . . .
    . . 1 1 1 1 1 1 . . . 2 2 2 2 2 . . .        . . 1 1 1 1 1 1 1 . . 2 2 2 2 2 2 . .
    . . 1 1 1 1 1 1 . . 2 2 2 2 2 2 2 . .   ->   . . 1 1 1 1 1 1 1 . . 2 2 2 2 2 2 2 .
    . . 1 1 1 1 1 1 . . 2 2 2 2 2 2 2 . .        . . 1 1 1 1 1 1 1 . . 2 2 2 2 2 2 2 2
    . . 1 1 1 1 1 1 . . 2 2 2 2 2 2 2 . .        . . . . . 1 1 1 1 . . . 2 2 2 2 2 . .
    . . 1 1 1 1 1 1 . . . 2 2 2 2 2 . . .        . . . . . . . 1 1 . . . . 2 2 . . . .
    . . . . . . . . . . . . 2 2 2 . . . .        . . . . . . . . 1 . . . 2 . . . . . .

Only the chosen classes move: they cover the background and each other, never a class that was not chosen, and leave
background where they were. ``IGNORE`` stays where it is; as a source it counts as background. Axes of one pixel are
not deformed, so one slice is a plane.

Given the same grid, the labels are those of ``elasticdeform.deform_grid(labels, grid, order=0, mode=edge)``, pixel for
pixel (``noisylabels.parts.splines`` says why); ``backend`` chooses that package instead, some hundred times slower.
Areas stay on average over the frame; close to a control point, where the spline swings most, small objects lose some
hundredths, in between they gain them.

Source: Wang et al., Meta corrupted pixels mining (MCPM), MICCAI 2020: ElasticDeform noise of rotation, translation,
deformation and dilation, strengths not published. Grid, 3 points and spline are those of the package elasticdeform
(github.com/gvtulder/elasticdeform), whose default sigma is 25 px, after Ronneberger et al., U-Net, MICCAI 2015.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import steps_mm, steps_px
from noisylabels.kernels.components import moments
from noisylabels.parts import outlines, splines
from noisylabels.parts.reaches import PerObject
from noisylabels.parts.scope import check_classes, chosen_foreground
from noisylabels.parts.warp import Backend, Edge, deformed, elasticdeform, turned_frame

VERSION = 1

Floats = NDArray[np.float64]

_LIMITS = {
    "sigma_px": 1000.0,
    "sigma_mm": 1000.0,
    "sigma_relative": 10.0,
    "rotate_degrees": 180.0,
    "translate_px": 1000.0,
    "dilate_px": 1000.0,
}
"""Every strength and its largest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How far the control points move, and what is done besides.

    Attributes:
        sigma_px: standard deviation of the displacement of a control point along every axis, in pixels, 0 to 1000.
        sigma_mm: the same in millimetres, for a case with a spacing.
        sigma_relative: the same as a share of the size of the object that a pixel lies in on average: the root of its
            area (in 3-D the cube root of its volume), in mm where the case has a spacing; 0 to 10. It is 0.05 when no
            sigma is given.
        points: control points along every axis, 2 to 9.
        edge: what lies beyond the frame: nearest (as the last pixel inside) or constant (background).
        rotate_degrees: the frame is also turned, by up to this angle to either side, about its centre (in 3-D within
            the slices), 0 to 180.
        translate_px: and shifted, by up to this much to either side along every axis, 0 to 1000.
        dilate_px: and afterwards the objects grow over the background by a ball of up to this radius, 0 to 1000.
        backend: own, or elasticdeform (the package, which must be installed; the same pixels, slowly).
        classes: the classes that move; by default every one but the background.
    """

    sigma_px: float | None = None
    sigma_mm: float | None = None
    sigma_relative: float | None = None
    points: int = 3
    edge: Edge = "nearest"
    rotate_degrees: float = 0.0
    translate_px: float = 0.0
    dilate_px: float = 0.0
    backend: Backend = "own"
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        given = [
            name for name in ("sigma_px", "sigma_mm", "sigma_relative") if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise UsageError(f"Give one sigma, not {len(given)} ({', '.join(given)}).")
        if not given:
            object.__setattr__(self, "sigma_relative", 0.05)
        for name, most in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise UsageError(f"{name} lies between 0 and {most:g}, not {value}.")
        if not 2 <= self.points <= 9:
            raise UsageError(f"Between 2 and 9 control points lie along an axis, not {self.points}.")
        if self.edge not in ("nearest", "constant"):
            raise UsageError(f"Beyond the edge lies what is nearest or constant, not '{self.edge}'.")
        if self.backend not in ("own", "elasticdeform"):
            raise UsageError(f"There is no backend '{self.backend}'; known: own, elasticdeform.")
        if self.backend == "elasticdeform":
            elasticdeform()
        check_classes(self.classes)


EXAMPLE = Params(sigma_px=2.0)


def scaled(params: Params, factor: float) -> Params:
    """The same draws at a multiple of sigma, the angle, the shift and the radius, each up to its limit."""
    strengths = {name: getattr(params, name) for name in _LIMITS}
    return replace(
        params, **{name: min(_LIMITS[name], v * factor) for name, v in strengths.items() if v is not None}
    )


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case, deformed.

    Args:
        case: the case; its image is not looked at.
        params: how far, and what else.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    p = params
    classes = chosen_foreground(case, p.classes)
    axes = tuple(axis for axis, size in enumerate(case.labels.shape) if size > 1)
    sigma = _sigma(case, classes, axes, p)
    moved = bool(sigma.any()) or p.rotate_degrees > 0 or p.translate_px > 0
    if moved:
        grid = draws.at("grid").normal((len(axes), *(p.points,) * len(axes)))
        grid = splines.rounded_grid(grid * sigma.reshape(-1, *(1,) * len(axes)))
        linear = _turned(case, axes, p, draws) if p.rotate_degrees > 0 or p.translate_px > 0 else None
        out = deformed(case.labels, classes, grid, linear, p.edge, p.backend)
    else:
        out = case.labels.copy(order="C")
    if p.dilate_px > 0:
        radius = p.dilate_px * draws.at("radius").uniform()
        out = _grown(case.with_labels(out), classes, float(radius))
    return out


def _sigma(case: Case, classes: Sequence[int], axes: tuple[int, ...], params: Params) -> Floats:
    """The standard deviation along the axes, in pixels."""
    if params.sigma_px is not None:
        return np.full(len(axes), params.sigma_px)
    if params.sigma_mm is not None:
        if case.spacing is None:
            raise UsageError(
                f"Case {case.case_id} has no spacing, so a sigma in mm has no meaning here; give sigma_px."
            )
        return np.array([params.sigma_mm / case.spacing[axis] for axis in axes])
    steps = steps_px(case.labels.ndim) if case.spacing is None else steps_mm(case.spacing)
    pixels = [int(count) for count in moments(case.labels, classes).pixels]
    size = sum(count * count for count in pixels) // max(sum(pixels), 1)
    for axis in axes:
        size *= steps[axis]
    length = _root(size, max(len(axes), 1)) * (params.sigma_relative or 0.0)
    return np.array([length / steps[axis] for axis in axes])


def _root(n: int, degree: int) -> int:
    """The largest integer whose power is at most n."""
    low, high = 0, 1 << (n.bit_length() // degree + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= n else (low, middle)
    return low


def _turned(case: Case, axes: tuple[int, ...], params: Params, draws: Draws) -> Floats:
    """The frame turned and shifted by drawn amounts."""
    degrees = params.rotate_degrees * draws.at("angle").uniform((), -1.0, 1.0)
    shift = params.translate_px * draws.at("shift").uniform(len(axes), -1.0, 1.0)
    return turned_frame(case, axes, float(degrees), shift)


def _grown(case: Case, classes: tuple[int, ...], radius: float) -> LabelMap:
    found = outlines.traced(case, classes, apart=False)
    radii = PerObject(np.full(len(found.classes), int(radius * 1000)))
    out = outlines.grown(found.volume.copy(), found, radii, steps_px(case.labels.ndim), "background")
    return out.reshape(case.labels.shape)
