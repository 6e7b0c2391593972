"""The two kinds of files of LIDC-IDRI: slices in DICOM, annotations in XML."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.phantoms.lung import PIXEL_MM, SLICE_MM
from noisylabels.phantoms.outlines import Chain

RATINGS = (
    "subtlety", "internalStructure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture",
    "malignancy",
)  # fmt: skip

_NAMESPACES = {"LidcReadMessage": "http://www.nih.gov", "IdriReadMessage": "http://www.nih.gov/idri"}


@dataclass(slots=True)
class Roi:
    """An outline.

    Attributes:
        slice: number of the slice.
        points: (y, x).
        inclusion: False for a hole.
        sop_uid: of another slice than that of the scan.
    """

    slice: int
    points: Chain
    inclusion: bool = True
    sop_uid: str = ""


@dataclass(slots=True)
class Mark:
    """A reader's opinion of a nodule.

    Attributes:
        name: the reader's own.
        ratings: the characteristics; None for nodules under 3 mm, which have none.
        rois: the outlines.
        comment: whether the XML holds comments inside of it.
    """

    name: str
    ratings: dict[str, int] | None
    rois: list[Roi]
    comment: bool = False


@dataclass(slots=True)
class Slice:
    """One slice.

    Attributes:
        sop_uid: of the slice.
        height: mm.
        hounsfield: (Y, X).
        name: of the file.
        kind: third value of the image type.
    """

    sop_uid: str
    height: float
    hounsfield: NDArray[np.int16]
    name: str
    kind: str = "AXIAL"


@dataclass(slots=True)
class Scan:
    """What is written of a patient.

    Attributes:
        patient: id.
        uids: of the study, the series and the frame of reference.
        slices: from the feet to the head.
        sessions: the marks of every reader.
        heights_wrong: whether the XML states wrong heights.
        signed: how the pixels are stored.
        implicit: how the DICOM elements are stored.
        padding: stored value outside of the field of view; None for that of air.
        prone: whether rows and columns run the other way.
        other_points: per session, slices and points of what is no nodule.
    """

    patient: str
    uids: tuple[str, str, str]
    slices: list[Slice]
    sessions: list[list[Mark]]
    heights_wrong: bool = False
    signed: bool = True
    implicit: bool = False
    padding: int | None = None
    prone: bool = False
    other_points: list[list[tuple[int, int, int]]] = field(default_factory=list)

    def folder(self, raw: Path) -> Path:
        """Where the slices lie."""
        return raw / self.patient / self.uids[0] / self.uids[1]


def uid(draws: Draws) -> str:
    """A UID of its own for every address."""
    high, low = (int(word) for word in draws.words(2))
    return f"2.25.{(high << 64 | low) % 10**38 + 10**38}"


def write_slices(scan: Scan, raw: Path, modality: str = "CT") -> list[Path]:
    """Write the slices as DICOM files.

    Raises:
        UsageError: pydicom is not installed.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise UsageError("Writing DICOM files needs pydicom: pip install 'noisylabels[dicom]'.") from error
    folder = scan.folder(raw)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, one in enumerate(scan.slices):
        path = folder / one.name
        _dataset(scan, one, len(scan.slices) - number, modality).save_as(path, enforce_file_format=True)
        written.append(path)
    return written


