"""What a run's record says of the place it was trained at, and what it leaves out."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small import small_dataset

from noisylabels_plugins.distributed import Group
from noisylabels_plugins.record import command_line, facts, write_record
from noisylabels_plugins.run import Run, RunSpec, read_spec

CPU = torch.device("cpu")


@pytest.fixture
def spec(tmp_path):
    data = small_dataset(tmp_path / "data")
    return RunSpec(method="baseline", data=str(data.path), net_params={"width": 4, "depth": 1}, epochs=1)


def test_numbers_and_processes_are_those_of_the_training(spec):
    run = Run(replace(spec, precision="bf16"), CPU, Group(0, 2))
    place = facts(run)["environment"]
    assert (place["precision"], place["processes"]) == ("bf16", 2)
    place = facts(Run(spec, CPU))["environment"]
    assert (place["precision"], place["processes"]) == ("fp32", 1), "what auto was, not the word"


def test_labels_of_a_clean_dataset_are_clean_whatever_was_asked(spec):
    record = facts(Run(replace(spec, labels="noisy"), CPU))
    assert (record["labels"], record["noise"]) == ("clean", "")


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_process_writes(spec, tmp_path, rank):
    (tmp_path / "run").mkdir()
    write_record(Run(spec, CPU, Group(rank, 2)), tmp_path / "run")
    assert (tmp_path / "run" / "run.json").exists() == (rank == 0)


def test_a_cache_folder_is_named_as_seen_from_the_run_and_found_again(spec, tmp_path):
    (tmp_path / "runs").mkdir()
    for cache, written in ((str(tmp_path / "cache"), "../cache"), ("auto", "auto"), (None, None)):
        write_record(Run(replace(spec, cache=cache), CPU), tmp_path / "runs")
        assert json.loads((tmp_path / "runs" / "run.json").read_text())["cache"] == written
        back = read_spec(tmp_path / "runs").cache
        assert back == cache or Path(back).resolve() == (tmp_path / "cache").resolve()


def test_where_encoders_came_from_is_told_for_those_that_have_one(spec):
    run = Run(spec, CPU)
    assert "encoder_source" not in facts(run)
    run.method.net.encoder_source = "resnet34 0123456789ab"
    assert facts(run)["encoder_source"] == {"net": "resnet34 0123456789ab"}


def test_a_command_can_be_typed_again_elsewhere():
    words = ["jcas", "--resume", "--quiet", "--out", "/runs/j", "--seed", "3", "--debug", "--out=/runs/k"]
    assert command_line(words, Path("/runs/j")) == "noisylabels train jcas --seed 3"
