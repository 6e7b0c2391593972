"""One CT slice in a DICOM file: its header, and its pixels in Hounsfield units.

LIDC-IDRI is published without compression, so the pixels are read straight from where the header ends. Values of
16 bits that were written unsigned are the same bits as signed ones: 63536 is -2000, which scanners write outside of
the field of view. All that is below -1024 HU becomes -1024.

Source: DICOM PS3.5 (encoding) and PS3.3 C.8.2 (CT image), C.11.1 (rescale).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.errors import InvalidData, UsageError

AIR = -1024
_MOST = np.iinfo(np.int16).max

_TAGS = {
    "ImageType": 0x00080008, "SOPInstanceUID": 0x00080018, "Modality": 0x00080060, "PatientID": 0x00100020,
    "SliceThickness": 0x00180050, "SeriesInstanceUID": 0x0020000E, "InstanceNumber": 0x00200013,
    "ImagePositionPatient": 0x00200032, "ImageOrientationPatient": 0x00200037, "SamplesPerPixel": 0x00280002,
    "NumberOfFrames": 0x00280008, "Rows": 0x00280010, "Columns": 0x00280011, "PixelSpacing": 0x00280030,
    "BitsAllocated": 0x00280100, "BitsStored": 0x00280101, "PixelRepresentation": 0x00280103,
    "RescaleIntercept": 0x00281052, "RescaleSlope": 0x00281053,
}  # fmt: skip
_IMPLICIT = "1.2.840.10008.1.2"
_ORDER = {_IMPLICIT: "<", "1.2.840.10008.1.2.1": "<", "1.2.840.10008.1.2.2": ">"}
_PIXELS = {"<": b"\xe0\x7f\x10\x00", ">": b"\x7f\xe0\x00\x10"}
_LEVEL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says before its pixels; of pictures other than CT only the first three.

    Attributes:
        path: the file.
        series_uid: of the series.
        modality: "CT" and others.
        patient: id.
        sop_uid: of the slice.
        number: of the slice in its series, 0 if it has none.
        localizer: whether it is an overview and no slice.
        position: (x, y, z) in mm, to the left, to the back and upwards; None if it has none.
        orientation: directions of a row and of a column, six numbers.
        spacing: of the pixels along (y, x), mm.
        thickness: of the slice, mm; 0 if it is not given.
        shape: (Y, X).
        stored: numpy type of the stored values; "" where the pixels cannot be read in place.
        bits: how many of them are used.
        offset: first byte of the pixels.
        slope: stored values times this
        intercept: plus this are HU.
    """

    path: Path
    series_uid: str
    modality: str
    patient: str = ""
    sop_uid: str = ""
    number: int = 0
    localizer: bool = False
    position: tuple[float, float, float] | None = None
    orientation: tuple[float, ...] = _LEVEL
    spacing: tuple[float, float] = (0.0, 0.0)
    thickness: float = 0.0
    shape: tuple[int, int] = (0, 0)
    stored: str = ""
    bits: int = 16
    offset: int = 0
    slope: float = 1.0
    intercept: float = 0.0


def read_header(path: Path) -> Header:
    """Read everything but the pixels, and see whether they are all there.

    Raises:
        UsageError: pydicom is not installed.
        InvalidData: the file is missing, damaged, cut short or not DICOM.
    """
    try:
        from pydicom import config, dcmread
    except ImportError as error:
        raise UsageError(f"Reading {path} needs pydicom: pip install 'noisylabels[dicom]'.") from error
    try:
        with path.open("rb") as stream, warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            found = dcmread(stream, stop_before_pixels=True, specific_tags=list(_TAGS.values()))
            start, syntax = stream.read(12), str(found.file_meta.get("TransferSyntaxUID", ""))
            header = _header(path, found, syntax, start, stream.tell() - len(start))
            _check_length(header, stream.seek(0, 2))
            return header
    except InvalidData:
        raise
    except OSError as error:
        raise InvalidData(f"{path} cannot be read ({error.strerror}).") from error
    except Exception as error:  # pydicom raises whatever its parsers raise
        text = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise InvalidData(f"{path} is damaged or not a DICOM file ({text.rstrip('.')}).") from error


def hounsfield(header: Header, out: NDArray[np.int16] | None = None) -> NDArray[np.int16]:
    """The pixels of a slice in HU, (Y, X).

    Args:
        header: of the slice.
        out: where to write them.

    Raises:
        InvalidData: they are damaged or compressed in a way that cannot be read.
    """
    out = np.empty(header.shape, dtype=np.int16) if out is None else out
    stored = _in_place(header) if header.stored else _decoded(header)
    if stored.dtype.kind in "iu" and stored.dtype.itemsize == 2:
        stored = _signed(stored, header)
    whole = header.slope == 1 and header.intercept == int(header.intercept)
    if stored.dtype == np.int16 and whole and AIR <= header.intercept <= 0:
        shift = int(header.intercept)  # what is clipped first stays within 16 bits when it is shifted
        np.clip(stored, AIR - shift, _MOST, out=out)
        out += np.int16(shift)
    else:
        values = np.rint(stored * np.float64(header.slope) + header.intercept)
        out[...] = np.clip(values, AIR, _MOST)
    return out


