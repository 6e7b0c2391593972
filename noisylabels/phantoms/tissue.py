"""Tissue as an endoscope sees it: fat, muscle and fascia, folds, lobules, vessels, wet highlights."""

from dataclasses import dataclass

import numpy as np

from noisylabels.draws import Draws
from noisylabels.phantoms.domains import Domain
from noisylabels.phantoms.light import normals, reddened, reflection, wet
from noisylabels.phantoms.texture import Array, cells, cloud, clouds, step


@dataclass(frozen=True, slots=True)
class Tissue:
    """What the frames of one sequence have in common.

    Attributes:
        draws: address of the textures.
        lobules: share of the picture covered by lobules, 0 to 1.
        muscle: how much dark red there is, 0 to 1.
        fat: how yellow the fat is, 0 to 1.
        vessels: how clearly vessels show, 0 to 1.
        relief: height of the folds in frame heights.
        domain: its colours.
        lamp: unit vector (x, y, towards the viewer) to the lamp.
    """

    draws: Draws
    lobules: float
    muscle: float
    fat: float
    vessels: float
    relief: float
    domain: Domain
    lamp: tuple[float, float, float]


def draw_tissue(draws: Draws, domain: Domain) -> Tissue:
    """A tissue of the kind drawn at this address."""
    shares = draws.at("shares").uniform(5)
    side = draws.at("lamp").uniform(2, -0.45, 0.45)
    length = float(np.sqrt(side[0] * side[0] + side[1] * side[1] + 1))
    return Tissue(
        draws,
        lobules=float(shares[0]),
        muscle=float(0.25 + 0.5 * shares[1]),
        fat=float(shares[2]),
        vessels=float(0.35 + 0.6 * shares[3]),
        relief=float(0.07 + 0.06 * shares[4]) * domain.relief,
        domain=domain,
        lamp=(float(side[0]) / length, float(side[1]) / length, 1 / length),
    )


def _warp(draws: Draws, size: tuple[int, int], scale: int) -> tuple[Array, Array]:
    """Coordinates (y, x) of every pixel in frame heights (``scale`` px), bent at two scales."""
    bent = []
    for axis, n in zip("yx", size, strict=True):
        place = (np.arange(n) + 0.5) / scale
        wide, fine = cloud(draws.at(axis), size, 2.2), clouds(draws.at("fine", axis), size, 7, 2)
        bent.append((place[:, None] if axis == "y" else place) + 0.26 * wide + 0.055 * fine)
    return bent[0], bent[1]


def _net(tissue: Tissue, warp: tuple[Array, Array], scale: float, name: str, width: float) -> Array:
    """A branching net of vessels, 0 to 1: the borders of warped cells, thick here and fading out there."""
    draws, size = tissue.draws.at(name), warp[0].shape
    first, second = cells(draws, warp[0] * scale, warp[1] * scale)
    caliber = cloud(draws.at("caliber"), (size[0], size[1]), 1.2 * scale)
    thickness = width * np.maximum(1.8 * caliber - 0.45, 0.001)
    strength = step(0.30, 0.62, caliber)
    return np.asarray((1 - step(0.2, 1.0, (second - first) / thickness)) * strength)


def render(tissue: Tissue, size: tuple[int, int]) -> Array:
    """The tissue in full light.

    Args:
        tissue: what is seen.
        size: (Y, X) in px.

    Returns:
        (3, Y, X), 0 black to 1 white.
    """
    draws = tissue.draws
    scale = size[0]
    warp = _warp(draws.at("warp"), size, scale)
    broad = clouds(draws.at("broad"), size, 1.7, 4)
    ridge = np.abs(clouds(draws.at("ridge"), size, 1.3, 3) - 0.5) * 2
    fine = clouds(draws.at("fine"), size, 9, 4)
    lobed = step(
        0.75 - 0.5 * tissue.lobules, 0.95 - 0.5 * tissue.lobules, cloud(draws.at("lobed"), size, 1.4)
    )
    first, second = cells(draws.at("lobules"), warp[0] * 4.2, warp[1] * 4.2)
    relief = 1.3 * broad - 0.8 * ridge + 0.75 * lobed * (1 - first * first) + 0.16 * fine
    crease = lobed * (1 - step(0.0, 0.16, second - first))

    look = (tissue.domain.fascia, tissue.domain.muscle, tissue.domain.fat, tissue.domain.blood)
    ground, red, yellow, blood = (np.array(one)[:, None, None] for one in look)
    colour = ground + 0.10 * (fine - 0.5)
    fat = tissue.fat * step(0.52, 0.75, clouds(draws.at("fat"), size, 2.4, 3))
    colour += fat * (yellow - colour)
    edge = 0.62 - 0.3 * tissue.muscle
    muscle = step(edge, edge + 0.18, 0.4 * broad + 0.6 * clouds(draws.at("muscle"), size, 2.0, 4))
    colour += 0.9 * muscle * (red + 0.08 * (fine - 0.5) - colour)
    colour += 0.5 * crease * (blood - colour)
    for name, mesh, width, strength in (("capillaries", 7.5, 0.075, 0.55), ("veins", 2.8, 0.06, 0.8)):
        colour += _net(tissue, warp, mesh, name, width) * (tissue.vessels * strength) * (blood - colour)

    diffuse, _ = reflection(normals(relief * (tissue.relief * scale)), tissue.lamp)
    hollow = 0.42 + 0.58 * step(-0.1, 0.95, relief)
    rough = relief + 0.16 * clouds(draws.at("ripples"), size, 16, 3)
    shine = wet(
        normals(rough * (2.2 * tissue.relief * scale)), tissue.lamp, clouds(draws.at("wet"), size, 3.2, 3)
    )
    return reddened(colour, (0.10 + 0.98 * diffuse) * hollow) + shine
