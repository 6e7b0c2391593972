"""LIDC: readers, references, scans, slices and patches; splits; what is unusual and what is wrong in the files."""

from types import SimpleNamespace

import numpy as np
import pytest

from noisylabels.adapters import lidc
from noisylabels.adapters._lidc_cases import Maker
from noisylabels.adapters._lidc_nodules import Nodule
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.phantoms.lidc import TRAPS, make_scan, write_raw
from noisylabels.phantoms.lidc_files import write_slices
from noisylabels.phantoms.lidc_traps import HARMLESS
from noisylabels.phantoms.lung import chest
from noisylabels.prepare import prepare
from noisylabels.sources import cases

FACTS = load_facts("lidc")
SIZE = (7, 80, 96)
NAME = "LIDC-IDRI-0001"


def survey(raw):
    return lidc.survey(raw, FACTS, lidc.Options())


def read(raw, **options):
    return {case.case_id: case for case in cases(lidc, raw, FACTS, lidc.Options(**options))}


@pytest.fixture(scope="module")
def truth():
    """The phantom itself, and the maps of its readers, (4, Z, Y, X)."""
    from noisylabels.draws import Draws

    found = chest(Draws(0, "phantom", "lidc", NAME), SIZE)
    maps = np.zeros((4, *SIZE), dtype=np.uint8)
    for reader, nodules in enumerate(found.drawn):
        for masks in nodules.values():
            for number, mask in masks.items():
                maps[reader, number] |= mask
    return found, maps


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lidc") / "raw"
    write_raw(folder, cases=1, size=SIZE)
    return folder


def readers_of(case):
    return np.stack([case.readers[name] for name in sorted(case.readers)])


def test_a_scan_has_the_image_in_hu_and_the_map_of_every_reader(raw, truth):
    (case,) = read(raw).values()
    assert case.image.dtype == np.int16
    assert np.array_equal(case.image[0], truth[0].image)
    assert np.array_equal(readers_of(case), truth[1])
    assert case.spacing == (2.5, 0.7, 0.7)
    assert case.group == NAME
    assert case.about["nodules"] == str(len(truth[0].nodules))
    assert any("not the same person" in note for note in case.notes)


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({"reference": "union"}, 1),
        ({"reference": "majority"}, 2),
        ({"reference": "at-least"}, 3),
        ({"reference": "at-least", "at_least": 4}, 4),
    ],
)
def test_the_reference_counts_readers(raw, truth, options, least):
    (case,) = read(raw, **options).values()
    assert np.array_equal(case.labels, truth[1].sum(axis=0) >= least)
    assert case.labels.any()


def test_the_reference_can_be_one_reader(raw, truth):
    (case,) = read(raw, reference="reader", reader=3).values()
    assert np.array_equal(case.labels, truth[1][2])


def test_slices_and_nodule_slices(raw, truth):
    every = read(raw, cases="slices")
    assert sorted(every) == [f"{NAME}_s{z:04d}" for z in range(SIZE[0])]
    for z, case in enumerate(every.values()):
        assert np.array_equal(readers_of(case), truth[1][:, z])
        assert np.array_equal(case.image[0], truth[0].image[z])
        assert case.spacing == (0.7, 0.7)
    for least in (1, 3):
        most = [
            max(sum(z in r.get(n, ()) for r in truth[0].drawn) for n in range(len(truth[0].nodules)))
            for z in range(SIZE[0])
        ]
        wanted = {f"{NAME}_s{z:04d}" for z in range(SIZE[0]) if most[z] >= least}
        assert set(read(raw, cases="nodule-slices", outlined_by=least)) == wanted


def test_a_patch_is_cut_around_its_nodule_on_every_slice_of_it(raw, truth):
    found = read(raw, cases="patches", patch_px=48)
    outlined = [
        {z for reader in truth[0].drawn for z in reader.get(nodule, ())}
        for nodule in range(len(truth[0].nodules))
    ]
    assert len(found) == sum(map(len, outlined))
    for case in found.values():
        y, x = map(int, case.about["corner"].split())
        z = int(case.about["slice"])
        assert np.array_equal(case.image[0], truth[0].image[z, y : y + 48, x : x + 48])
        assert case.labels.shape == (48, 48)
        for name, labels in case.readers.items():
            assert np.array_equal(labels, truth[1][int(name) - 1, z, y : y + 48, x : x + 48])
        seen = [int(pair.split("=")[0]) for pair in case.about["malignancy"].split()]
        assert sorted(case.readers) == [str(k) for k in seen]  # whoever rated it has a map
        assert set(map(int, case.about["outlined_by"].split())) <= set(seen)


