"""A user's own files: matched names, values, kinds of files, what is refused."""

import nibabel as nib
import numpy as np
import pytest
from fake_sources.folder import write
from PIL import Image

from noisylabels.adapters import folder
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.prepare import prepare
from noisylabels.sources import cases

FACTS = load_facts("folder")


def survey(raw, **options):
    return folder.survey(raw, FACTS, folder.Options(**options))


def read(raw, **options):
    return {case.case_id: case for case in cases(folder, raw, FACTS, folder.Options(**options))}


@pytest.fixture
def raw(tmp_path):
    write(tmp_path)
    return tmp_path


def test_common_ends_of_names_are_dropped_and_values_become_classes(raw):
    found = survey(raw)
    assert [item.key for item in found.items] == ["p0_0", "p0_1", "p1_2", "p1_3", "p2_4", "p2_5"]
    assert found.options.values == (0, 100, 200)
    assert found.options.classes == ("background", "class_1", "class_2")
    assert found.options.channels == ("red", "green", "blue")
    assert found.findings[-1].text == "Of the labels' values 0 is background, 100 is class_1, 200 is class_2."
    case = read(raw)["p1_3"]
    drawn = np.asarray(Image.open(raw / "labels" / "p1_3_mask.png"))
    assert np.array_equal(case.labels, drawn // 100)
    assert np.array_equal(case.image, np.moveaxis(np.asarray(Image.open(raw / "images/p1_3_img.png")), -1, 0))


def test_names_of_classes_and_groups_are_the_users(raw, tmp_path):
    options = folder.Options(classes=("nothing", "left", "right"), group=r"p(\d)_", name="mine")
    prepared = prepare(folder, raw, FACTS, options, tmp_path / "out")
    assert prepared.dataset.info.classes == ("nothing", "left", "right")
    assert prepared.dataset.info.name == "mine"
    assert {e.group for e in prepared.dataset.entries.values()} == {"0", "1", "2"}
    parts = {p: {i[:2] for i in prepared.dataset.ids(p)} for p in ("train", "val", "test")}
    assert sorted(map(len, parts.values())) == [1, 1, 1]


def test_255_is_no_label_beside_other_values_and_a_class_where_it_is_alone(tmp_path):
    for name, values in (("two", (0, 255)), ("more", (0, 1, 255))):
        for kind in ("images", "labels"):
            (tmp_path / name / kind).mkdir(parents=True)
        pixels = np.repeat(np.array([values], np.uint8), 4, axis=0)
        Image.fromarray(pixels).save(tmp_path / name / "images" / "a.png")
        Image.fromarray(pixels).save(tmp_path / name / "labels" / "a.png")
    assert np.unique(read(tmp_path / "two")["a"].labels).tolist() == [0, 1]
    assert np.unique(read(tmp_path / "more")["a"].labels).tolist() == [0, 1, 255]


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_volumes_of_any_kind_have_the_same_pixels_and_spacing(tmp_path, ending):
    sitk = pytest.importorskip("SimpleITK")
    voxels = np.random.default_rng(0).integers(-1000, 1000, (4, 6, 8)).astype(np.int16)
    labels = (voxels > 500).astype(np.uint8)
    for kind, array in (("images", voxels), ("labels", labels)):
        (tmp_path / kind).mkdir()
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((0.5, 0.75, 2.0))
        sitk.WriteImage(image, str(tmp_path / kind / f"scan{ending}"))
    (case,) = read(tmp_path).values()
    assert np.array_equal(case.image[0], voxels)
    assert np.array_equal(case.labels, labels)
    assert case.spacing == (2.0, 0.75, 0.5)


def test_another_geometry_of_the_labels_is_told_and_the_images_is_used(tmp_path):
    for kind, shift in (("images", 0.0), ("labels", 5.0)):
        (tmp_path / kind).mkdir()
        affine = np.diag([-1.0, -1.0, 2.0, 1.0])
        affine[0, 3] = shift
        nib.save(nib.Nifti1Image(np.ones((5, 6, 3), np.uint8), affine), tmp_path / kind / "a.nii.gz")
    found = survey(tmp_path)
    assert "another geometry" in found.findings[0].text
    assert "another geometry" in read(tmp_path)["a"].notes[0]


FAULTS = {
    "no image": (lambda raw: _clear(raw / "images"), {}, "matches no image file; expected"),
    "extent": (lambda raw: _save(raw / "labels/p0_0_mask.png", (5, 5)), {}, None),
    "damaged": (lambda raw: (raw / "labels/p0_0_mask.png").write_bytes(b"x"), {}, None),
    "unpaired": (lambda raw: (raw / "labels/p0_0_mask.png").unlink(), {}, None),
    "classes": (
        lambda raw: None,
        {"classes": ("a", "b")},
        "2 classes are named, and the labels hold 3 values",
    ),
    "values": (lambda raw: None, {"values": (0, 100)}, "hold the value 200"),
    "group": (lambda raw: None, {"group": "x(.)"}, "finds nothing in the case id"),
}


def _clear(place):
    for path in place.iterdir():
        path.unlink()


def _save(path, shape):
    Image.fromarray(np.zeros(shape, np.uint8)).save(path)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(raw, fault):
    damage, options, finding = FAULTS[fault]
    damage(raw)
    if finding is None:
        found = survey(raw, **options)
        assert len(found.items) == 5
        assert [f.what for f in found.findings if f.kind == "damaged"] == ["p0_0"]
    else:
        with pytest.raises((InvalidData, UsageError), match=finding):
            survey(raw, **options)


@pytest.mark.parametrize(
    "options", [{"group": "("}, {"ending": "tif"}, {"classes": ("a",), "values": (0, 1)}]
)
def test_options_out_of_range(options):
    with pytest.raises(UsageError):
        folder.Options(**options)
