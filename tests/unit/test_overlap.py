import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from noisylabels.case import IGNORE
from noisylabels.errors import InvalidData
from noisylabels.metrics.overlap import DEFINITIONS, confusion, dice, jaccard, structure_counts

K = 4
maps = hnp.arrays(np.uint8, (2, 5, 6), elements=st.sampled_from([0, 1, 2, 3, IGNORE]))


def slow_confusion(reference, prediction, k):
    counts = [[0] * k for _ in range(k)]
    for true, given_class in zip(reference.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if true != IGNORE:
            counts[true][given_class] += 1
    return counts


@settings(deadline=None)
@given(maps)
def test_confusion_equals_its_slow_twin(pair):
    reference, prediction = pair[0], np.where(pair[1] == IGNORE, 0, pair[1]).astype(np.uint8)
    matrix = confusion(reference, prediction, K)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == slow_confusion(reference, prediction, K)


@settings(deadline=None)
@given(maps, st.sets(st.integers(1, K - 1)))
def test_counts_of_a_structure_are_those_of_its_set_of_pixels(pair, codes):
    reference, prediction = pair[0], np.where(pair[1] == IGNORE, 0, pair[1]).astype(np.uint8)
    counted = reference != IGNORE
    true, predicted = np.isin(reference, list(codes)) & counted, np.isin(prediction, list(codes)) & counted
    expected = ((true & predicted).sum(), (~true & predicted).sum(), (true & ~predicted).sum())
    assert structure_counts(confusion(reference, prediction, K), sorted(codes)) == expected


def test_confusion_of_a_drawn_case():
    reference = np.array([[0, 0, 1], [0, 1, 255]], np.uint8)
    prediction = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
    assert confusion(reference, prediction, 2).tolist() == [[2, 1], [1, 1]]


def test_many_classes_do_not_overflow():
    reference = np.full((2, 2), 253, np.uint8)
    assert confusion(reference, reference, 254)[253, 253] == 4


def test_ignored_pixels_of_the_prediction_are_refused_where_the_reference_has_a_class():
    with pytest.raises(InvalidData, match="255"):
        confusion(np.zeros((2, 2), np.uint8), np.full((2, 2), IGNORE, np.uint8), 2)


def test_nothing_counts_when_all_is_ignored():
    ignored = np.full((2, 2), IGNORE, np.uint8)
    assert confusion(ignored, np.zeros((2, 2), np.uint8), 2).sum() == 0


def test_different_shapes_are_refused():
    with pytest.raises(InvalidData, match=r"\(2, 3\).*\(3, 2\)"):
        confusion(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 2)


@pytest.mark.parametrize(
    ("counts", "d", "j"),
    [((0, 0, 0), 1, 1), ((0, 0, 7), 0, 0), ((0, 7, 0), 0, 0), ((5, 0, 0), 1, 1), ((2, 1, 1), 2 / 3, 0.5)],
)
def test_stated_values(counts, d, j):
    assert dice(*counts) == pytest.approx(d)
    assert jaccard(*counts) == pytest.approx(j)


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 10**12)] * 3))
def test_dice_and_jaccard_determine_each_other(counts):
    j = jaccard(*counts)
    assert 0 <= j <= dice(*counts) <= 1
    assert dice(*counts) == pytest.approx(2 * j / (1 + j))


def test_every_metric_has_its_sentence():
    assert set(DEFINITIONS) == {"dice", "jaccard"}
    assert all(text.endswith(".") for text in DEFINITIONS.values())
