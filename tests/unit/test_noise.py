import json
from math import hypot

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from noisylabels.case import IGNORE
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData
from noisylabels.metrics.noise import (
    DEFINITIONS,
    NoiseMeasure,
    PooledNoise,
    grid_points,
    measure,
    pair_counts,
    pool,
)

CLASSES = ("background", "shaft", "wrist", "clasper")
maps = hnp.arrays(np.uint8, (2, 6, 7), elements=st.sampled_from([0, 1, 2, 3, IGNORE]))


def drawn(text):
    return np.array([[IGNORE if c == "x" else int(c) for c in line] for line in text.split()], np.uint8)


def slow_pairs(clean, noisy):
    counts = [[0, 0], [0, 0]]
    pixels = [p for p in zip(clean.ravel().tolist(), noisy.ravel().tolist(), strict=True) if IGNORE not in p]
    for i, one in enumerate(pixels):
        for j, two in enumerate(pixels):
            if i != j:
                counts[one[0] == two[0]][one[1] == two[1]] += 1
    return counts


@settings(deadline=None)
@given(maps)
def test_pixels_and_pairs_equal_their_slow_twins(pair):
    clean, noisy = pair
    found = measure(clean, noisy, CLASSES)
    counted = (clean != IGNORE) & (noisy != IGNORE)
    assert found.pixels == counted.sum()
    assert found.wrong_pixels == (counted & (clean != noisy)).sum()
    assert [list(row) for row in found.affinity] == slow_pairs(clean, noisy)
    for m in range(4):
        for k in range(4):
            assert found.transitions[m][k] == (counted & (clean == m) & (noisy == k)).sum()


def test_pairs_are_counted_on_the_grid():
    clean, noisy = (Draws(0, name).integers((90, 40), 0, 3).astype(np.uint8) for name in ("clean", "noisy"))
    found = measure(clean, noisy, CLASSES, grid=8)
    places = np.ix_(grid_points(90, 8), grid_points(40, 8))
    assert found.grid == (8, 8)
    assert [list(row) for row in found.affinity] == slow_pairs(clean[places], noisy[places])


def test_pairs_of_nine_pixels():
    clean, noisy = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 1, 1, 2, 2, 0])
    joint = np.zeros((3, 3), np.int64)
    np.add.at(joint, (clean, noisy), 1)
    pairs = pair_counts(joint)
    assert pairs.sum() == 72
    assert pairs.tolist() == slow_pairs(clean, noisy)


@pytest.mark.parametrize(("n", "grid"), [(1, 64), (64, 64), (65, 64), (320, 64), (7, 3)])
def test_grid_points_are_inside_spread_and_symmetric(n, grid):
    points = grid_points(n, grid)
    assert len(points) == min(n, grid)
    assert points[0] >= 0
    assert points[-1] < n
    assert np.ptp(np.diff(points)) <= 1 if len(points) > 1 else True


def test_a_dilated_square_moves_outwards_by_its_radius():
    clean, noisy = np.zeros((2, 30, 30), np.uint8)
    clean[10:20, 10:20] = 1
    noisy[8:22, 8:22] = 1
    moved = measure(clean, noisy, CLASSES[:2]).displacement[1]
    edge = [(y, x) for y in range(8, 22) for x in range(8, 22) if {y, x} & {8, 21}]
    far = [hypot(max(10 - y, 0, y - 19), max(10 - x, 0, x - 19)) for y, x in edge]
    assert moved.count == len(edge)
    assert moved.mean == pytest.approx(sum(far) / len(far))
    assert moved.mean_abs == moved.mean
    inwards = measure(noisy, clean, CLASSES[:2]).displacement[1]
    assert inwards.mean == pytest.approx(-2)
    assert inwards.sd == pytest.approx(0)
    in_mm = measure(noisy, clean, CLASSES[:2], (0.5, 0.5))
    assert (in_mm.unit, in_mm.displacement[1].mean) == ("mm", pytest.approx(-1))


def test_a_shift_moves_one_side_out_and_the_other_in():
    clean, noisy = np.zeros((2, 5, 12), np.uint8)
    clean[:, 2:8] = 1
    noisy[:, 4:10] = 1
    moved = measure(clean, noisy, CLASSES[:2]).displacement[1]
    assert moved.mean_abs > abs(moved.mean)
    assert moved.sd > 0


def test_vanished_objects_are_whole_components():
    clean = drawn("1100022 1100022 0000000 1000200 0101000")
    noisy = drawn("1000000 0000000 0000000 0000200 0001000")
    found = measure(clean, noisy, CLASSES[:3])
    assert found.objects == (0, 3, 2)
    assert found.vanished == (0, 1, 1)


def test_diagonal_neighbours_are_one_object():
    assert measure(drawn("100 010 001"), drawn("000 010 000"), CLASSES[:2]).objects == (0, 1)


def test_ignored_pixels_do_not_count_in_any_number():
    clean, noisy = drawn("11xx 11xx 0000"), drawn("1111 1011 0000")
    found = measure(clean, noisy, CLASSES[:2])
    assert (found.pixels, found.wrong_pixels) == (8, 1)
    assert found.dice[1] == pytest.approx(2 * 3 / 7)
    assert sum(map(sum, found.affinity)) == 8 * 7


def test_a_class_that_only_one_map_has_is_measured_as_nothing():
    found = measure(drawn("10 00"), drawn("00 02"), CLASSES[:3])
    assert [d.count for d in found.displacement] == [0, 0, 0]
    assert (found.dice[1], found.dice[2], found.mean_dice, found.vanished[1]) == (0, 0, 0, 1)


