"""Synthetic chest radiographs in the raw layout of the re-packed JSRT set.

    images/JPCLN001.png    lung/JPCLN001.png    heart/JPCLN001.png    clavicle/JPCLN001.png

As in the real set lungs are bright and the heart dark, clavicles lie mostly over the lungs, and lung and
heart overlap in a thin rim, while heart and clavicles never touch.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws
from noisylabels.phantoms.texture import Array, blur, clouds

Bool = NDArray[np.bool_]

STRUCTURES = ("lung", "heart", "clavicle")


def write_raw(folder: Path | str, ids: Iterable[str], size: int = 256, seed: int = 0) -> None:
    """Write a raw tree.

    Args:
        folder: where ``images`` and one folder for each structure are made; existing files are replaced.
        ids: file names without ending, as ``JPCLN001``; none gives empty folders.
        size: side of the square pictures in px.
        seed: of the shapes and textures.
    """
    from PIL import Image

    for name in ("images", *STRUCTURES):
        (Path(folder) / name).mkdir(parents=True, exist_ok=True)
    for case_id in ids:
        image, structures = chest(Draws(seed, "phantom", "chest", case_id), size)
        Image.fromarray(image).save(Path(folder) / "images" / f"{case_id}.png")
        for name, structure in structures.items():
            drawn = np.where(structure, np.uint8(255), np.uint8(0))
            Image.fromarray(drawn).save(Path(folder) / name / f"{case_id}.png")


def chest(draws: Draws, size: int) -> tuple[NDArray[np.uint8], dict[str, Bool]]:
    """One chest radiograph (Y, X) in raw polarity and its structures, each (Y, X)."""
    y, x = (np.arange(size) + 0.5)[:, None] / size, (np.arange(size) + 0.5)[None, :] / size
    shift = draws.at("shapes").uniform(8, -1.0, 1.0)
    x = x + 0.02 * shift[0]
    y = y + 0.02 * shift[1]
    broad = 1 + 0.08 * shift[2]
    heart_x, heart_y = (x - 0.545) / (0.185 * broad), (y - 0.585) / (0.155 * (1 + 0.10 * shift[3]))
    heart_x, heart_y = heart_x * 0.96 - heart_y * 0.28, heart_x * 0.28 + heart_y * 0.96
    heart = heart_x * heart_x + heart_y * heart_y
    base = 0.68 + 0.03 * shift[4]
    lung = _lung(x, y, base, broad) | _lung(1 - x, y, base + 0.02, broad)
    clavicle = _clavicle(x, y, 0.012 * shift[5]) | _clavicle(1 - x, y, 0.012 * shift[6])
    structures = {"lung": lung & (heart >= 0.96), "heart": heart < 1, "clavicle": clavicle}
    return _radiograph(draws, structures, x, y), structures


def _lung(x: Array, y: Array, base: float, broad: float) -> Bool:
    """The lung on the image's left: narrow apex, straight inner border, a base that hangs down outside."""
    up = np.clip((base - y) / (base - 0.08), 0, 1)
    outer = 0.36 - 0.215 * broad * np.sqrt(1 - up * up * up)
    inner = 0.40 + 0.045 * np.sqrt(1 - up * up * up)
    bottom = base - 0.05 + 1.6 * (x - 0.36) * (x - 0.36)
    return np.asarray((x > outer) & (x < inner) & (y > 0.08) & (y < bottom))


def _clavicle(x: Array, y: Array, shift: float) -> Bool:
    """The clavicle on the image's left, rising outwards and thickest at the sternum."""
    along = (x - 0.17) / 0.28
    middle = 0.10 + shift + 0.075 * along + 0.03 * along * along
    half = 0.011 + 0.010 * along * along * along
    return np.asarray((along > 0) & (along < 1) & (np.abs(y - middle) < half))


def _radiograph(draws: Draws, structures: dict[str, Bool], x: Array, y: Array) -> NDArray[np.uint8]:
    size = len(y)
    trunk = np.abs(x - 0.5) < 0.34 + 0.12 * np.clip((y - 0.05) * 4, 0, 1)
    height = (y + 0.5 * (np.abs(x - 0.5) - 0.2) * (np.abs(x - 0.5) - 0.2)) * 13
    ribs = np.abs(height - np.floor(height) - 0.5) < 0.2
    density = np.where(trunk, 0.22, 0.72) + 0.22 * structures["lung"] - 0.10 * structures["heart"]
    density = (
        density
        - 0.04 * (np.abs(x - 0.5) < 0.05)
        - 0.03 * ribs * structures["lung"]
        - 0.035 * structures["clavicle"]
    )
    density = density + 0.08 * (clouds(draws.at("tissue"), (size, size), 6, 4) - 0.5) * structures["lung"]
    density = blur(density, 0.005 * size)
    noise = draws.at("noise").normal((size, size), sd=0.008)
    return np.floor(np.clip(density + noise, 0, 1) * 255 + 0.5).astype(np.uint8)
