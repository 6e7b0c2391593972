"""Train, evaluate, compare and report through the command line."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from small import small_dataset
from toy_training import log_of

from noisylabels.store.dataset import Dataset
from noisylabels.store.runs import RunRecord

TINY = ("--net-width", 4, "--seed", 3)
INTERRUPT = """
import os, signal
from noisylabels_cli.main import main
from noisylabels_plugins.methods.jcas import Method
step = Method.step
def interrupted(self, batch, at):
    if at.step == {step}:
        os.kill(os.getpid(), signal.SIGINT)
    return step(self, batch, at)
Method.step = interrupted
main()
"""
"""The command line with a Ctrl-C during one update."""


@pytest.fixture
def noisy(noisylabels, here):
    """``small-symmetric``, made from eight small cases."""
    small_dataset(here / "small")
    answer = noisylabels("corrupt", "small", "--mode", "symmetric", "--unit", "pixel", "--rate", 0.3)
    assert answer.code == 0, answer.err
    return here / "small-symmetric"


@pytest.fixture
def train(noisylabels, noisy):
    def call(method, out, *words):
        words = words or ("--epochs", 1)
        return noisylabels("train", method, "--data", noisy.name, "--out", out, *TINY, *words)

    return call


def one_sentence(answer, code):
    assert answer.code == code, answer.err
    assert answer.out == ""
    lines = [line for line in answer.err.splitlines() if line.startswith("noisylabels: ")]
    assert len(lines) == 1, answer.err
    assert "Traceback" not in answer.err
    assert "bug" not in answer.err
    return lines[0]


def test_from_phantoms_to_a_report(noisylabels, here):
    """Every command that a first user types, with the smallest dataset there can be."""
    for words in (
        ["phantom", "--cases", 9, "--size", "32x40"],
        ["corrupt", "phantoms", "--mode", "asymmetric"],
    ):
        assert noisylabels(*words).code == 0
    runs = {
        "b": ["baseline"],
        "j": ["jcas", "--warmup", 0.5, "--stride", 8],
        "u": ["baseline", "--labels", "clean"],
    }
    for out, words in runs.items():
        data = ["--data", "phantoms-asymmetric", "--out", out, "--epochs", 1, *TINY]
        answer = noisylabels("train", *words, *data)
        assert (answer.code, answer.out) == (0, f"{out}\n"), answer.err
        assert sorted(p.name for p in (here / out).iterdir()) == [
            "log.jsonl", "model.safetensors", "run.json",
        ]  # fmt: skip
        assert len(RunRecord.open(here / out).log) == 1
    answer = noisylabels("evaluate", *runs)
    assert answer.code == 0, answer.err
    assert "images whose reference holds the structure" in answer.err
    for word in ("baseline", "jcas", "clean", "shaft", "wrist", "clasper", "mean", "Dice", "Jaccard"):
        assert word in answer.out
    for out in runs:
        record = RunRecord.open(here / out)
        assert record.scores
        assert list(record.predictions) == Dataset.open("phantoms").ids("test")
    compared = noisylabels("compare", *runs, "--metrics", "dice")
    assert (compared.code, "Jaccard" in compared.out) == (0, False)
    markdown = noisylabels("compare", *runs, "--form", "markdown", "--rule", "pooled").out
    assert markdown.count("\n| ") >= 4
    assert "| jcas" in markdown
    latex = noisylabels("compare", *runs, "--form", "latex").out
    assert latex.startswith("\\begin{tabular}")
    assert latex.count("\\\\") >= 4
    report = noisylabels("report", *runs, "--out", "page.html", "--title", "A first look")
    assert (report.code, report.out) == (0, "page.html\n"), report.err
    page = (here / "page.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert page.count("<html") == page.count("</html>") == 1
    assert "A first look" in page
    assert "jcas" in page
    sources = re.findall(r"(?:src|href)=[\"']?([^\"'> ]*)", page)
    assert sources
    assert all(s.startswith(("data:", "#")) for s in sources), "nothing is loaded from elsewhere"


def test_without_a_dataset_the_embedded_one_serves(noisylabels, here, monkeypatch):
    from noisylabels.phantoms import phantom_dataset

    def few(out, count, progress):
        return phantom_dataset(out, count=9, size=(32, 40), progress=progress)

    monkeypatch.setattr("noisylabels.phantoms.phantom_dataset", few)
    answer = noisylabels("train", "baseline", "--epochs", 1, "--net-width", 4)
    assert (answer.code, answer.out) == (0, "runs/baseline-0\n"), answer.err
    assert "embedded phantoms" in answer.err
    assert "asymmetric" in answer.err
    assert sorted(p.name for p in here.iterdir()) == ["phantoms", "phantoms-asymmetric", "runs"]
    again = noisylabels("train", "baseline", "--epochs", 1, "--net-width", 4, "--seed", 1)
    assert (again.code, again.out) == (0, "runs/baseline-1\n"), again.err


def test_methods_are_listed_and_their_flags_shown(noisylabels):
    listed = noisylabels("train")
    assert listed.code == 0
    words = [line.split()[0] for line in listed.out.splitlines() if line]
    assert {"method", "baseline", "jcas", "network", "unet", "loss", "ce"} <= set(words)
    text = noisylabels("train", "jcas", "--help").out
    for flag in ("--parts", "--variant", "--warmup", "--transition-lr", "--epochs", "--resume"):
        assert flag in text
    assert "--parts" not in noisylabels("train", "baseline", "--help").out


def test_flags_reach_the_record(train, here):
    answer = train("jcas", "r", "--epochs", 1, "--parts", "dar", "--lr", "0.002", "--batch-size", 2, "--schedule",
                   "poly", "--augment", "none", "--validate-every", 0)  # fmt: skip
    assert answer.code == 0, answer.err
    info = json.loads((here / "r" / "run.json").read_text())
    assert info["params"] == {"parts": "dar", "lr": 0.002}, "what differs from the defaults"
    assert info["net_params"] == {"width": 4}
    assert (info["batch_size"], info["schedule"], info["augment"], info["seed"]) == (2, "poly", [], 3)
    assert "val" not in log_of(here / "r")[0]


def test_the_same_words_give_the_same_bytes(train, here):
    for out in ("one", "two"):
        assert train("jcas", out, "--epochs", 2).code == 0
    for name in ("model.safetensors", "run.json"):
        assert (here / "one" / name).read_bytes() == (here / "two" / name).read_bytes()
    assert log_of(here / "one") == log_of(here / "two")


def test_ctrl_c_leaves_a_run_that_resume_finishes(train, noisylabels, here, noisy):
    """A signal to a process of its own, during the last update of the warm-up, in the middle of an epoch."""
    words = ["--epochs", "3", *map(str, TINY), "--batch-size", "2"]
    assert train("jcas", "whole", *words).code == 0
    steps = log_of(here / "whole")[-1]["step"]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT.format(step=steps // 2),
         "train", "jcas", "--data", noisy.name, "--out", "part", *map(str, TINY), *words],
        cwd=here, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
             "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert done.stdout == ""
    assert f"Stopped after {steps // 2 + 1} of {steps} updates" in done.stderr
    assert "noisylabels train --resume --out part" in done.stderr
    assert done.stderr.splitlines()[-1] == "noisylabels: Interrupted."
    assert "Traceback" not in done.stderr
    looked = noisylabels("evaluate", "part")
    assert looked.code == 0, "what is there can be looked at"
    assert (
        f"Warning: part was stopped after {steps // 2 + 1} of {steps} updates; these are the scores of that"
        in looked.err
    )
    assert "jcas ‡" in looked.out
    assert "‡ Scored before training had ended." in noisylabels("compare", "part").out
    assert {"scores.csv", "predictions"} <= {file.name for file in (here / "part").iterdir()}
    again = ["train", "jcas", "--data", noisy.name, "--out", "part", *map(str, TINY), *words, "--resume"]
    refused = one_sentence(noisylabels(*again, "--epochs", 4, "--warmup", 0.2), 2)
    assert "--epochs is 4 here and 3 in the run of part" in refused
    assert "--parts is dar here and the default in" in one_sentence(noisylabels(*again, "--parts", "dar"), 2)
    some = ["train", "jcas", "--resume", "--out", "part"]
    assert "--seed is 5 here and 3 in" in one_sentence(noisylabels(*some, "--seed", 5), 2)
    assert "--epochs is 9 here and 3 in" in one_sentence(
        noisylabels(*some, "--accumulate", 1, "--epochs", 9), 2
    )
    resumed = noisylabels(*again)
    assert (resumed.code, resumed.out) == (0, "part\n"), resumed.err
    assert (here / "part" / "model.safetensors").read_bytes() == (
        here / "whole" / "model.safetensors"
    ).read_bytes()
    assert (here / "part" / "run.json").read_bytes() == (here / "whole" / "run.json").read_bytes()
    assert log_of(here / "part") == log_of(here / "whole")
    assert not (here / "part" / "scores.csv").exists(), "no scores of the weights before"
    assert not (here / "part" / "predictions").exists()
    model = (here / "part" / "model.safetensors").stat().st_mtime_ns
    again = noisylabels("train", "--resume", "--out", "part")
    assert (again.code, again.out) == (0, "part\n")
    assert "already trained to the end" in again.err
    assert (here / "part" / "model.safetensors").stat().st_mtime_ns == model


def test_a_setting_repeated_at_resume_is_not_read_beside_defaults(train, noisylabels):
    """8 parts fit the batches of 8 that the run has, not those of 4 that it would have by default."""
    assert train("jcas", "r", "--epochs", 1, "--batch-size", 8, "--accumulate", 8).code == 0
    again = noisylabels("train", "jcas", "--resume", "--out", "r", "--accumulate", 8)
    assert again.code == 0, again.err
    assert "already trained to the end" in again.err


def test_a_run_can_be_moved_with_its_data(train, noisylabels, here):
    assert train("baseline", "runs/b").code == 0
    moved = here.parent / "moved"
    here.rename(moved)
    os.chdir(moved)
    answer = noisylabels("evaluate", "runs/b")
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("no method 'jcass'; did you mean 'jcas'", ["jcass"]),
        ("no method 'jcass'; did you mean 'jcas'", ["jcass", "--help"]),
        ("did you mean 'dar'", ["jcas", "--parts", "darr"]),
        ("must be 0 .. 1, not 2", ["jcas", "--warmup", "2"]),
        ("No such option '--parts'", ["baseline", "--parts", "dar"]),
        ("no network 'unett'; did you mean 'unet'", ["baseline", "--net", "unett"]),
        ("no augmentation 'turn'; known: flip", ["baseline", "--augment", "flip,turn"]),
        ("epochs and batch-size must be at least 1", ["baseline", "--epochs", "0"]),
        ("no device 'gpu' here", ["baseline", "--device", "gpu"]),
        ("width must be at least 1", ["baseline", "--net-width", "0"]),
        ("--lr takes a number", ["baseline", "--lr", "fast"]),
        ("lr must be above 0", ["baseline", "--lr", "-1"]),
        ("lr must be above 0", ["baseline", "--lr", "nan"]),
        ("weight-decay must be 0 or more", ["baseline", "--weight-decay", "-0.1"]),
    ],
)
def test_wrong_words(noisylabels, noisy, here, finding, words):
    before = sorted(here.rglob("*"))
    assert finding in one_sentence(noisylabels("train", *words, "--data", noisy.name), 2)
    assert sorted(here.rglob("*")) == before


def test_output_that_exists(train, here):
    (here / "folder").mkdir()
    (here / "folder" / "precious").write_text("")
    (here / "file").write_text("")
    for out in ("folder", "file"):
        assert f"{out} is already there" in one_sentence(train("baseline", out), 2)
    assert "cannot be made a folder" in one_sentence(train("baseline", "file/deeper"), 2)
    (here / "empty").mkdir()
    assert train("baseline", "empty").code == 0


def test_folders_that_are_none(noisylabels, train, here):
    assert train("baseline", "r").code == 0
    (here / "r" / "model.safetensors").unlink()
    assert "holds no trained model yet" in one_sentence(noisylabels("evaluate", "r"), 3)
    assert "r has no scores yet; run: noisylabels evaluate r" in one_sentence(noisylabels("compare", "r"), 3)
    (here / "r" / "state.pt").write_bytes(b"")
    assert "state.pt cannot be read" in one_sentence(noisylabels("train", "--resume", "--out", "r"), 3)
    (here / "r" / "state.pt").unlink()
    assert "no state to go on from" in one_sentence(noisylabels("train", "--resume", "--out", "r"), 3)
    (here / "r" / "run.json").write_text("[]")
    assert "is not the record of a run" in one_sentence(noisylabels("evaluate", "r"), 3)
    for command in ("evaluate", "compare", "report"):
        assert "nowhere" in one_sentence(noisylabels(command, "nowhere"), 3)
    assert "nowhere" in one_sentence(noisylabels("train", "--resume", "--out", "nowhere"), 3)
    assert "nowhere does not exist" in one_sentence(noisylabels("train", "baseline", "--data", "nowhere"), 3)
    assert "Name a run" in one_sentence(noisylabels("report"), 2)


def test_a_loss_that_explodes_is_one_sentence(train, here):
    answer = one_sentence(train("baseline", "r", "--epochs", 9, "--lr", "9e5", "--schedule", "constant"), 1)
    assert re.search(r"The (loss|length of the gradient) is (nan|inf) at step \d+ \(cases case_00\d", answer)
    assert "lower the learning rate" in answer


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
@pytest.mark.parametrize("words", [["train"], ["train", "jcas"], ["evaluate", "r"], ["demo"]])
def test_without_torch(noisylabels, here, monkeypatch, missing, words):
    monkeypatch.setattr(
        "noisylabels_cli.extras.find_spec", lambda name: None if name == missing else find_spec(name)
    )
    answer = one_sentence(noisylabels(*words), 2)
    assert f"needs {missing}, which is not installed; install noisylabels[train]" in answer
    assert list(here.iterdir()) == []
