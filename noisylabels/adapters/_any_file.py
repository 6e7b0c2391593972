"""One image or label file of any usual kind: PNG, TIFF, BMP and JPEG; NIfTI; NRRD, MHA and MHD."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.adapters._nifti import read_volume
from noisylabels.errors import InvalidData, UsageError

FLAT = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
SOLID = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass(frozen=True, slots=True)
class Picture:
    """A file in memory.

    Attributes:
        pixels: (C, Y, X) of a flat picture, (1, Z, Y, X) of a volume; a volume of one slice is flat.
        spacing: mm along every axis but the first, or None.
        geometry: what must agree between an image and its labels beside the extent: 16 numbers, or nothing.
    """

    pixels: NDArray[Any]
    spacing: tuple[float, ...] | None
    geometry: tuple[float, ...]


def ending_of(path: Path) -> str:
    """The ending in lower case, ``.nii.gz`` as a whole; "" for a file of no kind that can be read."""
    name = path.name.lower()
    return next(
        (ending for ending in sorted(FLAT + SOLID, key=len, reverse=True) if name.endswith(ending)), ""
    )


def read_picture(path: Path) -> Picture:
    """Read a file.

    Raises:
        UsageError: a library for this kind is not installed.
        InvalidData: it is missing, damaged, or of no kind that can be read.
    """
    ending = ending_of(path)
    if not path.is_file():
        raise InvalidData(f"{path} is missing.")
    if ending in FLAT:
        return _flat(path)
    if ending.startswith(".nii"):
        volume = read_volume(path)
        return _solid(volume.voxels, volume.spacing, tuple(np.round(volume.affine, 3).ravel().tolist()))
    if ending in SOLID:
        return _itk(path)
    raise InvalidData(f"{path} is of no kind that can be read; known: {', '.join(FLAT + SOLID)}.")


def _flat(path: Path) -> Picture:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode in ("RGBA", "CMYK", "YCbCr", "LA"):
                picture = picture.convert("RGB" if picture.mode != "LA" else "L")  # type: ignore[assignment]
            pixels = np.array(picture)
    except Exception as error:  # Pillow raises whatever its decoders raise
        raise InvalidData(f"{path} is damaged ({(str(error).splitlines() or [''])[0][:100]}).") from error
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype == np.int32 and pixels.min() >= 0 and pixels.max() < 65536:
        pixels = pixels.astype(np.uint16)  # how Pillow reads some 16-bit files
    return Picture(np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels[None], None, ())


def _itk(path: Path) -> Picture:
    try:
        import SimpleITK as sitk
    except ImportError as error:
        raise UsageError(f"Reading {path} needs SimpleITK: pip install 'noisylabels[dicom]'.") from error
    try:
        image: Any = sitk.ReadImage(str(path))
        turn: Any = sitk.DICOMOrient
        image = turn(image, "LPS") if image.GetDimension() == 3 else image
    except RuntimeError as error:
        raise InvalidData(f"{path} is damaged.") from error
    if image.GetDimension() not in (2, 3) or image.GetNumberOfComponentsPerPixel() != 1:
        raise InvalidData(f"{path} is neither a plane nor a volume of single numbers.")
    spacing = tuple(float(s) for s in image.GetSpacing()[::-1])
    where = (*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection())
    voxels: NDArray[Any] = sitk.GetArrayFromImage(image)
    return _solid(voxels, spacing, tuple(round(float(n), 3) for n in where))


def _solid(voxels: NDArray[Any], spacing: tuple[float, ...], geometry: tuple[float, ...]) -> Picture:
    if voxels.ndim == 3 and len(voxels) == 1:
        return Picture(voxels, spacing[1:], geometry)
    return Picture(voxels[None], spacing, geometry)
