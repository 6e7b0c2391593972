import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from noisylabels.catalogue import DATASETS, MODES, Catalogue, first_line
from noisylabels.errors import NoisyLabelsError, UsageError


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Three modes of somebody else: a good one, one that breaks on import, and one that is no module."""
    (tmp_path / "their_modes").mkdir()
    (tmp_path / "their_modes" / "__init__.py").write_text('"""Their modes."""')
    (tmp_path / "their_modes" / "smear.py").write_text('"""Smear it."""\nVERSION = 3\n')
    (tmp_path / "their_modes" / "broken.py").write_text('"""Looks fine."""\nimport not_installed_at_all\n')
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint(name, value, "noisylabels.corruptions")
        for name, value in [
            ("smear_it", "their_modes.smear"),
            ("broken", "their_modes.broken"),
            ("number", "their_modes.smear:VERSION"),
            ("gone", "nowhere_at_all.module"),
        ]
    ]
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: points if group == MODES.group else []
    )
    yield
    for name in [n for n in sys.modules if n.startswith("their_modes")]:
        del sys.modules[name]


def test_the_word_is_the_file():
    assert {"symmetric", "asymmetric", "pair-flip", "ellipse"} <= set(MODES.names())
    assert MODES.load("pair-flip") is MODES.load("pair_flip")
    assert MODES.load("pair-flip").__name__ == "noisylabels.corruptions.pair_flip"
    assert "jsrt" in DATASETS.names()


def test_every_entry_has_a_summary():
    for entry in [*MODES.describe(), *DATASETS.describe()]:
        assert entry.origin == "noisylabels"
        assert entry.summary, f"{entry.name} has no docstring"


def test_a_mistyped_name_gets_a_suggestion():
    with pytest.raises(UsageError, match="There is no mode 'elipse'; did you mean 'ellipse'"):
        MODES.load("elipse")
    with pytest.raises(UsageError, match=r"known: .*asymmetric"):
        MODES.load("qqq")
    assert Catalogue("thing", "noisylabels.nowhere", "none").names() == []


def test_plugins_are_listed_with_their_origin_and_not_imported(plugins):
    found = {entry.name: entry for entry in MODES.describe()}
    assert found["smear-it"].summary == "Smear it."
    assert found["smear-it"].origin == "their_modes"
    assert found["broken"].summary == "Looks fine."
    assert found["gone"].summary == ""
    assert "their_modes.smear" not in sys.modules
    assert MODES.load("smear_it").VERSION == 3


@pytest.mark.parametrize("name", ["broken", "number", "gone"])
def test_a_broken_plugin_fails_alone(plugins, name):
    with pytest.raises(NoisyLabelsError, match=rf"mode '{name}' of \w+ cannot be loaded") as caught:
        MODES.load(name)
    assert "\n" not in str(caught.value)
    assert MODES.load("ellipse").VERSION


def test_listing_imports_no_mode():
    script = (
        "import sys; from noisylabels.catalogue import MODES; MODES.describe();"
        "assert not [m for m in sys.modules if m.startswith('noisylabels.corruptions.')], sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_first_line_of_nothing_is_empty(tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "b.py").write_text("x = = 1")
    assert (
        first_line(tmp_path / "a.py") == first_line(tmp_path / "b.py") == first_line(tmp_path / "c.py") == ""
    )
    assert first_line(None) == ""
