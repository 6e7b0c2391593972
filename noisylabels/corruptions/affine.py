"""Rotate, shift and resize objects.

Each object (or class, or the whole map) turns about its centre of mass, is resized and shifted, all at random; a pixel
of the frame belongs to it if the nearest pixel to its source does::

    noisy[p] = clean[nearest pixel to a + R**-1 (p - a - t) / f]         a the centre, t the shift, f the factor

    . . . . . . . . . . . . . . . . . .        . . . . . . . . . . . . . . . 2 . .
    . 1 1 1 1 1 . . . . 2 2 2 2 2 2 . .        1 1 1 1 1 . . . . . . . 2 2 2 2 2 .
    . 1 1 1 1 1 . . . . 2 2 2 2 2 2 . .   ->   1 1 1 1 1 1 . . . . . 2 2 2 2 2 2 .
    . 1 1 1 1 1 . . . . 2 2 2 2 2 2 . .        1 1 1 1 1 1 . . . . . 2 2 2 2 2 2 .
    . 1 1 1 1 1 . . . . 2 2 2 2 2 2 . .        1 1 1 1 1 1 . . . . . 2 2 2 2 2 . .
    . 1 1 1 1 1 . . . . . . . . . . . .        . 1 1 . . . . . . . . . 2 . . . . .

The angle is uniform between minus and plus ``rotate_degrees``, so are the shift along every axis and the factor around
1: no direction is preferred, and only the factor changes areas (by a third of ``scale_relative`` squared on average).
Turned in millimetres where the case has a spacing, so thick slices are turned without being sheared.

Objects are components (corners touch), painted in ascending order of the class, so a later one covers an earlier one;
what they leave becomes background. ``IGNORE`` and classes that were not chosen stay, and nothing is painted over them.
Objects are cut at the frame. One of which nothing would be left (beyond the frame, below what stays, or between the
pixels) stays where it was.

Source: the generators of SP-guided (github.com/gaozhitong/SP_guided_Noisy_Label_Seg; JSRT: rotation by up to 15
degrees, then a translation) and MS-TFAL (github.com/BeileiCui/MS-TFAL; components of surgical scenes: up to 30 degrees,
0.8 to 1.2 times, shifts by up to 0.2 of the frame). There the first shifts to the lower right alone and loses area at
any angle, the second shifts up and down alone.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints, steps_mm, steps_px
from noisylabels.kernels.choice import plain
from noisylabels.kernels.moves import Moves, place
from noisylabels.kernels.tables import look_up
from noisylabels.parts import turns
from noisylabels.parts.scope import check_classes, chosen_foreground
from noisylabels.parts.units import Unit, Units, units_of

VERSION = 1

Floats = NDArray[np.float64]

_LIMITS = {
    "rotate_degrees": 180.0,
    "translate_relative": 10.0,
    "translate_px": 1000.0,
    "translate_mm": 1000.0,
    "scale_relative": 0.9,
}
"""Every strength and its largest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How far objects move, and what moves as one.

    Attributes:
        rotate_degrees: largest angle to either side, 0 to 180.
        translate_relative: largest shift to either side along every axis, as a share of the side of the object's box, 0
            to 10; 0.2 when no shift is given.
        translate_px: the same in pixels, 0 to 1000.
        translate_mm: the same in millimetres, for a case with a spacing.
        scale_relative: largest change of the size to either side: the factor lies between 1 minus and 1 plus this, 0 to
            0.9.
        unit: what moves as one: object (each component), class, or case (all chosen classes).
        about: what it turns about and is resized from: object (the centre of mass of what moves as one) or frame (the
            centre of the frame).
        axis: in 3-D, the axis of rotation: z (objects turn within the slices) or any (uniform on the sphere).
        classes: the classes that move; by default every one but the background.
    """

    rotate_degrees: float = 15.0
    translate_relative: float | None = None
    translate_px: float | None = None
    translate_mm: float | None = None
    scale_relative: float = 0.2
    unit: Unit = "object"
    about: Literal["object", "frame"] = "object"
    axis: Literal["z", "any"] = "z"
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        shifts = ("translate_relative", "translate_px", "translate_mm")
        given = [name for name in shifts if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"Give one shift, not {len(given)} ({', '.join(given)}).")
        if not given:
            object.__setattr__(self, "translate_relative", 0.2)
        for name, most in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise UsageError(f"{name} lies between 0 and {most:g}, not {value}.")
        words = {"unit": ("object", "class", "case"), "about": ("object", "frame"), "axis": ("z", "any")}
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise UsageError(f"There is no {name} '{getattr(self, name)}'; known: {', '.join(known)}.")
        check_classes(self.classes)


EXAMPLE = Params(rotate_degrees=30.0)


def scaled(params: Params, factor: float) -> Params:
    """The same draws at a multiple of the angle, the shift and the change of size, each up to its limit."""
    strengths = {name: getattr(params, name) for name in _LIMITS}
    return replace(
        params, **{name: min(_LIMITS[name], v * factor) for name, v in strengths.items() if v is not None}
    )


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with its objects moved.

    Args:
        case: the case; its image is not looked at.
        params: how far, and what moves as one.
        draws: the stream of this case and step; every number has one value a unit.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    classes = chosen_foreground(case, params.classes)
    volume = plain(case.labels).reshape((-1, *case.labels.shape[-2:]))
    chosen = np.zeros(256, dtype=np.bool_)
    chosen[list(classes)] = True
    units = units_of(volume, case.num_classes, chosen, params.unit)
    cleared = np.where(chosen, 0, np.arange(256)).astype(np.uint8)
    out = look_up(cleared, volume)
    if len(units.order) > 0:
        free = chosen.copy()
        free[0] = True
        place(out, volume, units.table, units.owner, free, _moves(case, volume.shape, units, params, draws))
    return out.reshape(case.labels.shape)


def _moves(case: Case, shape: tuple[int, ...], units: Units, params: Params, draws: Draws) -> Moves:
    """Draw how every unit moves."""
    p, count = params, len(units.box)
    axes = 3 if shape[0] > 1 else 2  # one slice is a plane
    steps = steps_px(3) if case.spacing is None else (1, *steps_mm(case.spacing))[-3:]
    size = np.array(steps, dtype=np.float64)
    angle = p.rotate_degrees * draws.at("angle").uniform(count, -1.0, 1.0)
    factor = 1.0 + p.scale_relative * draws.at("size").uniform(count, -1.0, 1.0)
    shift = np.zeros((count, 3))
    shift[:, 3 - axes :] = draws.at("shift").uniform((count, axes), -1.0, 1.0)
    if p.axis == "any" and axes == 3:
        back = turns.about_axes(turns.directions(draws.at("axis").uniform((count, 2))), -angle)
    else:
        back = turns.about_z(-angle)
    matrix = back * size / size[:, None] / factor[:, None, None]
    forth = back.transpose(0, 2, 1) * size / size[:, None] * factor[:, None, None]
    if axes == 2:  # a plane has no depth to be resized
        matrix[:, 0, 0] = forth[:, 0, 0] = 1.0
    shift = turns.rounded(shift * _reach(case, units, p, size), turns.PLACE_STEP)
    middle = (np.array(shape) - 1) / 2
    about = units.centre if p.about == "object" else np.tile(middle, (count, 1))
    landing = about + shift
    moves = Moves(units.order, units.box, units.box, turns.rounded(matrix, turns.MATRIX_STEP), about, landing)
    return moves._replace(to=_targets(moves, forth, shape))


def _reach(case: Case, units: Units, params: Params, size: Floats) -> Floats:
    """The largest shift in pixels, (n, 3) or (3,)."""
    if params.translate_px is not None:
        return np.full(3, params.translate_px)
    if params.translate_relative is not None:
        sides = (units.box[:, 1] - units.box[:, 0] + 1).astype(np.float64)
        return np.asarray(params.translate_relative * sides)
    if case.spacing is None:
        raise UsageError(
            f"Case {case.case_id} has no spacing, so a shift in mm has no meaning here; give translate_px."
        )
    return np.asarray((params.translate_mm or 0.0) * 1000.0 / size)


def _targets(moves: Moves, forth: Floats, shape: tuple[int, ...]) -> Ints:
    """The boxes in which the units land, with room for rounding; empty ones beyond the frame."""
    middle = (moves.box[:, 0] + moves.box[:, 1]) / 2 - moves.about
    half = (moves.box[:, 1] - moves.box[:, 0]) / 2 + 0.5
    centre, reach = moves.landing.copy(), np.full_like(half, 0.01)
    for axis in range(3):
        centre += forth[:, :, axis] * middle[:, axis, None]
        reach += np.abs(forth[:, :, axis]) * half[:, axis, None]
    last = np.array(shape) - 1
    low, high = np.floor(centre - reach), np.ceil(centre + reach)
    return np.stack([np.clip(low, 0, last + 1), np.clip(high, -1, last)], axis=1).astype(np.int64)
