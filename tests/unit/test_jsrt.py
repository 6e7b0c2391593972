"""JSRT: codes, reduction, splits, and one sentence for everything that can be wrong with the files."""

import numpy as np
import pytest
from PIL import Image

from noisylabels.adapters import jsrt
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.phantoms.jsrt import write_raw
from noisylabels.sources import cases

FACTS = load_facts("jsrt")
IDS = ("JPCLN001", "JPCLN002", "JPCLN009")


@pytest.fixture
def raw(tmp_path):
    write_raw(tmp_path, IDS)
    return tmp_path


def read(raw, **options):
    return {case.case_id: case for case in cases(jsrt, raw, FACTS, jsrt.Options(**options))}


def drawn(raw, name, case_id="JPCLN001"):
    return np.asarray(Image.open(raw / name / f"{case_id}.png"))


def test_codes_give_every_structure_back(raw):
    structures = jsrt.info(FACTS, jsrt.Options()).structures
    labels = read(raw)["JPCLN001"].labels
    for name, codes in structures.items():
        assert np.array_equal(np.isin(labels, codes), drawn(raw, name) == 255)
    assert set(np.unique(labels)) == {0, 1, 2, 3, 4, 5}


def test_ordered_lets_the_later_structure_win(raw):
    labels = read(raw, overlap="ordered")["JPCLN001"].labels
    lung, heart, clavicle = (drawn(raw, name) == 255 for name in ("lung", "heart", "clavicle"))
    assert np.array_equal(labels == 3, clavicle)
    assert np.array_equal(labels == 2, heart & ~clavicle)
    assert np.array_equal(labels == 1, lung & ~heart & ~clavicle)


def test_one_structure_needs_no_other_folder(raw):
    for path in (raw / "heart").iterdir():
        path.unlink()
    (raw / "heart").rmdir()
    case = read(raw, structure="lung")["JPCLN002"]
    assert case.classes == ("background", "lung")
    assert np.array_equal(case.labels == 1, drawn(raw, "lung", "JPCLN002") == 255)


def test_images_keep_their_polarity_and_size_gives_the_spacing(raw):
    case = read(raw)["JPCLN001"]
    assert np.array_equal(case.image[0], drawn(raw, "images"))
    assert case.spacing == (1.4, 1.4)
    assert read(raw, size=64)["JPCLN001"].spacing == (5.6, 5.6)


def test_smaller_images_are_box_averages_with_halves_rounded_up(raw):
    small = read(raw, size=64)["JPCLN001"].image[0]
    blocks = drawn(raw, "images").reshape(64, 4, 64, 4).astype(float).mean(axis=(1, 3))
    assert np.array_equal(small, np.floor(blocks + 0.5))
    assert jsrt._box_average(np.array([[0, 1], [0, 1]], np.uint8), 2).tolist() == [[1]]


def test_a_pixel_belongs_to_a_structure_from_half_of_its_area_on():
    structure = np.array([[1, 0, 1, 0], [1, 0, 0, 0]], bool)
    assert jsrt._at_least_half(structure, 2).tolist() == [[True, False]]


def test_splits_by_the_number_of_the_id():
    splits = jsrt.splits({i: i for i in IDS}, FACTS, jsrt.Options())
    assert splits["odd-even"].parts == {"train": ("JPCLN001",), "val": ("JPCLN009",), "test": ("JPCLN002",)}
    assert splits["coseg"].parts == {"train": ("JPCLN001", "JPCLN009"), "test": ("JPCLN002",)}


def test_missing_cases_are_told(raw):
    (finding,) = jsrt.survey(raw, FACTS, jsrt.Options()).findings
    assert finding.kind == "missing"
    assert finding.text.startswith("244 of 247 cases are not in the raw folder: JPCLN003, ")


def test_other_files_do_not_matter(raw):
    (raw / "images" / "readme.txt").write_text("x")
    (raw / "lung" / "._JPCLN001.png").write_text("x")
    assert set(read(raw)) == set(IDS)


@pytest.mark.parametrize(
    "options", [{"size": 100}, {"size": 512}, {"size": 8}, {"overlap": "x"}, {"structure": "x"}]
)
def test_options_out_of_range(options):
    with pytest.raises(UsageError):
        jsrt.Options(**options)


def _truncate(raw):
    path = raw / "heart" / "JPCLN002.png"
    path.write_bytes(path.read_bytes()[:200])


def _save(raw, name, array):
    Image.fromarray(array).save(raw / name)


FAULTS = {
    "missing folder": (lambda raw: (raw / "images").rename(raw / "pictures"), "no folder images; expected"),
    "missing labels": (lambda raw: (raw / "lung/JPCLN002.png").unlink(), "lung/JPCLN002.png is missing, but"),
    "missing image": (
        lambda raw: (raw / "images/JPCLN002.png").unlink(),
        "images/JPCLN002.png is missing, but",
    ),
    "truncated": (_truncate, "heart/JPCLN002.png is damaged"),
    "no PNG": (lambda raw: (raw / "images/JPCLN002.png").write_text("x"), "images/JPCLN002.png is damaged"),
    "empty file": (lambda raw: (raw / "lung/JPCLN001.png").write_bytes(b""), "lung/JPCLN001.png is damaged"),
    "shape": (
        lambda raw: _save(raw, "images/JPCLN001.png", np.zeros((128, 128), np.uint8)),
        r"images/JPCLN001.png is uint8 of shape \(128, 128\); expected 8-bit grey of 256x256",
    ),
    "16 bits": (
        lambda raw: _save(raw, "images/JPCLN001.png", np.zeros((256, 256), np.uint16)),
        "images/JPCLN001.png is uint16",
    ),
    "colour": (
        lambda raw: _save(raw, "lung/JPCLN001.png", np.zeros((256, 256, 3), np.uint8)),
        "lung/JPCLN001.png",
    ),
    "values": (
        lambda raw: _save(raw, "clavicle/JPCLN001.png", np.full((256, 256), 7, np.uint8)),
        "clavicle/JPCLN001.png holds the value 7",
    ),
    "name": (
        lambda raw: (raw / "images/JPCLN001.png").rename(raw / "images/scan.png"),
        "scan.png is not named",
    ),
    "number": (
        lambda raw: (raw / "images/JPCLN001.png").rename(raw / "images/JPCNN094.png"),
        "JPCNN094.png is not named after a JSRT case",
    ),
    "duplicate": (
        lambda raw: (raw / "lung/jpcln001.PNG").write_bytes(b"x"),
        "are both case JPCLN001; remove one",
    ),
    "overlap without a code": (
        lambda raw: _save(raw, "clavicle/JPCLN001.png", np.full((256, 256), 255, np.uint8)),
        "heart and clavicle overlap",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_give_one_sentence(raw, fault):
    damage, finding = FAULTS[fault]
    damage(raw)
    with pytest.raises(InvalidData, match=finding) as caught:
        read(raw)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_an_empty_tree_is_refused(tmp_path):
    write_raw(tmp_path, [])
    with pytest.raises(InvalidData, match="holds no PNG; expected"):
        read(tmp_path)
