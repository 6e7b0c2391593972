"""Pseudo-labels of a model from elsewhere: from source scenes to a model trained on the target's noise."""

import json
import shutil

import numpy as np
import pytest
from small import small_dataset

from noisylabels.store.dataset import Dataset
from noisylabels.store.files import read_labels

TINY = ("--epochs", 1, "--net-width", 4, "--net-depth", 2)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """A folder with a source, a target and a run that was trained on the source; to be copied, not used."""
    from noisylabels_cli.main import run

    folder = tmp_path_factory.mktemp("worlds")
    for words in (
        ["phantom", "--cases", 9, "--size", "32x40", "--out", folder / "phantoms"],
        [
            "phantom",
            "--cases",
            9,
            "--size",
            "35x45",
            "--domain",
            "target",
            "--out",
            folder / "phantoms-target",
        ],
        ["train", "baseline", "--data", folder / "phantoms", "--out", folder / "runs" / "source", *TINY],
    ):
        assert run([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def world(worlds, here):
    shutil.copytree(worlds, here, dirs_exist_ok=True)
    return here


def one_sentence(answer, code):
    assert answer.code == code, answer.err
    assert answer.out == ""
    lines = [line for line in answer.err.splitlines() if line.startswith("noisylabels: ")]
    assert len(lines) == 1, answer.err
    assert "Traceback" not in answer.err
    assert "bug" not in answer.err
    return lines[0]


def test_the_target_domain_by_its_name(noisylabels, here):
    answer = noisylabels("phantom", "--domain", "target", "--cases", 9, "--size", "32x40")
    assert (answer.code, answer.out) == (0, "phantoms-target\n"), answer.err
    assert Dataset.open("phantoms-target").info.name == "phantoms-target"
    for finding, words in (
        ("no domain 'targt'; did you mean 'target'", ["--domain", "targt"]),
        ("leave the DATASET out", ["jsrt", "--domain", "target"]),
        ("phantoms-target is already there", ["--domain", "target"]),
    ):
        assert finding in one_sentence(noisylabels("phantom", *words), 2)
    assert [p.name for p in here.iterdir()] == ["phantoms-target"]


def test_from_a_source_model_to_a_model_of_the_target(noisylabels, world):
    answer = noisylabels("predict", "runs/source", "--data", "phantoms-target", "--as-reader")
    assert (answer.code, answer.out) == (0, "phantoms-target-baseline-0\n"), answer.err
    assert "Reader baseline-0: mean Dice 0." in answer.err
    clean, target = Dataset.open("phantoms-target-baseline-0"), Dataset.open("phantoms-target")
    assert not list(clean.path.glob("images*"))
    assert clean.splits == target.splits
    answer = noisylabels("corrupt", clean.path, "--mode", "pseudo-label")
    assert (answer.code, answer.out) == (0, "phantoms-target-baseline-0-pseudo-label\n"), answer.err
    noisy = Dataset.open("phantoms-target-baseline-0-pseudo-label")
    for case_id in noisy.ids("train"):
        assert np.array_equal(noisy.load(case_id).labels, clean.load(case_id).readers["baseline-0"])
    for out, words in {"b": [], "u": ["--labels", "clean"]}.items():
        answer = noisylabels("train", "baseline", "--data", noisy.path, "--out", out, *TINY, *words)
        assert answer.code == 0, answer.err
    assert noisylabels("evaluate", "b", "u").code == 0
    assert noisylabels("report", "b", "u").code == 0
    for words in (["inspect", noisy.path], ["inspect", clean.path], ["datalist", noisy.path]):
        assert noisylabels(*words).code == 0
    listed = json.loads(noisylabels("datalist", noisy.path).out)
    assert all((world / item["image"]).exists() for part in listed.values() for item in part)


def test_label_maps_as_files(noisylabels, world):
    answer = noisylabels("predict", "runs/source", "--data", "phantoms-target", "--part", "train,val")
    out = world / "runs" / "source" / "predicted-phantoms-target"
    assert (answer.code, answer.out) == (0, f"{out.relative_to(world)}\n"), answer.err
    target = Dataset.open("phantoms-target")
    wanted = sorted(f"{case_id}.png" for part in ("train", "val") for case_id in target.ids(part))
    assert sorted(p.name for p in out.iterdir()) == [*wanted, "provenance.json"]
    assert read_labels(out / wanted[0])[0].shape == (35, 45)
    assert "runs/source/predicted-phantoms-target is already there" in one_sentence(
        noisylabels("predict", "runs/source", "--data", "phantoms-target"), 2
    )
    assert noisylabels("predict", "runs/source", "--data", "phantoms-target", "--out", "all").code == 0
    assert len(list((world / "all").glob("*.png"))) == 9


def test_several_runs_vote_and_scores_are_kept(noisylabels, world):
    answer = noisylabels("train", "baseline", "--data", "phantoms", "--out", "runs/other", "--seed", 1, *TINY)
    assert answer.code == 0, answer.err
    words = ["--data", "phantoms-target", "--as-reader", "--scores", "--out", "two"]
    answer = noisylabels("predict", "runs/source", "runs/other", *words)
    assert (answer.code, answer.out) == (0, "two\n"), answer.err
    found = Dataset.open("two")
    case = found.load(found.ids()[0], scores=True)
    assert list(case.readers) == list(case.scores) == ["baseline-0", "baseline-1"]
    for name, scores in case.scores.items():
        assert np.abs(scores.astype(int).sum(0) - 255).max() <= 2
        best = np.take_along_axis(scores, case.readers[name][None].astype(int), 0)[0]
        assert (best == scores.max(0)).all()
    words = ["corrupt", "two", "--mode", "pseudo-label", "--confidence", "scores", "--threshold", 0.3]
    assert noisylabels(*words).code == 0
    record = json.loads((found.path / "provenance.json").read_text())
    assert list(record["readers"]) == ["baseline-0", "baseline-1"]


def test_adaptation_changes_the_prediction_and_is_written_down(noisylabels, world):
    outs = {}
    for out, words in {
        "plain": [],
        "again": [],
        "fitted": ["--adapt", "batchnorm"],
        "scaled": ["--normalise", "target"],
    }.items():
        words = ["--data", "phantoms-target", "--as-reader", "m", "--scores", "--out", out, *words]
        assert noisylabels("predict", "runs/source", *words).code == 0
        outs[out] = Dataset.open(out).digest
    assert outs["plain"] == outs["again"]
    assert len(set(outs.values())) == 3
    for file in (world / "plain").rglob("*.csv"):
        assert file.read_bytes() == (world / "again" / file.relative_to(world / "plain")).read_bytes()
    record = json.loads((world / "fitted" / "provenance.json").read_text())
    facts = record["readers"]["m"]
    assert (facts["adapt"], facts["normalise"], facts["run"]) == ("batchnorm", "source", "runs/source")
    assert facts["trained_on"]["digest"] == Dataset.open("phantoms").digest
    assert facts["model.safetensors"].startswith("sha256:")
    assert record["parent"] == Dataset.open("phantoms-target").digest
    typed = record["command"].replace("--out fitted", "--out retyped").split()
    assert noisylabels(*typed[1:]).code == 0
    assert Dataset.open("retyped").digest == outs["fitted"]


def test_the_target_may_be_the_source_itself(noisylabels, world):
    answer = noisylabels(
        "predict", "runs/source", "--data", "phantoms", "--as-reader", "own", "--part", "train"
    )
    assert (answer.code, answer.out) == (0, "phantoms-own\n"), answer.err
    found = Dataset.open("phantoms-own")
    assert {case_id for case_id, entry in found.entries.items() if entry.readers} == set(found.ids("train"))
    assert noisylabels("corrupt", "phantoms-own", "--mode", "pseudo-label").code == 0


def test_targets_that_do_not_fit(noisylabels, world):
    small_dataset(world / "organs")
    assert (
        "runs/source was trained on the classes background, shaft, wrist, clasper, but organs has background, liver, "
        "vessel, tumour; a prediction needs the same classes in the same order"
    ) in one_sentence(noisylabels("predict", "runs/source", "--data", "organs", "--as-reader"), 2)
    assert noisylabels("train", "baseline", "--data", "organs", "--out", "organ-run", *TINY).code == 0
    small_dataset(world / "grey", channels=1)
    assert (
        "organ-run was trained on the channels channel 0, channel 1, channel 2, but grey has channel 0"
    ) in one_sentence(noisylabels("predict", "organ-run", "--data", "grey"), 2)
    small_dataset(world / "deep", ending=".nii.gz", shape=(8, 12, 14))
    assert noisylabels("train", "baseline", "--data", "deep", "--out", "deep-run", *TINY).code == 0
    assert "deep-run was trained on 3-D images, but those of organs are 2-D" in one_sentence(
        noisylabels("predict", "deep-run", "--data", "organs"), 2
    )
    assert noisylabels("predict", "deep-run", "--data", "deep", "--as-reader").code == 0


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("Reader 'a b' cannot be a folder name", ["--as-reader", "a b"]),
        ("Reader '../a' cannot be a folder name", ["--as-reader", "../a"]),
        ("1 run needs 1 name for readers, and --as-reader has 2", ["--as-reader", "a,b"]),
        ("ask for --as-reader too", ["--scores"]),
        ("phantoms is already there", ["--as-reader", "--out", "phantoms"]),
        ("no part of a split 'training'", ["--part", "training"]),
        ("'--adapt'", ["--adapt", "dropout"]),
        ("no device 'gpu' here", ["--device", "gpu"]),
    ],
)
def test_wrong_words(noisylabels, world, finding, words):
    before = sorted(world.rglob("*"))
    answer = noisylabels("predict", "runs/source", "--data", "phantoms-target", *words)
    assert finding in one_sentence(answer, 2)
    assert sorted(world.rglob("*")) == before


