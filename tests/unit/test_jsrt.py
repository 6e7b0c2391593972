"""JSRT: codes, reduction, splits, and one sentence for everything that can be wrong with the files."""

import numpy as np
import pytest
from PIL import Image

from noisylabels.adapters import _jsrt_pixels, jsrt
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.phantoms.jsrt import chest, write_raw
from noisylabels.sources import cases

FACTS = load_facts("jsrt")
IDS = ("JPCLN001", "JPCLN002", "JPCLN009")


@pytest.fixture
def raw(tmp_path):
    write_raw(tmp_path, IDS, traps=("repacked",))
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
    assert _jsrt_pixels.resized_image(np.array([[0, 1], [0, 1]], np.uint8), 1).tolist() == [[1]]


def test_a_pixel_belongs_to_a_structure_from_half_of_its_area_on():
    structure = np.array([[1, 0], [1, 0]], bool)
    assert _jsrt_pixels.resized_mask(structure, 1).tolist() == [[True]]


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
    "options", [{"size": 100}, {"size": 4096}, {"size": 8}, {"overlap": "x"}, {"structure": "x"}]
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
    "missing folder": (
        lambda raw: (raw / "images").rename(raw / "pictures"),
        "holds no JSRT image; expected",
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
    write_raw(tmp_path, [], traps=("repacked",))
    with pytest.raises(InvalidData, match="holds no PNG; expected"):
        read(tmp_path)


@pytest.mark.parametrize("lost", ["lung", "images"])
def test_a_case_without_its_pair_is_left_out_and_told(raw, lost):
    (raw / lost / "JPCLN002.png").unlink()
    survey = jsrt.survey(raw, FACTS, jsrt.Options())
    assert [item.key for item in survey.items] == ["JPCLN001", "JPCLN009"]
    assert [f.what for f in survey.findings if f.kind == "damaged"] == ["JPCLN002"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    good = write_raw(folder, 6, traps=("little-endian", "short", "no-mask", "value"), coarse=8)
    assert len(good) == 2
    return folder, good


def test_the_original_layout(original):
    raw, good = original
    options = jsrt.Options(size=256)
    survey = jsrt.survey(raw, FACTS, options)
    assert sum(f.kind == "damaged" for f in survey.findings) == 1
    for item in survey.items:
        if item.key not in good:
            with pytest.raises(InvalidData, match=r"12 bits end at|bytes instead of|the value 7"):
                list(jsrt.read(item, FACTS, options))
    readable = {i.key: next(jsrt.read(i, FACTS, options)) for i in survey.items if i.key in good}
    assert sorted(readable) == sorted(good)
    for case_id, case in readable.items():
        image, structures = chest(Draws(0, "phantom", "chest", case_id), 256)
        assert case.image.dtype == np.uint16
        assert np.array_equal(case.image[0], image.astype(np.uint16) * 16)
        for name, codes in jsrt.info(FACTS, options).structures.items():
            assert np.array_equal(np.isin(case.labels, codes), structures[name])
        assert case.spacing == (1.4, 1.4)
        assert case.about["age"].isdigit()
        assert case.about["sex"] in ("Male", "Female")


def test_full_size_sides_and_polarity(original):
    raw, good = original
    item = next(i for i in jsrt.survey(raw, FACTS, jsrt.Options(sides="kept")).items if i.key == good[0])
    (case,) = jsrt.read(item, FACTS, jsrt.Options(sides="kept", polarity="display"))
    assert case.labels.shape == (2048, 2048)
    assert case.spacing == (0.175, 0.175)
    structures = jsrt.info(FACTS, jsrt.Options(sides="kept")).structures
    right, left = (np.isin(case.labels, structures[f"{side} lung"]) for side in ("right", "left"))
    assert np.flatnonzero(right.any(axis=0)).max() < np.flatnonzero(left.any(axis=0)).min()
    assert case.image[0][right].mean() < case.image[0][np.isin(case.labels, structures["heart"])].mean()


def test_masks_of_the_right_lung_only_cannot_give_more(tmp_path):
    write_raw(tmp_path, 1, traps=("right-lung-only",), coarse=8)
    with pytest.raises(InvalidData, match="has no folder left lung, expected beside right lung"):
        jsrt.survey(tmp_path, FACTS, jsrt.Options())
    (mask,) = (tmp_path / "masks").glob("*.tif")
    whole = np.asarray(Image.open(mask))
    Image.fromarray(np.maximum(whole, whole[:, ::-1])).save(mask)
    with pytest.raises(InvalidData, match="not of the right lung"):
        jsrt.survey(tmp_path, FACTS, jsrt.Options())


def test_sides_that_are_merged_cannot_be_kept(raw):
    with pytest.raises(InvalidData, match="right and left merged"):
        jsrt.survey(raw, FACTS, jsrt.Options(sides="kept"))
