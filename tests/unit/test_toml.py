import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noisylabels import toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALAR = st.one_of(st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), TEXT)
VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
TABLE = st.recursive(
    st.dictionaries(TEXT, VALUE, max_size=3),
    lambda t: st.dictionaries(TEXT, st.one_of(VALUE, t, st.lists(t, min_size=1, max_size=2)), max_size=3),
    max_leaves=6,
)


@given(TABLE)
def test_what_is_written_is_read_back(document):
    assert tomllib.loads(toml.dumps(document)) == document


def test_matrices_stand_line_by_line():
    assert toml.dumps({"T": [[1.0, 0.0], [0.25, 0.75]]}) == "T = [\n    [1.0, 0.0],\n    [0.25, 0.75],\n]\n"


@pytest.mark.parametrize("value", [None, {"a": None}, [object()], b""])
def test_other_values_are_refused(value):
    with pytest.raises(TypeError, match="TOML has no form"):
        toml.dumps({"key": value})
