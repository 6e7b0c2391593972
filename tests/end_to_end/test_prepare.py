"""Preparing through the command line: damaged files, a kill at any moment, presets."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from noisylabels.facts import load_facts
from noisylabels.phantoms.jsrt import write_raw
from noisylabels.store.dataset import Dataset

IDS = [f"JPCLN{n:03d}" for n in range(1, 25)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "raw"
    write_raw(folder, IDS, traps=("repacked",))
    return folder


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def want(raw, tmp_path_factory):
    out = tmp_path_factory.mktemp("want") / "jsrt"
    subprocess.run([*COMMAND, "--raw", raw, "--out", out, "--jobs", "1"], check=True, capture_output=True)
    return tree(out)


COMMAND = [sys.executable, "-c", "from noisylabels_cli.main import main; main()", "prepare", "jsrt"]


def test_killed_at_random_moments_and_resumed(raw, want, tmp_path):
    out = tmp_path / "jsrt"
    records = tmp_path / ".jsrt.part" / "records"
    chance = random.Random(5)
    for done in sorted(chance.sample(range(1, len(IDS) - 3), 3)):
        run = subprocess.Popen(
            [*COMMAND, "--raw", raw, "--out", out, "--jobs", "1"], stderr=subprocess.DEVNULL
        )
        while run.poll() is None and len(list(records.glob("JPC*.json"))) < done:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert not out.exists()
    subprocess.run([*COMMAND, "--raw", raw, "--out", out], check=True, capture_output=True)
    assert tree(out) == want
    assert not list(tmp_path.glob(".*"))


def test_damaged_files_are_left_out_and_the_rest_is_made(raw, want, noisylabels, tmp_path):
    own = tmp_path / "own"
    write_raw(own, IDS[:8], traps=("repacked",))
    (own / "lung" / "JPCLN003.png").write_bytes(b"x")
    answer = noisylabels("prepare", "jsrt", "--raw", own, "--out", "jsrt")
    assert answer.code == 3
    assert answer.err.splitlines()[-1].startswith("noisylabels: 1 damaged item is not in jsrt")
    assert f"damaged: {own}/lung/JPCLN003.png is damaged" in answer.err
    dataset = Dataset.open("jsrt")
    assert dataset.ids() == [i for i in IDS[:8] if i != "JPCLN003"]
    kept = json.loads((dataset.path / "provenance.json").read_text())
    assert list(kept["damaged"]) == ["JPCLN003"]
    assert len(kept["source_sha256"]) == 7


def test_nothing_usable_makes_nothing(noisylabels, tmp_path):
    own = tmp_path / "own"
    write_raw(own, IDS[:1], traps=("repacked",))
    (own / "lung" / "JPCLN001.png").write_bytes(b"x")
    answer = noisylabels("prepare", "jsrt", "--raw", own)
    assert answer.code == 3
    assert "Nothing of jsrt can be prepared." in answer.err


def test_a_dry_run_writes_nothing(raw, noisylabels, here):
    answer = noisylabels("prepare", "jsrt", "--raw", raw, "--dry-run")
    assert answer.code == 0
    assert answer.out == "24 items of 96 files would be read into jsrt.\n"
    assert "missing: 223 of 247 cases" in answer.err
    assert not list(here.iterdir())


def test_a_preset_sets_options_and_split_and_typed_flags_win(raw, noisylabels):
    preset = load_facts("jsrt").presets["coseg"]
    assert noisylabels("prepare", "jsrt", "--raw", raw, "--preset", "coseg", "--size", "64").code == 0
    dataset = Dataset.open("jsrt")
    assert dataset.info.default_split == preset.split == "coseg"
    assert dataset.info.classes == ("background", "lung")
    assert dataset.load(IDS[0]).labels.shape == (64, 64)
    answer = noisylabels("prepare", "jsrt", "--raw", raw, "--preset", "cosec", "--out", "other")
    assert answer.code == 2
    assert "did you mean 'coseg'" in answer.err
