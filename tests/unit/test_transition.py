"""The matrices as written, and flips that follow them exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import case

from noisylabels.case import IGNORE
from noisylabels.corruptions import asymmetric, pair_flip, symmetric
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.parts import flips
from noisylabels.transition import asymmetric as asymmetric_matrix
from noisylabels.transition import check, flip, pair, thresholds
from noisylabels.transition import symmetric as symmetric_matrix

BUILDERS = [symmetric_matrix, asymmetric_matrix, pair]


def test_symmetric_as_written():
    assert symmetric_matrix(4, 0.3, (1, 2, 3)).tolist() == [
        [1, 0, 0, 0], [0, 0.7, 0.15, 0.15], [0, 0.15, 0.7, 0.15], [0, 0.15, 0.15, 0.7],
    ]  # fmt: skip


def test_asymmetric_as_written():
    assert asymmetric_matrix(4, 0.25, (0, 1, 2, 3)).tolist() == [
        [0.75, 0.25 / 3, 0.25 / 3, 0.25 / 3], [0, 0.75, 0.25, 0], [0, 0, 0.75, 0.25], [0, 0.25, 0, 0.75],
    ]  # fmt: skip
    assert asymmetric_matrix(4, 0.25, (1, 3)).tolist() == [
        [1, 0, 0, 0], [0, 0.75, 0, 0.25], [0, 0, 1, 0], [0, 0.25, 0, 0.75],
    ]  # fmt: skip
    assert asymmetric_matrix(2, 0.25, (0, 1)).tolist() == [[0.75, 0.25], [0, 1]]


def test_pair_as_written():
    assert pair(3, 0.25, (0, 1, 2)).tolist() == [[0.75, 0.25, 0], [0, 0.75, 0.25], [0.25, 0, 0.75]]
    assert pair(3, 0.25, (2,)).tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("build", BUILDERS)
@given(size=st.integers(2, 9), rate=st.floats(0, 1), data=st.data())
@settings(max_examples=20, deadline=None)
def test_rows_sum_to_one(build, size, rate, data):
    taking_part = data.draw(st.lists(st.integers(0, size - 1), min_size=2, unique=True).map(sorted))
    matrix = check(build(size, rate, taking_part))
    left_out = [k for k in range(size) if k not in taking_part]
    assert (matrix[left_out] == np.eye(size)[left_out]).all()
    leave, reach = thresholds(matrix)
    assert (
        leave.tolist() == [round(rate * 2**32) if matrix[k, k] != 1 else 0 for k in range(size)]
        or rate < 1e-9
    )
    assert (reach[leave > 0, size - 1] == 2**32).all()


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("build", BUILDERS)
def test_impossible_rates_are_refused(build, rate):
    with pytest.raises(UsageError, match="probability"):
        build(3, rate, (1, 2))


@pytest.mark.parametrize("module", [symmetric, asymmetric, pair_flip])
@pytest.mark.parametrize("bad", [{"rate": 1.5}, {"rate": -0.5}, {"unit": "voxel"}])
def test_impossible_parameters_are_refused(module, bad):
    with pytest.raises(UsageError):
        module.Params(**bad)


@pytest.mark.parametrize(
    "matrix", [[[0.5, 0.5]], [[0.5, 0.4], [0, 1]], [[1.5, -0.5], [0, 1]], [[np.nan, 1], [0, 1]]]
)
def test_what_is_no_transition_matrix_is_refused(matrix):
    with pytest.raises(UsageError):
        check(np.array(matrix))


def test_flip_word_by_word():
    matrix = np.array([[0.5, 0.125, 0.375], [0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])
    half, quarter = 2**63, 2**62
    words = np.array([half, half - 1, 0, quarter - 1, 2**30 - 1, 2**30, 0, 0], dtype=np.uint64)
    labels = np.array([0, 0, 0, 1, 0, 0, 2, IGNORE], dtype=np.uint8)
    # Stays; the lower half all ones: the last target; 0: the first one; class 1 below 1/4: its only target;
    # the lower half just below and at the share 1/4 of the first target; never; not a class.
    assert flip(labels, matrix, words).tolist() == [0, 2, 1, 0, 1, 2, 2, IGNORE]


@pytest.mark.parametrize("build", BUILDERS)
def test_frequencies_are_the_matrix(build):
    matrix = build(4, 0.4, (0, 1, 2, 3))
    n = 100_000
    labels = np.repeat(np.arange(4), n).astype(np.uint8)
    given_labels = flip(labels, matrix, Draws(0, build.__name__).words(4 * n))
    found = np.bincount(labels * 4 + given_labels, minlength=16).reshape(4, 4) / n
    assert (np.abs(found - matrix) <= 5 * np.sqrt(matrix * (1 - matrix) / n)).all()


def test_one_draw_for_the_case_permutes_the_classes():
    true = np.arange(4).astype(np.uint8)
    for number in range(40):
        words = np.repeat(Draws(number).words(1), 4)
        given_labels = flip(true, symmetric_matrix(4, 0.7, (0, 1, 2, 3)), words)
        assert sorted(given_labels.tolist()) == [0, 1, 2, 3]
        assert (given_labels == true).all() or (given_labels != true).all()


def squares():
    """300 single squares of the classes 1 to 3 on background."""
    labels = np.zeros((61, 81), np.uint8)
    labels[1::4, 1::4] = labels[2::4, 2::4] = 1  # they touch at corners
    for row in range(15):
        labels[4 * row + 1 : 4 * row + 3] *= 1 + row % 3
    return labels


@pytest.mark.parametrize("module", [symmetric, asymmetric])
def test_components_flip_as_one_and_at_the_rate(module):
    labels = squares()
    rate, flipped, total = module.Params().rate, 0, 0
    for number in range(20):
        found = module.corrupt(case(labels), module.Params(), Draws(number))
        assert (found[1::4, 1::4] == found[2::4, 2::4]).all(), (
            "pixels that touch at a corner are one component"
        )
        assert ((found == 0) == (labels == 0)).all()
        flipped += (found != labels)[1::4, 1::4].sum()
        total += found[1::4, 1::4].size
    assert abs(flipped / total - rate) < 5 * (rate * (1 - rate) / total) ** 0.5


def test_background_is_one_region_when_it_takes_part():
    labels = np.zeros((9, 9), np.uint8)
    labels[4] = 1  # cuts the background in two
    found = {
        tuple(
            int(v)
            for v in symmetric.corrupt(case(labels), symmetric.Params(background=True), Draws(n))[[0, 8], 0]
        )
        for n in range(20)
    }
    assert len(found) > 1
    assert all(above == below for above, below in found)


def test_one_class_has_nothing_to_flip_to():
    labels = np.eye(5, dtype=np.uint8)
    lung = case(labels, classes=("background", "lung"))
    with pytest.raises(UsageError, match=r"only these take part: lung; .*background"):
        symmetric.corrupt(lung, symmetric.Params(), Draws(0))
    found = symmetric.corrupt(lung, symmetric.Params(rate=1.0, background=True), Draws(0))
    assert (found == 1 - labels).all()


@pytest.mark.parametrize(
    ("classes", "background", "unit", "expected"),
    [
        (None, None, "pixel", (0, 1, 2, 3)),
        (None, None, "component", (1, 2, 3)),
        (None, True, "case", (0, 1, 2, 3)),
        (None, False, "pixel", (1, 2, 3)),
        ((2, 1), None, "pixel", (1, 2)),
        ((0, 3), None, "component", (0, 3)),
        ((0, 3, 2), False, "component", (2, 3)),
    ],
)
def test_who_takes_part(classes, background, unit, expected):
    assert flips.taking_part(case(np.zeros((2, 2), np.uint8)), classes, background, unit) == expected
