"""Every mode draws today what it drew when its version was set, compiled or not."""

import pytest
from golden.write import FOLDER, path, pictures

from noisylabels.catalogue import MODES
from noisylabels.kernels import choice


@pytest.mark.parametrize("kernels", ["compiled", "twin"])
@pytest.mark.parametrize("name", MODES.names())
def test_golden(name, kernels, monkeypatch):
    if kernels == "twin":
        monkeypatch.setattr(choice, "has_numba", lambda: False)
    expected = path(name).read_text(encoding="utf-8")
    found = pictures(name)
    assert found == expected, (
        "if this is meant: raise VERSION in the mode, run `make golden`, look at the change"
    )


def test_no_golden_file_is_left_over():
    assert {p.name for p in FOLDER.glob("*.txt")} == {path(name).name for name in MODES.names()}
