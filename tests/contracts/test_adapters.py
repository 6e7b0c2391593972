"""What every dataset adapter must do, on a fake raw tree of its own layout."""

import dataclasses
from importlib import import_module

import numpy as np
import pytest

from noisylabels.catalogue import DATASETS
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.params import build, parameters
from noisylabels.store.dataset import write_dataset

ADAPTERS = [entry.name for entry in DATASETS.describe() if entry.origin == "noisylabels"]


@pytest.fixture(params=ADAPTERS)
def source(request, tmp_path):
    """(adapter, raw folder, facts, default options, number of cases)."""
    adapter = DATASETS.load(request.param)
    fake = import_module(f"fake_sources.{request.param.replace('-', '_')}")
    raw = tmp_path / "raw"
    count = fake.write(raw)
    return adapter, raw, load_facts(request.param), adapter.Options(), count


def test_options_are_documented_and_have_defaults(source):
    options = parameters(source[0].Options)
    assert options
    for option in options:
        assert option.default is not dataclasses.MISSING
        assert option.help


def test_every_choice_of_an_option_can_be_prepared(source):
    adapter, raw, facts, *_ = source
    for option in parameters(adapter.Options):
        for choice in option.choices:
            options = build(adapter.Options, {option.name: choice}, "dataset")
            case = next(iter(adapter.cases(raw, facts, options)))
            assert case.classes == adapter.info(facts, options).classes


def test_cases_agree_with_info_and_come_twice_the_same(source):
    adapter, raw, facts, options, count = source
    info = adapter.info(facts, options)
    assert info.name == facts.name
    first, second = (list(adapter.cases(raw, facts, options)) for _ in range(2))
    assert len(first) == count
    assert len({case.case_id for case in first}) == count
    for case, again in zip(first, second, strict=True):
        assert case.classes == info.classes
        assert len(case.image) == len(info.channels)
        assert np.array_equal(case.labels, again.labels)
        assert np.array_equal(case.image, again.image)


def test_splits_hold_cases_that_are_there_and_tear_no_group_apart(source):
    adapter, raw, facts, options, _ = source
    groups = {case.case_id: case.group for case in adapter.cases(raw, facts, options)}
    splits = adapter.splits(raw, facts, options)
    assert list(splits) == list(facts.splits)
    for split in splits.values():
        assert set(split.ids()) <= set(groups)
        part_of_group = {}
        for case_id in split.ids():
            assert part_of_group.setdefault(groups[case_id], split.part_of(case_id)) == split.part_of(case_id)


def test_a_dataset_can_be_written(source, tmp_path):
    adapter, raw, facts, options, count = source
    dataset = write_dataset(
        adapter.cases(raw, facts, options),
        adapter.info(facts, options),
        tmp_path / "dataset",
        adapter.splits(raw, facts, options),
    )
    assert len(dataset.ids()) == count
    assert all(isinstance(note, str) and note.endswith(".") for note in adapter.notes(raw, facts, options))


def test_an_empty_and_a_missing_folder_are_refused_with_what_was_expected(source, tmp_path):
    adapter, _, facts, options, _ = source
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(InvalidData, match="expected"):
            list(adapter.cases(tmp_path / name, facts, options))


def test_an_option_of_no_meaning_is_refused(source):
    with pytest.raises(UsageError, match="wings"):
        build(source[0].Options, {"wings": 2}, "dataset")
