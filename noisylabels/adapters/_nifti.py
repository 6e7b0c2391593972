"""NIfTI volumes turned to one orientation, and a look at a file that decodes nothing."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.errors import InvalidData

Turn = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume in memory.

    Attributes:
        as_stored: voxels with the axes of the file, (X, Y, Z).
        voxels: the same turned so that x grows to the left, y to the back and z upwards, (Z, Y, X); the affine of
            our own files says the same.
        turn: brings another array of the file's axes into that form.
        affine: of the file.
        codes: where the file's axes point, as "LPS" or "RAS".
        spacing: mm along (z, y, x).
    """

    as_stored: NDArray[Any]
    voxels: NDArray[Any]
    turn: Turn
    affine: NDArray[np.float64]
    codes: str
    spacing: tuple[float, float, float]

    @property
    def stored(self) -> str:
        """The extent in the file, in words."""
        return "x".join(map(str, self.as_stored.shape))


def read_volume(path: Path) -> Volume:
    """Read a file.

    Raises:
        InvalidData: it is missing, damaged, not 3-D, or its header gives no usable geometry.
    """
    import nibabel as nib
    from nibabel.affines import voxel_sizes
    from nibabel.filebasedimages import ImageFileError

    wrong, _ = size_error(path)
    if wrong:
        raise InvalidData(f"{path} {wrong}.")
    try:
        opened: Any = nib.load(path)
        stored = np.asanyarray(opened.dataobj)
        affine = np.asarray(opened.affine, dtype=np.float64)
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        raise InvalidData(f"{path} is damaged ({error}).") from error
    if stored.ndim != 3:
        raise InvalidData(f"{path} holds a {stored.ndim}-D array; expected a volume.")
    try:
        start = nib.io_orientation(affine)
        change = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(("L", "P", "S")))
        codes = "".join(nib.aff2axcodes(affine))
    except (ValueError, TypeError) as error:
        raise InvalidData(f"{path} has a header without a usable geometry.") from error

    def turn(array: NDArray[Any]) -> NDArray[Any]:
        turned: NDArray[Any] = nib.orientations.apply_orientation(array, change)
        return turned.transpose(2, 1, 0)

    turned_affine = affine @ nib.orientations.inv_ornt_aff(change, stored.shape)
    zooms = voxel_sizes(turned_affine)
    x, y, z = (float(np.round(size, 6)) for size in zooms)
    return Volume(stored, turn(stored), turn, affine, codes, (z, y, x))


def size_error(path: Path) -> tuple[str, tuple[int, ...] | None]:
    """What is wrong with a file's header or length, in a few words after its name ("" for nothing), and its extent.

    A compressed file is not unpacked: the length that its last bytes state is compared.
    """
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    try:
        opened: Any = nib.load(path)
        shape = tuple(int(n) for n in opened.shape)
        wanted = int(opened.dataobj.offset) + math.prod(shape) * opened.get_data_dtype().itemsize
        there = path.stat().st_size
        if path.name.endswith(".gz"):
            with path.open("rb") as stream:
                stream.seek(-4, 2)
                there, wanted = int.from_bytes(stream.read(4), "little"), wanted % 2**32
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        return f"is damaged or not a NIfTI file ({str(error).splitlines()[0][:80]})", None
    if there < wanted or (path.name.endswith(".gz") and there != wanted):
        return f"is cut short or damaged: its length does not fit {'x'.join(map(str, shape))} voxels", shape
    return "", shape
