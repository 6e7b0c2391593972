"""Instruments: where they are and which pixels their three parts cover.

    shaft            wrist    clasper
    ===============|=====\\  ___------
    ===============|=====O=<___          two jaws, open like a V
    ===============|=====/     ------

Lengths are in frame heights, directions are unit vectors (x, y), and turns are given as the tangent of half
their angle, so that no sine or cosine is needed.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws
from noisylabels.phantoms.texture import TILE, Array

SHAFT, WRIST, CLASPER = 1, 2, 3

Vector = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """One instrument in one frame.

    Attributes:
        lattice: random numbers for its textures, (32, 32).
        velocity: what changes from frame to frame, six numbers between -1 and 1.
        end: (x, y) of the end of the shaft.
        axis: direction of the shaft towards its end.
        radius: of the shaft at its end.
        taper: growth of the shaft's radius per length towards the camera.
        bend: turn of the wrist against the shaft.
        wrist: (length, radius) of the wrist.
        jaw: (length, half-width) of one jaw.
        opening: turn of each jaw against the wrist.
        twist: turn of both jaws together.
        curve: outward bow of a jaw, in parts of its length.
        window: how transparent the jaws are in their middle, 0 to 1.
        steel: 0 dark coated shaft, 1 bare metal like the wrist.
        brightness: of the metal.
        stained: how much blood is on it, 0 to 1.
        coat: gain of red, green and blue on the shaft.
        metal: the same on wrist and jaws.
    """

    lattice: Array
    velocity: tuple[float, ...]
    end: Vector
    axis: Vector
    radius: float
    taper: float
    bend: float
    wrist: Vector
    jaw: Vector
    opening: float
    twist: float
    curve: float
    window: float
    steel: float
    brightness: float
    stained: float
    coat: tuple[float, float, float] = (1.0, 1.0, 1.0)
    metal: tuple[float, float, float] = (1.0, 1.0, 1.0)


def turned(vector: Vector, half_tangent: float) -> Vector:
    """The vector turned by 2 atan(half_tangent), as a rational rotation."""
    square = half_tangent * half_tangent
    c, s = (1 - square) / (1 + square), 2 * half_tangent / (1 + square)
    return vector[0] * c - vector[1] * s, vector[0] * s + vector[1] * c


def unit(x: float, y: float) -> Vector:
    """The direction of a vector that is not 0."""
    length = float(np.sqrt(x * x + y * y))
    return x / length, y / length


def draw_instrument(draws: Draws, side: int, aspect: float, scale: float) -> Instrument:
    """An instrument that comes in over one side of the frame and points at its middle.

    Args:
        draws: where its numbers come from.
        side: 0 left, 1 right, 2 bottom, 3 top.
        aspect: width of the frame over its height.
        scale: of all its lengths.
    """
    u = [float(v) for v in draws.at("numbers").uniform(20)]
    along = 0.12 + 0.76 * u[0]
    entry = ((0.0, along), (aspect, along), (aspect * along, 1.0), (aspect * along, 0.0))[side]
    own = (
        (-0.12, 0.12, 0.0, 0.0)[side],
        (0.0, 0.0, 0.12, -0.12)[side],
    )  # each points at its own side of the middle
    goal = aspect * (0.5 + own[0] + 0.30 * (u[1] - 0.5)), 0.5 + own[1] + 0.36 * (u[2] - 0.5)
    axis = unit(goal[0] - entry[0], goal[1] - entry[1])
    reach = (0.17 + 0.34 * u[3]) * (0.6 + 0.4 * scale)
    closed = u[4] < 0.12
    radius = scale * (0.066 + 0.026 * u[5])
    return Instrument(
        lattice=draws.at("lattice").uniform((TILE, TILE)),
        velocity=tuple(float(v) for v in draws.at("velocity").uniform(6, -1.0, 1.0)),
        end=(entry[0] + reach * axis[0], entry[1] + reach * axis[1]),
        axis=axis,
        radius=radius,
        taper=0.03 + 0.10 * u[6],
        bend=0.5 * (u[7] - 0.5),
        wrist=(scale * (0.17 + 0.06 * u[8]), radius * (0.72 + 0.16 * u[9])),
        jaw=(scale * (0.31 + 0.13 * u[10]), scale * (0.0165 + 0.007 * u[11])),
        opening=0.02 + 0.03 * u[12] if closed else 0.24 + 0.18 * u[12],
        twist=0.24 * (u[13] - 0.5),
        curve=0.02 + 0.10 * u[14],
        window=0.75 if u[15] < 0.35 else 0.0,
        steel=u[16],
        brightness=0.85 + 0.3 * u[17],
        stained=max(u[18] - 0.45, 0.0) * 1.6,
    )


def moved(tool: Instrument, frame: int) -> Instrument:
    """The instrument some frames later: shifted, turned, opened or closed by its own amount a frame."""
    v = [frame * speed for speed in tool.velocity]
    return replace(
        tool,
        end=(tool.end[0] + 0.020 * v[0], tool.end[1] + 0.020 * v[1]),
        axis=turned(tool.axis, 0.015 * v[2]),
        bend=tool.bend + 0.030 * v[3],
        opening=tool.opening * max(1 + 0.10 * v[4], 0.0),
        twist=tool.twist + 0.020 * v[5],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of an instrument, pixel by pixel: all arrays are (P,), one number for a pixel that it touches.

    Attributes:
        label: class of the part.
        kind: "shaft", "wrist" or "jaw": how it is to be painted.
        pixels: places in the flattened frame.
        distance: signed distance to the outline in px, negative inside.
        along: distance along the piece in frame heights.
        across: distance from its middle line over its half-width, -1 to 1 inside.
        half_width: in frame heights.
        axis: direction of the piece.
        side: on which side of a jaw the other one lies: 1 or -1; 0 for the others.
    """

    label: int
    kind: str
    pixels: NDArray[np.int64]
    distance: Array
    along: Array
    across: Array
    half_width: Array
    axis: Vector
    side: float = 0.0


