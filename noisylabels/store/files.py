"""One array to one file and back: PNG for 2-D, NIfTI for everything.

In memory the axes are (z, y, x), in a NIfTI file (x, y, z); both are the same bytes, so nothing is copied.
The file's affine says that x grows to the patient's left and y to the back, which is how images are usually
stored and what makes their rows run downwards in viewers. A 2-D array becomes one slice. Equal arrays give
equal bytes: there is no time and no file name in them.

Every file appears under its name only when it is complete: it is written beside it and renamed.
"""

import errno
import gzip
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.errors import InvalidData, NoisyLabelsError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_PNG_END = b"IEND\xaeB`\x82"  # Pillow reads a file without it, and the pixels may then be incomplete

ENDINGS = (".png", ".nii.gz")
"""The endings that can be written and read."""

Spacing = tuple[float, ...] | None


def write_labels(path: Path, labels: LabelMap, spacing: Spacing = None, ignore: int = IGNORE) -> None:
    """Write a label map.

    Args:
        path: file to write, ending in ``.png`` (2-D only) or ``.nii.gz``.
        labels: (Y, X) or (Z, Y, X), uint8.
        spacing: mm along every axis; a PNG cannot hold it.
        ignore: the number that stands for ``IGNORE`` in the file.

    Raises:
        NoisyLabelsError: the file cannot be written, for instance because the disk is full.
    """
    if ignore != IGNORE and (labels == IGNORE).any():
        labels = np.where(labels == IGNORE, np.uint8(ignore), labels)
    _write(path, labels, spacing)


def read_labels(path: Path, ndim: int | None = None, ignore: int = IGNORE) -> tuple[LabelMap, Spacing]:
    """Read a label map.

    Args:
        path: a PNG with one 8-bit channel, or a NIfTI file with whole numbers from 0 to 255.
        ndim: 2 or 3; None reads a file with one slice as 2-D.
        ignore: the number that stands for ``IGNORE`` in the file.

    Returns:
        The labels (Y, X) or (Z, Y, X), and the spacing in mm if the file states one.

    Raises:
        InvalidData: the file is missing, damaged or holds something else; the message names it.
    """
    array, spacing = _read(path, ndim)
    if path.name.endswith(".png") and array.ndim == 3:
        raise InvalidData(f"{path} holds a picture with {array.shape[-1]} channels; labels have one channel.")
    if array.dtype != np.uint8:
        if array.size and not (
            np.all(array >= 0) and np.all(array <= IGNORE) and np.all(array == array.astype(np.uint8))
        ):
            raise InvalidData(
                f"{path} holds values that are not whole numbers from 0 to 255; it is no label map."
            )
        array = array.astype(np.uint8)
    labels = np.ascontiguousarray(array)
    if ignore != IGNORE:
        labels = np.where(labels == ignore, np.uint8(IGNORE), labels)
    return cast(LabelMap, labels), spacing


def image_names(case_id: str, ending: str, num_channels: int) -> list[str]:
    """File names of an image: one a channel, but a single one for the three of a colour PNG."""
    files = 1 if ending == ".png" and num_channels == 3 else num_channels
    return [f"{case_id}_{i:04d}{ending}" for i in range(files)]


def write_image(
    folder: Path, case_id: str, ending: str, image: NDArray[Any], spacing: Spacing = None
) -> None:
    """Write an image (C, *S) as the files that :func:`image_names` lists.

    Raises:
        InvalidData: the file format cannot hold these values without loss.
        NoisyLabelsError: a file cannot be written.
    """
    names = image_names(case_id, ending, len(image))
    if len(names) == 1 and len(image) == 3:
        _write(folder / names[0], np.ascontiguousarray(np.moveaxis(image, 0, -1)), None)
        return
    for name, channel in zip(names, image, strict=True):
        _write(folder / name, np.ascontiguousarray(channel), spacing)


