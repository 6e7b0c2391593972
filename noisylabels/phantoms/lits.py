"""Synthetic abdomens with liver and tumours in the raw layouts of LiTS.

Training Batch 1/volume-N.nii  segmentation-N.nii          original
imagesTr/liver_N.nii.gz  labelsTr/liver_N.nii.gz           Decathlon, with the trap "decathlon"
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws
from noisylabels.phantoms.texture import Array, blur, clouds

Bool = NDArray[np.bool_]

TRAPS = {
    "decathlon": "the layout of the Medical Segmentation Decathlon",
    "other-header": "labels whose header states another geometry",
    "identity": "labels whose header has no geometry",
    "turned": "a volume and labels stored in another orientation",
    "unit-spacing": "a volume of 3D-IRCADb-01 that falsely claims 1 mm",
    "scaled": "intensities stored as whole numbers with slope and intercept",
    "test": "a test volume without labels",
    "shape": "labels of another extent",
    "no-labels": "a volume without labels",
    "cut": "a file that is cut short",
}
"""What can be wrong or unusual, by name; each concerns one volume."""

SPACING = (2.5, 0.8, 0.8)
_SPOILT = ("shape", "no-labels", "cut")
_ODD = ("other-header", "identity", "turned", "unit-spacing", "scaled")


def write_raw(
    folder: Path | str,
    cases: int = 10,
    seed: int = 0,
    traps: Sequence[str] = (),
    size: tuple[int, int, int] = (40, 192, 192),
) -> list[str]:
    """Write a raw tree.

    Args:
        folder: where it is made.
        cases: how many volumes, numbered from 0; with "unit-spacing" one of them has the number 28.
        seed: of shapes and textures.
        traps: names of :data:`TRAPS`; faulty volumes are the last ones, odd but readable ones the first.
        size: (Z, Y, X).

    Returns:
        The ids of the volumes that can be read.
    """
    folder = Path(folder)
    odd = [trap for trap in _ODD if trap in traps]
    spoilt = [trap for trap in _SPOILT if trap in traps]
    good = []
    for place in range(cases):
        trap = odd[place] if place < len(odd) else ""
        fault = spoilt[cases - 1 - place] if cases - 1 - place < len(spoilt) and not trap else ""
        number = 28 if trap == "unit-spacing" else place
        image, labels = abdomen(Draws(seed, "phantom", "lits", str(number)), size)
        paths = _paths(folder, number, "decathlon" in traps)
        _write_pair(paths, image, labels, trap, fault)
        if not fault:
            good.append(f"lits_{number:03d}")
    if "test" in traps:
        first = _paths(folder, 0, "decathlon" in traps)[0]
        name = "imagesTs/liver_131.nii.gz" if "decathlon" in traps else "test-volume-0.nii"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(first.read_bytes())
    return sorted(good)


def abdomen(draws: Draws, size: tuple[int, int, int]) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """CT in HU and labels 0, 1 (liver), 2 (tumour), each (Z, Y, X); x grows to the patient's left."""
    z, y, x = (
        (np.arange(n, dtype=np.float64) + 0.5).reshape([-1 if a == axis else 1 for a in range(3)]) / n - 0.5
        for axis, n in enumerate(size)
    )
    shape = draws.at("shapes").uniform(12, -1.0, 1.0)
    body = _ball((0 * z, y, x), (1.0, 0.36 + 0.03 * shape[0], 0.46 + 0.02 * shape[1]))
    liver = _liver(z, y, x, shape) & body
    tumours = np.zeros(size, dtype=bool)
    own = draws.at("tumours")
    for number in range(int(own.at("count").integers((), 0, 4))):
        place = own.at("place", number).uniform(4, -1.0, 1.0)
        middle = (0.12 * place[0], -0.02 + 0.1 * place[1], -0.2 + 0.1 * place[2])
        radius = 0.03 + 0.025 * (1 + place[3])
        tumours |= _ball((z - middle[0], y - middle[1], x - middle[2]), (radius * 1.4, radius, radius))
    tumours &= liver
    spleen = _ball((z - 0.1, y - 0.1, x - 0.3), (0.22, 0.1, 0.08))
    kidneys = _ball((z + 0.15, y - 0.14, np.abs(x) - 0.17), (0.2, 0.07, 0.05))
    spine = _ball((0 * z, y - 0.22, x), (1.0, 0.06, 0.055))
    aorta = _ball((0 * z, y - 0.13, x - 0.02), (1.0, 0.022, 0.022))
    stomach = _ball((z - 0.2, y + 0.12, x - 0.16), (0.24, 0.09, 0.11))
    values = np.full(size, -1000.0)
    for region, hu in (
        (body, -90.0), (_ball((0 * z, y, x), (1.0, 0.32, 0.42)) & body, 35.0), (stomach & body, 15.0),
        (spleen & body, 118.0), (kidneys & body, 150.0), (aorta, 165.0), (spine, 350.0), (liver, 105.0),
    ):  # fmt: skip
        values = np.where(np.broadcast_to(region, size), hu, values)
    values = np.where(tumours, 60.0 + 15 * shape[9], values)
    for number in range(size[0]):
        texture = clouds(draws.at("texture", number // 3), size[1:], 12, 4) - 0.5
        inside = values[number] > -500
        values[number] = blur(values[number] + 30 * texture * inside, 0.004)
    values += draws.at("noise").normal(size, sd=12.0)
    return np.floor(np.clip(values, -1024, 3000) + 0.5).astype(np.int16), (liver.astype(np.uint8) + tumours)


def _liver(z: Array, y: Array, x: Array, shape: Array) -> Bool:
    """A large right lobe and a flat left one across the midline."""
    right = _ball(
        (z - 0.03 * shape[2], y - 0.02, x + 0.2), (0.36 + 0.04 * shape[3], 0.25, 0.17 + 0.02 * shape[4])
    )
    left = _ball((z - 0.16, y + 0.12 + 0.3 * x, x + 0.04), (0.15, 0.07 + 0.01 * shape[5], 0.2))
    hollow = _ball((z + 0.05, y - 0.08, x + 0.03), (0.4, 0.12, 0.09))
    return (right | left) & ~hollow


def _ball(place: tuple[Array, Array, Array], half: tuple[float, float, float]) -> Bool:
    far = [(p / h) * (p / h) for p, h in zip(place, half, strict=True)]
    return np.asarray(far[0] + far[1] + far[2] < 1)


def _paths(folder: Path, number: int, decathlon: bool) -> tuple[Path, Path]:
    if decathlon:
        return folder / "imagesTr" / f"liver_{number}.nii.gz", folder / "labelsTr" / f"liver_{number}.nii.gz"
    batch = folder / ("Training Batch 1" if number < 28 else "Training Batch 2")
    return batch / f"volume-{number}.nii", batch / f"segmentation-{number}.nii"


def _write_pair(
    paths: tuple[Path, Path], image: NDArray[np.int16], labels: NDArray[np.uint8], trap: str, fault: str
) -> None:
    spacing = (1.0, 1.0, 1.0) if trap == "unit-spacing" else SPACING
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    other = affine.copy()
    if trap == "other-header":
        other[:3, 3] = (10.0, -20.0, 30.0)
    if trap == "identity":
        other = np.eye(4)
    if trap == "turned":  # the same scan with x and y running the other way
        image, labels = image[:, ::-1, ::-1], labels[:, ::-1, ::-1]
        affine = np.diag([spacing[2], spacing[1], spacing[0], 1.0])
        other = affine
    _save(paths[0], image, affine, scaled=trap == "scaled")
    if fault != "no-labels":
        _save(paths[1], labels[:, :, :-1] if fault == "shape" else labels, other)
    if fault == "cut":
        paths[0].write_bytes(paths[0].read_bytes()[:-2000])


def _save(path: Path, voxels: NDArray[np.generic], affine: NDArray[np.float64], scaled: bool = False) -> None:
    import nibabel as nib

    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.ascontiguousarray(voxels.transpose(2, 1, 0))
    picture = nib.Nifti1Image(array + np.int16(1024) if scaled else array, affine)
    picture.header.set_xyzt_units("mm")
    if scaled:
        picture.header.set_slope_inter(1.0, -1024.0)
        raw = picture.to_bytes() if not path.name.endswith(".gz") else None
        if raw is not None:
            path.write_bytes(raw)
            return
    nib.save(picture, path)
