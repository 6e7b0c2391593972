"""Endovis18: colours, parts, archives, repairs, splits."""

import json

import numpy as np
import pytest
from PIL import Image

from noisylabels.adapters import endovis18
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.phantoms.endovis18 import TRAPS, write_raw
from noisylabels.prepare import prepare
from noisylabels.sources import cases

FACTS = load_facts("endovis18")
LABELS = "miccai_challenge_2018_release_1/seq_1/labels"


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("endovis18")
    write_raw(folder, cases=3, coarse=8)
    return folder


def read(raw, **options):
    return {case.case_id: case for case in cases(endovis18, raw, FACTS, endovis18.Options(**options))}


def coloured(raw, frame):
    return np.asarray(Image.open(raw / LABELS / f"frame{frame:03d}.png").convert("RGB"))


def test_parts_are_told_by_name_and_have_the_order_of_jcas(raw):
    full, parts, binary = (read(raw, labels=word)["seq_01_frame000"] for word in ("full", "parts", "binary"))
    picture = coloured(raw, 0)
    for name, code in (("shaft", 1), ("wrist", 2), ("clasper", 3)):
        here = (picture == FACTS.colours[f"instrument-{name}"]).all(axis=-1)
        assert parts.classes[code] == name
        assert np.array_equal(parts.labels == code, here)
        assert np.array_equal(full.labels == full.classes.index(f"instrument-{name}"), here)
    assert np.array_equal(binary.labels > 0, parts.labels > 0)
    assert full.classes.index("instrument-clasper") == 2
    assert (full.labels == 4).any(), "a kidney, which is background of the parts"
    assert full.image.shape == (3, 1024, 1280)


def test_labels_are_reduced_after_their_colours_were_looked_up(raw):
    whole = read(raw, labels="parts")["seq_01_frame001"]
    small = read(raw, labels="parts", size=(256, 320))["seq_01_frame001"]
    assert np.array_equal(small.labels, whole.labels[2::4, 2::4])
    assert small.image.shape == (3, 256, 320)
    blocks = whole.image.reshape(3, 256, 4, 320, 4).mean(axis=(2, 4))
    assert np.abs(small.image - blocks).mean() < 2.5


def test_every_trap_has_its_way_out(tmp_path):
    good = write_raw(tmp_path / "raw", cases=6, traps=tuple(TRAPS), coarse=8)
    options = endovis18.Options(labels="parts", size=(128, 160))
    prepared = prepare(endovis18, tmp_path / "raw", FACTS, options, tmp_path / "out")
    assert prepared.dataset.ids() == good
    assert sorted(prepared.damaged) == ["seq_02_frame000", "seq_02_frame002"]
    kinds = [f.kind for f in endovis18.survey(tmp_path / "raw", FACTS, options).findings]
    assert sorted(set(kinds)) == ["damaged", "missing", "repaired", "unexpected"]
    repaired = prepared.dataset.load("seq_01_frame001")
    assert repaired.notes == ("The labels are those of the archive of repairs.",)
    assert np.array_equal(repaired.labels, prepared.dataset.load("seq_01_frame000").labels)
    assert prepared.dataset.ids("test", "challenge") == ["test_seq_01_frame000"]


def test_folders_and_archives_give_the_same(tmp_path):
    for name, traps in (("folders", ()), ("archives", ("archives",))):
        write_raw(tmp_path / name, cases=2, traps=traps, coarse=8)
    for one, other in zip(
        read(tmp_path / "folders").values(), read(tmp_path / "archives").values(), strict=True
    ):
        assert one.case_id == other.case_id
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.image, other.image)


def test_an_unknown_colour_is_an_error_with_count_and_file(tmp_path):
    write_raw(tmp_path, cases=1, traps=("colour",), coarse=8)
    with pytest.raises(InvalidData, match=r"frame000\.png holds 20 pixels of 1 colours .*\(1, 2, 3\)"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("{", "labels.json is damaged"),
        (json.dumps([{"name": "scissors", "color": [1, 2, 3]}]), "which Endovis18 does not have"),
        (json.dumps([{"name": "thread", "color": [0, 0, 1]}]), "another table"),
    ],
)
def test_tables_that_cannot_be_trusted(tmp_path, text, finding):
    write_raw(tmp_path, cases=1, coarse=8)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "labels.json").write_text(text)
    with pytest.raises(InvalidData, match=finding):
        read(tmp_path)


def test_a_frame_of_another_size_is_refused(tmp_path):
    write_raw(tmp_path, cases=1, coarse=8)
    Image.fromarray(np.zeros((512, 640, 3), np.uint8)).save(tmp_path / LABELS / "frame000.png")
    with pytest.raises(InvalidData, match="640x512 pixels; expected 1280x1024"):
        read(tmp_path)
    survey = endovis18.survey(tmp_path, FACTS, endovis18.Options())
    (finding,) = endovis18.probe(survey.items[0], FACTS, endovis18.Options())
    assert "640x512 pixels instead of" in finding.text


def test_a_broken_archive_is_named(tmp_path):
    (tmp_path / "release.zip").write_bytes(b"x")
    with pytest.raises(InvalidData, match=r"release\.zip is damaged"):
        endovis18.survey(tmp_path, FACTS, endovis18.Options())


def test_the_split_of_jcas_has_its_counts():
    sequences = [n for n in range(1, 17) if n != 8]
    ids = {f"seq_{n:02d}_frame{f:03d}": f"seq_{n:02d}" for n in sequences for f in range(149)}
    ids |= {f"test_seq_01_frame{f:03d}": "test_seq_01" for f in range(250)}
    split = endovis18.splits(ids, FACTS, endovis18.Options())
    count = {name: {part: len(i) for part, i in one.parts.items()} for name, one in split.items()}
    assert count["jcas"] == {"train": 1639, "test": 596}
    assert count["jcas-val"] == {"train": 1341, "val": 298, "test": 596}
    assert count["challenge"] == {"train": 2235, "test": 250}


@pytest.mark.parametrize("options", [{"labels": "x"}, {"size": (8, 8)}, {"size": (2048, 2560)}])
def test_options_out_of_range(options):
    with pytest.raises(UsageError):
        endovis18.Options(**options)
