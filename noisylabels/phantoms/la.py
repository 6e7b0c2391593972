"""Synthetic left atria in the raw layout of the 2018 Atrial Segmentation Challenge.

    Training Set/<id>/lgemri.nrrd  laendo.nrrd  lawall.nrrd
    Testing Set/<id>/...

An atrium is a bent ellipsoid with four pulmonary veins and an appendage. Around it lie a thin wall that is brighter
in places (the scar that the sequence shows), the other chambers and the aorta, which are as bright as the atrium, a
spine and lungs.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws
from noisylabels.facts import load_facts
from noisylabels.phantoms.texture import Array, blur, clouds

Bool = NDArray[np.bool_]

TRAPS = {
    "stray": "desktop.ini beside the scans of a case, hidden files of a file browser",
    "ones": "a label stored as 0 and 1 instead of 0 and 255",
    "twins": "two scans with the same label",
    "no-label": "a scan without its label",
    "cut": "an image file that is cut short",
}
"""What can be wrong with the files, by name."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TWINS = ("0RZDK210BSMWAA6467LU", "CMPXO4J23G58J53Q98SZ")


def write_raw(
    folder: Path | str,
    cases: int = 10,
    seed: int = 0,
    traps: Sequence[str] = (),
    size: tuple[int, int, int] = (44, 160, 160),
) -> list[str]:
    """Write a raw tree.

    Args:
        folder: where ``Training Set`` and ``Testing Set`` are made. Ids are those of the public lists, every
            fifth of the test list; every tenth case has an id of its own in ``Testing Set``.
        cases: how many scans.
        seed: of shapes and textures.
        traps: names of :data:`TRAPS`; each spoils one scan.
        size: (Z, Y, X) of the scans; the real ones have 88 slices of 576x576 or 640x640.

    Returns:
        The ids of the scans that can be read.
    """
    folder = Path(folder)
    ids = _ids(cases, seed, "twins" in traps and cases >= 2)
    good = list(ids)
    for number, case_id in enumerate(ids):
        place = folder / _part(number) / case_id
        place.mkdir(parents=True, exist_ok=True)
        twin = "twins" in traps and number == 1
        image, atrium, wall = scan(Draws(seed, "phantom", "la", ids[0] if twin else case_id), size)
        high = 1 if "ones" in traps and number == 2 % cases else 255
        _write(place / "lgemri.nrrd", image)
        _write(place / "laendo.nrrd", np.where(atrium, np.uint8(high), np.uint8(0)))
        _write(place / "lawall.nrrd", np.where(wall, np.uint8(255), np.uint8(0)))
    first, last = folder / _part(0) / ids[0], folder / _part(cases - 1) / ids[-1]
    if "stray" in traps:
        (first / "desktop.ini").write_text("[ViewState]\n")
        (folder / "Training Set" / "._ghost").mkdir(exist_ok=True)
    if "no-label" in traps:
        (last / "laendo.nrrd").unlink()
        good.remove(ids[-1])
    if "cut" in traps:
        cut = first / "lgemri.nrrd"
        cut.write_bytes(cut.read_bytes()[:-1000])
        good.remove(ids[0])
    return good


