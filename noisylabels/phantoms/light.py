"""What lamp, optics and sensor of an endoscope do to a scene: shading, highlights, shadows, smoke, noise.

Images are float64, (3, Y, X), 0 black to 1 white in display values (no gamma is modelled).
"""

import numpy as np

from noisylabels.draws import Draws
from noisylabels.phantoms.texture import Array, blur, clouds, power, step


def normals(height: Array) -> tuple[Array, Array, Array]:
    """Unit normals of a relief given in px, as (x, y, towards the viewer), each (Y, X)."""
    slope_x, slope_y = np.zeros_like(height), np.zeros_like(height)
    slope_x[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * 0.5
    slope_y[1:-1] = (height[2:] - height[:-2]) * 0.5
    length = np.sqrt(slope_x * slope_x + slope_y * slope_y + 1)
    return -slope_x / length, -slope_y / length, 1 / length


def reflection(normal: tuple[Array, Array, Array], lamp: tuple[float, float, float]) -> tuple[Array, Array]:
    """Diffuse light and the cosine between normal and half-way vector, each in [0, 1].

    Args:
        normal: unit normals (x, y, towards the viewer).
        lamp: unit vector towards the lamp.
    """
    n_x, n_y, n_z = normal
    l_x, l_y, l_z = lamp
    diffuse = n_x * l_x + n_y * l_y + n_z * l_z
    length = float(np.sqrt(l_x * l_x + l_y * l_y + (l_z + 1) * (l_z + 1)))
    half = (n_x * l_x + n_y * l_y + n_z * (l_z + 1)) / length
    return np.maximum(diffuse, 0), np.maximum(half, 0)


def wet(normal: tuple[Array, Array, Array], lamp: tuple[float, float, float], patches: Array) -> Array:
    """Highlights of a wet surface, 0 to 1, where the relief faces the lamp and ``patches`` is high."""
    _, half = reflection(normal, lamp)
    return step(0.45, 0.9, power(half, 6)) * step(0.52, 0.86, patches)


def shadow(coverage: Array, shift: tuple[int, int], radius: float) -> Array:
    """How much light reaches a surface behind things of this coverage, seen from the side: 1 lit, 0 dark.

    Args:
        coverage: (Y, X), 0 to 1.
        shift: (y, x) in px by which the shadow lies beside the thing.
        radius: softness in px.
    """
    dy, dx = shift
    height, width = coverage.shape
    moved = np.zeros_like(coverage)
    moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = coverage[
        max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
    ]
    return 1 - blur(moved, radius)


def falloff(size: tuple[int, int], centre: tuple[float, float], strength: float) -> Array:
    """Light at the distance d from ``centre`` (y, x in frame heights): 1 / (1 + strength d^2)."""
    return 1 / (1 + strength * squared_distance(size, centre))


def reddened(image: Array, light: Array) -> Array:
    """The image in so much light (Y, X), 1 as it is: in the dark, mostly red is left of it."""
    green = light * (0.74 + 0.26 * np.minimum(light, 1))
    return np.stack([image[0] * light, image[1] * green, image[2] * green])


def squared_distance(size: tuple[int, int], centre: tuple[float, float]) -> Array:
    """Squared distance of every pixel from ``centre``, (y, x) in frame heights."""
    height, width = size
    y = (np.arange(height) + 0.5)[:, None] / height - centre[0]
    x = (np.arange(width) + 0.5) / height - centre[1]
    return np.asarray(y * y + x * x)


def smoke(draws: Draws, size: tuple[int, int], strength: float) -> Array:
    """Density of a veil of ``strength`` 0 to 1, denser here and thinner there: (Y, X), 0 to 1."""
    return np.asarray(strength * np.clip(clouds(draws, size, 1.6, 4) * 1.5 - 0.25, 0, 1))


def veiled(image: Array, density: Array) -> Array:
    """The image behind smoke of this density."""
    grey = np.array([0.73, 0.70, 0.73])[:, None, None]
    return image + density * (grey - image)


def bloom(image: Array, radius: float) -> Array:
    """Light of saturated places spilling into their surroundings."""
    excess = np.maximum((image[0] + image[1] + image[2]) * (1 / 3) - 0.75, 0)
    return np.asarray(image + 0.7 * blur(excess, radius))


def sensor(draws: Draws, image: Array, sd: float) -> Array:
    """The image with noise that grows with the light: sums of four uniform numbers, ``sd`` at white."""
    words = draws.words(image.shape)
    mask = np.uint64(0xFFFF)
    parts = [((words >> np.uint64(16 * k)) & mask).astype(np.float64) for k in range(4)]
    standard = (parts[0] + parts[1] + parts[2] + parts[3] - 2 * 65535.0) * (
        1 / 37836.0
    )  # sd of four uniforms
    return np.asarray(image + standard * (sd * (0.4 + 0.6 * np.clip(image, 0, 1))))
