"""Bad input through the command line: one sentence, the right exit code, nothing half written or lost."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_sources import jsrt
from small import small_dataset

from noisylabels.errors import InvalidData, Mismatch
from noisylabels.store.dataset import Dataset
from noisylabels.store.files import write_labels


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def _labels(value, shape=(24, 30)):
    return lambda path: write_labels(path, np.full(shape, value, np.uint8))


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (_cut, "is damaged"),
        (lambda p: p.write_bytes(b""), "is damaged"),
        (lambda p: p.write_text("no picture at all"), "is damaged"),
        (Path.unlink, "is missing"),
        (_labels(1, (20, 30)), "has shape (20, 30), but case case_000 has (24, 30)"),
        (_labels(9), "holds the value 9, but the dataset declares only the classes 0 to 3"),
        (_labels(2), "was changed"),
        (lambda p: (p.unlink(), p.mkdir()), "cannot be read"),
    ],
    ids=["cut", "empty", "text", "missing", "shape", "undeclared", "edited", "folder"],
)
def test_damaged_label_files(refused, dataset, damage, finding):
    damage(dataset.path / "labelsTr" / "case_000.png")
    assert "case_000.png" in refused(3, finding, "corrupt", "d", "--mode", "ellipse")


def test_a_damaged_label_file_that_a_worker_meets(refused, dataset):
    for case_id in dataset.ids("train"):
        _cut(dataset.path / "labelsTr" / f"{case_id}.png")
    refused(3, "is damaged", "corrupt", "d", "--mode", "ellipse", "--jobs", 2)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("dataset.json", _cut),
        ("dataset.json", Path.unlink),
        ("cases.csv", _cut),
        ("cases.csv", Path.unlink),
        ("splits/default.json", _cut),
    ],
)
def test_damaged_indexes(refused, dataset, file, damage):
    damage(dataset.path / file)
    for words in (("corrupt", "d", "--mode", "ellipse"), ("inspect", "d")):
        assert file in refused(3, "d", *words)


def test_a_case_that_is_listed_twice(refused, dataset):
    table = dataset.path / "cases.csv"
    table.write_text(table.read_text() + table.read_text().splitlines()[1] + "\n")
    refused(3, "names case case_000 twice", "corrupt", "d", "--mode", "ellipse")


def test_a_parent_that_is_gone_or_another(refused, noisylabels, dataset, here):
    assert noisylabels("corrupt", "d", "--mode", "ellipse").code == 0
    refused(2, "already noisy", "corrupt", "d-ellipse", "--mode", "ellipse", "--out", "more")
    shutil.rmtree(dataset.path)
    with pytest.raises(InvalidData, match="no longer at d; put it back"):
        Dataset.open("d-ellipse").load("case_000")
    small_dataset(here / "d", count=7)
    with pytest.raises(Mismatch, match="but d has"):
        Dataset.open("d-ellipse").load("case_000")


def test_folders_that_are_none(refused, dataset, here):
    (here / "file").write_text("")
    refused(3, "nowhere does not exist", "corrupt", "nowhere", "--mode", "ellipse")
    refused(3, "file is a file; expected the folder of a dataset", "corrupt", "file", "--mode", "ellipse")
    refused(3, "file is a file; expected the folder of a dataset", "inspect", "file")
    refused(3, "dataset.json is missing", "inspect", ".")
    refused(3, "file is a file; --raw takes a folder", "prepare", "jsrt", "--raw", "file")
    refused(3, "nowhere does not exist", "prepare", "jsrt", "--raw", "nowhere")
    refused(2, "file is a file", "corrupt", "d", "--mode", "ellipse", "--out", "file/deeper")


def test_something_else_called_phantoms(refused, here):
    (here / "phantoms").write_text("")
    refused(3, "remove ./phantoms", "corrupt", "--mode", "ellipse")
    (here / "phantoms").unlink()
    small_dataset(here / "phantoms")
    refused(3, "./phantoms holds another dataset (small)", "corrupt", "--mode", "ellipse")


def test_output_that_exists(refused, dataset, here):
    (here / "file").write_text("precious")
    (here / "folder").mkdir()
    (here / "d-ellipse").mkdir()
    (here / "link").symlink_to("nowhere")
    for out in ("file", "folder", "d", "link"):
        refused(2, f"{out} is already there", "corrupt", "d", "--mode", "ellipse", "--out", out)
    refused(2, "d-ellipse is already there", "corrupt", "d", "--mode", "ellipse")
    refused(2, "file is already there", "phantom", "--out", "file")


def _first(raw, folder):
    return sorted((raw / folder).iterdir())[0]


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda raw: shutil.copy(_first(raw, "lung"), _first(raw, "lung").with_suffix(".PNG")), "both case"),
        (lambda raw: shutil.rmtree(raw / "clavicle"), "no folder clavicle"),
    ],
    ids=["twice", "folder"],
)
def test_damaged_sources(refused, here, damage, finding):
    jsrt.write(here / "raw")
    damage(here / "raw")
    refused(3, finding, "prepare", "jsrt", "--raw", "raw", "--out", "jsrt")


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda raw: _first(raw, "heart").unlink(), "no file of the heart"),
        (lambda raw: _first(raw, "images").unlink(), "no file of the image"),
        (lambda raw: _cut(_first(raw, "lung")), "is damaged"),
        (lambda raw: write_labels(_first(raw, "lung"), np.zeros((100, 256), np.uint8)), "(100, 256)"),
        (lambda raw: write_labels(_first(raw, "lung"), np.full((256, 256), 7, np.uint8)), "value 7"),
    ],
    ids=["missing", "no image", "cut", "shape", "value"],
)
def test_damaged_items_are_left_out_and_told(noisylabels, here, damage, finding):
    jsrt.write(here / "raw")
    damage(here / "raw")
    answer = noisylabels("prepare", "jsrt", "--raw", "raw", "--out", "jsrt")
    assert (answer.code, answer.out) == (3, "jsrt\n")
    assert finding in answer.err
    assert answer.err.splitlines()[-1].startswith("noisylabels: 1 damaged item is not in jsrt")
    assert "Traceback" not in answer.err


def run_limited(limit, words, folder):
    """The command line in a process that cannot write files larger than ``limit`` bytes."""
    return subprocess.run(
        [sys.executable, "-m", "noisylabels_cli.main", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


@pytest.mark.parametrize("room", ["for nothing", "for labels", "for records"])
def test_a_disk_that_is_full(here, noisylabels, room):
    """Full before anything is written, after a label file but before its record, and before the index."""
    small_dataset(here / "d")
    assert noisylabels("corrupt", "d", "--mode", "ellipse").code == 0
    index = (here / "d-ellipse" / "cases.csv").stat().st_size
    largest = max(p.stat().st_size for p in (here / "d-ellipse" / "labelsTr").iterdir())
    shutil.rmtree(here / "d-ellipse")
    limit = {"for nothing": 0, "for labels": 2 * largest, "for records": index - 1}[room]
    before = tree(here)
    done = run_limited(limit, ["corrupt", "d", "--mode", "ellipse"], here)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "Cannot write" in line
    assert "make room and run the same again" in line
    assert not (here / "d-ellipse").exists()
    after = tree(here)
    assert {k: after.get(k) for k in before} == before
    left = here / ".d-ellipse.part"
    assert left.exists() == (room == "for records")
    if left.exists():
        finished = [json.loads(p.read_text())["entry"] for p in left.glob("records/*.json")]
        assert len(finished) == 6, "the folder is kept only for what another try can use"
        assert not list(left.rglob("*.*.part"))
    again = run_limited(resource.RLIM_INFINITY, ["corrupt", "d", "--mode", "ellipse"], here)
    assert again.returncode == 0, again.stderr
    assert sorted(p.name for p in here.iterdir()) == ["d", "d-ellipse"]


def test_a_disk_that_is_full_while_phantoms_are_written(here):
    done = run_limited(3000, ["phantom", "--cases", "9", "--size", "64x80"], here)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert list(here.iterdir()) == []


def test_a_folder_that_cannot_be_written_to(here, noisylabels, monkeypatch):
    small_dataset(here / "d")
    mkdir = Path.mkdir

    def forbidden(self, *args, **more):
        if ".part" in str(self):
            raise PermissionError(13, "Permission denied")
        mkdir(self, *args, **more)

    monkeypatch.setattr(Path, "mkdir", forbidden)
    answer = noisylabels("corrupt", "d", "--mode", "ellipse")
    assert answer.code == 1
    assert "Permission denied" in answer.err
    assert [p.name for p in here.iterdir()] == ["d"]
