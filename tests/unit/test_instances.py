"""Objects missed, invented, joined and cut: against brute force, and in numbers."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from toys import blobs, case, read

from noisylabels import geometry
from noisylabels.case import IGNORE
from noisylabels.corruptions import add_object, drop_object, merge_objects, split_object
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice, object_runs
from noisylabels.parts import instances, inventions

few = settings(max_examples=25, deadline=None, derandomize=True)
scenes = st.builds(
    blobs,
    st.sampled_from([(17, 23), (16, 24), (6, 9, 16), (5, 11, 13), (1, 12, 12)]),
    number=st.integers(0, 10**6),
    count=st.integers(0, 14),
    ignore=st.booleans(),
    radius=st.integers(1, 5),
)
MODES = [
    (drop_object, {"rate": 0.5, "fill": "neighbour", "size_bias": 0.75}),
    (add_object, {"rate": 2.0}),
    (add_object, {"rate": 2.0, "source": "blob", "as_class": "random"}),
    (add_object, {"rate": 2.0, "on": 1}),
    (merge_objects, {"rate": 0.8, "gap_px": 6.5}),
    (merge_objects, {"rate": 1.0, "gap_px": 9.0, "across": True, "on": 1}),
    (merge_objects, {"rate": 1.0, "gap_mm": 4.0, "across": True}),
    (split_object, {"rate": 1.0, "gap_px": 1.0}),
    (split_object, {"rate": 1.0, "gap_mm": 2.0, "direction": "drawn", "fill": "neighbour", "least_px": 1}),
]


def twin(call):
    with mock.patch.object(choice, "has_numba", return_value=False):
        return call()


def parts_of(labels, value=None):
    mask = labels > 0 if value is None else labels == value
    return ndimage.label(mask, structure=np.ones((3,) * labels.ndim))


def specks(side):
    """Single pixels, three apart, of class 1."""
    labels = np.zeros((3 * side, 3 * side), np.uint8)
    labels[1::3, 1::3] = 1
    return case(labels)


def sizes_scene(copies):
    """Squares of 1, 4, 16, 64 and 144 pixels, in equal numbers."""
    tile = np.zeros((16, 60), np.uint8)
    at = 1
    for side in (1, 2, 4, 8, 12):
        tile[1 : 1 + side, at : at + side] = 1
        at += side + 3
    return case(np.tile(tile, (copies, copies)))


@pytest.mark.parametrize(("module", "values"), MODES)
@given(one=scenes, seed=st.integers(0, 99))
@few
def test_compiled_and_plain(module, values, one, seed):
    spaced = case(one.labels, spacing=(1.5, 0.7, 0.9)[-one.labels.ndim :])
    params = module.Params(**values)
    found = module.corrupt(spaced, params, Draws(seed))
    assert np.array_equal(found, twin(lambda: module.corrupt(spaced, params, Draws(seed))))


@given(one=scenes)
@few
def test_runs_compiled_and_plain(one):
    for classes in ((1, 2, 3), (2,)):
        fast = object_runs.runs_of(one.labels, classes)
        slow = twin(lambda c=classes: object_runs.runs_of(one.labels, c))
        for a, b in zip((*fast.spans, *fast[1:]), (*slow.spans, *slow[1:]), strict=True):
            assert a.dtype == b.dtype
            assert np.array_equal(a, b)
        assert fast.sizes().sum() == np.isin(one.labels, classes).sum()
    for value in (0, 1, IGNORE):
        assert object_runs.spans_of(one.labels, value).lengths().sum() == (one.labels == value).sum()


def test_mixed_words_are_those_of_splitmix():
    """The first outputs of SplitMix64 seeded with 1234567, as its authors' code prints them."""
    state = np.array([1234567], dtype=np.uint64)
    words = []
    for _ in range(3):
        words.append(int(instances.mixed(state)[0]))
        state = state + np.uint64(0x9E3779B97F4A7C15)
    assert words == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_objects_are_missed_as_a_whole_and_at_the_rate():
    one = specks(200)
    for rate in (0.0, 0.05, 0.3, 1.0):
        found = drop_object.corrupt(one, drop_object.Params(rate=rate), Draws(0))
        missed = 1 - found.sum() / one.labels.sum()
        assert abs(missed - rate) <= 4 * np.sqrt(rate * (1 - rate) / 40_000)
    scene = blobs((80, 90), 2, 20)
    found = drop_object.corrupt(scene, drop_object.Params(rate=0.5), Draws(1))
    ids, classes = geometry.components(scene.labels, (1, 2, 3))
    for k in range(1, len(classes) + 1):
        assert len(np.unique(found[ids == k])) == 1


