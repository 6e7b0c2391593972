"""NRRD volumes of unsigned bytes: pixels by SimpleITK, and a look at the file that needs no decoding."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.errors import InvalidData, UsageError

_BLOCK = 1 << 20


def read_nrrd(path: Path) -> NDArray[np.uint8]:
    """The voxels (Z, Y, X) of a file.

    Raises:
        UsageError: SimpleITK is not installed.
        InvalidData: the file is missing, cut short or of another kind.
    """
    try:
        import SimpleITK as sitk
    except ImportError as error:
        raise UsageError(f"Reading {path} needs SimpleITK: pip install 'noisylabels[dicom]'.") from error
    wrong = payload_error(path, decode=False)
    if wrong:
        raise InvalidData(f"{path} {wrong}.")
    try:
        voxels: NDArray[Any] = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise InvalidData(f"{path} is damaged.") from error
    if voxels.dtype != np.uint8 or voxels.ndim != 3:
        raise InvalidData(
            f"{path} holds a {voxels.ndim}-D array of {voxels.dtype}; expected 3-D unsigned bytes."
        )
    return voxels


def payload_error(path: Path, decode: bool = True) -> str:
    """What is wrong with the amount of data in a file, in a few words after its name; "" for nothing.

    Args:
        path: the file.
        decode: count the bytes of a compressed file too, which takes as long as unpacking it.
    """
    try:
        with path.open("rb") as stream:
            header = _header(stream)
            start = stream.tell()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if header is None:
        return "is damaged or not an NRRD file"
    try:
        wanted = math.prod(int(n) for n in header["sizes"].split())
    except (KeyError, ValueError):
        return "has no sizes in its header"
    encoding = header.get("encoding", "raw")
    if encoding == "raw":
        there = path.stat().st_size - start
        return "" if there >= wanted else f"is cut short: {there} of {wanted} bytes"
    return _unpacked_error(path, start, wanted) if decode else ""


def _header(stream: Any) -> dict[str, str] | None:
    """The fields up to the empty line; None if there is no header."""
    if not stream.readline(32).startswith(b"NRRD"):
        return None
    fields: dict[str, str] = {}
    for _ in range(1000):
        line = stream.readline(4096)
        if not line.strip():
            return fields if line else None
        name, colon, value = line.decode("latin-1").partition(":")
        if colon and not line.startswith(b"#"):
            fields[name.strip().lower()] = value.strip()
    return None


def _unpacked_error(path: Path, start: int, wanted: int) -> str:
    count = 0
    try:
        with path.open("rb") as raw:
            raw.seek(start)
            with gzip.GzipFile(fileobj=raw) as stream:
                while block := stream.read(_BLOCK):
                    count += len(block)
    except (OSError, EOFError, zlib.error):
        return "is damaged or cut short"
    return "" if count == wanted else f"is cut short: {count} of {wanted} bytes"