def test_a_reader_who_did_not_mark_a_nodule_has_no_map_or_an_empty_one(raw):
    without, with_empty = (read(raw, cases="patches", absent=word) for word in ("no-file", "empty"))
    assert any(len(case.readers) < 4 for case in without.values())
    for case_id, case in with_empty.items():
        assert len(case.readers) == 4
        assert np.array_equal(case.labels, without[case_id].labels)
        for name in set(case.readers) - set(without[case_id].readers):
            assert name not in case.about["outlined_by"].split()


def test_patches_that_fewer_readers_outlined_can_be_left_out(raw):
    every = read(raw, cases="patches")
    several = read(raw, cases="patches", outlined_by=3)
    assert set(several) == {i for i, case in every.items() if len(case.about["outlined_by"].split()) >= 3}
    assert 0 < len(several) < len(every)


def test_a_patch_larger_than_the_image_or_smaller_than_the_nodule(raw):
    with pytest.raises(InvalidData, match="too small for patches of 128"):
        read(raw, cases="patches", patch_px=128)
    maker = Maker(
        survey(raw).items[0],
        ("background", "nodule"),
        lidc.Options(patch_px=16),
        SimpleNamespace(shape=(80, 96)),
        None,
    )
    for low, high, corner, larger in (
        ((10, 20), (30, 24), (12, 14), True),
        ((0, 90), (5, 95), (0, 80), False),
    ):
        box, note = maker.box(Nodule(low=low, high=high))
        assert (box[0].start, box[1].start) == corner
        assert bool(note) == larger


EFFECTS = {  # pixels that may change in all readers' maps, and what the notes say
    "hole": ((-1, -1), ""),
    "two-outlines": ((4, 4), ""),
    "open": ((-6, 6), ""),
    "jumps": ((-3, 3), ""),
    "touching": ((0, 0), ""),
    "twice-round": ((0, 0), ""),
    "hollow": ((0, 0), "1 outline encloses no pixel"),
    "points": ((0, 0), "2 outlines of one or two points"),
    "comments": ((0, 0), ""),
    "unrated": ((0, 0), ""),
    "wrong-heights": ((0, 0), ""),
    "lost-slice": ((0, 0), "1 outline lies on slices that are not in the scan"),
    "small": ((0, 0), "4 marks of nodules under 3 mm"),
    "padding": ((0, 0), ""),
    "unsigned": ((0, 0), ""),
    "twice-there": ((0, 0), "1 slice at a position that is already taken"),
    "gap": ((0, 0), "1 gap between slices other than 2.5 mm"),
    "prone": ((0, 0), "rows and columns"),
    "overview": ((0, 0), "1 overview picture"),
    "unsorted": ((0, 0), ""),
}


@pytest.mark.parametrize("trap", EFFECTS)
def test_what_is_unusual_is_read_as_it_is_meant(tmp_path, truth, trap):
    write_raw(tmp_path, cases=1, traps=(trap,), size=SIZE)
    (case,) = read(tmp_path).values()
    assert np.array_equal(case.image[0], truth[0].image)
    (low, high), note = EFFECTS[trap]
    change = readers_of(case).astype(int) - truth[1]
    assert low <= change.sum() <= high
    assert np.count_nonzero(change) <= max(abs(low), abs(high))
    assert note in " ".join(case.notes)
    assert case.spacing == (2.5, 0.7, 0.7)
    damaged = [f for f in lidc.probe(survey(tmp_path).items[0], FACTS, lidc.Options()) if f.kind == "damaged"]
    assert not damaged


