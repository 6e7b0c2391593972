"""Two processes on the CPU train what one process trains: the same curve within rounding, and the same when resumed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small import small_dataset
from toy_training import log_of

from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels_cli.main import run
from noisylabels_plugins.distributed import ALONE, Group, joined
from noisylabels_plugins.feed import cut

HERE = Path(__file__).parent.parent
NET = ["--net-width", "4", "--net-depth", "1", "--net-norm", "group", "--device", "cpu"]
LENGTH = ["--epochs", "3", "--augment", "flip,intensity", "--validate-every", "2"]
RUNS = {
    "baseline": ["baseline", *LENGTH, "--batch-size", "4"],
    "jcas": ["jcas", *LENGTH, "--batch-size", "4"],
    "uneven": [
        "baseline",
        *LENGTH,
        "--batch-size",
        "5",
        "--clip-norm",
        "0.5",
    ],  # 6 cases: the last batch has 1
    "parts": ["jcas", *LENGTH, "--batch-size", "6", "--accumulate", "2"],
    "select": ["baseline", *LENGTH, "--select", "best-val", "--track-train"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """``one-NAME`` and ``two-NAME`` for every run, trained by one process and by two, and what else two did."""
    folder = tmp_path_factory.mktemp("processes")
    clean = small_dataset(folder / "clean", ignore=False)
    mode = MODES.load("symmetric")
    recipe = Recipe(0, (Step.of("symmetric", mode, mode.Params(rate=0.3, unit="pixel")),))
    noisy = noisy_dataset(clean, recipe, folder / "noisy")

    def words(kind, name, *more):
        return ["train", *RUNS[name], *NET, "--data", str(noisy.path), "--out", str(folder / kind), *more]

    for name in RUNS:
        assert run(words(f"one-{name}", name)) == 0
    asked = [{"words": words(f"two-{name}", name)} for name in RUNS]
    asked += [
        {"words": words("stopped", "jcas"), "at": 3},
        {"words": ["train", "--resume", "--out", str(folder / "stopped"), "--device", "cpu"]},
        {"words": ["train", "--resume", "--out", str(folder / "stopped"), "--device", "cpu"]},
        {"words": ["train", "sr", *NET, "--data", str(noisy.path), "--out", str(folder / "sr")]},
        {"words": words("one-jcas", "jcas")},
        {"words": words("wrong", "jcas", "--stride", "many")},
        {"words": words("broken", "baseline", "--lr", "1e12", "--schedule", "constant")},
    ]
    (folder / "asked").write_text("".join(json.dumps(one) + "\n" for one in asked))
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE), *(p for p in sys.path if p)])
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(HERE / "several_processes.py"), str(folder / "asked")],
        env=environment, capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stderr)
    (folder / "printed").write_text(done.stdout)
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_train_what_one_does(folder, name):
    one, two = (log_of(folder / f"{kind}-{name}") for kind in ("one", "two"))
    assert [line["step"] for line in one] == [line["step"] for line in two]
    for a, b in zip(one, two, strict=True):
        for field in ("loss", "grad_norm"):
            assert a[field] == pytest.approx(b[field], rel=2e-4)
    assert one[1]["val"]["mean_dice"] == pytest.approx(two[1]["val"]["mean_dice"], abs=0.02)
    assert one[0] != one[2]
    info = [json.loads((folder / f"{kind}-{name}" / "run.json").read_text()) for kind in ("one", "two")]
    assert [i["environment"]["processes"] for i in info] == [1, 2]


def test_one_process_writes_and_speaks(folder):
    printed = (folder / "printed").read_text().splitlines()
    wanted = [str(folder / f"two-{name}") for name in RUNS] + [str(folder / "stopped")] * 2
    assert [line for line in printed if line.startswith(str(folder))] == wanted


def test_a_signal_to_one_process_stops_all_and_resume_goes_on_bit_for_bit(folder):
    assert [Path(f"{folder / 'asked'}.{rank}").read_text().split() for rank in (0, 1)] == [
        ["0"] * len(RUNS) + ["143", "0", "0", "2", "2", "2", "1"]
    ] * 2
    assert (folder / "stopped" / "model.safetensors").read_bytes() == (
        folder / "two-jcas" / "model.safetensors"
    ).read_bytes()
    assert log_of(folder / "stopped") == log_of(folder / "two-jcas")


@pytest.mark.parametrize(
    "sentence",
    [
        "Stopped after 4 of 6 updates; go on with: noisylabels train --resume --out",
        "is already trained to the end",
        "Method 'sr' cannot share its training between 2 processes",
        "one-jcas is already there",
        "--stride takes a whole number",
        "at step ",
    ],
)
def test_everything_is_said_once(folder, sentence):
    assert (folder / "said").read_text().count(sentence) == 1


def test_what_fails_leaves_the_last_update_and_a_note(folder):
    note = json.loads((folder / "broken" / "broken-batch.json").read_text())
    assert set(note) == {"finding", "epoch", "step", "cases"}
    state = torch.load(folder / "broken" / "state.pt", weights_only=True)
    assert state["step"] == note["step"]


def test_a_batch_is_cut_evenly_and_never_below_what_a_network_needs():
    assert cut("abcdefg", 3, 1) == [list("abc"), list("de"), list("fg")]
    assert cut("abc", 2, 2) == [list("abc")]
    assert cut("abcde", 4, 2) == [list("abc"), list("de")]
    assert cut("a", 4, 1) == [["a"]]
    for count in range(1, 20):
        for parts in range(1, 6):
            for least in (1, 2):
                found = cut(list(range(count)), parts, least)
                assert [one for part in found for one in part] == list(range(count))
                assert max(map(len, found)) - min(map(len, found)) <= 1
                assert count < least or min(map(len, found)) >= least


def test_one_process_is_a_group_of_one():
    assert (ALONE.first, ALONE.size, ALONE.any(False), ALONE.any(True)) == (True, 1, False, True)
    assert ALONE.gather("x") == ["x"]
    assert ALONE.added([1.5]) == [1.5]
    with joined("cpu") as (group, device):
        assert (group, device) == (ALONE, "cpu")
    with pytest.raises(UsageError, match="wrong"), ALONE.agreeing():
        raise UsageError("wrong")


def test_more_processes_than_gpus_are_refused(monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    finding = "2 processes on this machine need as many GPUs, and it has 1"
    with pytest.raises(UsageError, match=finding), joined("cuda"):
        pass


def test_a_weight_without_gradient_in_one_process_counts_as_zero(monkeypatch):
    group = Group(0, 2)
    monkeypatch.setattr(group, "_reduce", lambda tensor: tensor.mul_(2))  # the other process has the same
    used, unused = torch.zeros(3), torch.zeros(2)
    used.grad = torch.ones(3)
    assert group.add_gradients([used, unused], torch.tensor(1.5)) == 3
    assert torch.equal(used.grad, torch.full((3,), 2.0))
    assert unused.grad is None
