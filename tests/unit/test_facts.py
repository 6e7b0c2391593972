"""Manifests: every shipped one is complete, and a damaged one is refused by name."""

import pytest

from noisylabels.catalogue import DATASETS
from noisylabels.errors import InvalidData, UsageError
from noisylabels.facts import load_facts, parse_facts

WHOLE = """
title = "T"
version = "1"
homepage = "https://example.org"
licence = "free"
citation = "C"
access = "open"
num_cases = 2

[redistribution]
images = true
labels = true
derived_labels = true

[tables.plain]
classes = ["background", "thing"]

[splits.first]
rule = "one and one"
source = "nobody"

[[files]]
name = "a.zip"
where = "https://example.org/a.zip"
"""


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_adapter_has_a_complete_manifest(name):
    facts = load_facts(name)
    assert facts.title
    assert facts.licence
    assert facts.citation
    assert all(table.classes[0].startswith("background") for table in facts.tables.values())
    for table in facts.tables.values():
        assert all(0 < code < len(table.classes) for codes in table.structures.values() for code in codes)
    assert not facts.series or sum(facts.series.values()) == facts.num_cases


def test_a_whole_manifest_is_read():
    facts = parse_facts("thing", WHOLE)
    assert facts.name == "thing"
    assert facts.default_split == "first"
    assert facts.files[0].where == "https://example.org/a.zip"
    assert facts.files[0].size is None
    assert facts.tables["plain"].structures == {}


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('title = "T"', "", "lacks 'title'"),
        ('title = "T"', 'title = "T"\ncolour = 3', "holds 'colour'"),
        ("derived_labels = true", "", "redistribution lacks 'derived_labels'"),
        ('access = "open"', 'access = "secret"', "states the access 'secret'"),
        ("[splits.first]", "[tables.plain.structures]", r"no \[splits"),
        ('rule = "one and one"', "", "split first lacks 'rule'"),
        ('where = "https', 'size = 3\nwhere2 = "https', "holds 'where2'"),
        ("[redistribution]", "[redistribution", "is not TOML"),
    ],
)
def test_a_faulty_manifest_is_refused(old, new, finding):
    assert old in WHOLE
    with pytest.raises(InvalidData, match=finding):
        parse_facts("thing", WHOLE.replace(old, new))


@pytest.mark.parametrize("name", ["jrst", "../jsrt", ""])
def test_an_unknown_dataset(name):
    with pytest.raises(UsageError, match="jsrt"):
        load_facts(name)
