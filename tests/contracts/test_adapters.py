"""What every dataset adapter must do, on a fake raw tree of its own layout."""

import dataclasses
import pickle
from importlib import import_module

import numpy as np
import pytest

from noisylabels.case import IGNORE
from noisylabels.catalogue import DATASETS
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts
from noisylabels.params import build, parameters
from noisylabels.prepare import prepare
from noisylabels.sources import cases

ADAPTERS = [entry.name for entry in DATASETS.describe() if entry.origin == "noisylabels"]


def fake_of(name):
    return import_module(f"fake_sources.{name.replace('-', '_')}")


@pytest.fixture(params=ADAPTERS)
def source(request, tmp_path):
    """(adapter, raw folder, facts, default options, number of cases)."""
    adapter, fake = DATASETS.load(request.param), fake_of(request.param)
    raw = tmp_path / "raw"
    count = fake.write(raw)
    facts = load_facts(request.param)
    return adapter, raw, facts, told(adapter, raw, facts, adapter.Options()), count


def told(adapter, raw, facts, options):
    """The options with what only the files can tell."""
    return adapter.survey(raw, facts, options).options or options


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
            if (option.name, choice) in getattr(fake_of(facts.name), "NOT_IN_THIS_LAYOUT", ()):
                continue
            options = told(adapter, raw, facts, build(adapter.Options, {option.name: choice}, "dataset"))
            case = next(cases(adapter, raw, facts, options))
            assert case.classes == adapter.info(facts, options).classes


def test_every_preset_of_the_manifest_can_be_prepared(source):
    adapter, raw, facts, *_ = source
    for preset in facts.presets.values():
        options = build(adapter.Options, preset.options, "preset")
        case = next(cases(adapter, raw, facts, options))
        assert case.classes == adapter.info(facts, options).classes
        assert not preset.split or preset.split in facts.splits


def test_cases_agree_with_info_and_come_twice_the_same(source):
    adapter, raw, facts, options, count = source
    info = adapter.info(facts, options)
    assert info.name
    first, second = (list(cases(adapter, raw, facts, options)) for _ in range(2))
    assert len(first) == count
    assert len({case.case_id for case in first}) == count
    for case, again in zip(first, second, strict=True):
        assert case.classes == info.classes
        assert len(case.image) == len(info.channels)
        assert set(np.unique(case.labels)) <= {*range(len(info.classes)), IGNORE}
        assert np.array_equal(case.labels, again.labels)
        assert np.array_equal(case.image, again.image)


def test_items_go_to_other_processes_and_are_undamaged(source):
    adapter, raw, facts, options, _ = source
    survey = adapter.survey(raw, facts, options)
    assert pickle.loads(pickle.dumps(survey)) == survey
    assert not [found for item in survey.items for found in adapter.probe(item, facts, options)]
    for item in survey.items:
        assert item.files
        assert all(path.is_file() for path in item.files)


def test_findings_are_sentences(source):
    adapter, raw, facts, options, _ = source
    for finding in adapter.survey(raw, facts, options).findings:
        assert finding.text.endswith(".")
        assert "\n" not in finding.text


def test_splits_hold_cases_that_are_there_and_tear_no_group_apart(source):
    adapter, raw, facts, options, _ = source
    groups = {case.case_id: case.group for case in cases(adapter, raw, facts, options)}
    splits = adapter.splits(groups, facts, options)
    assert list(splits) == list(facts.splits)
    for name, split in splits.items():
        assert set(split.ids()) <= set(groups)
        if "leaky" in facts.splits[name].rule:
            continue  # a paper's own, which says so
        part_of_group = {}
        for case_id in split.ids():
            assert part_of_group.setdefault(groups[case_id], split.part_of(case_id)) == split.part_of(case_id)


def test_a_dataset_is_the_same_however_it_is_prepared(source, tmp_path):
    adapter, raw, facts, options, count = source
    one, two = (prepare(adapter, raw, facts, options, tmp_path / f"{jobs}", jobs=jobs) for jobs in (1, 2))
    assert len(one.dataset.ids()) == count
    assert not one.damaged
    assert one.dataset.digest == two.dataset.digest
    for file in ("cases.csv", "dataset.json", "provenance.json"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_a_damaged_file_is_left_out_and_told(source, tmp_path):
    adapter, raw, facts, options, _ = source
    items = adapter.survey(raw, facts, options).items
    victim = items[0].files[-1]
    victim.write_bytes(victim.read_bytes()[:40])
    survey = adapter.survey(raw, facts, options)
    told = [f for f in survey.findings if f.kind == "damaged"]
    told += [found for item in survey.items for found in adapter.probe(item, facts, options)]
    assert told, "a probe notices a file that is cut off"
    prepared = prepare(adapter, raw, facts, options, tmp_path / "out")
    assert prepared.damaged or [f for f in survey.findings if f.kind == "damaged"]
    assert all(text.endswith(".") for text in prepared.damaged.values())


def test_an_empty_and_a_missing_folder_are_refused_with_what_was_expected(source, tmp_path):
    adapter, _, facts, options, _ = source
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(InvalidData, match="expected"):
            adapter.survey(tmp_path / name, facts, options)


def test_an_option_of_no_meaning_is_refused(source):
    with pytest.raises(UsageError, match="wings"):
        build(source[0].Options, {"wings": 2}, "dataset")
