"""nnU-Net's raw datasets read back: regions, ignore, test cases without labels."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small import small_case, small_dataset, small_info, small_split

from noisylabels.adapters import nnunet
from noisylabels.errors import InvalidData
from noisylabels.facts import load_facts
from noisylabels.prepare import prepare
from noisylabels.store.dataset import write_dataset

FACTS = load_facts("nnunet")


@pytest.mark.parametrize(
    "kind",
    [
        {"ending": ".png"},
        {"ending": ".png", "channels": 1, "ignore": True},
        {
            "ending": ".nii.gz",
            "channels": 2,
            "shape": (5, 10, 12),
            "spacing": (2.0, 0.5, 0.5),
            "ignore": True,
        },
    ],
)
def test_what_we_write_comes_back(tmp_path, kind):
    ours = small_dataset(tmp_path / "ours", count=7, **kind)
    back = prepare(nnunet, ours.path, FACTS, nnunet.Options(), tmp_path / "back").dataset
    assert back.info.classes == ours.info.classes
    assert back.info.channels == ours.info.channels
    assert back.ids() == ours.ids()
    for case_id in ours.ids():
        one, other = ours.load(case_id), back.load(case_id)
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.image, other.image)
        assert one.spacing == other.spacing


def test_regions_are_kept(tmp_path):
    structures = {"organ": (1, 3), "vessel": (2,), "tumour": (3,)}
    info = replace(small_info(), structures=structures)
    ours = write_dataset((small_case(i) for i in range(7)), info, tmp_path / "o", {"default": small_split(7)})
    back = prepare(nnunet, ours.path, FACTS, nnunet.Options(), tmp_path / "back").dataset
    assert dict(back.info.structures) == structures


def test_test_cases_without_labels_are_told_and_other_gaps_are_faults(tmp_path):
    ours = small_dataset(tmp_path / "ours", count=7)
    test, train = ours.ids("test")[0], ours.ids("train")[0]
    ours.label_path(test).unlink()
    ours.label_path(train).unlink()
    found = nnunet.survey(ours.path, FACTS, nnunet.Options())
    assert {(f.kind, f.what) for f in found.findings} == {("missing", test), ("damaged", train)}
    assert len(found.items) == 5


@pytest.mark.parametrize(
    "change", [lambda d: d.pop("labels"), lambda d: d.pop("file_ending"), lambda d: d.update(labels=[1])]
)
def test_another_dataset_json_is_refused(tmp_path, change):
    ours = small_dataset(tmp_path / "ours", count=7)
    document = json.loads((ours.path / "dataset.json").read_text())
    change(document)
    (ours.path / "dataset.json").write_text(json.dumps(document))
    with pytest.raises(InvalidData, match="damaged or not of nnU-Net v2"):
        nnunet.survey(ours.path, FACTS, nnunet.Options())


def test_a_value_that_is_not_declared_is_refused(tmp_path):
    ours = small_dataset(tmp_path / "ours", count=7)
    document = json.loads((ours.path / "dataset.json").read_text())
    document["labels"].pop("tumour")
    (ours.path / "dataset.json").write_text(json.dumps(document))
    prepared = prepare(nnunet, ours.path, FACTS, nnunet.Options(), tmp_path / "back")
    assert prepared.damaged
    assert all("does not declare" in text for text in prepared.damaged.values())
