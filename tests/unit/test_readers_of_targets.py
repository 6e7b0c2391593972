"""A trained run as a reader of other images: how they are normalised, what it is adapted to, what is written of it."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import CLASSES, small_case, small_info, small_split

from noisylabels.errors import UsageError
from noisylabels.store.dataset import write_dataset
from noisylabels_plugins.adapt import adapt_batchnorm
from noisylabels_plugins.batches import normalise
from noisylabels_plugins.readers import Fit, Reader, check_target, with_predictions
from noisylabels_plugins.run import Run, RunSpec, write_record
from noisylabels_plugins.trained import Trained

CPU = torch.device("cpu")


def dataset(path, scale=1.0, offset=0, classes=CLASSES, channels=3, **options):
    """Cases of a brightness; validation and test cases are brighter still."""
    cases = [small_case(i, classes=classes, channels=channels, **options) for i in range(9)]
    cases = [
        replace(one, image=(one.image * scale + offset + 30 * (i > 6)).astype(np.uint8))
        for i, one in enumerate(cases)
    ]
    return write_dataset(
        cases, small_info(classes=classes, channels=channels), path, {"default": small_split(9)}
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run on ``source`` with a batch size of 3, and ``target`` with darker images."""
    place = tmp_path_factory.mktemp("readers")
    source = dataset(place / "source")
    dataset(place / "target", 0.25, 40)
    spec = RunSpec(method="baseline", data=str(source.path), net_params={"width": 4, "depth": 1}, epochs=1, seed=4,
                   batch_size=3, validate_every=0)  # fmt: skip
    run = Run(spec, CPU)
    (place / "run").mkdir()
    write_record(run, place / "run")
    list(run.train(place / "run", lambda: False))
    return place


@pytest.fixture(scope="module")
def target(place):
    from noisylabels.store.dataset import Dataset

    return Dataset.open(place / "target")


def moments(dataset):
    images = np.stack([dataset.load(i).image for i in dataset.ids("train")]).astype(float)
    return images.mean((0, 2, 3)).astype(np.float32), images.std((0, 2, 3)).astype(np.float32)


@pytest.mark.parametrize("normal", ["source", "target"])
@pytest.mark.parametrize("adapt", ["none", "batchnorm"])
def test_a_reader_sees_images_as_it_was_fitted(place, target, normal, adapt):
    """Statistics are of the target's training images alone, brought to the scale that is used afterwards."""
    reader = Reader(place / "run", target, CPU, Fit(adapt=adapt, normalise=normal))
    trained = Trained(place / "run", CPU)
    mean, sd = (trained.mean, trained.sd) if normal == "source" else moments(target)
    np.testing.assert_allclose(reader.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(reader.sd, sd, rtol=1e-6)
    if adapt == "batchnorm":
        images = [normalise(target.load(i).image, reader.mean, reader.sd) for i in target.ids("train")]
        adapt_batchnorm(trained.method, images, 3, CPU)
    case = target.load(target.ids("test")[0])
    wanted = trained.scores(normalise(case.image, reader.mean, reader.sd))
    labels, scores = reader.read(case)
    np.testing.assert_array_equal(labels, wanted.argmax(0).numpy())
    np.testing.assert_array_equal(scores, np.floor(wanted.numpy() * np.float32(255) + np.float32(0.5)))
    assert (labels.dtype, scores.dtype, scores.shape) == (np.uint8, np.uint8, (4, 24, 30))


def test_the_fits_differ(place, target):
    case = target.load(target.ids("test")[0])
    fits = [Fit(adapt=a, normalise=n) for a in ("none", "batchnorm") for n in ("source", "target")]
    seen = {Reader(place / "run", target, CPU, fit).read(case)[1].tobytes() for fit in fits}
    assert len(seen) == 4


@pytest.mark.parametrize(("name", "finding"), [("adapt", "adapt is none or batchnorm, not 'x'"),
                                               ("normalise", "normalise is source or target, not 'x'")])  # fmt: skip
def test_a_fit_that_means_nothing_is_refused(name, finding):
    with pytest.raises(UsageError, match=finding):
        Fit(**{name: "x"})


def test_what_is_written_of_a_reader(place, target):
    reader = Reader(place / "run", target, CPU, Fit(adapt="batchnorm", normalise="target"))
    trained, run = reader.trained, place / "run"
    assert reader.name == "baseline-4"
    assert reader.facts(place) == {
        "run": "run",
        "method": "baseline",
        "net": "unet",
        "seed": 4,
        "trained_on": {"name": "small", "digest": trained.own_dataset().digest, "labels": "clean"},
        "model.safetensors": f"sha256:{hashlib.sha256((run / 'model.safetensors').read_bytes()).hexdigest()}",
        "adapt": "batchnorm",
        "normalise": "target",
    }


def test_predictions_join_the_readers_that_are_there(place, target):
    readers = [
        ("a", Reader(place / "run", target, CPU)),
        ("b", Reader(place / "run", target, CPU, Fit(adapt="batchnorm"))),
    ]
    case = target.load(target.ids("test")[0])
    case = replace(case, readers={"expert": case.labels}, scores={})
    for scores in (False, True):
        found = with_predictions(case, readers, scores)
        assert list(found.readers) == ["expert", "a", "b"]
        assert list(found.scores) == (["a", "b"] if scores else [])
        for name, reader in readers:
            np.testing.assert_array_equal(found.readers[name], reader.read(case)[0])
        np.testing.assert_array_equal(found.labels, case.labels)


@pytest.mark.parametrize(
    ("finding", "values"),
    [
        ("trained on the classes background, liver, vessel, tumour, but .* has background, vessel, liver, tumour",
         {"classes": ("background", "vessel", "liver", "tumour")}),
        ("trained on the channels channel 0, channel 1, channel 2, but .* has channel 0, channel 1", {"channels": 2}),
    ],
)  # fmt: skip
def test_a_target_of_another_kind_is_refused(place, tmp_path, finding, values):
    with pytest.raises(UsageError, match=finding):
        check_target(Trained(place / "run", CPU), dataset(tmp_path / "other", **values))
