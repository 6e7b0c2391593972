"""What the frames of one sequence share: tissue, instruments, light, smoke, and what lies in front."""

from dataclasses import dataclass, replace

import numpy as np

from noisylabels.draws import Draws
from noisylabels.phantoms import light
from noisylabels.phantoms.domains import Domain
from noisylabels.phantoms.instrument import Instrument, draw_instrument, unit
from noisylabels.phantoms.texture import Array, clouds, step
from noisylabels.phantoms.tissue import draw_tissue, render

_DRIFT = 0.012  # largest motion of the camera from frame to frame, in frame heights


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One sequence at one size; arrays are (Y, X) unless said.

    Attributes:
        draws: its address.
        canvas: tissue, (3, Y + margin, X + margin).
        drift: motion (y, x) of the camera in frame heights a frame.
        lamp: unit vector (x, y, towards the viewer) to the lamp.
        tools: the instruments at the first frame, the farthest first.
        lit: brightness of the lamp.
        smoke: density of the smoke, 0 to 1.
        fold: depth under the edge of a tissue fold in frame heights, negative where it does not reach; None
            without one.
        aperture: field of view, 1 inside and 0 outside.
        defocus: radius of the blur in frame heights.
        noise: standard deviation of the sensor noise at white.
        domain: its look.
    """

    draws: Draws
    canvas: Array
    drift: tuple[float, float]
    lamp: tuple[float, float, float]
    tools: tuple[Instrument, ...]
    lit: Array
    smoke: Array
    fold: Array | None
    aperture: Array
    defocus: float
    noise: float
    domain: Domain


def draw_scene(draws: Draws, size: tuple[int, int], frames: int, domain: Domain) -> Scene:
    """The scene at this address, with a margin of tissue for the camera's motion over ``frames`` frames."""
    height, width = size
    aspect = width / height
    u = [float(v) for v in draws.at("numbers").uniform(12)]
    margin = int(_DRIFT * frames * height) + 1
    drift = draws.at("drift").uniform(2, 0.0, _DRIFT)
    tissue = draw_tissue(draws.at("tissue"), domain)
    lamp_at = 0.35 + 0.3 * u[0], aspect * (0.35 + 0.3 * u[1])
    return Scene(
        draws,
        canvas=render(tissue, (height + margin, width + margin)),
        drift=(float(drift[0]), float(drift[1])),
        lamp=tissue.lamp,
        tools=_tools(draws, aspect, domain),
        lit=light.falloff(size, lamp_at, domain.falloff) * (1.05 + 0.35 * u[2]) * _vignette(size, domain),
        smoke=light.smoke(draws.at("smoke"), size, 0.7 * u[3] if u[4] < 0.4 else 0.05),
        fold=_fold(draws.at("fold"), size) if u[5] < 0.4 else None,
        aperture=_aperture(size, 0.60 + 0.10 * u[6]) if u[7] < 0.2 else np.ones(size),
        defocus=0.0012 + 0.0045 * u[8] * u[8] + domain.blur,
        noise=(0.015 + 0.03 * u[9]) * domain.noise,
        domain=domain,
    )


def _tools(draws: Draws, aspect: float, domain: Domain) -> tuple[Instrument, ...]:
    count = 1 + int(draws.at("instruments").choice((), (0.26, 0.52, 0.22)))
    u = [float(v) for v in draws.at("sides").uniform(4)]
    first, third = int(u[0] < 0.5), 2 if u[1] < 0.6 else 3
    sides = (first, 1 - first, third) if u[2] < 0.8 else (third, first, 1 - first)
    scale = (1.3, 1.05, 0.9)[count - 1] * (0.9 + 0.2 * u[3]) * domain.scale
    sizes = (0.85, 0.92, 1.0)[3 - count :]  # the farther, the smaller
    tools = (
        draw_instrument(draws.at("instrument", k), sides[k], aspect, scale * sizes[k]) for k in range(count)
    )
    return tuple(
        replace(
            tool,
            steel=min(tool.steel + domain.steel, 1.0),
            brightness=tool.brightness * domain.brightness,
            coat=domain.coat,
            metal=domain.metal,
        )
        for tool in tools
    )


def _vignette(size: tuple[int, int], domain: Domain) -> Array:
    radius = np.sqrt(light.squared_distance(size, (0.5, 0.5 * size[1] / size[0])))
    return np.asarray(1 - domain.vignette * step(0.45, 0.95, radius))


def _aperture(size: tuple[int, int], radius: float) -> Array:
    """A round field of view."""
    distance = np.sqrt(light.squared_distance(size, (0.5, 0.5 * size[1] / size[0])))
    return np.clip((radius - distance) * size[0] + 0.5, 0.02, 1)


def _fold(draws: Draws, size: tuple[int, int]) -> Array:
    height, width = size
    side = draws.at("side").uniform(3, -0.5, 0.5)
    n_x, n_y = unit(float(side[0]), float(side[1]) + 1e-3)
    edge = 0.5 * (n_x * width / height + n_y) + 0.30 + 0.16 * float(side[2])
    y, x = (np.arange(height) + 0.5)[:, None] / height, (np.arange(width) + 0.5) / height
    return np.asarray(x * n_x + y * n_y + 0.22 * (clouds(draws.at("wave"), size, 2.2, 2) - 0.5) - edge)