@pytest.mark.parametrize("bias", [-2.0, -0.5, 0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("rate", [0.05, 0.4, 0.9])
def test_mean_share_with_size_bias_is_the_rate(bias, rate):
    one = sizes_scene(12)
    ids, classes = geometry.components(one.labels, (1,))
    sizes = np.bincount(ids.ravel())[1:]
    expected = drop_object.chances(sizes, rate, bias, None)
    assert expected.mean() == pytest.approx(rate, abs=1e-12)
    assert (np.diff(expected[np.argsort(sizes)]) * (-bias or 1) >= 0).all()
    missed = np.zeros((8, len(classes)))
    for seed in range(8):
        found = drop_object.corrupt(one, drop_object.Params(rate=rate, size_bias=bias), Draws(seed))
        missed[seed] = [(found.ravel()[np.flatnonzero(ids.ravel() == k)[0]] == 0) for k in range(1, 721)]
    assert missed.mean() == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / missed.size))
    for size in np.unique(sizes):
        mine = missed[:, sizes == size]
        chance = expected[sizes == size][0]
        assert mine.mean() == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / mine.size) + 1e-9)


def test_size_bias_is_the_stated_power():
    sizes = np.array([10, 20, 40, 80])
    assert drop_object.chances(sizes, 0.1, 1.0, None) * sizes == pytest.approx(0.1 * 4 / (15 / 80))
    for bias in (-2, -0.625, 0.328125, 1, 1.75):
        got = drop_object.chances(sizes, 0.01, bias, 20.0)
        assert got == pytest.approx(0.01 * (sizes / 20.0) ** -bias, rel=1e-13)
    assert drop_object.chances(np.array([7]), 0.3, 2.0, None) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("clean", "classes", "expected"),
    [
        ("..11111\n..12221\n..11111", (2,), "..11111\n..11111\n..11111"),  # inside an organ
        ("..11111\n..12221\n..11111", (1, 2), ".......\n.......\n......."),  # organ and lesion missed
        ("1222...\n1222...\n.......", (2,), "1......\n1......\n......."),  # most faces: the background
        ("xx1xx..\nx121x..\nxx1xx..", (2,), "xx1xx..\nx111x..\nxx1xx.."),
        ("xxx\nx2x\nxxx", (2,), "xxx\nx.x\nxxx"),
    ],
)
def test_a_missed_object_becomes_its_neighbour(clean, classes, expected):
    params = drop_object.Params(rate=1.0, fill="neighbour", classes=classes)
    assert np.array_equal(drop_object.corrupt(case(read(clean)), params, Draws(0)), read(expected))


@pytest.mark.parametrize("source", ["copy", "blob"])
@pytest.mark.parametrize("rate", [0.3, 1.0, 1.6, 2.0])
def test_number_of_inventions(rate, source):
    labels = np.zeros((600, 600), np.uint8)
    labels[5:595:25, 5:595:25] = 1
    labels[6:595:25, 5:595:25] = 1
    existing = parts_of(labels)[1]
    found = add_object.corrupt(case(labels), add_object.Params(rate=rate, source=source), Draws(3))
    assert np.array_equal(found[labels > 0], labels[labels > 0])
    added = parts_of(found)[1] - existing
    assert abs(added - rate * existing) <= 4 * np.sqrt(existing * rate * 0.25) + 1


def test_copies_are_congruent_and_every_way_is_as_likely():
    shape = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]], np.uint8)
    labels = np.zeros((900, 900), np.uint8)
    for y in range(10, 880, 45):
        for x in range(10, 880, 45):
            labels[y : y + 3, x : x + 4] = shape
    found = add_object.corrupt(case(labels), add_object.Params(rate=1.0), Draws(0))
    added = np.where(labels > 0, 0, found)
    ids, count = parts_of(added)
    assert count == parts_of(labels)[1]
    seen = {}
    for box in ndimage.find_objects(ids):
        key = (ids[box] > 0).astype(np.uint8)
        seen[key.tobytes(), key.shape] = seen.get((key.tobytes(), key.shape), 0) + 1
    ways = [np.rot90(s, k) for s in (shape, shape[:, ::-1]) for k in range(4)]
    whole = {(np.ascontiguousarray(w).tobytes(), w.shape) for w in ways}
    assert set(seen) == whole
    assert all(abs(n - count / 8) < 4 * np.sqrt(count / 8) for n in seen.values())


def test_a_volume_with_thick_slices_is_turned_in_its_slices_only():
    labels = np.zeros((12, 40, 40), np.uint8)
    labels[2, 3:9, 5] = labels[3, 3, 5] = 1
    lengths = set()
    for seed in range(30):
        one = case(labels, spacing=(5.0, 1.0, 1.0))
        added = add_object.corrupt(one, add_object.Params(rate=1.0), Draws(seed)) > labels
        lengths.add(tuple(int(np.ptp(axis)) + 1 for axis in np.nonzero(added)))
    assert lengths == {(2, 6, 1), (2, 1, 6)}
    uneven = case(labels, spacing=(1.0, 1.0, 2.0))
    added = add_object.corrupt(uneven, add_object.Params(rate=1.0), Draws(0)) > labels
    assert np.ptp(np.nonzero(added)[1]) == 5, "a pixel that is not square would stretch what is turned"


