import csv
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small import CLASSES, small_case, small_dataset, small_info, small_labels, small_split

from noisylabels.case import IGNORE, Case
from noisylabels.errors import InvalidData, NoisyLabelsError, UsageError
from noisylabels.store.dataset import Dataset, write_dataset
from noisylabels.store.files import write_labels

KINDS = [
    {"ending": ".png"},
    {"ending": ".png", "channels": 1, "spacing": (0.7, 0.3), "ignore": True},
    {"ending": ".png", "channels": 1, "dtype": np.uint16},
    {"ending": ".nii.gz", "channels": 1, "shape": (9, 8, 7), "spacing": (2.5, 0.1, 0.7), "dtype": np.int16},
    {"ending": ".nii.gz", "channels": 2, "shape": (9, 8), "dtype": np.float32, "ignore": True},
    {"ending": ".nii.gz", "channels": 1, "shape": (1, 8, 9), "spacing": (1, 1, 1)},
]


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_cases_come_back(tmp_path, kind):
    written = small_dataset(tmp_path / "small", **kind)
    options = {k: v for k, v in kind.items() if k != "ending"}
    dataset = Dataset.open(tmp_path / "small")
    assert dataset.digest == written.digest
    assert dataset.ids() == [f"case_{i:03d}" for i in range(8)]
    for number, case_id in enumerate(dataset.ids()):
        want = small_case(number, **options)
        case = dataset.load(case_id)
        np.testing.assert_array_equal(case.labels, want.labels)
        np.testing.assert_array_equal(case.image, want.image)
        assert case.image.dtype == want.image.dtype
        assert case.spacing == want.spacing
        assert (case.group, case.classes, case.notes) == (want.group, want.classes, want.notes)
        assert dataset.load(case_id, image=False).image is None


def test_equal_inputs_give_equal_files(tmp_path):
    small_dataset(tmp_path / "one")
    (tmp_path / "deeper").mkdir()
    small_dataset(tmp_path / "deeper" / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "deeper" / "two")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deeper", "one"], "nothing temporary is left"


def test_the_order_of_cases_does_not_matter(tmp_path):
    cases = [small_case(i) for i in range(8)]
    for name, given in (("one", cases), ("two", cases[::-1])):
        write_dataset(given, small_info(), tmp_path / name, {"default": small_split(8)})
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_readers_notes_groups_and_splits_come_back(tmp_path):
    rng = np.random.default_rng(0)
    plain = small_case(0)
    readers = {"a": small_labels(rng, plain.labels.shape), "b": plain.labels}
    case = Case(
        case_id="x",
        labels=plain.labels,
        classes=CLASSES,
        image=plain.image,
        group="patient, 1",
        readers=readers,
        notes=("Row 3 was black; it was copied.", 'Said "twice".'),
    )
    parts = {"default": {"train": ["x"]}, "other": {"test": ["x"]}}
    dataset = write_dataset([case], small_info(), tmp_path / "d", parts)
    back = dataset.load("x")
    assert (back.group, back.notes) == (case.group, case.notes)
    assert sorted(back.readers) == ["a", "b"]
    np.testing.assert_array_equal(back.readers["a"], readers["a"])
    assert dataset.ids("train") == dataset.ids("test", "other") == ["x"]
    assert dataset.ids("test") == []
    with pytest.raises(UsageError, match="did you mean 'other'"):
        dataset.ids("train", "othr")
    with pytest.raises(UsageError, match="did you mean 'train'"):
        dataset.ids("trian")
    with pytest.raises(UsageError, match="no case 'y'"):
        dataset.load("y")


def test_a_dataset_can_be_sent_to_another_process(tmp_path):
    dataset = small_dataset(tmp_path / "small", ending=".nii.gz", channels=1, spacing=(1, 2))
    assert pickle.loads(pickle.dumps(dataset)).digest == dataset.digest


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda c: [*c, c[0]], "Two cases .* case_000"),
        (lambda c: c[:-1], "case_007, which dataset small does not have"),
        (lambda c: [], "no case at all"),
        (lambda c: [*c, Case(case_id="n", labels=c[0].labels, classes=CLASSES)], "n has no image"),
        (lambda c: [small_case(0, channels=1)], "1 channels"),
        (lambda c: [small_case(0, classes=("background", *"abc"))], "has the classes"),
        (lambda c: [small_case(0, shape=(4, 5, 6))], "PNG holds 2-D"),
    ],
)
def test_what_contradicts_is_refused_and_nothing_stays(tmp_path, change, finding):
    cases = change([small_case(i) for i in range(8)])
    with pytest.raises(InvalidData, match=finding):
        write_dataset(cases, small_info(), tmp_path / "d", {"default": small_split(8)})
    assert list(tmp_path.iterdir()) == []


def test_images_must_hold_numbers(tmp_path):
    case = small_case(0, dtype=np.float32)
    case.image[0, 1, 1] = np.nan
    with pytest.raises(InvalidData, match="case_000: the image holds values that are not numbers"):
        write_dataset([case], small_info(".nii.gz"), tmp_path / "d", {"default": {}})


