"""A dataset with further readers: labels and readers of its own, images where they are."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from small import small_dataset

from noisylabels.corruptions import pseudo_label
from noisylabels.errors import InvalidData, Mismatch, UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.datalists import datalist
from noisylabels.store.dataset import Dataset
from noisylabels.store.derived import check_new_readers, derived_dataset


def turned(name, scores=False):
    """Adds a reader that sees the labels upside down."""

    def add(case):
        labels = np.ascontiguousarray(np.where(case.labels == 255, 0, case.labels)[::-1])
        given = (np.arange(4, dtype=np.uint8).reshape(-1, *(1,) * labels.ndim) == labels).astype(
            np.uint8
        ) * 255
        return replace(
            case,
            readers={**case.readers, name: labels},
            scores={**case.scores, **({name: given} if scores else {})},
        )

    return add


def derive(parent, out, name="model", ids=None, scores=False):
    return derived_dataset(
        parent, parent.ids() if ids is None else ids, turned(name, scores), out, {"command": "as typed"}
    )


def pseudo(clean, out):
    return noisy_dataset(
        clean, Recipe(0, (Step.of("pseudo_label", pseudo_label, pseudo_label.Params()),)), out
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ending": ".nii.gz", "channels": 2, "shape": (5, 12, 14), "spacing": (3.0, 1.0, 1.0)},
        {"ignore": True},
    ],
    ids=["colour", "volumes", "ignore"],
)
def test_all_is_there_and_images_are_the_parents(tmp_path, options):
    parent = small_dataset(tmp_path / "small", **options)
    found = derive(parent, tmp_path / "derived", scores=True)
    assert not found.noisy
    assert found.parent is None
    assert found.info == parent.info
    assert found.splits == parent.splits
    assert not list(found.path.glob("images*"))
    for case_id in parent.ids():
        own, other = found.load(case_id, scores=True), parent.load(case_id)
        assert np.array_equal(own.image, other.image)
        assert np.array_equal(own.labels, other.labels)
        assert list(own.readers) == list(own.scores) == ["model"]
        assert (own.spacing, own.group) == (other.spacing, other.group)
        assert found.image_paths(case_id) == parent.image_paths(case_id)
        assert found.label_path(case_id).exists()
    noisy = pseudo(found, tmp_path / "noisy")
    assert noisy.clean.digest == found.digest
    assert noisy.splits == parent.splits
    first = noisy.ids("train")[0]
    assert noisy.image_paths(first) == parent.image_paths(first)
    assert np.array_equal(noisy.load(first).image, parent.load(first).image)
    listed = json.loads((noisy.path / "dataset.json").read_text())["dataset"][first]["images"]
    assert (noisy.path / listed[0]).resolve() == parent.image_paths(first)[0].resolve()
    for part in datalist(noisy, tmp_path).values():
        for item in part:
            images = item["image"] if isinstance(item["image"], list) else [item["image"]]
            assert all((tmp_path / path).exists() for path in [*images, item["label"]])


def test_equal_inputs_give_equal_files_and_readers_are_in_the_digest(tmp_path):
    parent = small_dataset(tmp_path / "small")
    one, two = derive(parent, tmp_path / "one"), derive(parent, tmp_path / "two")
    for file in (path for path in one.path.rglob("*") if path.is_file()):
        assert file.read_bytes() == (two.path / file.relative_to(one.path)).read_bytes()
    other, fewer = (
        derive(parent, tmp_path / "other", "b"),
        derive(parent, tmp_path / "f", ids=parent.ids("train")),
    )
    assert len({one.digest, other.digest, fewer.digest, parent.digest}) == 4
    assert {case_id for case_id, entry in fewer.entries.items() if entry.readers} == set(parent.ids("train"))


def test_a_derived_dataset_may_be_derived_from(tmp_path):
    parent = small_dataset(tmp_path / "small")
    first = derive(parent, tmp_path / "first", "a", scores=True)
    second = derive(first, tmp_path / "deep" / "second", "b")
    assert second.image_home.path.resolve() == parent.path.resolve()
    shutil.rmtree(first.path)
    case = Dataset.open(second.path).load(second.ids()[0], scores=True)
    assert (list(case.readers), list(case.scores)) == (["a", "b"], ["a"])


def test_it_may_be_moved_with_its_parent_but_not_without(tmp_path):
    derive(small_dataset(tmp_path / "x" / "small"), tmp_path / "x" / "derived")
    (tmp_path / "x").rename(tmp_path / "y")
    found = Dataset.open(tmp_path / "y" / "derived")
    assert found.load(found.ids()[0]).image is not None
    shutil.rmtree(tmp_path / "y" / "small")
    found = Dataset.open(tmp_path / "y" / "derived")
    with pytest.raises(InvalidData, match="made from the dataset small, which is no longer at"):
        found.load(found.ids()[0])
    small_dataset(tmp_path / "y" / "small", count=6)
    with pytest.raises(Mismatch, match="made from a dataset with the digest"):
        Dataset.open(tmp_path / "y" / "derived").image_paths(found.ids()[0])


def test_a_changed_reader_is_noticed(tmp_path):
    found = derive(small_dataset(tmp_path / "small"), tmp_path / "derived")
    one, two = (found.path / "readers" / "model" / f"{case_id}.png" for case_id in found.ids()[:2])
    one.write_bytes(two.read_bytes())
    with pytest.raises(InvalidData, match="was changed after the dataset was written"):
        found.load(found.ids()[0])


def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path):
    parent = small_dataset(tmp_path / "small")
    noisy = pseudo(derive(parent, tmp_path / "derived"), tmp_path / "noisy")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match="derived is already there"):
        derive(parent, tmp_path / "derived")
    with pytest.raises(UsageError, match="noisy is noisy; readers are added to the clean dataset"):
        derive(noisy, tmp_path / "out")
    with pytest.raises(InvalidData, match="The labels of case case_000 were changed"):
        derived_dataset(
            parent,
            ["case_000"],
            lambda case: case.with_labels(np.zeros_like(case.labels)),
            tmp_path / "out",
            {},
        )
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("names", "finding"),
    [
        (["a b"], "Reader 'a b' cannot be a folder name"),
        (["a=b"], "Reader 'a=b' cannot be a folder name"),
        (["../a"], "cannot be a folder name"),
        ([""], "cannot be a folder name"),
        (["model"], "already has a reader 'model'"),
        (["b", "b"], "Two readers have the same name"),
    ],
)
def test_names_of_readers(tmp_path, names, finding):
    derived = derive(small_dataset(tmp_path / "small"), tmp_path / "derived")
    with pytest.raises(UsageError, match=finding):
        check_new_readers(derived, names)
    check_new_readers(derived, ["model-2", "v1.0_b"])
