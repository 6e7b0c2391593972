"""An independent checker of nnU-Net v2's rules for a raw dataset, run on what we write.

The rules, as nnU-Net 2.8 checks them: the four keys are there; ``background`` is 0; labels are consecutive
integers; ``ignore``, if any, is the number after the highest label; regions need ``regions_class_order`` with
one entry each, and a region of one label is written as a number (as a list it would be dropped); there are
``numTraining`` training cases; every image has all its channels and a label file of the same shape, in which
there are declared values only.
"""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from small import CLASSES, small_case, small_dataset, small_info, small_split

from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import write_dataset
from noisylabels.store.derived import derived_dataset


def _read(path):
    if path.suffix == ".png":
        from PIL import Image

        array = np.asarray(Image.open(path))
        return np.moveaxis(array, -1, 0) if array.ndim == 3 else array[None]
    import nibabel

    picture = nibabel.load(path)
    assert len(picture.shape) == 3, "nnU-Net's nibabel reader takes three axes only"
    return np.asarray(picture.dataobj)[None]


def _training_cases(folder, document):
    ending = document["file_ending"]
    if "dataset" in document:
        listed = document["dataset"].items()
        return {k: ([folder / i for i in v["images"]], folder / v["label"]) for k, v in listed}
    pattern = re.compile(r"(.+)_\d{4}" + re.escape(ending))
    images = sorted((folder / "imagesTr").iterdir())
    assert all(pattern.fullmatch(p.name) for p in images), "only images are in imagesTr"
    ids = sorted({pattern.fullmatch(p.name)[1] for p in images})
    return {
        i: (
            [p for p in images if pattern.fullmatch(p.name)[1] == i],
            folder / "labelsTr" / f"{i}{ending}",
        )
        for i in ids
    }


def _declared(document):
    labels = document["labels"]
    assert labels["background"] == 0
    regions = {k: v for k, v in labels.items() if k not in ("background", "ignore")}
    assert all(
        isinstance(v, int) or (len(v) > 1 and all(isinstance(i, int) for i in v)) for v in regions.values()
    )
    if any(isinstance(v, list) for v in regions.values()):
        assert len(document["regions_class_order"]) == len(regions)
    flat = {0, *(i for v in regions.values() for i in (v if isinstance(v, list) else [v]))}
    assert flat == set(range(len(flat))), "labels are consecutive"
    if "ignore" in labels:
        assert labels["ignore"] == len(flat), "ignore comes right after the highest label"
        flat.add(labels["ignore"])
    return flat


def check_nnunet(folder):
    document = json.loads((folder / "dataset.json").read_text())
    assert {"channel_names", "labels", "numTraining", "file_ending"} <= set(document)
    assert list(document["channel_names"]) == [str(i) for i in range(len(document["channel_names"]))]
    declared = _declared(document)
    cases = _training_cases(folder, document)
    assert len(cases) == document["numTraining"] > 0
    occurring = set()
    for images, label in cases.values():
        channels = [channel for path in images for channel in _read(path)]
        assert len(channels) == len(document["channel_names"])
        labels = _read(label)[0]
        assert all(channel.shape == labels.shape for channel in channels)
        occurring |= set(np.unique(labels).tolist())
    assert occurring <= declared
    return document, occurring


def _noisy(dataset):
    from noisylabels.catalogue import MODES

    module = MODES.load("symmetric")
    step = Step.of("symmetric", module, module.Params(rate=0.3, unit="pixel"))
    return noisy_dataset(dataset, Recipe(0, (step,)), dataset.path.parent / "noisy")


@pytest.mark.parametrize("ignore", [False, True])
@pytest.mark.parametrize(
    "kind",
    [
        {"ending": ".png"},
        {"ending": ".png", "channels": 2},
        {"ending": ".nii.gz", "channels": 2, "shape": (12, 9), "dtype": np.int16, "spacing": (0.5, 2)},
        {"ending": ".nii.gz", "channels": 1, "shape": (8, 12, 9), "dtype": np.float32},
    ],
)
def test_datasets_and_noisy_datasets_keep_the_rules(tmp_path, kind, ignore):
    dataset = small_dataset(tmp_path / "small", **kind, ignore=ignore)
    for folder in (dataset.path, _noisy(dataset).path):
        document, occurring = check_nnunet(folder)
        assert document["labels"] == {
            "background": 0, "liver": 1, "vessel": 2, "tumour": 3, **({"ignore": 4} if ignore else {})
        }  # fmt: skip
        assert (4 in occurring) == ignore
    assert "dataset" in document, "the last one is the noisy one"
    assert document["numTraining"] == 6


def test_overlapping_structures_become_regions(tmp_path):
    info = small_info(structures={"organ": (1, 2, 3), "vessel": (2,), "sick": (2, 3)})
    cases = [small_case(i, ignore=True) for i in range(8)]
    dataset = write_dataset(cases, info, tmp_path / "d", {"default": small_split(8)})
    document, _ = check_nnunet(dataset.path)
    assert document["labels"] == {
        "background": 0,
        "organ": [1, 2, 3],
        "vessel": 2,
        "sick": [2, 3],
        "ignore": 4,
    }
    assert document["regions_class_order"] == [1, 2, 3]
    assert dataset.info.classes == CLASSES
    assert dict(dataset.info.structures) == {"organ": (1, 2, 3), "vessel": (2,), "sick": (2, 3)}


def test_images_of_noisy_datasets_stay_where_they_are(tmp_path):
    noisy = _noisy(small_dataset(tmp_path / "small"))
    assert not (noisy.path / "imagesTr").exists()
    document = json.loads((noisy.path / "dataset.json").read_text())
    assert document["dataset"]["case_000"] == {
        "images": ["../small/imagesTr/case_000_0000.png"],
        "label": "labelsTr/case_000.png",
    }


def test_datasets_with_further_readers_refer_to_the_images(tmp_path):
    parent = small_dataset(tmp_path / "small", ignore=True)
    derived = derived_dataset(
        parent,
        parent.ids(),
        lambda case: replace(case, readers={"model": case.labels}),
        tmp_path / "derived",
        {},
    )
    document, _ = check_nnunet(derived.path)
    assert list(document["dataset"]) == sorted(
        p.name.removesuffix(".png") for p in (derived.path / "labelsTr").iterdir()
    )
    assert document["dataset"]["case_000"] == {
        "images": ["../small/imagesTr/case_000_0000.png"],
        "label": "labelsTr/case_000.png",
    }
    check_nnunet(_noisy(derived).path)