def scan(draws: Draws, size: tuple[int, int, int]) -> tuple[NDArray[np.uint8], Bool, Bool]:
    """One scan: the image, the atrium and its wall, each (Z, Y, X)."""
    z, y, x = (
        (np.arange(n, dtype=np.float64) + 0.5).reshape([-1 if a == axis else 1 for a in range(3)]) / n - 0.5
        for axis, n in enumerate(size)
    )
    shape = draws.at("shapes").uniform(24, -1.0, 1.0)
    z, y, x = z + 0.03 * shape[0], y + 0.04 * shape[1], x + 0.04 * shape[2]
    inner = _atrium(z, y, x, shape, 0.0)
    wall = _atrium(z, y, x, shape, 0.018) & ~inner
    image = np.zeros(size)
    scar = np.zeros(size, dtype=bool)
    for slice_number in range(size[0]):
        own = draws.at("slice", slice_number // 2)  # neighbouring slices look alike
        tissue = clouds(own.at("tissue"), size[1:], 9, 4)
        scar[slice_number] = wall[slice_number] & (tissue > 0.62)
        image[slice_number] = 0.24 + 0.12 * (tissue - 0.5)
    blood = 0.48 + 0.4 * (image - 0.24)
    body = (y / 0.46) * (y / 0.46) + (x / 0.49) * (x / 0.49)
    lungs = _ball((z * 0.5, y - 0.02, np.abs(x) - 0.33), (0.3, 0.30, 0.13))
    ventricles = _ball((z + 0.06, y + 0.2 + 0.2 * x, x - 0.02), (0.3, 0.13 + 0.02 * shape[22], 0.22))
    septum = np.abs(x + 0.6 * y + 0.1) < 0.012
    neighbour = _ball((z - 0.02, y + 0.03, x + 0.17 + 0.02 * shape[23]), (0.2, 0.1, 0.075))
    spine = (x / 0.07) * (x / 0.07) + ((y - 0.36) / 0.06) * ((y - 0.36) / 0.06) < 1
    aorta = ((x + 0.10) / 0.04) * ((x + 0.10) / 0.04) + ((y - 0.22) / 0.04) * ((y - 0.22) / 0.04) < 1
    image = np.where(lungs, 0.07, image)
    image = np.where(ventricles | neighbour, blood - 0.03, image)
    image = np.where(ventricles & septum, 0.28, image)
    image = np.where(np.broadcast_to(spine, size), 0.30, image)
    image = np.where(np.broadcast_to(aorta, size), 0.48, image)
    image = np.where(inner, blood, image)
    image = np.where(wall, 0.34, image)
    image = np.where(scar, 0.85, image) * (np.broadcast_to(body, size) < 1)
    smooth = np.stack([blur(one, 0.006) for one in image])
    noise = draws.at("noise").normal(size, sd=0.02)
    return np.floor(np.clip(smooth + noise, 0, 1) * 255 + 0.5).astype(np.uint8), inner, wall


def _ball(place: tuple[Array, Array, Array], half: tuple[float, float, float]) -> Bool:
    """An ellipsoid around the origin of ``place`` with the half axes ``half``, both (z, y, x)."""
    far = [(p / h) * (p / h) for p, h in zip(place, half, strict=True)]
    return np.asarray(far[0] + far[1] + far[2] < 1)


def _atrium(z: Array, y: Array, x: Array, shape: Array, out: float) -> Bool:
    """Body, four veins and appendage, grown by ``out`` of the frame."""
    bent = y + 0.5 * x * x - 0.02 * shape[3]
    a, b, c = (r * (1 + 0.12 * s) + out for r, s in zip((0.24, 0.13, 0.18), shape[4:7], strict=True))
    found = (z / a) * (z / a) + (bent / b) * (bent / b) + (x / c) * (x / c) < 1
    for number, (side, level) in enumerate(((-1, -0.1), (-1, 0.1), (1, -0.1), (1, 0.1))):
        along = side * x
        drift = shape[8 + 2 * number] * 0.25
        high = z - level - 0.03 * shape[9 + 2 * number]
        back = bent - 0.05 - drift * along
        radius = 0.035 + 0.008 * shape[16 + number] + out
        found |= (along > 0.08) & (along < 0.24) & (high * high * 0.6 + back * back < radius * radius)
    front = (y + 0.12 + 0.02 * shape[20]) / (0.07 + out)
    across = (x - 0.13) / (0.05 + 0.01 * shape[21] + out)
    return np.asarray(found | ((z / (0.1 + out)) * (z / (0.1 + out)) + front * front + across * across < 1))


def _part(number: int) -> str:
    return "Testing Set" if number % 10 == 9 else "Training Set"


def _ids(cases: int, seed: int, twins: bool) -> list[str]:
    """Ids of the public lists, and for ``Testing Set`` some that look alike."""
    lists = load_facts("la").splits["uamt"].parts
    train = iter([*(_TWINS if twins else ()), *(i for i in lists["train"] if i not in _TWINS)])
    test, found = iter(lists["test"]), list[str]()
    for number in range(cases):
        own = _id(seed, number)
        listed = None if number % 10 == 9 else next(test if number % 5 == 4 else train, None)
        found.append(listed or own)
    return found


def _id(seed: int, number: int) -> str:
    """Twenty letters and digits."""
    places = Draws(seed, "phantom", "la", "id", str(number)).integers(20, 0, len(_LETTERS) - 1)
    return "".join(_LETTERS[int(p)] for p in places)


def _write(path: Path, voxels: NDArray[np.uint8]) -> None:
    sizes = " ".join(map(str, voxels.shape[::-1]))
    header = (
        "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {sizes}\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\n"
        "endian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    )
    path.write_bytes(header.encode() + np.ascontiguousarray(voxels).tobytes())