class _Elements:
    """The elements of a header as they are stored: pydicom's own conversion takes longer than reading them."""

    def __init__(self, found: Any, order: str) -> None:
        self._found, self._order = found, order

    def texts(self, name: str) -> list[str]:
        """The values of an element that is stored as text; none if it is empty or not there."""
        item = self._found.get_item(_TAGS[name])
        value = b"" if item is None else item.value or b""
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        return [one.strip(" \0") for one in text.split("\\")] if text.strip(" \0") else []

    def text(self, name: str) -> str:
        """The first of them, "" if there is none."""
        return next(iter(self.texts(name)), "")

    def numbers(self, name: str) -> tuple[float, ...]:
        """The same as numbers."""
        return tuple(float(one) for one in self.texts(name))

    def number(self, name: str, default: float) -> float:
        """The first of them, or another where there is none."""
        return next(iter(self.numbers(name)), default)

    def short(self, name: str, default: int | None = None) -> int:
        """The value of an element that is stored in 16 bits."""
        item = self._found.get_item(_TAGS[name])
        if item is None or not item.value:
            if default is None:
                raise ValueError(f"it has no {name}")
            return default
        return int.from_bytes(item.value[:2], "big" if self._order == ">" else "little")


def _header(path: Path, found: Any, syntax: str, start: bytes, position: int) -> Header:
    order = _ORDER.get(syntax, "")
    elements = _Elements(found, order)
    modality, series_uid = elements.text("Modality"), elements.text("SeriesInstanceUID")
    if modality != "CT":
        return Header(path=path, series_uid=series_uid, modality=modality)
    if elements.short("SamplesPerPixel", 1) != 1 or elements.number("NumberOfFrames", 1) != 1:
        raise InvalidData(f"{path} holds a colour picture or several slices; expected one CT slice.")
    sop_uid, bits = elements.text("SOPInstanceUID"), elements.short("BitsAllocated", 16)
    if not series_uid or not sop_uid:
        raise InvalidData(f"{path} does not name its slice and series.")
    in_place = order and bits == 16
    if in_place and start[:4] != _PIXELS[order]:
        raise InvalidData(f"{path} holds no pixels.")
    place, spacing = elements.numbers("ImagePositionPatient"), elements.numbers("PixelSpacing")
    signed = elements.short("PixelRepresentation", 0) == 1
    return Header(
        path=path,
        patient=elements.text("PatientID"),
        series_uid=series_uid,
        sop_uid=sop_uid,
        modality=modality,
        number=int(elements.number("InstanceNumber", 0)),
        localizer="LOCALIZER" in elements.texts("ImageType"),
        position=(place[0], place[1], place[2]) if place else None,
        orientation=elements.numbers("ImageOrientationPatient") or _LEVEL,
        spacing=(spacing[0], spacing[1]) if spacing else (0.0, 0.0),
        thickness=elements.number("SliceThickness", 0),
        shape=(elements.short("Rows"), elements.short("Columns")),
        stored=f"{order}{'i' if signed else 'u'}2" if in_place else "",
        bits=elements.short("BitsStored", bits),
        offset=position + (8 if syntax == _IMPLICIT else 12),
        slope=elements.number("RescaleSlope", 1),
        intercept=elements.number("RescaleIntercept", 0),
    )


def _check_length(header: Header, size: int) -> None:
    wanted = header.offset + 2 * header.shape[0] * header.shape[1]
    if header.stored and size < wanted:
        raise InvalidData(f"{header.path} is cut short: {size} of {wanted} bytes.")


def _in_place(header: Header) -> NDArray[Any]:
    count = header.shape[0] * header.shape[1]
    try:
        stored = np.fromfile(header.path, dtype=header.stored, count=count, offset=header.offset)
    except OSError as error:
        raise InvalidData(f"{header.path} cannot be read ({error.strerror}).") from error
    if stored.size < count:
        raise InvalidData(f"{header.path} is cut short.")
    return stored.reshape(header.shape)


def _decoded(header: Header) -> NDArray[Any]:
    """By pydicom: compressed, or not of 16 bits."""
    from pydicom import dcmread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stored: NDArray[Any] = dcmread(header.path).pixel_array
    except Exception as error:  # pydicom raises whatever its decoders raise
        text = str(error).splitlines()[0][:80].rstrip(".")
        raise InvalidData(
            f"{header.path} cannot be decoded ({text}); LIDC-IDRI is published uncompressed."
        ) from error
    if stored.shape != header.shape:
        raise InvalidData(f"{header.path} has pixels of shape {stored.shape}, not {header.shape}.")
    return stored


def _signed(stored: NDArray[Any], header: Header) -> NDArray[np.int16]:
    """As signed numbers in the machine's order; where fewer bits are used, the highest of them is the sign."""
    values: NDArray[np.int16] = stored.astype(stored.dtype.newbyteorder("="), copy=False).view(np.int16)
    unused = 16 - header.bits
    if stored.dtype.kind == "i" and 0 < unused < 16:
        values = (values << unused) >> unused
    return values
