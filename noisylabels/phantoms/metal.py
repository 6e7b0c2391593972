"""How the parts of an instrument look: brushed, bare or coated metal, much the same grey for all of them."""

import numpy as np

from noisylabels.phantoms.instrument import Instrument, Piece
from noisylabels.phantoms.texture import Array, grain, power, step

Lamp = tuple[float, float, float]

_PLACE = {"shaft": 0.0, "wrist": 11.3, "jaw": 5.7}  # where in the lattice a part finds its scratches


def paint(piece: Piece, tool: Instrument, lamp: Lamp, height: int) -> tuple[Array, Array]:
    """Colour (3, P) and opacity (P,) of the pixels of one piece.

    Args:
        piece: what to paint.
        tool: the instrument that it belongs to.
        lamp: unit vector to the lamp.
        height: of the frame in px; details finer than two pixels fade.
    """
    opacity = np.clip(0.5 - piece.distance, 0, 1)
    slope = np.clip(piece.across, -1, 1)
    if piece.kind == "jaw":
        slope = slope * (0.25 + 0.75 * slope * slope)  # flat, with steep edges
    level = np.sqrt(np.maximum(1 - slope * slope, 0))
    diffuse, half = _reflected(piece, slope, level, lamp)
    finish = {"shaft": _shaft, "wrist": _wrist, "jaw": _jaw}[piece.kind]
    grey = (
        finish(piece, tool, diffuse, half, height) * tool.brightness * (0.55 + 0.45 * step(0.0, 0.6, level))
    )
    red = (0.16 * (1 - level) + 0.05) * (0.3 + 0.5 * diffuse)  # light that comes back from the tissue
    tint = tool.coat if piece.kind == "shaft" else tool.metal
    colour = np.stack([grey * tint[0] + red, grey * 0.965 * tint[1], grey * 0.985 * tint[2]])
    if tool.stained:
        spots = _scratches(piece, tool, 9, 14) + 0.5 * _scratches(piece, tool, 30, 45)
        stain = np.array([0.42, 0.06, 0.06])[:, None] * (0.35 + 0.8 * diffuse)
        colour += 0.75 * tool.stained * step(0.10, 0.35, spots) * (stain - colour)
    if piece.kind == "jaw" and tool.window:
        f = piece.along / tool.jaw[0]
        hole = step(0.62, 0.36, np.abs(piece.across)) * step(0.18, 0.26, f) * step(0.90, 0.82, f)
        opacity = opacity * (1 - tool.window * hole)
    return colour, opacity


def _reflected(piece: Piece, slope: Array, level: Array, lamp: Lamp) -> tuple[Array, Array]:
    """Diffuse light and cosine to the half-way vector on a surface that only slopes across the piece."""
    l_t = lamp[1] * piece.axis[0] - lamp[0] * piece.axis[1]
    diffuse = np.maximum(slope * l_t + level * lamp[2], 0)
    length = float(np.sqrt(l_t * l_t + (lamp[2] + 1) * (lamp[2] + 1)))
    half = np.maximum((slope * l_t + level * (lamp[2] + 1)) / length, 0)
    return diffuse, half


def _scratches(piece: Piece, tool: Instrument, along: float, across: float) -> Array:
    """Noise between -0.5 and 0.5 with so many cells in one frame height along and across the piece."""
    place = _PLACE[piece.kind] + 3 * piece.side + 0.1 * along
    return (
        grain(tool.lattice, piece.along * along + place, piece.across * piece.half_width * across + place)
        - 0.5
    )


def _shaft(piece: Piece, tool: Instrument, diffuse: Array, half: Array, height: int) -> Array:
    streaks = _scratches(piece, tool, 7, 110) + 0.6 * _scratches(piece, tool, 22, 240)
    coated = 0.09 + 0.24 * diffuse + 0.15 * streaks + 0.22 * power(half, 4)
    bare = 0.12 + 0.36 * diffuse + 0.12 * streaks + 0.55 * power(half, 5)
    collar = step(-1.15 * tool.radius, -1.10 * tool.radius, piece.along)
    grey = coated + np.maximum(collar, tool.steel) * (bare - coated)
    for at in (-1.12, -0.75):
        line = np.abs(piece.along - at * tool.radius)
        grey = grey * (0.5 + 0.5 * step(0.0, max(0.010, 1.2 / height), line))
    return grey


def _wrist(piece: Piece, tool: Instrument, diffuse: Array, half: Array, height: int) -> Array:
    length, radius = tool.wrist
    streaks = _scratches(piece, tool, 18, 60)
    grey = 0.10 + 0.38 * diffuse + 0.22 * streaks + 0.55 * power(half, 5)
    soft = max(0.12, 1.2 / (height * radius))
    for at in (-0.45, 0.40):  # cables run in two grooves
        grey = grey * (0.45 + 0.55 * step(0.0, soft + 0.05, np.abs(piece.across - at)))
    for f in (0.36, 0.86):  # two pins
        s, t = piece.along - f * length, piece.across * piece.half_width
        ring = np.sqrt(s * s + t * t) / radius
        head = 0.20 + 0.30 * diffuse + 0.25 * step(-0.4, 0.4, (s + t) / radius)
        grey = np.where(ring < 0.5, head, grey) * (0.4 + 0.6 * step(0.0, soft + 0.05, np.abs(ring - 0.5)))
    return np.asarray(grey)


def _jaw(piece: Piece, tool: Instrument, diffuse: Array, half: Array, height: int) -> Array:
    grey = 0.06 + 0.33 * diffuse + 0.26 * _scratches(piece, tool, 14, 90) + 0.22 * power(half, 5)
    grey = grey * (0.8 + 0.35 * piece.along / tool.jaw[0])
    period = 0.016
    phase = piece.along / period - np.floor(piece.along / period)
    visible = min(max(period * height / 2 - 1, 0.0), 1.0)
    inner = step(0.15, 0.5, -piece.side * piece.across)
    return np.asarray(grey * (1 - 0.6 * visible * inner * (np.abs(phase - 0.5) * 2)))
