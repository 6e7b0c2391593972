"""A run folder and its data that no longer fit together, and what machines refuse."""

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small import small_dataset
from toy_training import toy_batch, toy_task

from noisylabels.errors import Mismatch, NoisyLabelsError, UsageError
from noisylabels_cli.signals import collected
from noisylabels_plugins import checkpoint, device, distributed, memory
from noisylabels_plugins.adapt import _batches
from noisylabels_plugins.api import Progress
from noisylabels_plugins.distributed import Group, OtherFailed
from noisylabels_plugins.feed import cut, parts
from noisylabels_plugins.guards import explained
from noisylabels_plugins.loop import Place
from noisylabels_plugins.methods import baseline
from noisylabels_plugins.nets import unet
from noisylabels_plugins.precision import FP32, Precision
from noisylabels_plugins.record import command_line, refuse_other_data, write_record
from noisylabels_plugins.run import Run, RunSpec, finished, read_spec
from noisylabels_plugins.trained import Trained
from noisylabels_plugins.update import Updates

CPU = torch.device("cpu")


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def spec(tmp_path):
    data = small_dataset(tmp_path / "data", count=8)
    net = {"width": 4, "depth": 1}
    return RunSpec(method="baseline", data=str(data.path), net_params=net, epochs=3, validate_every=0)


def started(spec, folder):
    folder.mkdir()
    run = Run(spec, CPU)
    write_record(run, folder)
    return run


def test_killed_before_the_last_model_is_not_finished(spec, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    run = started(spec, folder)
    list(run.train(folder, lambda: run.step >= 2))
    again = Run(read_spec(folder), CPU)
    again.load_state(folder)

    def killed(folder):
        raise Killed

    monkeypatch.setattr(again, "save_model", killed)
    with pytest.raises(Killed):
        list(again.train(folder, lambda: False))
    last = Run(read_spec(folder), CPU)
    assert not finished(folder, last)
    last.load_state(folder)
    list(last.train(folder, lambda: False))
    assert finished(folder, Run(read_spec(folder), CPU))


def test_other_data_at_the_same_place_are_refused(spec, tmp_path):
    folder = tmp_path / "run"
    run = started(spec, folder)
    list(run.train(folder, lambda: False))
    refuse_other_data(folder, run.dataset)
    Path(spec.data).rename(tmp_path / "old")
    other = small_dataset(tmp_path / "data", count=9)
    for refused in (lambda: refuse_other_data(folder, other), Trained(folder, CPU).own_dataset):
        with pytest.raises(Mismatch, match="was trained on data with the digest") as error:
            refused()
        assert error.value.exit_code == 4


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), RuntimeError("enforce fail at inline_container.cc")]
)
def test_a_full_disk_is_one_sentence_and_keeps_the_old_state(spec, tmp_path, monkeypatch, error):
    folder = tmp_path / "run"
    run = started(spec, folder)
    run.save_state(folder)
    before = (folder / "state.pt").read_bytes()

    def full(state, path):
        Path(path).write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(NoisyLabelsError, match=r"^Cannot write .*state\.pt.*make room.*\.$"):
        checkpoint.save_state(run, folder)
    assert (folder / "state.pt").read_bytes() == before
    assert not list(folder.glob(".state*"))