@pytest.mark.parametrize(("trap", "count"), [("eight-sessions", 8), ("three-sessions", 3)])
def test_there_may_be_more_or_fewer_readers(tmp_path, truth, trap, count):
    write_raw(tmp_path, cases=1, traps=(trap,), size=SIZE)
    (case,) = read(tmp_path).values()
    assert sorted(case.readers) == [str(k + 1) for k in range(count)]
    wanted = np.concatenate([truth[1], truth[1]])[:count]
    assert np.array_equal(readers_of(case), wanted)
    assert np.array_equal(case.labels, wanted.sum(axis=0) >= (count + 1) // 2)
    if count == 3:
        with pytest.raises(InvalidData, match="has 3 readers, not the wanted number 4"):
            read(tmp_path, reference="reader", reader=4)


def test_every_trap_is_known_here():
    assert set(HARMLESS) == set(EFFECTS) | {"eight-sessions", "three-sessions"}


def test_every_trap_has_its_way_out(tmp_path):
    good = write_raw(tmp_path / "raw", cases=4, traps=tuple(TRAPS), size=SIZE)
    found = survey(tmp_path / "raw")
    prepared = prepare(lidc, tmp_path / "raw", FACTS, lidc.Options(), tmp_path / "out", survey=found)
    assert prepared.dataset.ids() == sorted(good)
    assert len(prepared.damaged) == 4
    for word in ("is cut short", "is damaged", "of another series", "none of the slices that were outlined"):
        assert any(word in text for text in prepared.damaged.values())
    texts = {kind: [f.text for f in found.findings if f.kind == kind] for kind in ("damaged", "missing")}
    for word in ("declares a document type", "differently"):
        assert any(word in text for text in texts["damaged"])
    assert any("without annotations" in text for text in texts["missing"])
    assert any("annotated scan" in text for text in texts["missing"])
    assert [f.text for f in found.findings if f.kind == "duplicate" and "repeats" in f.text]
    unexpected = [f.text for f in found.findings if f.kind == "unexpected"]
    assert any("chest X-rays" in text for text in unexpected)
    assert any("1 DX" in text for text in unexpected)
    empty = prepared.dataset.load(next(i for i in good if not prepared.dataset.entries[i].pixels["nodule"]))
    assert sorted(empty.readers) == ["1", "2", "3", "4"]


def test_both_scans_of_a_patient_are_one_group(tmp_path):
    good = write_raw(tmp_path, cases=0, traps=("two-series",), size=SIZE)
    found = read(tmp_path)
    assert sorted(found) == sorted(good)
    assert {case.group for case in found.values()} == {"LIDC-IDRI-0132"}
    first = next(iter((tmp_path / "LIDC-IDRI-0132").iterdir()))
    first.rename(tmp_path / "elsewhere")  # a name does not depend on what else is there
    assert set(read(tmp_path)) <= set(good)


def test_findings_of_series_that_are_twice_there_or_cannot_be_read(raw, tmp_path):
    scan = make_scan(0, NAME, SIZE)
    for name in ("one", "two"):
        write_slices(scan, tmp_path / name)
    (tmp_path / "notes.xml").write_text("<other/>")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.dcm").write_bytes(b"x" * 300)
    with pytest.raises(InvalidData, match="no annotations"):
        survey(tmp_path)
    source = next((raw / "tcia-lidc-xml").rglob("*.xml"))
    (tmp_path / "a.xml").write_bytes(source.read_bytes())
    found = survey(tmp_path)
    assert len(found.items) == 1
    kinds = [f.kind for f in found.findings]
    assert kinds == ["damaged", "duplicate", "unexpected", "missing"]


def test_splits_are_by_patient():
    ids = {f"LIDC-IDRI-{p:04d}_n{n:02d}": f"LIDC-IDRI-{p:04d}" for p in range(1, 1011) for n in range(6)}
    found = lidc.splits(ids, FACTS, lidc.Options())
    sizes = {part: len(members) for part, members in found["mcpm"].parts.items()}
    assert sizes == {"train": 1906, "val": 300, "test": 1385}
    assert len(found["patients"].ids()) == len(ids)
    for split in found.values():
        parts = {}
        for case_id in split.ids():
            parts.setdefault(ids[case_id], set()).add(split.part_of(case_id))
        assert {len(own) for own in parts.values()} == {1}
    assert found["patients"].part_of("LIDC-IDRI-0004_n00") == "test"
    assert found["patients"].part_of("LIDC-IDRI-0017_n00") == "val"


def test_three_patients_are_enough_for_three_parts():
    ids = {f"P{p}_{n}": f"P{p}" for p in range(3) for n in range(10)}
    found = lidc.splits(ids, FACTS, lidc.Options())["mcpm"].parts
    assert {part: len(members) for part, members in found.items()} == {"train": 10, "val": 3, "test": 10}


@pytest.mark.parametrize(
    "options",
    [{"cases": "x"}, {"reference": "x"}, {"absent": "x"}, {"reader": 0}, {"at_least": 9}, {"patch_px": 8}],
)
def test_options_out_of_range(options):
    with pytest.raises(UsageError):
        lidc.Options(**options)


def test_phantoms_differ_and_are_the_same_again():
    from noisylabels.draws import Draws

    one, again, other = (chest(Draws(0, name), (3, 64, 64)) for name in ("a", "a", "b"))
    assert np.array_equal(one.image, again.image)
    assert not np.array_equal(one.image, other.image)
