"""Objects joined and cut: against brute force, and in numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from toys import blobs, case, read

from noisylabels import geometry
from noisylabels.case import Case
from noisylabels.corruptions import merge_objects, split_object
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import pairs
from noisylabels.parts import instances

few = settings(max_examples=25, deadline=None, derandomize=True)
scenes = st.builds(
    blobs,
    st.sampled_from([(17, 23), (16, 24), (6, 9, 16), (5, 11, 13), (1, 12, 12)]),
    number=st.integers(0, 10**6),
    count=st.integers(0, 14),
    ignore=st.booleans(),
    radius=st.integers(1, 5),
)


def parts_of(labels, value=None):
    mask = labels > 0 if value is None else labels == value
    return ndimage.label(mask, structure=np.ones((3,) * labels.ndim))


# merge-objects


def brute_pairs(one, reach, steps, across):
    ids, classes = geometry.components(one.labels, (1, 2, 3))
    found = {}
    for a in range(len(classes)):
        away = geometry.squared_distances(ids == a + 1, steps)
        for b in range(a + 1, len(classes)):
            if across or classes[a] == classes[b]:
                square = int(away[ids == b + 1].min())
                if square <= reach * reach:
                    found[a, b] = square
    return found


@given(one=scenes, reach=st.sampled_from([0, 1000, 2000, 4500]), across=st.booleans(), mm=st.booleans())
@few
def test_pairs_against_all_pairs(one, reach, across, mm):
    steps = (2500, 700, 1100) if mm else (1000, 1000, 1000)
    found = instances.objects_of(one, (1, 2, 3))
    near = pairs.near_pairs(found.runs, found.volume.shape, found.chosen, reach, steps, across)
    got = {(int(a), int(b)): int(s) for a, b, s in zip(near.one, near.other, near.square, strict=True)}
    assert got == brute_pairs(one, reach, steps[-one.labels.ndim :], across)


@given(one=scenes, gap=st.sampled_from([2.0, 3.0, 5.5]))
@few
def test_bridges_against_their_definition(one, gap):
    found = merge_objects.corrupt(one, merge_objects.Params(rate=1.0, gap_px=gap), Draws(0))
    ids, classes = geometry.components(one.labels, (1, 2, 3))
    steps = geometry.steps_px(one.labels.ndim)
    expected, below = one.labels.copy(), one.labels == 0
    for (a, b), square in brute_pairs(one, gap * 1000, steps, False).items():
        total = sum(np.sqrt(geometry.squared_distances(ids == k + 1, steps)) for k in (a, b))
        inside = below & (total <= np.sqrt(square) + 800)
        expected[inside] = np.maximum(expected[inside], classes[a])
    thread = found != expected
    assert (one.labels[thread] == 0).all()  # pixels of the straight lines
    assert thread.sum() <= 3 * gap * len(brute_pairs(one, gap * 1000, steps, False))
    for c in (1, 2, 3):  # two of a class are joined, unless something lies in between
        joined = parts_of(found, c)[0]
        for (a, b), square in brute_pairs(one, gap * 1000, steps, False).items():
            if classes[a] == c and square == 4_000_000 and len(np.unique(one.labels)) == 2:
                assert len(np.unique(joined[(ids == a + 1) | (ids == b + 1)])) == 1


@pytest.mark.parametrize("shape", [(40, 50), (14, 30, 30)])
def test_joined_objects_are_one_component(shape):
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels = np.zeros(shape, np.uint8)
        for _ in range(2):
            labels[tuple(int(rng.integers(0, n)) for n in shape)] = 1
        found = merge_objects.corrupt(case(labels), merge_objects.Params(rate=1.0, gap_px=50.0), Draws(0))
        assert parts_of(found)[1] == 1
        away = np.sqrt(sum(float(np.ptp(axis)) ** 2 for axis in np.nonzero(labels)))
        wide = np.sqrt(1.6 * away + 0.64)  # of the ellipse with the two as foci
        assert found.sum() <= (away + 3) * (wide + 1) ** (len(shape) - 1)


def test_share_of_joined_pairs():
    labels = np.zeros((900, 900), np.uint8)
    labels[1::9, 1::9] = labels[1::9, 3::9] = 1
    for rate in (0.0, 0.3, 1.0):
        found = merge_objects.corrupt(case(labels), merge_objects.Params(rate=rate, gap_px=2.0), Draws(1))
        joined = found[1::9, 2::9].mean()
        assert abs(joined - rate) <= 4 * np.sqrt(rate * (1 - rate) / 10_000)


def test_across_the_smaller_takes_the_class_of_the_larger():
    clean = read("111.22\n111.22\n111.3.")
    params = merge_objects.Params(rate=1.0, gap_px=2.0, across=True)
    found = merge_objects.corrupt(case(clean), params, Draws(0))
    assert found[0, 5] == 1
    assert found[2, 4] == 1, "of the two that it touches, the larger one's"
    assert found[1, 3] == 1
    same = merge_objects.corrupt(case(clean), merge_objects.Params(rate=1.0, gap_px=2.0), Draws(0))
    assert np.array_equal(same, clean)


def test_lesions_are_joined_on_their_organ():
    clean = read("1111111\n1221221\n1111111")
    found = merge_objects.corrupt(
        case(clean), merge_objects.Params(rate=1.0, gap_px=2.0, on=1, classes=(2,)), Draws(0)
    )
    assert (found[1] == read("1222221")[0]).all()


def test_picture_of_the_docstring():
    clean = read(".........\n.11...11.\n.111.111.\n.111.111.\n.11...11.")
    found = merge_objects.corrupt(case(clean), merge_objects.Params(rate=1.0, gap_px=2.0), Draws(0))
    assert np.array_equal(found, read(".........\n.11...11.\n.1111111.\n.1111111.\n.11...11."))


# split-object


def ellipse_scene(angle, shape=(60, 70), half=(8, 20)):
    y, x = np.indices(shape)
    y, x = y - shape[0] / 2 + 0.3, x - shape[1] / 2 - 0.2
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return ((v / half[0]) ** 2 + (u / half[1]) ** 2 <= 1).astype(np.uint8)


@pytest.mark.parametrize("gap", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("direction", ["across", "drawn"])
def test_cut_objects_fall_into_two_parts_of_like_size(gap, direction):
    for k in range(24):
        labels = ellipse_scene(np.pi * k / 24)
        params = split_object.Params(rate=1.0, gap_px=gap, direction=direction)
        found = split_object.corrupt(case(labels), params, Draws(k))
        ids, count = parts_of(found)
        assert count == 2
        one, other = np.bincount(ids.ravel())[1:]
        assert abs(one - other) < 0.06 * labels.sum()
        if direction == "across":
            assert (labels - found).sum() <= 17 * max(gap, 1.5) + 6


@pytest.mark.parametrize("spacing", [None, (4.0, 1.0, 1.0)])
def test_a_cut_in_a_volume_runs_across_the_longest_axis(spacing):
    labels = np.zeros((12, 20, 24), np.uint8)
    labels[2:10, 5:11, 4:20] = 1
    values = {"gap_px": 2.0} if spacing is None else {"gap_mm": 8.0}
    found = split_object.corrupt(
        case(labels, spacing=spacing), split_object.Params(rate=1.0, **values), Draws(0)
    )
    gone = np.nonzero(labels - found)
    assert parts_of(found)[1] == 2
    lengths = [np.ptp(axis) + 1 for axis in gone]
    assert lengths == ([8, 6, 2] if spacing is None else [2, 6, 16])  # 8 slices of 4 mm are the longest


def test_a_round_object_is_cut_in_any_direction():
    disc = ellipse_scene(0.0, (41, 41), (15, 15))
    disc = np.maximum(disc, disc.T)
    disc = np.maximum(np.maximum(disc, disc[::-1]), np.maximum(disc[:, ::-1], disc[::-1, ::-1]))
    wide = []
    for seed in range(200):
        gone = np.nonzero(disc - split_object.corrupt(case(disc), split_object.Params(rate=1.0), Draws(seed)))
        wide.append(np.ptp(gone[0]) > np.ptp(gone[1]))
    assert abs(np.mean(wide) - 0.5) < 4 * 0.5 / np.sqrt(200)


def test_small_objects_are_left_whole():
    labels = read("11111...22.\n11111.....3")
    found = split_object.corrupt(
        case(labels), split_object.Params(rate=1.0, gap_px=1.0, least_px=4), Draws(0)
    )
    assert np.array_equal(found, read("11.11...22.\n11.11.....3"))
    for params in ({"least_px": 5}, {"gap_px": 3.0}):
        found = split_object.corrupt(case(labels), split_object.Params(**{"rate": 1.0, **params}), Draws(0))
        assert np.array_equal(found, labels)


def test_the_gap_may_become_what_lies_around():
    labels = read("333333333\n311111113\n311111113\n333333333")
    params = split_object.Params(rate=1.0, gap_px=1.0, fill="neighbour", classes=(1,))
    found = split_object.corrupt(case(labels), params, Draws(0))
    assert np.array_equal(found, read("333333333\n311131113\n311131113\n333333333"))


def test_share_of_cut_objects():
    labels = np.zeros((900, 900), np.uint8)
    for dx in range(5):
        labels[1::9, 1 + dx :: 9] = 1
    for rate in (0.0, 0.4, 1.0):
        params = split_object.Params(rate=rate, gap_px=1.0, least_px=1)
        cut = 1 - split_object.corrupt(case(labels), params, Draws(1))[1::9, 3::9].mean()
        assert abs(cut - rate) <= 4 * np.sqrt(rate * (1 - rate) / 10_000)


@pytest.mark.parametrize("module", [merge_objects, split_object])
def test_millimetres_need_a_spacing(module):
    one = Case(case_id="bare", labels=blobs((20, 20)).labels, classes=("background", "a", "b", "c"))
    with pytest.raises(UsageError, match="bare has no spacing"):
        module.corrupt(one, module.Params(gap_mm=2.0), Draws(0))
