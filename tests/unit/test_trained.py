"""A trained run without its training set: what it knows of its data, what it predicts, and what is scored with what."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import small_case, small_dataset, small_info, small_split

from noisylabels.catalogue import MODES
from noisylabels.errors import InvalidData, Mismatch
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import write_dataset
from noisylabels_plugins import selection
from noisylabels_plugins.batches import normalise
from noisylabels_plugins.predict import evaluate, predictions, score_part, score_training, validate
from noisylabels_plugins.run import Run, RunSpec, write_record
from noisylabels_plugins.trained import Trained

CPU = torch.device("cpu")


def bright_case(number):
    """Channels of different brightness and contrast in which classes can be seen, and columns without a label."""
    one = small_case(number, ignore=True)
    image = one.image // np.array([4, 8, 16], np.uint8)[:, None, None] + 50 * (one.labels % 4)
    return replace(one, image=image.astype(np.uint8))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on noisy labels, of training and validation cases; its folder is ``run.folder``."""
    place = tmp_path_factory.mktemp("trained")
    clean = write_dataset(
        (bright_case(i) for i in range(12)), small_info(), place / "clean", {"default": small_split(12)}
    )
    mode = MODES.load("symmetric")
    step = Step.of("symmetric", mode, mode.Params(rate=0.3, unit="pixel"))
    noisy = noisy_dataset(clean, Recipe(0, (step,), splits=("train", "val")), place / "noisy")
    net = {"width": 4, "depth": 1}
    spec = RunSpec(method="baseline", data=str(noisy.path), net_params=net, epochs=4, validate_every=0, seed=3,
                   params={"lr": 0.05})  # fmt: skip
    made = Run(spec, CPU)
    made.folder = place / "run"
    made.folder.mkdir()
    write_record(made, made.folder)
    list(made.train(made.folder, lambda: False))
    return made


@pytest.fixture
def folder(run, tmp_path):
    """A copy of the run's folder, beside links to its data."""
    shutil.copytree(run.folder, tmp_path / "run")
    for name in ("clean", "noisy"):
        (tmp_path / name).symlink_to(run.folder.parent / name)
    return tmp_path / "run"


def change(folder, **values):
    record = json.loads((folder / "run.json").read_text()) | values
    kept = {name: value for name, value in record.items() if value is not ...}
    (folder / "run.json").write_text(json.dumps(kept))


@pytest.mark.parametrize("older", [False, True])
def test_it_knows_of_its_data_what_the_run_knew(run, folder, older):
    """A record of an older version says less; the data themselves tell."""
    if older:
        change(folder, sees=...)
    else:
        shutil.rmtree(folder.parent / "clean", ignore_errors=True)
        (folder.parent / "noisy").unlink()
    found = Trained(folder, CPU)
    np.testing.assert_array_equal(found.mean, run.data.mean)
    np.testing.assert_array_equal(found.sd, run.data.sd)
    for name in ("classes", "channels", "shape", "class_counts"):
        assert getattr(found.task, name) == getattr(run.task, name), name
    assert found.channels == run.dataset.info.channels
    assert not any(module.training for module in found.method.net.modules())


def test_a_normalised_image_is_one_of_the_training_set(run):
    """Mean and deviation are of the training images alone, channel by channel."""
    images = np.stack([run.dataset.clean.load(i).image for i in run.dataset.ids("train")]).astype(float)
    found = Trained(run.folder, CPU)
    assert found.mean == pytest.approx(images.mean((0, 2, 3)), rel=1e-6)
    assert found.sd == pytest.approx(images.std((0, 2, 3)), rel=1e-6)


def test_it_predicts_what_the_run_predicts(run):
    found, clean = Trained(run.folder, CPU), run.dataset.clean
    run.method.train(True)  # as an epoch of training leaves it
    ours = list(predictions(run, clean, clean.ids("test")))
    theirs = list(predictions(found, clean, clean.ids("test")))
    assert len({label for _, one in ours for label in np.unique(one)}) > 1
    for (case, one), (_, other) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
        scores = found.scores(normalise(case.image, run.data.mean, run.data.sd))
        assert scores.shape == (4, *one.shape)
        torch.testing.assert_close(scores.sum(0), torch.ones(one.shape))
        np.testing.assert_array_equal(scores.argmax(0).numpy(), one)
    shares, plain = scores, found.method.predict
    found.method.predict = lambda image: 3 * plain(image)  # as of a method that adds up its networks
    torch.testing.assert_close(found.scores(normalise(case.image, found.mean, found.sd)), shares)


@pytest.mark.parametrize("name", ["data_digest", "clean_digest"])
def test_one_digest_that_differs_is_enough_to_refuse(run, folder, name):
    Trained(folder, CPU).own_dataset()
    change(folder, **{name: "0" * 64})
    with pytest.raises(Mismatch, match="was trained on data with the digest 000000000000"):
        Trained(folder, CPU).own_dataset()


def test_an_older_record_takes_its_facts_from_no_other_data(folder):
    change(folder, sees=..., data_digest="0" * 64)
    with pytest.raises(Mismatch, match="was trained on a dataset with the digest 000000000000"):
        Trained(folder, CPU)
    change(folder, data_digest=...)
    with pytest.raises(InvalidData, match="does not say on which data it was trained"):
        Trained(folder, CPU)


