"""LiTS: layouts, headers that lie, slices, splits."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from noisylabels.adapters import lits
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.phantoms.lits import SPACING, TRAPS, abdomen, write_raw
from noisylabels.prepare import prepare
from noisylabels.sources import cases

FACTS = load_facts("lits")
SIZE = (8, 40, 48)


def read(raw, **options):
    return {case.case_id: case for case in cases(lits, raw, FACTS, lits.Options(**options))}


def drawn(number):
    return abdomen(Draws(0, "phantom", "lits", str(number)), SIZE)


@pytest.mark.parametrize("layout", [(), ("decathlon",)])
def test_both_layouts_give_hounsfield_units_and_labels(tmp_path, layout):
    write_raw(tmp_path, cases=2, traps=layout, size=SIZE)
    for number, case in enumerate(read(tmp_path).values()):
        image, labels = drawn(number)
        assert case.case_id == f"lits_{number:03d}"
        assert case.image.dtype == np.int16
        assert np.array_equal(case.image[0], image)
        assert np.array_equal(case.labels, labels)
        assert case.spacing == SPACING
        assert case.notes == ()


def test_headers_that_lie_are_repaired_or_noted(tmp_path):
    odd = ("other-header", "identity", "turned", "unit-spacing", "scaled")
    write_raw(tmp_path, cases=6, traps=odd, size=SIZE)
    found = read(tmp_path)
    noted = {key: " ".join(case.notes) for key, case in found.items()}
    assert "another geometry" in noted["lits_000"]
    assert "another geometry" in noted["lits_001"]
    assert noted["lits_002"] == "Turned from the orientation RAS to LPS."
    assert "spacing of 1 mm is false" in noted["lits_028"]
    assert noted["lits_004"] == noted["lits_005"] == ""
    for number in (0, 1, 2, 28, 4, 5):
        image, labels = drawn(number)
        case = found[f"lits_{number:03d}"]
        assert np.array_equal(case.labels, labels)
        assert np.array_equal(case.image[0], image)


def test_every_trap_has_its_way_out(tmp_path):
    good = write_raw(tmp_path / "raw", cases=9, traps=tuple(TRAPS), size=SIZE)
    assert len(good) == 6
    prepared = prepare(lits, tmp_path / "raw", FACTS, lits.Options(), tmp_path / "out")
    assert prepared.dataset.ids() == good
    assert len(prepared.damaged) == 2
    survey = lits.survey(tmp_path / "raw", FACTS, lits.Options())
    assert sorted({f.kind for f in survey.findings}) == ["damaged", "missing", "unexpected"]
    told = [f.what for item in survey.items for f in lits.probe(item, FACTS, lits.Options())]
    assert len(told) == 2


@pytest.mark.parametrize(("word", "least"), [("slices", 0), ("liver-slices", 1), ("tumour-slices", 2)])
def test_slices_go_with_their_volume(tmp_path, word, least):
    write_raw(tmp_path, cases=3, size=SIZE)
    found = read(tmp_path, cases=word)
    wanted = [drawn(number)[1].max(axis=(1, 2)) >= least for number in range(3)]
    assert len(found) == sum(int(w.sum()) for w in wanted)
    for case in found.values():
        number, place = int(case.case_id[5:8]), int(case.case_id[-4:])
        assert case.group == f"lits_{number:03d}"
        assert np.array_equal(case.labels, drawn(number)[1][place])
        assert case.spacing == SPACING[1:]


def test_splits_have_their_counts():
    volumes = {f"lits_{n:03d}": f"lits_{n:03d}" for n in range(131)}
    split = lits.splits(volumes, FACTS, lits.Options())
    count = {name: {part: len(i) for part, i in one.parts.items()} for name, one in split.items()}
    assert count["eva-linear"] == {"train": 101, "val": 15, "test": 15}
    assert count["volumes"] == {"train": 92, "val": 13, "test": 26}
    slices = {f"lits_{n:03d}_s{s:04d}": f"lits_{n:03d}" for n in range(118) for s in range(61)}
    mcpm = lits.splits(slices, FACTS, lits.Options())["mcpm"]
    assert {part: len(i) for part, i in mcpm.parts.items()} == {"train": 1471, "val": 300, "test": 443}
    assert "leaky" in FACTS.splits["mcpm"].rule


def _swap(path, change):
    opened = nib.load(path)
    nib.save(nib.Nifti1Image(change(np.asanyarray(opened.dataobj).copy()), opened.affine), path)


FAULTS = {
    "label": (
        lambda raw: _swap(raw / "segmentation-0.nii", lambda a: (a > 0) * np.uint8(3)),
        "holds the value 3",
    ),
    "depth": (lambda raw: _swap(raw / "volume-0.nii", lambda a: a[..., None]), "holds a 4-D array"),
    "range": (
        lambda raw: _swap(raw / "volume-0.nii", lambda a: a.astype(np.int32) * 100),
        "values beyond 16 bits",
    ),
    "no nifti": (lambda raw: (raw / "volume-0.nii").write_bytes(b"x" * 400), "damaged or not a NIfTI file"),
    "shape": (lambda raw: _swap(raw / "segmentation-0.nii", lambda a: a[1:]), "they must show the same scan"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_give_one_sentence(tmp_path, fault):
    write_raw(tmp_path, cases=1, size=SIZE, seed=3)
    damage, finding = FAULTS[fault]
    damage(tmp_path / "Training Batch 1")
    with pytest.raises(InvalidData, match=finding) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_intensities_that_are_not_whole_are_rounded_and_noted(tmp_path):
    write_raw(tmp_path, cases=1, size=SIZE)
    _swap(tmp_path / "Training Batch 1/volume-0.nii", lambda a: a.astype(np.float32) + np.float32(0.25))
    (case,) = read(tmp_path).values()
    assert np.array_equal(case.image[0], drawn(0)[0])
    assert case.notes == ("Intensities were not whole numbers and are rounded.",)


def test_strange_names_and_duplicates_are_told(tmp_path):
    write_raw(tmp_path, cases=1, size=SIZE)
    batch = tmp_path / "Training Batch 1"
    (batch / "scan.nii").write_bytes(b"x")
    (tmp_path / "copy").mkdir()
    packed = gzip.compress((batch / "volume-0.nii").read_bytes())
    (tmp_path / "copy" / "volume-0.nii.gz").write_bytes(packed)
    kinds = [f.kind for f in lits.survey(tmp_path, FACTS, lits.Options()).findings]
    assert sorted(kinds) == ["duplicate", "missing", "unexpected"]


def test_options_out_of_range():
    with pytest.raises(UsageError):
        lits.Options(cases="voxels")
