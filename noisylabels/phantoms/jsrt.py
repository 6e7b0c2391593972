"""Synthetic chest radiographs in the raw layouts of JSRT and SCR.

    All247images/JPCLN001.IMG                       2048x2048, 12 bits in 16, big endian
    scratch/fold1/masks/right lung/JPCLN001.gif     1024x1024, and four more structures; fold2 holds even ids
    CLNDAT_EN.txt  CNNDAT_EN.txt
    images/ lung/ heart/ clavicle/                  re-packed: 256x256, sides merged

As in the real set lungs are bright and the heart dark, clavicles lie mostly over the lungs, and lung and
heart overlap in a thin rim, while heart and clavicles never touch.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from noisylabels.draws import Draws
from noisylabels.phantoms.texture import Array, blur, clouds

Bool = NDArray[np.bool_]

STRUCTURES = ("lung", "heart", "clavicle")

TRAPS = {
    "repacked": "the public layout at 256 px with right and left merged",
    "right-lung-only": "masks as TIFF, of the right lung only, as the later publication is reported to hold",
    "little-endian": "an image with its bytes in the wrong order",
    "short": "an image that is cut short",
    "no-mask": "a case without the mask of its heart",
    "value": "a mask with another value than 0 and 255",
}
"""What can be wrong or unusual, by name; faulty cases are the last ones."""

_FAULTS = ("little-endian", "short", "no-mask", "value")


def write_raw(
    folder: Path | str,
    cases: int | Iterable[str] = 10,
    seed: int = 0,
    traps: Sequence[str] = (),
    coarse: int = 4,
) -> list[str]:
    """Write a raw tree.

    Args:
        folder: where it is made; existing files are replaced.
        cases: how many, or their ids, as ``JPCLN001``; none gives empty folders.
        seed: of the shapes and textures.
        traps: names of :data:`TRAPS`.
        coarse: original images are drawn so many times smaller and enlarged: 1, 2, 4 or 8.

    Returns:
        The ids of the cases that can be read.
    """
    folder = Path(folder)
    ids = (
        [f"JPC{'LN'[n % 2]}N{n // 2 + 1:03d}" for n in range(cases)]
        if isinstance(cases, int)
        else list(cases)
    )
    good = list(ids)
    if "repacked" in traps:
        for name in ("images", *STRUCTURES):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for case_id in ids:
            _write_packed(folder, case_id, *chest(Draws(seed, "phantom", "chest", case_id), 256))
        return good
    for case_id in ids:
        _write_original(folder, case_id, seed, coarse, "right-lung-only" in traps)
    _write_tables(folder, ids, seed)
    for number, fault in enumerate(f for f in _FAULTS if f in traps):
        _spoil(folder, ids[-1 - number], fault)
        good.remove(ids[-1 - number])
    return good


def _write_packed(folder: Path, case_id: str, image: NDArray[np.uint8], structures: dict[str, Bool]) -> None:
    Image.fromarray(image).save(folder / "images" / f"{case_id}.png")
    for name, structure in structures.items():
        _save_mask(folder / name / f"{case_id}.png", structure)


def _write_original(folder: Path, case_id: str, seed: int, coarse: int, right_lung_only: bool) -> None:
    image, structures = chest(Draws(seed, "phantom", "chest", case_id), 2048 // coarse)
    density = (image.astype(np.uint16) * 16).repeat(coarse, axis=0).repeat(coarse, axis=1)
    path = folder / "All247images" / f"{case_id}.IMG"
    path.parent.mkdir(parents=True, exist_ok=True)
    density.astype(">u2").tofile(path)
    left = np.zeros_like(structures["lung"])
    left[:, left.shape[1] // 2 :] = True  # the patient's left lies on the image's right
    fold = folder / "scratch" / ("fold2" if int(case_id[5:]) % 2 == 0 else "fold1") / "masks"
    for name, structure in structures.items():
        for side, part in (("right", ~left), ("left", left)) if name != "heart" else (("", True),):
            drawn = _at_1024(structure & part)
            if right_lung_only:
                if (name, side) == ("lung", "right"):
                    _save_mask(folder / "masks" / f"{case_id}.tif", drawn)
                continue
            _save_mask(fold / f"{side} {name}".strip() / f"{case_id}.gif", drawn)


def _at_1024(structure: Bool) -> Bool:
    side = len(structure)
    if side == 2048:
        return structure[::2, ::2]
    return structure.repeat(1024 // side, axis=0).repeat(1024 // side, axis=1)


def _save_mask(path: Path, structure: Bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.where(structure, np.uint8(255), np.uint8(0))
    Image.fromarray(drawn).save(path)


def _write_tables(folder: Path, ids: Sequence[str], seed: int) -> None:
    """Tabs, padding, and carriage returns as line ends, as in the real tables."""
    nodule, plain = [], []
    for case_id in ids:
        own = Draws(seed, "phantom", "chest", case_id, "table")
        age, x, y, size = (int(n) for n in own.integers(4, 20, 80))
        sex = ("Male  ", "Female")[int(own.at("sex").integers((), 0, 1))]
        if case_id.startswith("JPCLN"):
            nodule.append(
                f"{case_id}.IMG\t3\t{size // 4} \t{age}\t{sex}\t{x * 20}\t{y * 20}\tbenign\tl.upper lobe\tgranuloma"
            )
        else:
            plain.append(f"{case_id}.IMG\t{age} \t{sex}\tnon-nodule")
    for name, rows in (("CLNDAT_EN.txt", nodule), ("CNNDAT_EN.txt", plain)):
        (folder / name).write_bytes("\r".join([*rows, ""]).encode())


def _spoil(folder: Path, case_id: str, fault: str) -> None:
    path = folder / "All247images" / f"{case_id}.IMG"
    heart = next(folder.glob(f"scratch/*/masks/heart/{case_id}.gif"), None)
    if fault == "short":
        path.write_bytes(path.read_bytes()[:-2])
    elif fault == "little-endian":
        np.fromfile(path, dtype=">u2").astype("<u2").tofile(path)
    elif heart is not None and fault == "no-mask":
        heart.unlink()
    elif heart is not None:
        Image.fromarray(np.full((1024, 1024), 7, np.uint8)).save(heart)


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