def _dataset(scan: Scan, one: Slice, number: int, modality: str) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import (
        ComputedRadiographyImageStorage,
        CTImageStorage,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
    )

    meta: Any = FileMetaDataset()
    found: Any = Dataset()
    kind = CTImageStorage if modality == "CT" else ComputedRadiographyImageStorage
    meta.MediaStorageSOPClassUID = found.SOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = one.sop_uid
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if scan.implicit else ExplicitVRLittleEndian
    meta.ImplementationClassUID = "2.25.80302813137786398554742050926734630921"
    found.file_meta = meta
    found.ImageType = ["ORIGINAL", "PRIMARY", one.kind]
    found.StudyDate = found.SeriesDate = found.ContentDate = "20000101"
    found.StudyTime = found.AccessionNumber = found.StudyID = found.ReferringPhysicianName = ""
    found.PatientName, found.PatientID, found.PatientBirthDate, found.PatientSex = "", scan.patient, "", ""
    found.Modality, found.Manufacturer, found.BodyPartExamined = modality, "noisylabels phantoms", "CHEST"
    found.StudyInstanceUID, found.SeriesInstanceUID, found.FrameOfReferenceUID = scan.uids
    found.SeriesNumber, found.InstanceNumber, found.SliceThickness = 1, number, SLICE_MM
    rows, columns = one.hounsfield.shape
    turn = -1 if scan.prone else 1
    corner = [-turn * PIXEL_MM * (n - 1) / 2 for n in (columns, rows)]
    found.ImagePositionPatient = [round(corner[0], 4), round(corner[1], 4), round(one.height, 4)]
    found.ImageOrientationPatient = [turn, 0, 0, 0, turn, 0]
    found.PixelSpacing = [PIXEL_MM, PIXEL_MM]
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.Rows, found.Columns, found.BitsAllocated, found.BitsStored, found.HighBit = (
        rows,
        columns,
        16,
        16,
        15,
    )
    found.PixelRepresentation = int(scan.signed)
    found.RescaleIntercept, found.RescaleSlope, found.RescaleType = (0 if scan.signed else -1024), 1, "HU"
    found.WindowCenter, found.WindowWidth = -600, 1600
    stored = one.hounsfield.astype(np.int32) - int(found.RescaleIntercept)
    if scan.padding is not None:
        found.add_new("PixelPaddingValue", "SS" if scan.signed else "US", scan.padding)
        stored[one.hounsfield == -1024] = scan.padding
    stored = stored[::turn, ::turn]
    found.PixelData = stored.astype("<i2" if scan.signed else "<u2").tobytes()
    found["PixelData"].VR = "OW"
    return found


def xml(scan: Scan, message: str = "LidcReadMessage", number: int = 0) -> str:
    """The text of an annotation file.

    Args:
        scan: what is annotated.
        message: name of the first element.
        number: goes into the identity of the message.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<{message} uid="2.25.{10**20 + number}" xmlns="{_NAMESPACES[message]}">',
        "<ResponseHeader>",
        "<Version>1.8.1</Version><TaskDescription>Second unblinded read</TaskDescription>",
        f"<SeriesInstanceUid>{scan.uids[1]}</SeriesInstanceUid>",
        f"<StudyInstanceUID>{scan.uids[0]}</StudyInstanceUID>",
        "</ResponseHeader>",
    ]
    for reader, marks in enumerate(scan.sessions):
        lines.append("<readingSession><annotationVersion>3.12</annotationVersion>")
        lines.append("<servicingRadiologistID>anon</servicingRadiologistID>")
        for mark in marks:
            lines += _mark(scan, mark)
        for count, (z, y, x) in enumerate(scan.other_points[reader] if scan.other_points else ()):
            place = _place(scan, Roi(z, []))
            lines.append(f"<nonNodule><nonNoduleID>{count}</nonNoduleID>{place}")
            lines.append(f"<locus><xCoord>{x}</xCoord><yCoord>{y}</yCoord></locus></nonNodule>")
        lines.append("</readingSession>")
    return "\n".join([*lines, f"</{message}>"]) + "\n"


def _mark(scan: Scan, mark: Mark) -> list[str]:
    lines = [f"<unblindedReadNodule><noduleID>{mark.name}</noduleID>"]
    if mark.comment:
        lines.append("<!-- a comment between the elements of a nodule -->")
    if mark.ratings is not None:
        scores = "".join(f"<{name}>{score}</{name}>" for name, score in mark.ratings.items())
        lines.append(f"<characteristics>{scores}</characteristics>")
    for roi in mark.rois:
        lines.append(f"<roi>{_place(scan, roi)}<inclusion>{str(roi.inclusion).upper()}</inclusion>")
        for count, (y, x) in enumerate(roi.points):
            aside = "<!-- inside a number -->" if mark.comment and count == 1 else ""
            first, rest = str(x)[:1], str(x)[1:]
            lines.append(f"<edgeMap><xCoord>{first}{aside}{rest}</xCoord><yCoord>{y}</yCoord></edgeMap>")
        lines.append("</roi>")
    return [*lines, "</unblindedReadNodule>"]


def _place(scan: Scan, roi: Roi) -> str:
    height = scan.slices[roi.slice].height
    stated = -height + 1000 if scan.heights_wrong else height
    sop_uid = roi.sop_uid or scan.slices[roi.slice].sop_uid
    return f"<imageZposition>{stated:.1f} </imageZposition><imageSOP_UID>{sop_uid}</imageSOP_UID>"