def _strip(
    size: tuple[int, int], origin: Vector, axis: Vector, reach: tuple[float, float, float]
) -> tuple[NDArray[np.int64], Array, Array]:
    """The pixels of a strip and their coordinates along and across; ``reach`` is (from, to, half-width)."""
    height, width = size
    corners = [(origin[0] + s * axis[0] - t * axis[1], origin[1] + s * axis[1] + t * axis[0])
               for s in reach[:2] for t in (-reach[2], reach[2])]  # fmt: skip
    x0, x1 = (int(np.floor(f(c[0] for c in corners) * height)) for f in (min, max))
    y0, y1 = (int(np.floor(f(c[1] for c in corners) * height)) for f in (min, max))
    rows = np.arange(max(y0 - 1, 0), max(min(y1 + 2, height), 0))
    columns = np.arange(max(x0 - 1, 0), max(min(x1 + 2, width), 0))
    y = (rows[:, None] + 0.5) / height - origin[1]
    x = (columns + 0.5) / height - origin[0]
    along, across = x * axis[0] + y * axis[1], y * axis[0] - x * axis[1]
    margin = 1 / height
    near = (along > reach[0] - margin) & (along < reach[1] + margin) & (np.abs(across) < reach[2] + margin)
    return (rows[:, None] * width + columns)[near], along[near], across[near]


def _shaft(tool: Instrument, size: tuple[int, int]) -> Piece:
    pixels, s, t = _strip(size, tool.end, tool.axis, (-2.0, tool.radius, tool.radius + 2 * tool.taper))
    half = tool.radius - tool.taper * np.minimum(s, 0)
    across = t / half
    rim = 0.3 * half * np.sqrt(np.maximum(1 - across * across, 0))
    distance = np.maximum(np.abs(t) - half, s - rim) * size[0]
    return Piece(SHAFT, "shaft", pixels, distance, s - rim, across, half, tool.axis)


def _wrist(tool: Instrument, size: tuple[int, int]) -> Piece:
    length, radius = tool.wrist
    axis = turned(tool.axis, tool.bend)
    pixels, s, t = _strip(size, tool.end, axis, (-radius, length, radius))
    f = np.clip(s / length, 0, 1)
    half = radius * (0.86 + 0.9 * f * (1 - f) - 0.34 * f * f * f)
    distance = np.maximum(np.maximum(np.abs(t) - half, -radius - s), s - length) * size[0]
    return Piece(WRIST, "wrist", pixels, distance, s, t / half, half, axis)


def _jaw(tool: Instrument, size: tuple[int, int], side: float) -> Piece:
    length, width = tool.jaw
    middle = turned(tool.axis, tool.bend)
    pivot = tool.end[0] + 0.88 * tool.wrist[0] * middle[0], tool.end[1] + 0.88 * tool.wrist[0] * middle[1]
    axis = turned(turned(middle, tool.twist), side * tool.opening)
    bow = tool.curve * length
    pixels, s, t = _strip(size, pivot, axis, (-width, length, 1.4 * width + abs(bow)))
    f = np.clip(s / length, 0, 1)
    t = t - side * 4 * bow * f * (1 - f)
    tip = np.clip((s - (length - 1.6 * width)) / (1.6 * width), 0, 1)
    half = width * (1.35 - 0.75 * f + 0.30 * f * f) * np.sqrt(1 - tip * tip)
    distance = np.maximum(np.maximum(np.abs(t) - half, -width - s), s - length) * size[0]
    return Piece(CLASPER, "jaw", pixels, distance, s, t / np.maximum(half, 1e-6), half, axis, side)


def pieces(tool: Instrument, size: tuple[int, int]) -> list[Piece]:
    """The parts in a frame of ``size`` (Y, X) px, the lowest first; a part outside has no pixels."""
    return [_jaw(tool, size, -1.0), _wrist(tool, size), _jaw(tool, size, 1.0), _shaft(tool, size)]
