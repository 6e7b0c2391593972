"""LA: layouts, spacing, crop, traps."""

import numpy as np
import pytest

from noisylabels.adapters import la
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.phantoms.la import TRAPS, scan, write_raw
from noisylabels.prepare import prepare
from noisylabels.sources import cases

FACTS = load_facts("la")
SIZE = (6, 40, 48)


def read(raw, **options):
    return {case.case_id: case for case in cases(la, raw, FACTS, la.Options(**options))}


@pytest.fixture
def raw(tmp_path):
    write_raw(tmp_path / "raw", cases=5, size=SIZE)
    return tmp_path / "raw"


def test_labels_are_those_of_255_and_axes_are_z_y_x(raw):
    found = read(raw)
    assert len(found) == 5
    for case in found.values():
        assert case.labels.shape == SIZE
        assert set(np.unique(case.labels)) == {0, 1}
        assert case.spacing == (0.625, 0.625, 0.625)
        assert 0.01 < case.labels.mean() < 0.3
        inside, outside = (case.image[0][case.labels == v].mean() for v in (1, 0))
        assert inside > outside + 40


@pytest.mark.parametrize(("word", "spacing"), list(la.SPACINGS.items()))
def test_the_spacing_is_an_option_and_is_noted(raw, word, spacing):
    case = next(iter(read(raw, spacing=word).values()))
    assert case.spacing == spacing
    assert word in case.notes[0]


def test_the_wall_is_a_class_of_its_own_where_it_is_wanted(raw):
    case = next(iter(read(raw, structures="atrium+wall").values()))
    assert case.classes == ("background", "atrium", "wall")
    assert set(np.unique(case.labels)) == {0, 1, 2}


def test_a_crop_keeps_the_atrium_and_every_slice(raw, tmp_path):
    write_raw(tmp_path / "wide", cases=1, size=(6, 200, 220))
    (whole,), (cut,) = read(tmp_path / "wide").values(), read(tmp_path / "wide", crop="atrium").values()
    assert cut.labels.sum() == whole.labels.sum()
    assert cut.labels.shape[0] == 6
    assert 112 + 20 <= cut.labels.shape[1] < 200
    assert np.array_equal(cut.labels, read(tmp_path / "wide", crop="atrium")[cut.case_id].labels)


def test_every_trap_has_its_way_out(tmp_path):
    good = write_raw(tmp_path / "raw", cases=6, traps=tuple(TRAPS), size=SIZE)
    prepared = prepare(la, tmp_path / "raw", FACTS, la.Options(), tmp_path / "out")
    assert prepared.dataset.ids() == sorted(good)
    assert list(prepared.damaged) == [la.TWINS[0]]
    survey = la.survey(tmp_path / "raw", FACTS, la.Options())
    assert {f.kind for f in survey.findings} == {"damaged", "duplicate", "missing"}
    notes = [note for i in good for note in prepared.dataset.load(i, image=False).notes]
    assert any("holds 1 instead of 255" in note for note in notes)


def test_the_twins_stay_together_in_every_split():
    ids = {i: i for part in FACTS.splits["uamt"].parts.values() for i in part}
    ids[la.TWINS[1]] = la.TWINS[0]
    splits = la.splits(ids, FACTS, la.Options())
    assert {part: len(members) for part, members in splits["uamt"].parts.items()} == {"train": 80, "test": 20}
    assert {part: len(m) for part, m in splits["uamt-val"].parts.items()} == {
        "train": 71,
        "val": 9,
        "test": 20,
    }
    for split in splits.values():
        assert split.part_of(la.TWINS[0]) == split.part_of(la.TWINS[1])


def test_the_public_packed_form(raw, tmp_path):
    h5py = pytest.importorskip("h5py")
    case_id, case = next(iter(read(raw).items()))
    place = tmp_path / "packed" / case_id
    place.mkdir(parents=True)
    with h5py.File(place / "mri_norm2.h5", "w") as out:
        out["image"] = case.image[0].transpose(2, 1, 0).astype(np.float32)
        out["label"] = case.labels.transpose(2, 1, 0)
    found = read(tmp_path / "packed")[case_id]
    assert np.array_equal(found.labels, case.labels)
    assert found.image.dtype == np.float32
    assert not list(
        la.probe(la.survey(tmp_path / "packed", FACTS, la.Options()).items[0], FACTS, la.Options())
    )
    (place / "mri_norm2.h5").write_bytes(b"x")
    with pytest.raises(InvalidData, match="not an HDF5 file"):
        read(tmp_path / "packed")


FAULTS = {
    "value": (lambda place: _write(place, "laendo", np.full(SIZE, 7)), "holds the value 7"),
    "shape": (lambda place: _write(place, "laendo", np.zeros((6, 40, 40))), "they must show the same scan"),
    "cut": (lambda place: _cut(place / "lgemri.nrrd"), "is cut short"),
    "no nrrd": (lambda place: (place / "lgemri.nrrd").write_text("x"), "not an NRRD file"),
}


def _write(place, name, voxels):
    from noisylabels.phantoms.la import _write as write

    write(place / f"{name}.nrrd", voxels.astype(np.uint8))


def _cut(path):
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_give_one_sentence(raw, fault):
    damage, finding = FAULTS[fault]
    damage(sorted((raw / "Training Set").iterdir())[0])
    with pytest.raises(InvalidData, match=finding) as caught:
        read(raw)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"spacing": "x"}, {"crop": "x"}, {"structures": "x"}])
def test_options_out_of_range(options):
    with pytest.raises(UsageError):
        la.Options(**options)


def test_phantoms_differ_and_are_the_same_again():
    from noisylabels.draws import Draws

    one, again, other = (scan(Draws(0, name), SIZE) for name in ("a", "a", "b"))
    assert np.array_equal(one[0], again[0])
    assert not np.array_equal(one[1], other[1])
