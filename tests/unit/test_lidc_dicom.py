"""LIDC: slices in DICOM, their encodings and what can be wrong with them."""

import numpy as np
import pytest

from noisylabels.adapters import lidc
from noisylabels.adapters._lidc_dicom import hounsfield, read_header
from noisylabels.errors import InvalidData
from noisylabels.facts import load_facts
from noisylabels.phantoms.lidc import make_scan, write_raw
from noisylabels.phantoms.lidc_files import write_slices
from noisylabels.sources import cases

FACTS = load_facts("lidc")
SIZE = (5, 64, 72)
NAME = "LIDC-IDRI-0001"


def survey(raw):
    return lidc.survey(raw, FACTS, lidc.Options())


def read(raw):
    return list(cases(lidc, raw, FACTS, lidc.Options()))


FAULTS = {
    "no position": ({"ImagePositionPatient": None}, "does not say where its slice lies"),
    "no pixel size": ({"PixelSpacing": None}, "how large its pixels are"),
    "turned": ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "slices must be parallel"),
    "size": ({"PixelSpacing": [0.5, 0.5]}, "slices must fit together"),
    "colour": ({"SamplesPerPixel": 3}, "colour picture"),
    "no uid": ({"SOPInstanceUID": None}, "does not name its slice"),
    "no rows": ({"Rows": None}, "damaged or not a DICOM file"),
    "no pixels": ({"PixelData": None}, "holds no pixels"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_slices_give_one_sentence(tmp_path, fault):
    from pydicom import dcmread

    write_raw(tmp_path, cases=1, size=SIZE)
    path = sorted(tmp_path.rglob("*.dcm"))[0]
    found = dcmread(path)
    for name, value in FAULTS[fault][0].items():
        if value is None:
            delattr(found, name)
        else:
            setattr(found, name, value)
    found.save_as(path)
    with pytest.raises(InvalidData, match=FAULTS[fault][1]) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)
    assert list(lidc.probe(survey(tmp_path).items[0], FACTS, lidc.Options()))


def test_rescale_and_unused_bits(tmp_path):
    from pydicom import dcmread

    path = write_slices(make_scan(0, NAME, SIZE), tmp_path)[0]
    found = dcmread(path)
    stored = np.zeros(SIZE[1:], dtype=np.uint16)
    stored[0, :4] = 0, 100, 4095, 2048
    found.PixelData, found.BitsStored, found.HighBit = stored.tobytes(), 12, 11
    for signed, slope, intercept, wanted in (
        (0, 1, -1024, [-1024, -924, 3071, 1024]),
        (0, 0.5, 10.25, [10, 60, 2058, 1034]),
        (1, 1, 0, [0, 100, -1, -1024]),
    ):
        found.PixelRepresentation, found.RescaleSlope, found.RescaleIntercept = signed, slope, intercept
        found.save_as(path)
        assert hounsfield(read_header(path))[0, :4].tolist() == wanted


def test_eight_bits_are_decoded_by_pydicom(tmp_path):
    from pydicom import dcmread

    path = write_slices(make_scan(0, NAME, SIZE), tmp_path)[0]
    found = dcmread(path)
    found.BitsAllocated = found.BitsStored = 8
    found.HighBit, found.PixelRepresentation, found.RescaleIntercept = 7, 0, -100
    found.PixelData = np.full(SIZE[1:], 250, dtype=np.uint8).tobytes()
    found.save_as(path)
    assert set(np.unique(hounsfield(read_header(path)))) == {150}


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("implicit", [True, False])
def test_all_encodings_of_the_archive_give_the_same_pixels(tmp_path, signed, implicit):
    scan = make_scan(0, NAME, SIZE)
    scan.signed, scan.implicit = signed, implicit
    for one, path in zip(scan.slices, write_slices(scan, tmp_path), strict=True):
        assert np.array_equal(hounsfield(read_header(path)), one.hounsfield)


@pytest.mark.parametrize("syntax", ["ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian", "RLELossless"])
def test_other_encodings_are_read_too(tmp_path, syntax):
    from pydicom import Dataset, dcmread, uid

    scan = make_scan(0, NAME, SIZE)
    path = write_slices(scan, tmp_path)[3]
    stored = dcmread(path)
    found = Dataset({element.tag: element for element in stored})
    found.file_meta = stored.file_meta
    if syntax == "ExplicitVRBigEndian":
        found.PixelData = stored.pixel_array.astype(stored.pixel_array.dtype.newbyteorder(">")).tobytes()
    if syntax == "RLELossless":
        found.compress(uid.RLELossless)
    found.file_meta.TransferSyntaxUID = getattr(uid, syntax)
    found.save_as(path, enforce_file_format=True)
    assert np.array_equal(hounsfield(read_header(path)), scan.slices[3].hounsfield)


def test_a_compressed_slice_that_no_decoder_can_read(tmp_path):
    from pydicom import dcmread, uid

    write_raw(tmp_path, cases=1, size=SIZE)
    path = sorted(tmp_path.rglob("*.dcm"))[0]
    found = dcmread(path)
    found.compress(uid.RLELossless)
    found.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    found.save_as(path, enforce_file_format=True)
    wrong = "LIDC-IDRI is published uncompressed"
    with pytest.raises(InvalidData, match=wrong):
        read(tmp_path)
    (finding,) = lidc.probe(survey(tmp_path).items[0], FACTS, lidc.Options())
    assert wrong in finding.text
