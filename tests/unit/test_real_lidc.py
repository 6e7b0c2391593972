"""Real files of LIDC-IDRI, where ``--real-data DIR`` says that they are there."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from noisylabels.adapters import lidc
from noisylabels.adapters._lidc_outline import interior
from noisylabels.adapters._lidc_xml import read_reading
from noisylabels.facts import load_facts
from noisylabels.prepare import prepare

pytestmark = pytest.mark.real_data

FACTS = load_facts("lidc")
FIRST = "LIDC-IDRI-0001"


@pytest.fixture(scope="module")
def raw(real_data):
    folder = real_data / "lidc"
    if not (folder / FIRST).is_dir():
        pytest.skip(f"{folder / FIRST} is not there")
    return folder


@pytest.fixture(scope="module")
def scan(raw):
    """The first patient's scan, whose slices may be a part of all 133."""
    items = {item.key: item for item in lidc.survey(raw, FACTS, lidc.Options()).items}
    (case,) = lidc.read(items[FIRST], FACTS, lidc.Options())
    return case


def readings(raw):
    return {path.stem: read_reading(path) for path in sorted((raw / "tcia-lidc-xml").rglob("*.xml"))}


def test_the_slices_are_a_ct_in_hu(scan):
    assert scan.spacing == (2.5, 0.703125, 0.703125)
    assert scan.image.shape[2:] == (512, 512)
    assert scan.image.min() == -1024
    assert np.median(scan.image[0, :, 200:300, 120:180]) == pytest.approx(-870, abs=60)  # the right lung
    assert scan.image[0, :, 60:, :].mean() > scan.image[0, :, :60, :].mean()  # the table is below, air above


def test_the_readers_of_the_first_nodule(scan):
    """Pixels of every reader on the 16 slices of the sample, outlines without their own pixels."""
    assert scan.about["nodules"] == "1"
    if scan.image.shape[1] == 16:
        counts = {name: int(labels.sum()) for name, labels in scan.readers.items()}
        assert counts == {"1": 5905, "2": 4613, "3": 4955, "4": 5498}
        assert int(scan.labels.sum()) == 5428


def test_coordinates_count_from_0(scan):
    """The majority fits what is denser than lung best where it lies, and worse one pixel to any side."""
    dense = scan.image[0] > -400
    found = {}
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            moved = np.roll(scan.labels, (dy, dx), axis=(1, 2)) > 0
            slices = moved.any(axis=(1, 2))
            near = np.zeros_like(moved)
            y, x = (np.flatnonzero(scan.labels.any(axis=axes)) for axes in ((0, 2), (0, 1)))
            near[slices, y[0] - 2 : y[-1] + 3, x[0] - 2 : x[-1] + 3] = True
            found[dy, dx] = (moved & dense).sum() / (moved | (dense & near)).sum()
    assert max(found, key=found.get) == (0, 0)


def test_eight_sessions_and_two_copies(raw):
    found = readings(raw)
    assert len(found["011"].sessions) == 8
    assert len(found["069"].sessions) == 4
    assert sum(mark.rated for session in found["069"].sessions for mark in session) == 4
    assert found["082"] == found["083"]
    texts = [f.text for f in lidc.survey(raw, FACTS, lidc.Options()).findings if f.kind == "duplicate"]
    assert any("083.xml repeats" in text for text in texts)


def test_the_inside_is_what_another_way_to_fill_polygons_gives(raw):
    """Pillow's polygons without the outline; over all contours of the archive it differs for one in a thousand."""
    rois = [
        np.array(roi.points)
        for reading in readings(raw).values()
        for session in reading.sessions
        for mark in session
        for roi in mark.rois
        if len(roi.points) > 2
    ]
    differing, inside, filled = 0, 0, 0
    for points in rois:
        points = points - points.min(axis=0)
        shape = tuple((points.max(axis=0) + 1).tolist())
        picture = Image.new("L", shape[::-1])
        ImageDraw.Draw(picture).polygon([(int(x), int(y)) for y, x in points], fill=1, outline=1)
        other = np.array(picture) > 0
        filled += int(other.sum())
        other[points[:, 0], points[:, 1]] = False
        ours = interior(points, shape)
        inside += int(ours.sum())
        differing += not np.array_equal(ours, other)
    assert len(rois) > 50
    assert differing <= 1
    assert 1.05 < filled / inside < 1.6  # 1.274 over the whole archive


def test_patches_are_prepared_and_read_again(raw, tmp_path):
    options = lidc.Options(cases="patches", outlined_by=2)
    prepared = prepare(lidc, raw, FACTS, options, tmp_path / "out", default_split="mcpm")
    assert not prepared.damaged
    for case_id in prepared.dataset.ids():
        case = prepared.dataset.load(case_id)
        assert case.image.shape == (1, 64, 64)
        assert case.image.dtype == np.int16
        assert {"1", "2", "3", "4"} == set(case.readers)