def test_runs_and_data_that_are_none(noisylabels, world):
    def predict(*words):
        return noisylabels("predict", *words, "--data", "phantoms-target", "--as-reader")

    assert "nowhere" in one_sentence(predict("nowhere"), 3)
    assert noisylabels("corrupt", "phantoms-target", "--mode", "symmetric", "--out", "noisy").code == 0
    assert (
        "noisy is noisy, and readers belong to a clean dataset; name phantoms-target with --data"
        in one_sentence(noisylabels("predict", "runs/source", "--data", "noisy", "--as-reader"), 2)
    )
    assert "name --out for one RUN at a time" in one_sentence(
        noisylabels("predict", "runs/source", "runs/source", "--data", "phantoms-target", "--out", "o"), 2
    )
    assert "Name a RUN, before the flags" in one_sentence(predict(), 2)
    assert "Name a RUN, before the flags" in one_sentence(
        noisylabels("predict", "--data", "phantoms-target", "--as-reader", "runs/source"), 2
    )
    assert "Two readers have the same name" in one_sentence(predict("runs/source", "runs/source"), 2)
    (world / "runs" / "source" / "model.safetensors").unlink()
    assert "holds no trained model yet" in one_sentence(predict("runs/source"), 3)


def test_the_source_need_not_be_there(noisylabels, world):
    def predict(out):
        return noisylabels("predict", "runs/source", "--data", "phantoms-target", "--as-reader", "--out", out)

    assert predict("with").code == 0
    shutil.move(world / "phantoms", world / "elsewhere")
    assert predict("without").code == 0
    assert Dataset.open("with").digest == Dataset.open("without").digest
    for name in ("provenance.json", "cases.csv"):
        found = (world / "without" / name).read_text().replace("--out without", "--out with")
        assert found == (world / "with" / name).read_text()
    place = world / "runs" / "source" / "run.json"
    record = json.loads(place.read_text())
    del record["sees"]  # as the record of an older version
    place.write_text(json.dumps(record))
    assert "phantoms does not exist" in one_sentence(predict("older"), 3)
    shutil.copytree(world / "phantoms-target", world / "phantoms")
    assert "runs/source was trained on a dataset with the digest" in one_sentence(predict("older"), 4)
    shutil.rmtree(world / "phantoms")
    shutil.move(world / "elsewhere", world / "phantoms")
    assert predict("older").code == 0
    assert Dataset.open("older").digest == Dataset.open("with").digest
