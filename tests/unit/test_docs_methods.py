"""The page about methods, networks and losses says what the modules say."""

import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_modules_say(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    from make_methods import page

    assert (DOCS / "methods.md").read_text(encoding="utf-8") == page(), "write it anew with make docs"


def test_every_method_is_on_the_page():
    text = (DOCS / "methods.md").read_text(encoding="utf-8")
    for name in ("baseline", "jcas", "volmin", "sr"):
        assert f"\n### {name}\n" in text