def test_identical_labels_have_no_noise():
    labels = Draws(0, "labels").integers((3, 8, 9), 0, 3).astype(np.uint8)
    pooled = pool([measure(labels, labels, CLASSES)])
    assert pooled.wrong_share == pooled.affinity_noise == 0
    assert pooled.transition == tuple(tuple(float(i == j) for j in range(4)) for i in range(4))
    assert pooled.dice == 1
    assert pooled.touched_cases == 0
    assert set(pooled.displacement_mean_abs) == {0.0}


def test_all_ignored_and_empty_give_zeros():
    ignored = np.full((4, 4), IGNORE, np.uint8)
    found = measure(ignored, ignored, CLASSES)
    assert (found.pixels, found.wrong_share, found.mean_dice) == (0, 0, 1)
    assert pool([found]).affinity == ((1, 0), (0, 1))


@settings(max_examples=30, deadline=None)
@given(st.lists(maps, min_size=2, max_size=4))
def test_pooling_adds_counts_and_moments(pairs):
    cases = [measure(clean, noisy, CLASSES) for clean, noisy in pairs]
    pooled = pool(cases)
    assert pooled.pixels == sum(c.pixels for c in cases)
    assert pooled.wrong_share == (sum(c.wrong_pixels for c in cases) / pooled.pixels if pooled.pixels else 0)
    assert np.sum(pooled.transition, axis=1) == pytest.approx(1)
    assert np.sum(pooled.affinity_expected, axis=1) == pytest.approx(1)
    whole = pool([measure(*np.concatenate(pairs, axis=1), CLASSES)])
    assert pooled.transition_counts == whole.transition_counts
    assert pool(cases[::-1]).displacement_sd == pytest.approx(pooled.displacement_sd)


def test_pooled_moments_are_those_of_all_boundary_pixels():
    clean, near, far = np.zeros((3, 20, 20), np.uint8)
    clean[8:12, 8:12], near[7:13, 7:13], far[5:15, 5:15] = 1, 1, 1
    one, two = (measure(clean, noisy, CLASSES[:2]).displacement[1] for noisy in (near, far))
    pooled = pool([measure(clean, near, CLASSES[:2]), measure(clean, far, CLASSES[:2])])
    n = one.count + two.count
    mean = (one.count * one.mean + two.count * two.mean) / n
    square = (one.count * (one.sd**2 + one.mean**2) + two.count * (two.sd**2 + two.mean**2)) / n
    assert pooled.displacement_mean[1] == pytest.approx(mean)
    assert pooled.displacement_sd[1] == pytest.approx((square - mean**2) ** 0.5)


def independent_flips(labels, rate, *address):
    draws = Draws(0, *address)
    hit = draws.at("hit").uniform(labels.shape) < rate
    return np.where(hit, (labels + draws.at("to").integers(labels.shape, 1, 3)) % 4, labels).astype(np.uint8)


def test_the_expected_affinity_is_right_for_independent_flips_and_wrong_for_flips_of_regions():
    clean = np.repeat(np.arange(4, dtype=np.uint8), 16).reshape(1, 64).repeat(64, axis=0)
    alone = pool([measure(clean, independent_flips(clean, 0.4, str(i)), CLASSES) for i in range(4)])
    assert np.array(alone.affinity) == pytest.approx(np.array(alone.affinity_expected), abs=0.003)
    turned = pool([measure(clean, ((clean + i) % 4).astype(np.uint8), CLASSES) for i in range(4)])
    assert turned.affinity == ((1, 0), (0, 1))
    assert turned.affinity_expected[1][1] == pytest.approx(0.25)


def test_expected_affinity_of_a_uniform_flip_is_the_closed_form():
    """One diagonal and one off-diagonal value, rate 1/2 in each row of 4 classes: exact by hand."""
    clean = np.repeat(np.arange(4, dtype=np.uint8), 6).reshape(4, 6)
    noisy = clean.copy()
    for c in range(4):
        noisy[c] = [c, c, c, *[k for k in range(4) if k != c]]
    expected = pool([measure(clean, noisy, CLASSES)]).affinity_expected
    assert expected[1] == pytest.approx((2 / 3, 1 / 3))
    assert expected[0] == pytest.approx((7 / 9, 2 / 9))


def test_measures_survive_json_and_make_columns():
    clean = drawn("1122 1122 0033 0000")
    noisy = drawn("1112 1122 0000 0000")
    found = measure(clean, noisy, CLASSES, (0.5, 0.5))
    assert NoiseMeasure.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    pooled = pool([found])
    assert PooledNoise.from_dict({**json.loads(json.dumps(pooled.to_dict())), "further": 1}) == pooled
    columns = found.columns()
    assert columns["wrong_pixels"] == "3"
    assert columns["vanished_clasper"] == "1"
    assert columns["displacement_mm_clasper"] == ""
    assert all(isinstance(v, str) for v in columns.values())
    with pytest.raises(InvalidData, match="wrong_share"):
        PooledNoise.from_dict({k: v for k, v in pooled.to_dict().items() if k != "wrong_share"})


def test_what_does_not_belong_together_is_not_pooled():
    labels = np.zeros((4, 4), np.uint8)
    with pytest.raises(InvalidData, match="no case"):
        pool([])
    with pytest.raises(InvalidData, match="unit"):
        pool([measure(labels, labels, CLASSES), measure(labels, labels, CLASSES, (1.0, 1.0))])


def test_every_number_has_its_sentence():
    assert {"wrong_share", "transition", "affinity", "displacement", "vanished"} <= set(DEFINITIONS)
