"""Other people's tools on our datasets: run by ``make interop`` in an environment that has them.

nnU-Net v2 plans and preprocesses a 2-D dataset, a 3-D one and a noisy one that points at its parent's images, with
its own check of integrity. MONAI loads the files of a data list, SimpleITK and nibabel read a volume's geometry.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from noisylabels.catalogue import DATASETS, MODES
from noisylabels.facts import load_facts
from noisylabels.generate import noisy_dataset
from noisylabels.phantoms import phantom_dataset
from noisylabels.phantoms.la import write_raw
from noisylabels.prepare import prepare
from noisylabels.recipe import Recipe, Step
from noisylabels.store.datalists import datalist
from noisylabels.store.dataset import Dataset


def make(raw: Path) -> list[Dataset]:
    """A flat dataset, a solid one and a noisy one of each, named as nnU-Net wants it."""
    flat = phantom_dataset(raw / "Dataset501_Phantoms", count=12, size=(64, 80))
    write_raw(raw.parent / "la", cases=10, size=(24, 48, 56))
    adapter = DATASETS.load("la")
    solid = prepare(
        adapter,
        raw.parent / "la",
        load_facts("la"),
        adapter.Options(),
        raw / "Dataset502_Atria",
        default_split="uamt-val",
    ).dataset
    mode = MODES.load("boundary")
    recipe = Recipe(0, (Step.of("boundary", mode, mode.EXAMPLE),))
    noisy = [
        noisy_dataset(clean, recipe, raw / f"Dataset{number}_{name}")
        for clean, number, name in ((flat, 503, "NoisyPhantoms"), (solid, 504, "NoisyAtria"))
    ]
    return [flat, solid, *noisy]


def nnunet(raw: Path, number: int, configuration: str) -> None:
    """nnU-Net's own planning and preprocessing, with its check of integrity."""
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    places = {name: str(raw.parent / name) for name in names} | {"nnUNet_raw": str(raw)}
    words = ["-d", str(number), "-c", configuration, "-np", "1", "-npfp", "1", "--verify_dataset_integrity"]
    done = subprocess.run(
        [Path(sys.executable).parent / "nnUNetv2_plan_and_preprocess", *words],
        env=os.environ | places,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert "verify_dataset_integrity Done" in said, said[-3000:]
    made = list((raw.parent / "nnUNet_preprocessed").glob(f"Dataset{number}_*/nnUNetPlans_{configuration}/*"))
    assert made, said[-2000:]
    sys.stdout.write(f"nnU-Net {number} {configuration}: {len(made)} files preprocessed\n")


def monai(dataset: Dataset) -> None:
    """MONAI loads the same arrays as we do."""
    from monai.data import load_decathlon_datalist
    from monai.transforms import LoadImage

    path = dataset.path / "list.json"
    path.write_text(json.dumps(datalist(dataset, dataset.path)))
    flat = dataset.info.ending == ".png"
    load = LoadImage(image_only=True, **({"reader": "PILReader", "reverse_indexing": False} if flat else {}))
    count = 0
    for key in ("training", "validation", "test"):
        for entry in load_decathlon_datalist(str(path), data_list_key=key, base_dir=str(dataset.path)):
            case = dataset.load(entry["id"])
            labels, image = np.asarray(load(entry["label"])), np.asarray(load(entry["image"]))
            if flat:
                assert np.array_equal(labels, case.labels)
                assert np.array_equal(np.moveaxis(image, -1, 0), case.image)
            else:  # axes (x, y, z), as MONAI keeps them
                assert np.array_equal(labels.transpose(2, 1, 0), case.labels)
                assert np.array_equal(image.transpose(2, 1, 0), case.image[0])
            count += 1
    path.unlink()
    sys.stdout.write(f"MONAI {dataset.path.name}: {count} cases are the same\n")


def geometry(dataset: Dataset) -> None:
    """SimpleITK and nibabel agree with us and with each other."""
    import nibabel as nib
    import SimpleITK as sitk

    for case_id in dataset.ids():
        case = dataset.load(case_id)
        for path in (dataset.image_paths(case_id)[0], dataset.label_path(case_id)):
            itk, nifti = sitk.ReadImage(str(path)), nib.load(path)
            assert np.allclose(itk.GetSpacing()[::-1], case.spacing)
            assert np.allclose(nifti.header.get_zooms()[::-1], case.spacing)
            assert np.allclose(np.reshape(itk.GetDirection(), (3, 3)), np.eye(3))
            assert nib.aff2axcodes(nifti.affine) == ("L", "P", "S")
            assert itk.GetSize() == nifti.shape == case.labels.shape[::-1]
        assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), case.labels)
    sys.stdout.write(f"SimpleITK and nibabel {dataset.path.name}: {len(dataset.ids())} cases agree\n")


def main() -> None:
    """Everything, in a folder that is removed at the end."""
    with TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        raw.mkdir()
        datasets = make(raw)
        for dataset in datasets:
            monai(dataset)
        geometry(datasets[1])
        geometry(datasets[3])
        for number, configuration in ((501, "2d"), (502, "3d_fullres"), (503, "2d"), (504, "3d_fullres")):
            nnunet(raw, number, configuration)


if __name__ == "__main__":
    main()