@pytest.mark.parametrize("shape", [(200, 200), (1, 200, 200), (60, 60, 60)])
def test_blobs_have_the_size_of_the_objects_and_one_piece(shape):
    labels = np.zeros(shape, np.uint8)
    grid = np.indices(shape)
    middle = [n // 2 for n in shape]
    labels[sum((g - m) ** 2 for g, m in zip(grid, middle, strict=True)) <= 81] = 1
    found = instances.objects_of(case(labels), (1,))
    words = Draws(0).words(200)
    stamps = inventions.blobs(found, np.zeros(200, np.int64), np.ones(200, np.uint8), words, None)
    total = np.add.reduceat(stamps.segments[:, 4], stamps.begin[:-1]) / labels.sum()
    assert abs(total - 1).max() < 0.12
    assert total.mean() == pytest.approx(1, abs=0.01)
    for seed in range(5):
        given = add_object.corrupt(case(labels), add_object.Params(rate=1.0, source="blob"), Draws(seed))
        assert parts_of(given - labels)[1] == 1


def test_blobs_are_round_in_millimetres():
    labels = np.zeros((30, 80, 80), np.uint8)
    labels[5:9, 10:30, 10:30] = 1
    one = case(labels, spacing=(5.0, 1.0, 1.0))
    wide = []
    for seed in range(20):
        added = add_object.corrupt(one, add_object.Params(rate=1.0, source="blob"), Draws(seed)) != labels
        wide.append([np.ptp(axis) + 1 for axis in np.nonzero(added)])
    z, y, x = np.mean(wide, axis=0)
    assert y / z == pytest.approx(5, rel=0.25)
    assert x / y == pytest.approx(1, rel=0.15)


@given(one=scenes, source=st.sampled_from(["copy", "blob"]), on=st.integers(0, 3))
@few
def test_inventions_lie_on_one_class(one, source, on):
    params = add_object.Params(rate=2.0, source=source, on=on, as_class="random")
    found = add_object.corrupt(one, params, Draws(0))
    changed = found != one.labels
    assert set(np.unique(one.labels[changed])) <= {on}
    assert 0 not in found[changed]


def test_inventions_do_not_grow_objects_where_there_is_room():
    labels = np.zeros((300, 300), np.uint8)
    labels[20:280:30, 20:280:30] = 1
    labels[21:281:30, 20:280:30] = 2
    for seed in range(3):
        found = add_object.corrupt(case(labels), add_object.Params(rate=2.0), Draws(seed))
        for c in (1, 2):
            assert parts_of(found, c)[1] == 3 * parts_of(labels, c)[1]


@pytest.mark.parametrize(("module", "values"), MODES)
def test_tens_of_thousands_of_objects(module, values):
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((400, 500)) < 0.05, rng.integers(1, 4, (400, 500)), 0).astype(np.uint8)
    values = {k: min(v, 3.0) if k.startswith("gap") else v for k, v in values.items()}
    found = module.corrupt(case(labels, spacing=(1.0, 1.0)), module.Params(**values), Draws(0))
    if module is not split_object and values.get("on", 0) == 0:
        assert not np.array_equal(found, labels)


@pytest.mark.parametrize(
    ("module", "values"),
    [
        (drop_object, {"rate": -0.1}),
        (drop_object, {"size_bias": 2.5}),
        (drop_object, {"typical_px": 0.0}),
        (drop_object, {"fill": "nearest"}),
        (add_object, {"rate": 2.1}),
        (add_object, {"source": "foreign"}),
        (add_object, {"as_class": "other"}),
        (add_object, {"on": -1}),
        (merge_objects, {"gap_px": 51.0}),
        (merge_objects, {"gap_px": 2.0, "gap_mm": 2.0}),
        (merge_objects, {"on": -1}),
        (split_object, {"gap_mm": -1.0}),
        (split_object, {"least_px": 0}),
        (split_object, {"direction": "along"}),
    ],
)
def test_impossible_parameters_are_refused(module, values):
    with pytest.raises(UsageError):
        module.Params(**values)


@pytest.mark.parametrize("module", [add_object, merge_objects])
def test_a_ground_that_is_not_declared_is_refused(module):
    with pytest.raises(UsageError, match="toy has no class 4"):
        module.corrupt(blobs((20, 20)), module.Params(on=4), Draws(0))
