"""Labels taken from readers and predictions, and pseudo-labels from scores in exact arithmetic."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import blobs, case, draw, read

from noisylabels.case import IGNORE
from noisylabels.corruptions import pseudo_label, reader
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import components
from noisylabels.parts import scores
from noisylabels.parts.given import overlaid, regions

few = settings(max_examples=40, deadline=None, derandomize=True)


def readers(labels, **maps):
    return replace(case(read(labels)), readers={name.strip("_"): read(text) for name, text in maps.items()})


def take(one, **params):
    return draw(reader.corrupt(one, reader.Params(**params), Draws(0, "r")))


def predict(one, **params):
    return draw(pseudo_label.corrupt(one, pseudo_label.Params(**params), Draws(0, "p")))


def test_overlay_takes_chosen_classes_where_both_have_one():
    found = overlaid(read(".113\n1.x3"), read("11x2\n2.13"), (1, 2))
    assert draw(found) == ["1113", "2.x3"]
    assert draw(overlaid(read(".113"), read("11x2"), (1, 2, 3))) == ["1112"]


def test_regions_are_where_anyone_sees_something():
    found = regions([read("1..2."), read(".1..."), read("....3")], (1, 2, 3))
    assert [found.spans.first.tolist(), found.spans.last.tolist()] == [[0, 3], [1, 4]]
    assert found.owner.tolist() == [0, 1]


def test_reader_by_name_and_by_chance():
    one = readers("11..\n11..", a=".1..\n.1..", b="111.\n111.")
    assert take(one, reader="a") == [".1..", ".1.."]
    drawn = {tuple(draw(reader.corrupt(one, reader.Params(), Draws(0, str(k))))) for k in range(20)}
    assert drawn == {(".1..", ".1.."), ("111.", "111.")}


def test_readers_are_drawn_alike():
    one = readers("1", a=".", b="2", c="3", d="1")
    params = reader.Params(reference="d")
    drawn = [int(reader.corrupt(one, params, Draws(0, str(k)))[0, 0]) for k in range(3000)]
    counts = np.bincount(drawn, minlength=4)
    assert counts[1] == 0
    assert abs(counts[[0, 2, 3]] - 1000).max() < 130  # five standard deviations


def test_every_object_has_a_reader_of_its_own():
    one = readers("1.1.1.1.1.1.1.1", a="1.1.1.1.1.1.1.1", b="2.2.2.2.2.2.2.2")
    found = reader.corrupt(one, reader.Params(per="object"), Draws(0, "r"))
    assert set(np.unique(found)) == {0, 1, 2}
    assert (found[0, 1::2] == 0).all()


@given(seed=st.integers(0, 50))
@few
def test_an_object_is_taken_whole(seed):
    one = blobs((20, 24), seed)
    maps = [one.labels, *one.readers.values()]
    found = reader.corrupt(one, reader.Params(per="object"), Draws(seed, "r"))
    seen = np.any([(each > 0) & (each != IGNORE) for each in maps], axis=0)
    ids, classes = components(seen.astype(np.uint8), (1,))
    for k in range(1, len(classes) + 1):
        assert any(np.array_equal(found[ids == k], each[ids == k]) for each in maps[1:])


def test_missing_readers():
    none, one = readers("11"), readers("11", a=".1")
    with pytest.raises(UsageError, match="toy has no readers"):
        take(none)
    with pytest.raises(UsageError, match="no reader of case toy: 'A'; known: a"):
        take(one, reader="A")
    with pytest.raises(UsageError, match="no reader but the reference a"):
        take(one, reference="a")
    with pytest.raises(UsageError, match="is the reference"):
        reader.Params(reader="a", reference="a")
    assert take(one, reader="b", missing="keep") == ["11"]
    assert take(one, reader="b", missing="other") == [".1"]
    assert take(none, missing="other") == ["11"]
    assert take(one, reference="a", missing="keep") == ["11"]


def test_a_reader_without_a_label_leaves_the_labels():
    assert take(readers("1.2x", a="xx12"), reader="a") == ["1.1x"]


def test_one_prediction_is_taken_as_it_is():
    one = readers("..11.\n.221.\n.22x.", a=".11..\n.211.\n.222.")
    assert predict(one) == [".11..", ".211.", ".22x."]


def test_predictions_vote_and_ties_go_to_the_lowest_class():
    one = readers("1111", a="1122", b="2132", c=".13x")
    assert predict(one) == [".132"], "votes: one each, all, two of three, two"
    assert predict(one, readers=("a", "b")) == ["1122"]


def test_agreement_below_the_threshold_is_not_trusted():
    one = readers("3333", a="1122", b="1222", c="122x")
    assert predict(one) == ["1222"]
    assert predict(one, threshold=0.7) == ["1322"], "two of three are 0.67; two of two are 1"
    assert predict(one, threshold=0.7, below="background") == ["1.22"]
    sharp = predict(one, threshold=0.7, temperature=0.5)
    assert sharp == ["1222"], "4 / (4 + 1) = 0.8"


def test_unknown_predictions_and_sizes_are_refused():
    one = readers("11", a=".1")
    with pytest.raises(UsageError, match="no reader of case toy"):
        predict(one, readers=("b",))
    with pytest.raises(UsageError, match="2 axes"):
        predict(one, size=(1, 1, 1))


def test_made_at_a_lower_resolution():
    one = readers("......\n......", a="11222.\n11222.")
    assert predict(one, size=(1, 3)) == ["1122..", "1122.."]
    assert predict(one, size=(2, 6)) == ["11222.", "11222."]
    assert predict(one, size=(20, 60)) == ["11222.", "11222."]


@given(seed=st.integers(0, 99), size=st.tuples(*[st.integers(1, 14)] * 2))
@few
def test_bringing_labels_to_a_resolution_twice_is_once(seed, size):
    labels = blobs((9, 13), seed).labels
    once = scores.at_resolution(labels, size)
    assert np.array_equal(scores.at_resolution(once, size), once)
    places = np.ix_(*[scores.nearest(min(m, n), n) for m, n in zip(size, labels.shape, strict=True)])
    assert np.array_equal(once[places], labels[places]), "the coarse grid itself is kept"


def test_a_volume_is_brought_to_a_size_slice_by_slice():
    labels = blobs((3, 9, 13), 1).labels
    one = replace(case(np.ones_like(labels)), readers={"a": labels})
    found = pseudo_label.corrupt(one, pseudo_label.Params(size=(4, 5)), Draws(0, "p"))
    want = np.stack([scores.at_resolution(plane, (4, 5)) for plane in labels])
    assert np.array_equal(found, want)


def test_powers_are_the_nearest_floats():
    assert np.array_equal(scores.powers(1.0), np.arange(256))
    assert np.array_equal(scores.powers(0.5), np.arange(256.0) ** 2)
    root = scores.powers(2.0)
    assert np.array_equal(root, np.sqrt(np.arange(256.0)))
    for q in (2, 77, 255):
        assert abs(Fraction(root[q]) ** 2 - q) < Fraction(q, 2**51)
    assert (np.diff(scores.powers(0.01)) > 0).all()
    assert np.isfinite(scores.powers(0.01)).all()


@given(
    st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=1, max_size=20),
    st.sampled_from([0.25, 0.5, 1.0]),
    st.fractions(0, 1, max_denominator=64),
)
@few
def test_confidence_is_a_softmax_at_a_temperature(rows, temperature, threshold):
    given_scores = np.array(rows, dtype=np.uint8).T[:, None, :]
    best, sure = scores.decide(given_scores, temperature, float(threshold))
    power = round(1 / temperature)
    for k, row in enumerate(rows):
        assert best[0, k] == row.index(max(row))
        exact = [q**power for q in row]
        confident = max(exact) >= threshold * sum(exact) and max(row) > 0
        if threshold.denominator & (threshold.denominator - 1) == 0:  # the threshold itself is a float
            assert bool(sure[0, k]) == confident


def test_score_maps_of_another_grid():
    maps = np.array([[[200, 10]], [[55, 245]]], dtype=np.uint8)
    assert scores.from_scores(maps, shape=(2, 4)).tolist() == [[0, 0, 1, 1]] * 2
    assert scores.from_scores(maps, threshold=0.9, below=IGNORE).tolist() == [[IGNORE, 1]]
    below = np.array([[3, 3]], dtype=np.uint8)
    assert scores.from_scores(maps, temperature=4.0, threshold=0.75, below=below).tolist() == [[3, 3]]
    assert scores.from_scores(np.zeros((2, 1, 1), np.uint8), below=IGNORE).tolist() == [[IGNORE]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 1.5}, {"temperature": 0.0}, {"below": "ignore"}, {"size": (4,)}, {"size": (0, 4)},
        {"readers": ()},
    ],
)  # fmt: skip
def test_impossible_parameters_of_predictions(wrong):
    with pytest.raises(UsageError):
        pseudo_label.Params(**wrong)


@pytest.mark.parametrize("wrong", [{"per": "pixel"}, {"missing": "ignore"}])
def test_impossible_parameters_of_readers(wrong):
    with pytest.raises(UsageError):
        reader.Params(**wrong)
