"""Rotations from + - * / and the square root alone, so that every machine turns by the same matrix.

An angle is reduced to -45 .. 45 degrees and put into the Taylor polynomials of sine and cosine, whose error there is
below 1e-15. What moves pixels is rounded to a fixed step afterwards: entries of matrices to 2**-24, which displaces
a pixel 4000 pixels away by less than 0.0003, and positions to 2**-10 pixels.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MATRIX_STEP = 2.0**-24
PLACE_STEP = 2.0**-10
_RADIANS = 0.017453292519943295  # pi / 180
_SINE = (1.0, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800, 1 / 6227020800, -1 / 1307674368000)
_COSINE = (1.0, -1 / 2, 1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600, -1 / 87178291200,
           1 / 20922789888000)  # fmt: skip


def rounded(values: Floats, step: float) -> Floats:
    """Values to the nearest multiple of a power of two."""
    return np.asarray(np.rint(values / step) * step)


def _series(coefficients: tuple[float, ...], square: Floats) -> Floats:
    total = np.full_like(square, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * square + coefficient
    return total


def cos_sin(degrees: Floats) -> tuple[Floats, Floats]:
    """Cosine and sine, absolute error below 1e-15; exact at multiples of 90 degrees.

    >>> [values.tolist() for values in cos_sin(np.array([0.0, 90.0, -180.0]))]
    [[1.0, -0.0, -1.0], [0.0, 1.0, -0.0]]
    """
    quarters = np.rint(degrees / 90.0)
    x = (degrees - 90.0 * quarters) * _RADIANS
    cosine, sine = _series(_COSINE, x * x), _series(_SINE, x * x) * x
    odd = quarters % 2 == 1
    turned, across = np.where(odd, -sine, cosine), np.where(odd, cosine, sine)
    back = quarters % 4 >= 2
    return np.where(back, -turned, turned), np.where(back, -across, across)


def about_z(degrees: Floats) -> Floats:
    """Rotations in the plane of the two last axes, (n, 3, 3), in axis order z, y, x; positive from y towards x."""
    cosine, sine = cos_sin(degrees)
    turn = np.zeros((len(degrees), 3, 3))
    turn[:, 0, 0] = 1.0
    turn[:, 1, 1], turn[:, 1, 2] = cosine, -sine
    turn[:, 2, 1], turn[:, 2, 2] = sine, cosine
    return turn


def directions(unit: Floats) -> Floats:
    """Unit vectors uniform on the sphere, (n, 3), from pairs of numbers uniform on 0 .. 1, (n, 2)."""
    height = 2.0 * unit[:, 0] - 1.0
    cosine, sine = cos_sin(360.0 * unit[:, 1] - 180.0)
    radius = np.sqrt(np.maximum(1.0 - height * height, 0.0))
    return np.stack([height, radius * cosine, radius * sine], axis=1)


def about_axes(axes: Floats, degrees: Floats) -> Floats:
    """Rotations about unit vectors, (n, 3, 3): Rodrigues' formula.

    Args:
        axes: (n, 3), in axis order z, y, x.
        degrees: (n,).
    """
    cosine, sine = cos_sin(degrees)
    turn = axes[:, :, None] * axes[:, None, :] * (1.0 - cosine)[:, None, None]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        turn[:, j, k] -= axes[:, i] * sine
        turn[:, k, j] += axes[:, i] * sine
        turn[:, i, i] += cosine
    return turn
