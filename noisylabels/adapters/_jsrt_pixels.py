"""Pixels of JSRT and SCR: raw densities, masks, and the rules by which they are reduced."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from noisylabels.errors import InvalidData

RAW_SIDE, MASK_SIDE, PACKED_SIDE = 2048, 1024, 256
"""Sides in px of the original images, of SCR's masks, and of the re-packed pictures."""

_HIGHEST = 4095


def read_image(path: Path) -> NDArray[np.unsignedinteger]:
    """A chest radiograph, (Y, X): uint16 of 0 to 4095 from an .IMG, uint8 from a re-packed PNG.

    Raises:
        InvalidData: the file is missing, damaged or of another size or kind.
    """
    if path.suffix.lower() == ".img":
        wanted = RAW_SIDE * RAW_SIDE * 2
        there = path.stat().st_size if path.is_file() else 0
        if there != wanted:
            raise InvalidData(f"{path} has {there} bytes instead of {wanted}; copy it again from its source.")
        density = np.fromfile(path, dtype=">u2").astype(np.uint16).reshape(RAW_SIDE, RAW_SIDE)
        if density.max() > _HIGHEST:
            raise InvalidData(
                f"{path} holds the value {density.max()}, but 12 bits end at {_HIGHEST}; the bytes of its numbers "
                "may be in the wrong order."
            )
        return density
    pixels = _decoded(path)
    if pixels.shape != (PACKED_SIDE, PACKED_SIDE) or pixels.dtype != np.uint8:
        raise InvalidData(
            f"{path} is {pixels.dtype.name} of shape {pixels.shape}; expected 8-bit grey of "
            f"{PACKED_SIDE}x{PACKED_SIDE}, as in the re-packed layout."
        )
    return pixels


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A structure, (Y, X), 1024x1024 from SCR or 256x256 from a re-packed PNG.

    Raises:
        InvalidData: the file is damaged, of another size, or holds other values than 0 and 255.
    """
    pixels = _decoded(path)
    side = PACKED_SIDE if path.suffix.lower() == ".png" and len(pixels) == PACKED_SIDE else MASK_SIDE
    if pixels.shape != (side, side) or pixels.dtype != np.uint8:
        raise InvalidData(
            f"{path} is {pixels.dtype.name} of shape {pixels.shape}; expected 8-bit grey of {MASK_SIDE}x{MASK_SIDE}, "
            f"or of {PACKED_SIDE}x{PACKED_SIDE} in the re-packed layout."
        )
    drawn = pixels == 255
    other = ~drawn & (pixels != 0)
    if other.any():
        raise InvalidData(
            f"{path} holds the value {pixels[other].min()}; a segmentation holds 0 and 255 only, so copy it again "
            "from its source."
        )
    return np.asarray(drawn)


def resized_image(image: NDArray[np.unsignedinteger], side: int) -> NDArray[np.unsignedinteger]:
    """The image at a smaller side: the mean over blocks, halves rounded up."""
    factor = len(image) // side
    if factor == 1:
        return image
    area = factor * factor
    return ((2 * _blocks(image, factor) + area) // (2 * area)).astype(image.dtype)


def resized_mask(structure: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """A structure at another side: a pixel belongs to it when at least half of the area that it covers does."""
    if side > len(structure):
        times = side // len(structure)
        return structure.repeat(times, axis=0).repeat(times, axis=1)
    factor = len(structure) // side
    if factor == 1:
        return structure
    return 2 * _blocks(structure, factor) >= factor * factor


def _decoded(path: Path) -> NDArray[np.uint8]:
    """Grey values; of a palette the grey that an index stands for, not the index."""
    try:
        with Image.open(path) as picture:
            pixels = np.array(picture.convert("L") if picture.mode in ("P", "1") else picture)
    except FileNotFoundError as error:
        raise InvalidData(f"{path} is missing.") from error
    except Exception as error:  # Pillow raises whatever its decoders raise
        brief = (str(error).splitlines() or [""])[0][:100]
        raise InvalidData(f"{path} is damaged ({brief}); copy it again from its source.") from error
    return pixels


def _blocks(array: NDArray[np.generic], factor: int) -> NDArray[np.int64]:
    """Sum over blocks of factor x factor pixels."""
    rows, columns = array.shape[0] // factor, array.shape[1] // factor
    sums = array.astype(np.int64).reshape(rows, factor, columns, factor).sum(axis=(1, 3))
    return np.asarray(sums)