def overlap(pairs):
    """Dice of the classes 1 to 3 over all pixels with a label, by the definition."""
    labels, predicted = (np.concatenate([one.ravel() for one in side]) for side in zip(*pairs, strict=True))
    predicted = predicted[labels != 255]
    labels = labels[labels != 255]
    names = ("liver", "vessel", "tumour")
    both = {name: ((labels == k) & (predicted == k)).sum() for k, name in enumerate(names, 1)}
    sizes = {name: (labels == k).sum() + (predicted == k).sum() for k, name in enumerate(names, 1)}
    return {name: float(2 * both[name] / sizes[name]) for name in names if sizes[name]}


@pytest.fixture(scope="module")
def made_up(run):
    """Predictions of another quality for every case: the labels of a case, moved by its number of columns."""
    predicted = {}
    for number, case_id in enumerate(run.dataset.clean.ids()):
        labels = run.dataset.clean.load(case_id, image=False).labels
        predicted[case_id] = np.roll(np.where(labels == 255, 0, labels), 1 + number % 4, 1)
    return predicted


@pytest.fixture
def known(run, made_up, monkeypatch):
    """The run's method predicts ``made_up``; it finds a case by its normalised image."""
    seen = {}
    for case_id in made_up:
        image = normalise(run.dataset.clean.load(case_id).image, run.data.mean, run.data.sd)
        seen[image.tobytes()] = torch.from_numpy(made_up[case_id]).long()

    def predict(image):
        return torch.nn.functional.one_hot(seen[image[0].numpy().tobytes()], 4).movedim(-1, 0)[None].float()

    monkeypatch.setattr(run.method, "predict", predict, raising=False)
    return run, predict


def labels_of(dataset, case_id):
    return dataset.load(case_id, image=False).labels


def test_every_score_of_a_validation_is_that_of_its_cases_and_labels(known, made_up):
    run, _ = known
    clean, noisy = run.dataset.clean, run.dataset

    def wanted(part, labels):
        return overlap([(labels_of(labels, i), made_up[i]) for i in noisy.ids(part)])

    assert validate(run)["dice"] == pytest.approx(wanted("val", clean))
    assert score_part(run, noisy.ids("val"), noisy)["dice"] == pytest.approx(wanted("val", noisy))
    assert score_part(run, noisy.ids("test"), clean)["dice"] == pytest.approx(wanted("test", clean))
    both = score_training(run, noisy.ids("train"))
    assert both["train_given"]["dice"] == pytest.approx(wanted("train", noisy))
    assert both["train_clean"]["dice"] == pytest.approx(wanted("train", clean))
    found = [validate(run)["mean_dice"], both["train_given"]["mean_dice"]]
    assert found == pytest.approx([np.mean(list(wanted("val", clean).values())),
                                   np.mean(list(wanted("train", noisy).values()))])  # fmt: skip


@pytest.mark.parametrize(("part", "place"), [("test", "predictions"), ("val", "predictions-val")])
def test_one_part_of_the_split_is_scored_with_its_clean_labels(known, made_up, folder, part, place):
    run, predict = known
    trained = Trained(folder, CPU)
    trained.method.predict = predict
    scores = {(s.case_id, s.structure): s.value
              for case in evaluate(trained, run.dataset, part) for s in case if s.metric == "dice"}  # fmt: skip
    ids = run.dataset.ids(part)
    assert {case_id for case_id, _ in scores} == set(ids)
    for case_id in ids:
        for structure, value in overlap([(labels_of(run.dataset.clean, case_id), made_up[case_id])]).items():
            assert scores[case_id, structure] == pytest.approx(value)
    assert sorted(p.name for p in (folder / place).iterdir()) == [f"{case_id}.png" for case_id in ids]
    assert [p.name for p in folder.iterdir() if p.is_dir()] == [place]


def test_another_dataset_of_the_same_images_is_no_home(run, folder, tmp_path):
    (tmp_path / "noisy").unlink()
    (tmp_path / "clean").unlink()
    small_dataset(tmp_path / "noisy", count=12)
    with pytest.raises(Mismatch):
        Trained(folder, CPU).own_dataset()


def test_every_field_of_a_validation_looks_at_its_own_cases(known, made_up, monkeypatch):
    run, _ = known
    monkeypatch.setattr(
        run, "spec", replace(run.spec, select="best-test", track_train=True, validate_every=1)
    )
    monkeypatch.setattr(selection, "TRACKED", 3)
    found, clean = selection.looks(run), run.dataset.clean
    some = selection.tracked(run.dataset.ids("train"), run.spec.seed)
    assert len(some) == 3
    parts = {"val": run.dataset.ids("val"), "test": run.dataset.ids("test"), "train_clean": some}
    assert found.keys() == {*parts, "train_given"}
    for name, ids in parts.items():
        wanted = overlap([(labels_of(clean, i), made_up[i]) for i in ids])
        assert found[name]["dice"] == pytest.approx(wanted), name