def test_the_first_error_is_told_though_the_state_cannot_be_saved(spec, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    run = started(spec, folder)

    def broken(self, batch, at):
        raise ValueError("the first")

    def full(folder):
        raise NoisyLabelsError("Cannot write.")

    monkeypatch.setattr(baseline.Method, "step", broken)
    monkeypatch.setattr(run, "save_state", full)
    with pytest.raises(ValueError, match="the first"):
        list(run.train(folder, lambda: False))


def test_a_list_of_trusted_cases_is_found_from_anywhere(spec, tmp_path, monkeypatch):
    (tmp_path / "ids.txt").write_text("case_000\ncase_001\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    started(replace(spec, method="mtcl", trusted="ids.txt"), tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Path(read_spec(tmp_path / "run").trusted).samefile(tmp_path / "ids.txt")
    assert sorted(Run(read_spec(tmp_path / "run"), CPU).data.trusted) == ["case_000", "case_001"]


def test_the_command_names_files_as_seen_from_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ids.txt", "w.pth"):
        Path(name).touch()
    words = [
        "mtcl",
        "--data",
        "d",
        "--trusted",
        "ids.txt",
        "--net-encoder-weights=w.pth",
        "--cache=/abs",
        "--seed=3",
    ]
    said = command_line([*words, "--out", "runs/j"], Path("runs/j"))
    up = "/".join([".."] * (len(tmp_path.parts) + 1))
    assert said == (
        f"noisylabels train mtcl --data d --trusted ../../ids.txt --net-encoder-weights=../../w.pth "
        f"--cache={up}/abs --seed=3"
    )
    Path("d").mkdir()
    assert "--data ../../d " in command_line(words, Path("runs/j"))


class Silent(Group):
    """One process of several; talking to the others is an error."""

    def add_gradients(self, *rest):
        raise AssertionError("the others are not listening")


@pytest.mark.parametrize("least", [1, 2])
def test_measuring_what_fits_leaves_the_other_processes_alone(monkeypatch, least):
    batch = toy_batch(batch=4)
    method = baseline.Method(baseline.Params(), toy_task(batch))
    group = Silent(1, 2)
    method.updates = Updates(group=group)
    place = Place(Precision(FP32, CPU), group)
    gpu = type("Gpu", (), {"device": torch.device("cuda"), "precision": place.precision, "group": group})()
    gpu.moved = place.moved
    asked = []

    def measured(step, cases, device):
        asked.append(cases)
        step(1)
        return 1

    monkeypatch.setattr(memory, "measured", measured)
    at = Progress(epoch=0, step=0, steps=1, schedule=lambda fraction: 1.0)
    text = memory.sentence(method, batch, at, gpu, 1, least)
    assert asked == [4 // least]
    assert f"about {least} would fit" in text


def test_memory_is_measured_when_what_failed_is_gone(spec, tmp_path, monkeypatch):
    run = started(spec, tmp_path / "run")
    held = []

    def broken(self, batch, at):
        large = torch.zeros(10)
        held.append(large.untyped_storage()._weak_ref())
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    def sentence(*rest):
        held.append(torch.UntypedStorage._expired(held[0]))
        return "It does not fit."

    monkeypatch.setattr(baseline.Method, "step", broken)
    monkeypatch.setattr(memory, "sentence", sentence)
    with pytest.raises(NoisyLabelsError, match="does not fit"):
        list(run.train(tmp_path / "run", lambda: False))
    assert held[1] is True


@pytest.mark.parametrize(
    "name", ["CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "can't allocate memory"]
)
def test_libraries_have_their_own_words_for_no_memory(name):
    assert memory.is_out_of_memory(RuntimeError(f"error: {name} when calling"))
    assert not memory.is_out_of_memory(RuntimeError("CUBLAS_STATUS_NOT_INITIALIZED"))


def test_an_image_too_small_for_batch_normalisation_is_one_sentence():
    net = unet.Net(unet.Params(width=4, depth=4), 3, 4, 2).train()
    with pytest.raises(ValueError, match="more than 1 value") as error:
        net(torch.zeros(1, 3, 16, 16))
    assert isinstance(explained(error.value), UsageError)
    assert "--batch-size" in str(explained(error.value))


def test_a_second_sigterm_changes_nothing_a_second_ctrl_c_does():
    with collected(insist=True) as got:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert got == [signal.SIGTERM, signal.SIGTERM]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_gpu_that_is_named_becomes_the_current_one(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch, "empty", lambda count, device: None)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert device.choose_device("cuda:1") == torch.device("cuda:1")
    device.choose_device("cpu")
    device.choose_device("cuda")
    assert chosen == [torch.device("cuda:1")]


def test_a_broken_connection_is_told_with_its_cause():
    with pytest.raises(OtherFailed, match="socket timeout"), distributed._others_failing():
        raise RuntimeError("NCCL error:\n socket timeout")


class Cases:
    """What ``feed.parts`` asks of a training set, for a batch of so many cases."""

    def __init__(self, count, min_batch=1):
        self.count, self.min_batch = count, min_batch

    def items(self, epoch, index, batch_size):
        return [type("Item", (), {"case_id": str(i)})() for i in range(self.count)]

    def make(self, items, epoch):
        return [item.case_id for item in items]


@pytest.mark.parametrize(("count", "pieces", "size"), [(3, 2, 2), (5, 3, 2), (2, 1, 4), (7, 2, 3), (4, 1, 2)])
def test_every_process_makes_as_many_passes(count, pieces, size):
    """Else one that shares batch normalisation with the others waits for ever."""
    found = [parts(Cases(count), 0, 0, count, pieces, Group(rank, size)).own for rank in range(size)]
    assert len({len(own) for own in found}) == 1
    assert sum(weight for own in found for _, weight in own) == pytest.approx(1)
    seen = [case for own in found for batch, weight in own if weight for case in batch]
    assert sorted(seen) == [str(i) for i in range(count)]
    assert len(cut(list(range(count)), pieces * size, 1)) <= pieces * size


@pytest.mark.parametrize(("count", "sizes"), [(5, [5]), (4, [4]), (8, [4, 4]), (9, [4, 5]), (10, [4, 4, 2])])
def test_a_rest_too_small_to_adapt_to_joins_the_batch_before_it(count, sizes):
    images = [np.zeros((1, 3, 3), np.float32)] * count
    assert [len(batch) for batch in _batches(images, 4, 2)] == sizes


def test_an_image_alone_of_its_size_cannot_be_adapted_to():
    images = [np.zeros((1, 3, 3)), np.zeros((1, 3, 3)), np.zeros((1, 5, 3))]
    with pytest.raises(UsageError, match="2 neighbouring images of one size"):
        list(_batches(images, 4, 2))
    assert len(list(_batches(images, 4, 1))) == 2
