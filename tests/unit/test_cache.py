"""Decoded cases in memory or in a mapped file, and batches made ahead: the same batches, whatever is chosen."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import small_case, small_dataset, small_info, small_split

from noisylabels.errors import InvalidData, NoisyLabelsError
from noisylabels.store.dataset import write_dataset
from noisylabels_plugins import cache
from noisylabels_plugins.batches import AUGMENTATIONS, TrainingSet
from noisylabels_plugins.feed import ahead, parts, to_device
from noisylabels_plugins.run import Run, RunSpec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("cache") / "clean", count=12, ignore=True)


def training(dataset, where, seed=0):
    return TrainingSet(dataset, dataset, seed, AUGMENTATIONS, cache=where)


def equal(one, other):
    return torch.equal(one.image, other.image) and torch.equal(one.labels, other.labels)


def test_a_mapped_file_gives_the_same_batches(clean, tmp_path):
    memory = training(clean, None)
    for _ in range(2):  # written, then found
        mapped = training(clean, str(tmp_path))
        assert isinstance(mapped.images["case_000"].base, np.memmap)
        assert not mapped.images["case_000"].flags.writeable
        assert (mapped.shape, mapped.class_counts) == (memory.shape, memory.class_counts)
        for epoch in range(3):
            for index in range(2):
                assert equal(mapped.batch(epoch, index, 4), memory.batch(epoch, index, 4))
    (folder,) = tmp_path.iterdir()
    assert sorted(p.name for p in folder.iterdir()) == ["images.bin", "index.json", "labels.bin"]


def test_cases_of_other_sizes_and_types_are_mapped_too(tmp_path):
    cases = [small_case(i, shape=(20 + i, 30 - i), dtype=np.uint8) for i in range(8)]
    dataset = write_dataset(cases, small_info(), tmp_path / "d", {"default": small_split(8)})
    one, other = training(dataset, None), training(dataset, str(tmp_path / "cache"))
    for case_id in one.ids:
        np.testing.assert_array_equal(one.images[case_id], other.images[case_id])
        assert one.images[case_id].dtype == other.images[case_id].dtype
        np.testing.assert_array_equal(one.labels[case_id], other.labels[case_id])


def test_other_data_have_another_place(clean, tmp_path):
    other = small_dataset(tmp_path / "other", count=11)
    for dataset in (clean, other, clean):
        training(dataset, str(tmp_path / "cache"))
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize("room", [0, 1e9])
def test_what_does_not_fit_goes_to_the_users_cache(clean, tmp_path, monkeypatch, room):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "room", lambda: room)
    data = training(clean, "auto")
    assert isinstance(data.images["case_000"].base, np.memmap) == (room == 0)
    assert len(list(tmp_path.glob("noisylabels/*"))) == (room == 0)


def test_room_is_a_part_of_what_is_free_shared_by_the_processes_of_a_machine(monkeypatch):
    alone = cache.room()
    assert 0 < alone < 1e15
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert cache.room() == pytest.approx(alone / 4, rel=0.3)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.user_cache().parts[-2:] == (".cache", "noisylabels")


def test_two_processes_that_write_at_once_do_not_meet(clean, tmp_path, monkeypatch):
    """The other one is faster: its folder is there when this one wants to give its own the name."""
    write = cache._write

    def slower(load, ids, folder):
        write(load, ids, folder)
        write(load, ids, folder)

    monkeypatch.setattr(cache, "_write", slower)
    training(clean, str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_while_writing_leaves_nothing(clean, tmp_path, monkeypatch):
    monkeypatch.setattr(
        cache, "_append", lambda file, array: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(NoisyLabelsError, match="No space left"):
        training(clean, str(tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("damage", ["index.json", "images.bin"])
def test_a_damaged_cache_is_refused(clean, tmp_path, damage):
    training(clean, str(tmp_path))
    (folder,) = tmp_path.iterdir()
    (folder / damage).write_bytes(b"x" * 64)
    with pytest.raises(InvalidData, match=r"The cache .* is damaged; remove that folder"):
        training(clean, str(tmp_path))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_what_is_made_ahead_comes_in_order_and_no_further_than_needed(workers):
    made = []

    def make(number):
        time.sleep(0.002 * (number % 3))
        made.append(number)
        return number

    feed = ahead(make, range(40), workers)
    assert [next(feed)[0] for _ in range(5)] == [0, 1, 2, 3, 4]
    feed.close()
    assert len(made) <= 5 + 2 * workers
    assert [number for number, _ in ahead(make, range(10), workers)] == list(range(10))
    assert threading.active_count() < 20


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_while_a_batch_is_made_is_told_where_it_is_needed(workers):
    def make(number):
        if number == 3:
            raise InvalidData("case 3 is damaged")
        return number

    got = []
    with pytest.raises(InvalidData, match="case 3 is damaged"):
        got.extend(number for number, _ in ahead(make, range(9), workers))
    assert got in ([], [0, 1, 2])


def test_waiting_is_measured():
    def slow(number):
        time.sleep(0.02)
        return number

    assert all(waited >= 0.015 for _, waited in ahead(slow, range(3), 0))
    patient = []
    for _, waited in ahead(slow, range(4), 2):
        patient.append(waited)
        time.sleep(0.1)
    assert max(patient[1:]) < 0.05


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_change_a_run(clean, tmp_path, workers):
    spec = RunSpec(method="jcas", data=str(clean.path), net_params={"width": 4, "depth": 1}, epochs=2,
                   validate_every=0, augment=AUGMENTATIONS, workers=0)  # fmt: skip
    models = []
    for name, count in (("in line", 0), ("ahead", workers)):
        folder = tmp_path / name
        folder.mkdir()
        list(Run(replace(spec, workers=count), CPU).train(folder, lambda: False))
        models.append((folder / "model.safetensors").read_bytes())
    assert models[0] == models[1]


def test_the_parts_of_a_batch_are_the_batch(clean):
    data = training(clean, None)
    whole = parts(data, 1, 0, 5)
    cut = parts(data, 1, 0, 5, 2)
    assert (len(whole.own), len(cut.own)) == (1, 2)
    assert cut.ids == whole.ids == tuple(i for batch, _ in cut.own for i in batch.case_ids)
    assert sum(weight for _, weight in cut.own) == pytest.approx(1)
    assert torch.equal(torch.cat([batch.image for batch, _ in cut.own]), whole.own[0][0].image)


@pytest.mark.parametrize("last", [True, False])
def test_a_batch_lies_in_memory_as_the_weights_do(clean, last):
    batch = training(clean, None).batch(0, 0, 3)
    moved = to_device(batch, CPU, last)
    assert moved.image.is_contiguous(memory_format=torch.channels_last) == last
    assert equal(moved, batch)
