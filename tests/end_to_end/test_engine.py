"""How a training is computed, through the command line: flags, what a run says of itself, signals, bad input."""

import json
import os
import signal
import subprocess
import sys

import pytest
from small import small_case, small_dataset, small_info
from toy_training import log_of

from noisylabels.store.dataset import write_dataset
from noisylabels_plugins.methods import baseline

NET = ("--net-width", 4, "--net-depth", 1)


@pytest.fixture
def noisy(noisylabels, here):
    small_dataset(here / "small")
    answer = noisylabels("corrupt", "small", "--mode", "symmetric", "--unit", "pixel", "--rate", 0.3)
    assert answer.code == 0, answer.err
    return "small-symmetric"


@pytest.fixture
def train(noisylabels, noisy):
    def call(out, *words, method="baseline"):
        return noisylabels("train", method, "--data", noisy, "--out", out, "--epochs", 2, *NET, *words)

    return call


def test_help_shows_how_it_is_computed(noisylabels):
    text = noisylabels("train", "jcas", "--help").out
    for flag in ("--precision auto|fp32|bf16|fp16", "--accumulate N", "--clip-norm X", "--deterministic", "--workers N",
                 "--select last|best-val|best-noisy-val|best-test", "--compile TEXT", "--cache TEXT"):  # fmt: skip
        assert flag in " ".join(text.split())
    assert "torchrun" in text


def test_settings_that_do_not_change_the_numbers(train, here):
    assert train("plain", "--workers", 0).code == 0
    same = {"workers": ("--workers", 3), "cache": ("--cache", here / "kept"), "none": ("--cache", "none"),
            "clip": ("--clip-norm", 1e9), "deterministic": ("--deterministic",),
            "compiled": ("--compile", "eager")}  # fmt: skip
    for out, words in same.items():
        answer = train(out, *words)
        assert (answer.code, answer.out) == (0, f"{out}\n"), answer.err
        assert log_of(here / out) == log_of(here / "plain")
    assert len(list((here / "kept").iterdir())) == 1


def test_settings_that_change_them_a_little(train, here):
    assert train("plain").code == 0
    for out, words in {"bf16": ("--precision", "bf16"), "order": ("--memory-format", "contiguous")}.items():
        assert train(out, *words).code == 0
        for one, other in zip(log_of(here / out), log_of(here / "plain"), strict=True):
            assert one["loss"] == pytest.approx(other["loss"], rel=0.05)


def test_a_run_describes_itself(train, here, noisylabels):
    out = here / "deep" / "run"
    assert train(out, "--cache", here / "kept", "--keep-state", "--select", "best-val").code == 0
    text = (out / "run.json").read_text()
    assert str(here) not in text
    info = json.loads(text)
    assert info["command"] == (
        "noisylabels train baseline --data ../../small-symmetric --epochs 2 --net-width 4 --net-depth 1 "
        "--cache ../../kept --keep-state --select best-val"
    )
    assert info["cache"] == "../../kept"
    assert set(info["environment"]) == {"python", "platform", "cuda", "precision", "processes", "threads"}
    assert info["environment"]["precision"] == "fp32"
    assert (info["select"], info["keep_state"]) == ("best-val", True)
    assert len(info["data_digest"]) == len(info["clean_digest"]) == 64
    assert info["commit"] is None or len(info["commit"].rstrip("+")) == 40
    line = log_of(out)[-1]
    assert line["grad_norm"] > 0
    assert "waited" in json.loads((out / "log.jsonl").read_text().splitlines()[0])
    assert sorted(p.name for p in out.iterdir()) == ["log.jsonl", "model.safetensors", "run.json", "state.pt"]
    assert noisylabels("train", "--resume", "--out", out).code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_after_the_update_with_its_own_code(
    train, noisylabels, here, monkeypatch, number, code
):
    assert train("whole").code == 0
    step = baseline.Method.step
    with monkeypatch.context() as patch:
        patch.setattr(
            baseline.Method,
            "step",
            lambda self, batch, at: (
                signal.raise_signal(number) if at.step == 2 else 0,
                step(self, batch, at),
            )[1],
        )
        answer = train("part")
    assert (answer.code, answer.out) == (code, "")
    assert (
        answer.err.count("Stopped after 3 of 4 updates; go on with: noisylabels train --resume --out part")
        == 1
    )
    assert len([line for line in answer.err.splitlines() if line.startswith("noisylabels: ")]) == 1
    assert (here / "part" / "state.pt").exists()
    assert noisylabels("train", "--resume", "--out", "part").code == 0
    for name in ("model.safetensors", "log.jsonl"):
        one, other = ((here / out / name).read_bytes() for out in ("whole", "part"))
        assert name == "log.jsonl" or one == other
    assert log_of(here / "whole") == log_of(here / "part")


def test_selection_on_the_test_cases_is_loud(train, noisylabels):
    answer = train("b", "--select", "best-test", "--validate-every", 1)
    assert "Warning: --select best-test looks at the test labels" in answer.err
    assert "Kept the weights of epoch" in answer.err
    assert noisylabels("evaluate", "b").code == 0
    table = noisylabels("compare", "b").out
    assert "baseline †" in table
    assert "† Weights selected by their score on the test cases" in table
    assert "Warning" not in train("c").err


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("cannot be cut into 9 parts", ["--accumulate", 9]),
        ("'bf8'; known: auto, bf16, fp16, fp32", ["--precision", "bf8"]),
        ("no backend of torch.compile 'inducter'; did you mean 'inductor'", ["--compile", "inducter"]),
        ("has no noisy labels of its validation cases", ["--select", "best-noisy-val"]),
        ("--validate-every 0 has none", ["--select", "best-val", "--validate-every", 0]),
        ("--sync-batchnorm works on GPUs only", ["--sync-batchnorm"]),
        ("clip-norm must be above 0", ["--clip-norm", 0]),
        ("workers at least 0", ["--workers", -1]),
    ],
)
def test_wrong_words(train, here, finding, words):
    answer = train("r", *words)
    assert (answer.code, answer.out) == (2, ""), answer.err
    assert finding in answer.err
    assert answer.err.count("noisylabels: ") == 1
    assert not (here / "r").exists()


def test_a_dataset_without_test_cases_can_be_trained_on_and_not_scored(noisylabels, here):
    parts = {"train": ["case_000", "case_001"], "val": [], "test": []}
    write_dataset([small_case(0), small_case(1)], small_info(), here / "d", {"default": parts})
    assert noisylabels("train", "baseline", "--data", "d", "--out", "r", "--epochs", 1, *NET).code == 0
    answer = noisylabels("evaluate", "r")
    assert answer.code == 2
    assert "The split of d has no test case to score; try the other --part" in answer.err


def test_torchrun_starts_several_processes(train, here, noisy):
    """The command of the help text and of docs/training.md."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "noisylabels_cli.main", "train", "baseline", "--data", noisy, "--out", "two", "--epochs", "1",
         "--device", "cpu", *map(str, NET)],
        cwd=here, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1",
             "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "two\n"), done.stderr
    assert json.loads((here / "two" / "run.json").read_text())["environment"]["processes"] == 2


def test_a_full_memory_is_one_sentence(train, here, monkeypatch):
    import torch

    def full(self, batch, at):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(baseline.Method, "step", full)
    answer = train("r")
    assert answer.code == 1
    assert "The memory of cpu does not suffice for 4 cases at once" in answer.err
    assert (here / "r" / "state.pt").exists()