def test_a_stream_that_breaks_leaves_nothing(tmp_path):
    def cases():
        yield small_case(0)
        raise InvalidData("The source is damaged.")

    with pytest.raises(InvalidData, match="source is damaged"):
        write_dataset(cases(), small_info(), tmp_path / "d", {"default": {}})
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_overwritten(tmp_path):
    small_dataset(tmp_path / "d")
    before = tree(tmp_path)
    for out in (tmp_path / "d", tmp_path / "d" / "dataset.json"):
        with pytest.raises(UsageError, match="already there"):
            small_dataset(out)
    with pytest.raises(UsageError, match="is a file"):
        small_dataset(tmp_path / "d" / "dataset.json" / "x")
    assert tree(tmp_path) == before


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    write, count = Path.write_bytes, 0

    def full(self, data):
        nonlocal count
        count += 1
        if count > 9:
            write(self, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NoisyLabelsError, match="No space left on device"):
        small_dataset(tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def _cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def _edit_json(change):
    def edit(path):
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return edit


@pytest.mark.parametrize(
    ("file", "damage", "finding"),
    [
        ("dataset.json", _cut, "dataset.json is not the dataset.json of"),
        ("dataset.json", Path.unlink, "dataset.json is missing"),
        ("dataset.json", _edit_json(lambda d: d.pop("file_ending")), "dataset.json lacks .*file_ending"),
        ("dataset.json", _edit_json(lambda d: d["noisylabels"].update(format=2)), "format 2"),
        ("dataset.json", _edit_json(lambda d: d.update(noisylabels=[3])), "dataset.json is not"),
        ("cases.csv", Path.unlink, "cases.csv is missing"),
        ("cases.csv", _cut, "cases.csv (was changed|is damaged)"),
        ("cases.csv", lambda p: p.write_text(p.read_text().replace("24x30", "24xx")), "line 2"),
        (
            "cases.csv",
            lambda p: p.write_text(p.read_text() + p.read_text().splitlines()[3]),
            "case_002 twice",
        ),
        ("cases.csv", lambda p: p.write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        ("splits/default.json", _cut, "default.json is damaged"),
        ("labelsTr/case_000.png", _cut, "case_000.png is damaged"),
        ("labelsTr/case_000.png", Path.unlink, "case_000.png is missing"),
        ("imagesTr/case_000_0000.png", _cut, "case_000_0000.png is damaged"),
        ("imagesTr/case_000_0000.png", Path.unlink, "case_000_0000.png is missing"),
        ("labelsTr/case_000.png", lambda p: write_labels(p, np.zeros((3, 4), np.uint8)), r"shape \(3, 4\)"),
        ("labelsTr/case_000.png", lambda p: write_labels(p, np.zeros((24, 30), np.uint8)), "was changed"),
        (
            "labelsTr/case_000.png",
            lambda p: write_labels(p, np.full((24, 30), 9, np.uint8)),
            r"value 9, but .* 0 to 3 \(background, liver, vessel, tumour\)",
        ),
    ],
)
def test_damage_is_one_sentence_that_names_the_file(tmp_path, file, damage, finding):
    small_dataset(tmp_path / "d")
    damage(tmp_path / "d" / file)
    with pytest.raises(InvalidData, match=finding) as caught:
        _use(tmp_path / "d")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "d") in str(caught.value)


def _use(folder):
    dataset = Dataset.open(folder)
    dataset.ids("train")
    dataset.load("case_000")


def test_what_is_no_dataset_is_said(tmp_path):
    with pytest.raises(InvalidData, match="does not exist"):
        Dataset.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidData, match="is a file; expected the folder"):
        Dataset.open(tmp_path / "file")
    with pytest.raises(InvalidData, match=r"dataset\.json is missing"):
        Dataset.open(tmp_path)


def test_pixel_counts_and_shapes_are_in_the_table(tmp_path):
    dataset = small_dataset(tmp_path / "d", ignore=True)
    rows = list(csv.DictReader((tmp_path / "d" / "cases.csv").read_text().splitlines()))
    for row in rows:
        labels = dataset.load(row["case_id"], image=False).labels
        assert row["shape"] == "24x30"
        assert int(row["pixels_vessel"]) == (labels == 2).sum()
        assert int(row["pixels_ignore"]) == (labels == IGNORE).sum() > 0
    assert [row["split"] for row in rows] == ["train"] * 6 + ["val", "test"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"classes": ("background",)},
        {"classes": ("background", "a", "a")},
        {"ending": ".jpg"},
        {"structures": {"a": (1,)}},
        {"structures": {"a": (1, 2), "b": (3, 4)}},
        {"structures": {"background": (1, 2), "b": (3,)}},
        {"structures": {"ignore": (1, 2), "b": (3,)}},
        {"structures": {"a": (1, 2, 3), "b": ()}},
        {"name": "a/b"},
        {"name": ""},
    ],
)
def test_info_is_checked(wrong):
    with pytest.raises(InvalidData):
        small_info(**wrong)


def test_a_split_has_every_case_once():
    with pytest.raises(InvalidData, match="both in 'train' and in 'test'"):
        small_split(6).__class__(parts={"train": ["a"], "test": ["a"]})
    with pytest.raises(InvalidData, match="not 'dev'"):
        small_split(6).__class__(parts={"dev": ["a"]})


def test_scores_of_readers_are_kept_and_checked(tmp_path):
    case = small_case(0)
    scores = np.random.default_rng(0).integers(0, 256, (4, *case.labels.shape)).astype(np.uint8)
    with_scores = replace(case, readers={"net": case.labels}, scores={"net": scores})
    dataset = write_dataset([with_scores], small_info(), tmp_path / "d", {"default": {"train": ["case_000"]}})
    assert np.array_equal(dataset.load("case_000", scores=True).scores["net"], scores)
    assert not dataset.load("case_000").scores
    assert Dataset.open(dataset.path).digest == dataset.digest
    (file, *_) = sorted((dataset.path / "scores" / "net").iterdir())
    file.write_bytes(file.read_bytes().replace(b"IDAT", b"IDAX"))
    with pytest.raises(InvalidData, match="scores/net/case_000"):
        dataset.load("case_000", scores=True)
    with pytest.raises(InvalidData, match="expected uint8 of shape"):
        replace(with_scores, scores={"net": scores[:2]})