def read_image(paths: Sequence[Path], ndim: int | None = None) -> NDArray[Any]:
    """Read the files of one image.

    Args:
        paths: one file a channel, or one colour PNG.
        ndim: 2 or 3, of the pixel axes; None reads files with one slice as 2-D.

    Returns:
        The image (C, Y, X) or (C, Z, Y, X), in the dtype of the files.

    Raises:
        InvalidData: a file is missing or damaged, or the channels differ in shape; the message names it.
    """
    channels = [_read(path, ndim)[0] for path in paths]
    if len(channels) == 1 and paths[0].suffix == ".png" and channels[0].ndim == 3:
        return np.ascontiguousarray(np.moveaxis(channels[0], -1, 0))
    for path, channel in zip(paths, channels, strict=True):
        if channel.shape != channels[0].shape:
            raise InvalidData(
                f"{path} has shape {channel.shape}, but the first channel has {channels[0].shape}."
            )
    return np.stack(channels)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it is complete or not there.

    Raises:
        NoisyLabelsError: the disk is full, or the folder cannot be written to.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with disk_errors(path):
        try:
            part.write_bytes(data)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError, as of a full or read-only disk, into one sentence that names ``path``."""
    try:
        yield
    except OSError as error:
        way_out = "; make room and run the same again" if error.errno in _FULL else ""
        raise NoisyLabelsError(f"Cannot write {path}: {error.strerror or error}{way_out}.") from error


def _write(path: Path, array: NDArray[Any], spacing: Spacing) -> None:
    write = _png_bytes if path.name.endswith(".png") else _nifti_bytes
    write_bytes(path, write(path, array, spacing))


def _read(path: Path, ndim: int | None) -> tuple[NDArray[Any], Spacing]:
    read = _from_png if path.name.endswith(".png") else _from_nifti
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InvalidData(f"{path} is missing.") from None
    except OSError as error:
        raise InvalidData(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return read(data, ndim)
    except InvalidData as error:
        raise InvalidData(f"{path} {error}") from error
    except (
        Exception
    ) as error:  # Pillow, nibabel and zlib raise many kinds on damaged bytes, without a common base
        raise InvalidData(f"{path} is damaged or not a {path.suffix} file ({_brief(error)}).") from error


def _brief(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(".")


def _png_bytes(path: Path, array: NDArray[Any], spacing: Spacing) -> bytes:
    from PIL import Image

    colour = array.ndim == 3 and array.shape[-1] == 3
    if not (
        (array.dtype == np.uint8 and (colour or array.ndim == 2))
        or (array.dtype == np.uint16 and array.ndim == 2)
    ):
        raise InvalidData(
            f"{path.name}: PNG holds 2-D grey images of 8 or 16 bits and colour images of 8 bits, not "
            f"{array.ndim}-D {array.dtype.name}; use the ending .nii.gz."
        )
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def _from_png(data: bytes, ndim: int | None) -> tuple[NDArray[Any], Spacing]:
    from PIL import Image

    if _PNG_END not in data[-1024:]:
        raise InvalidData("is damaged: it is cut short.")
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        if picture.mode not in ("L", "RGB", "I;16"):
            raise InvalidData(f"is a PNG of mode {picture.mode}; expected 8-bit grey, 16-bit grey or RGB.")
        return np.asarray(picture), None


def _nifti_bytes(path: Path, array: NDArray[Any], spacing: Spacing) -> bytes:
    import nibabel

    if array.dtype.name not in ("uint8", "int16", "uint16", "int32", "float32", "float64"):
        raise InvalidData(f"{path.name}: NIfTI files are not written from {array.dtype.name}.")
    volume = array if array.ndim == 3 else array[np.newaxis]
    z, y, x = (*(1.0,) * (3 - len(spacing)), *spacing) if spacing is not None else (1.0, 1.0, 1.0)
    picture = nibabel.Nifti1Image(volume.T, np.diag([-x, -y, z, 1.0]), dtype=volume.dtype)
    picture.header.set_xyzt_units("mm" if spacing is not None else "unknown")
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=buffer, mtime=0) as packed:
        packed.write(picture.to_bytes())
    return buffer.getvalue()


def _from_nifti(data: bytes, ndim: int | None) -> tuple[NDArray[Any], Spacing]:
    import nibabel

    picture = nibabel.Nifti1Image.from_bytes(gzip.decompress(data))
    if len(picture.shape) != 3:
        raise InvalidData(f"has {len(picture.shape)} axes; expected 3.")
    volume = np.asanyarray(picture.dataobj).T
    known = picture.header.get_xyzt_units()[0] == "mm"
    spacing = tuple(float(s) for s in picture.header.get_zooms()[::-1]) if known else None
    if ndim == 2 and len(volume) != 1:
        raise InvalidData(f"has {len(volume)} slices; expected one.")
    if ndim == 2 or (ndim is None and len(volume) == 1):
        return volume[0], spacing[1:] if spacing else None
    return volume, spacing
