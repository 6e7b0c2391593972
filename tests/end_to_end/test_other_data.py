"""A run and what it was trained on: where something about the data was changed since, nothing is mixed in silence."""

import json
import os

import pytest
from small import small_dataset
from toy_training import log_of

from noisylabels.store.locks import Lock

TINY = ("--net-width", 4, "--seed", 3, "--epochs", 2, "--batch-size", 2)


@pytest.fixture
def made(noisylabels, here):
    """Eight small cases in ``small``, with noise in ``small-symmetric``, and a run on it in ``r``."""
    small_dataset(here / "small")
    for words in (
        ("corrupt", "small", "--mode", "symmetric", "--unit", "pixel", "--rate", 0.3),
        ("train", "baseline", "--data", "small-symmetric", "--out", "r", *TINY),
        ("evaluate", "r"),
    ):
        answer = noisylabels(*words)
        assert answer.code == 0, answer.err
    return here


def swap_split(folder):
    path = folder / "splits" / "default.json"
    split = json.loads(path.read_text())
    parts = split.get("parts", split)
    parts["train"][0], parts["test"][0] = parts["test"][0], parts["train"][0]
    path.write_text(json.dumps(split))


def said(answer, code):
    assert (answer.code, answer.out) == (code, ""), (answer.out, answer.err)
    assert "Traceback" not in answer.err
    return answer.err


def test_a_split_that_was_changed(noisylabels, made):
    """Test cases that were trained on are not scored, and cases without noisy labels not trained on as noisy ones."""
    swap_split(made / "small")
    wanted = "The split of small is not the one that r was trained with"
    assert wanted in said(noisylabels("evaluate", "r"), 4)
    assert "split was changed" in said(noisylabels("train", "--resume", "--out", "r"), 3)
    new = said(noisylabels("train", "baseline", "--data", "small-symmetric", "--out", "new", *TINY), 3)
    assert "small-symmetric has no noisy labels for 1 training cases" in new
    answer = noisylabels(
        "train", "baseline", "--data", "small-symmetric", "--labels", "clean", "--out", "u", *TINY
    )
    assert answer.code == 0, answer.err


def test_a_list_of_trusted_cases_that_was_changed(noisylabels, made):
    (made / "ids.txt").write_text("case_000\ncase_001\n")
    words = ("train", "mtcl", "--data", "small-symmetric", "--trusted", "ids.txt", "--out", "m", *TINY)
    assert noisylabels(*words).code == 0
    (made / "ids.txt").write_text("case_000\n")
    refused = said(noisylabels("train", "--resume", "--out", "m"), 4)
    assert "The trusted cases are 1 now and not those 2 that m began with" in refused


def test_a_report_shows_a_run_on_its_own_data_alone(noisylabels, made):
    small_dataset(made / "other", count=9)
    assert noisylabels("corrupt", "other", "--mode", "symmetric").code == 0
    refused = said(noisylabels("report", "r", "--data", "other-symmetric"), 4)
    assert "r was trained on data with the digest" in refused
    assert noisylabels("corrupt", "small", "--mode", "symmetric", "--seed", 5, "--out", "second").code == 0
    assert noisylabels("report", "r", "--data", "second").code == 0, "the same images with other noise"
    (made / "small-symmetric").rename(made / "first")
    (made / "second").rename(made / "small-symmetric")
    assert "small-symmetric has" in said(noisylabels("report", "r"), 4)


def test_a_run_named_twice(noisylabels, made):
    assert "both have seed 3; leave one of them out" in said(noisylabels("compare", "r", "r"), 2)


def test_two_processes_at_one_run(noisylabels, made):
    other = Lock(made / "r" / "lock")
    other.note["pid"] = os.getppid()
    assert other.take()
    refused = said(noisylabels("train", "--resume", "--out", "r"), 2)
    assert "Another process is writing into r" in refused
    other.release()
    assert "already trained to the end" in noisylabels("train", "--resume", "--out", "r").err
    assert not (made / "r" / "lock").exists()


def test_flags_beside_resume_are_those_of_the_run(noisylabels, made):
    """Its method, network and loss need not be typed for their flags to be known."""
    words = (
        "--data",
        "small-symmetric",
        "--net",
        "deeplab",
        "--net-layers",
        18,
        "--loss",
        "gce",
        "--loss-q",
        0.5,
    )
    assert noisylabels("train", "baseline", *words, "--out", "d", *TINY[2:]).code == 0
    for more in (("--net-layers", 18), ("--loss-q", 0.5), ("--seed", 3)):
        answer = noisylabels("train", "--resume", "--out", "d", *more)
        assert answer.code == 0, answer.err
    assert "--net-layers is 34 here and 18 in" in said(
        noisylabels("train", "--resume", "--out", "d", "--net-layers", 34), 2
    )
    assert len(log_of(made / "d")) == 2


def test_predictions_of_a_dataset_called_val_are_no_scores(noisylabels, made):
    (made / "small").rename(made / "val")
    refused = noisylabels("predict", "r", "--data", "val")
    assert (refused.code, refused.out) == (0, "r/predicted-val\n"), refused.err
    assert "Warning" not in refused.err


def test_a_run_that_cannot_be_written(noisylabels, made):
    (made / "r" / "predictions").rename(made / "aside")
    (made / "r" / "predictions").write_text("a file")
    answer = noisylabels("evaluate", "r")
    assert answer.code == 1
    assert "Cannot write r/predictions" in answer.err
    assert "bug" not in answer.err


def test_data_that_are_gone(noisylabels, made):
    (made / "small-symmetric").rename(made / "elsewhere")
    answer = noisylabels("evaluate", "r")
    assert answer.code == 3
    assert "r was trained on small-symmetric, which is not there" in answer.err
    assert "noisylabels predict r --data FOLDER" in answer.err


def test_an_upper_bound_for_each_of_two_noises(noisylabels, made):
    """The second is the same training on the same clean labels: it counts once, whichever was evaluated before."""
    assert noisylabels("corrupt", "small", "--mode", "dilate", "--out", "other").code == 0
    for data, out in (("small-symmetric", "u"), ("other", "v")):
        assert (
            noisylabels("train", "baseline", "--data", data, "--labels", "clean", "--out", out, *TINY).code
            == 0
        )
    assert noisylabels("evaluate", "u").code == 0
    answer = noisylabels("evaluate", "u", "v")
    assert answer.code == 0, answer.err
    assert answer.out.count("upper bound, clean labels") == noisylabels("evaluate", "u").out.count(
        "upper bound"
    )
