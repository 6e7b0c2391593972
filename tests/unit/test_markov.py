"""The walk of outlines: against the published loop with the same draws, and what it must never do."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from toys import blobs, case

from noisylabels.case import IGNORE
from noisylabels.corruptions import markov_boundary
from noisylabels.corruptions.markov_boundary import Params, corrupt, scaled
from noisylabels.draws import Draws
from noisylabels.kernels import choice, philox

FULL = 0xFFFFFFFF
PLANE = (156, 227, 258, 227, 156)
SPACE = (5, 55, 248, 408, 248, 55, 5)


def disc(radius, size=None):
    size = size or 4 * radius + 1
    y, x = np.indices((size, size)) - size // 2
    return (y * y + x * x <= radius * radius).astype(np.uint8)


def twin(call):
    with mock.patch.object(choice, "has_numba", return_value=False):
        return call()


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((FULL,) * 4, (FULL, FULL), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, expected):
    """The known answers of Random123 for Philox4x32-10."""
    place = np.array([counter[0] | counter[1] << 32], dtype=np.uint64)
    for call in (lambda f: f(), twin):
        assert tuple(
            call(lambda: philox.words(key[0] | key[1] << 32, place, counter[2], counter[3]))[0].tolist()
        ) == expected  # fmt: skip


def test_philox_compiled_and_plain():
    places = np.arange(3000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    third = np.arange(3000) % 7
    both = [call(lambda: philox.words(2**63 + 5, places, third, 9)) for call in (lambda f: f(), twin)]
    assert np.array_equal(*both)
    assert abs((both[0] < philox.threshold(0.3)).mean() - 0.3) < 0.02


def published(labels, params, draws, unit):
    """The walk of class 1 by its definition, two distance transforms a step; fed by the same draws.

    Growing, every pixel outside at a distance of exactly 1 from the object flips with probability ``rate``;
    shrinking, every pixel of the object at a distance of exactly 1 from the outside. Pixels without a label
    are on neither side.
    """
    key = int(draws.at("walk").words(1)[0])
    pixels = np.arange(labels.size)
    known = labels != IGNORE
    now = labels == 1
    for step in range(params.steps):
        coin = philox.words(key, np.array([FULL << 32 | FULL], dtype=np.uint64), step, unit)[0, 0]
        side = now if coin < philox.threshold(params.grow) else known & ~now
        to_outside, to_object = (
            ndimage.distance_transform_edt(~a) if a.any() else np.full(a.shape, np.inf)
            for a in (known & ~now, now)
        )
        edge = (to_object == 1) & known & ~now if side is now else (to_outside == 1) & now
        words = philox.words(key, pixels, step, unit)[:, 0].reshape(labels.shape)
        now = now ^ (edge & (words < philox.threshold(params.rate)))
    if params.flips:
        words = philox.words(key, np.arange(-(-labels.size // 4)), FULL, 1).ravel()[: labels.size]
        now = now ^ ((words.reshape(labels.shape) < philox.threshold(params.flips)) & known)
    if params.smooth:
        weights = PLANE if labels.ndim == 2 else SPACE
        lean = np.where(known, np.where(now, 1, -1), 0)
        for axis in range(labels.ndim):
            lean = ndimage.correlate1d(lean, weights, axis, mode="constant")
        near = ndimage.maximum_filter(now != (labels == 1), len(weights), mode="constant")
        now = np.where(near & (lean != 0), lean > 0, now) & known
    return np.where(known, now, IGNORE).astype(np.uint8)


@pytest.mark.parametrize("unit", ["class", "object"])
@pytest.mark.parametrize(
    "values",
    [
        {"steps": 180, "smooth": False},
        {"steps": 180},
        {"steps": 100, "grow": 0.2},
        {"steps": 60, "grow": 0.5, "rate": 0.3},
        {"steps": 60, "flips": 0.2},
    ],
)
def test_same_bits_as_the_published_loop(values, unit):
    params = Params(**values, unit=unit, keep=False)
    y, x = np.indices((70, 80))
    plane = (((y - 35) / 22) ** 2 + ((x - 36) / 14) ** 2 < 1).astype(np.uint8)
    plane[30:34, 20:40] = 0
    holed = np.where((y + 2 * x) % 23 == 0, IGNORE, plane).astype(np.uint8)
    pieces = 0 if unit == "object" else 1
    for labels in (plane, plane[20:, 30:], holed) if unit == "class" else (plane, plane[20:, 30:]):
        expected = published(labels, params, Draws(1), pieces)
        found = corrupt(case(labels), params, Draws(1))
        assert np.array_equal(found, expected)
        assert not np.array_equal(found, labels)


def test_same_bits_as_the_published_loop_in_space():
    z, y, x = np.indices((14, 26, 30))
    labels = (((z - 7) / 5) ** 2 + ((y - 12) / 9) ** 2 + ((x - 15) / 10) ** 2 < 1).astype(np.uint8)
    for values in ({"steps": 25, "grow": 0.3}, {"steps": 25, "flips": 0.1}):
        params = Params(**values, keep=False)
        assert np.array_equal(corrupt(case(labels), params, Draws(2)), published(labels, params, Draws(2), 0))


@given(
    labels=st.builds(
        lambda shape, number, ignore: blobs(shape, number, ignore=ignore, radius=6).labels,
        st.sampled_from([(17, 23), (9, 40), (1, 12), (5, 9, 13), (1, 9, 9), (6, 1, 12)]),
        st.integers(0, 10**6),
        st.booleans(),
    ),
    params=st.builds(
        Params,
        steps=st.integers(0, 15),
        grow=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
        rate=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
        flips=st.sampled_from([0.0, 0.0, 0.2, 0.5]),
        smooth=st.booleans(),
        relative=st.booleans(),
        unit=st.sampled_from(["object", "class"]),
        over=st.sampled_from(["all", "background"]),
        keep=st.booleans(),
        classes=st.sampled_from([None, (1,), (1, 3)]),
    ),
    seed=st.integers(0, 99),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_compiled_and_plain_and_the_rules(labels, params, seed):
    one = case(labels)
    found = corrupt(one, params, Draws(seed))
    assert np.array_equal(found, twin(lambda: corrupt(one, params, Draws(seed))))
    assert np.array_equal(found == IGNORE, labels == IGNORE)
    chosen = set(params.classes or (1, 2, 3))
    for c in {1, 2, 3} - chosen:
        assert np.array_equal(found == c, labels == c)
    assert set(np.unique(found)) <= set(np.unique(labels)) | {0}
    if params.steps == 0 and params.flips == 0:
        assert np.array_equal(found, labels)


def test_many_objects_at_once():
    labels = (np.random.default_rng(0).random((60, 70)) < 0.1).astype(np.uint8)
    params = Params(steps=4, rate=0.4, grow=0.6)
    assert np.array_equal(
        corrupt(case(labels), params, Draws(0)), twin(lambda: corrupt(case(labels), params, Draws(0)))
    )


def test_what_is_beyond_the_frame_or_unlabelled_does_not_move_an_outline():
    hard = {"steps": 30, "rate": 0.5, "grow": 0.5}
    for values in ({}, {"smooth": False}):
        params = Params(**hard, **values)
        for shape in ((12, 14), (5, 6, 7)):
            for value in (0, 1):
                full = np.full(shape, value, np.uint8)
                assert np.array_equal(corrupt(case(full), params, Draws(0)), full)
        walled = np.full((15, 15), IGNORE, np.uint8)
        walled[4:11, 4:11] = 1
        assert np.array_equal(corrupt(case(walled), params, Draws(0)), walled)


@pytest.mark.parametrize("grow", [0.0, 0.2, 0.5])
def test_small_objects_are_kept_when_asked(grow):
    labels = np.zeros((60, 60), np.uint8)
    for k, (y, x) in enumerate(np.ndindex(5, 5)):
        labels[12 * y + 3 : 12 * y + 4 + k % 3, 12 * x + 3 : 12 * x + 4 + k % 3] = 1
    params = Params(grow=grow, over="background")
    pieces, count = ndimage.label(labels)
    found = corrupt(case(labels), params, Draws(3))
    assert (ndimage.maximum(found, pieces, np.arange(1, count + 1)) == 1).all()
    assert np.array_equal(found, twin(lambda: corrupt(case(labels), params, Draws(3))))
    if grow == 0.0:
        gone = corrupt(case(labels), Params(grow=grow, keep=False), Draws(3))
        assert not gone.any()


@pytest.mark.parametrize("grow", [0.2, 0.8])
def test_shift_is_as_stated(grow):
    labels = disc(50, 240)
    params = Params(grow=grow)
    radii = [np.sqrt(corrupt(case(labels), params, Draws(k)).sum() / np.pi) for k in range(12)]
    stated = 2 * params.rate * (2 * grow - 1) * params.steps
    assert np.mean(radii) - 50 == pytest.approx(stated, rel=0.1)


def test_relative_shift_is_a_share_of_the_radius():
    params = Params(relative=True, steps=400)
    shares = []
    for radius in (15, 30, 60):
        found = [corrupt(case(disc(radius)), params, Draws(k)).sum() for k in range(10)]
        shares.append(np.mean(np.sqrt(np.array(found) / np.pi)) / radius - 1)
    assert max(shares) < 1.5 * min(shares)
    assert shares[-1] == pytest.approx(0.24, rel=0.25)


def test_no_direction_is_preferred():
    labels = disc(20, 101)
    total = sum(corrupt(case(labels), Params(steps=60), Draws(k)).astype(int) for k in range(40))
    changed = total - 40 * labels.astype(int)
    sides = [changed[:50].sum(), changed[51:].sum(), changed[:, :50].sum(), changed[:, 51:].sum()]
    assert max(sides) < 1.1 * min(sides)


def test_weights_are_those_of_a_gaussian():
    for weights, sigma in ((PLANE, 2.0), (SPACE, 1.0)):
        reach = len(weights) // 2
        exact = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
        assert np.abs(np.array(weights) - 1024 * exact / exact.sum()).max() < 1
        assert sum(weights) == 1024
    assert markov_boundary._PLANE.tolist() == list(PLANE)
    assert markov_boundary._SPACE.tolist() == list(SPACE)


def test_smoothing_is_near_that_of_opencv_and_scipy():
    """The same mask through a float Gaussian: fewer than one pixel in two thousand differs."""
    labels = disc(40, 128)
    rough = corrupt(case(labels), Params(smooth=False), Draws(5))
    ours = corrupt(case(labels), Params(), Draws(5))
    theirs = ndimage.gaussian_filter(rough.astype(float), 2.0, truncate=1.0) > 0.5
    assert (ours != theirs).mean() < 1 / 2000


def test_scaled_moves_the_outline_further():
    labels, params = disc(30, 160), Params(steps=7, rate=0.1, flips=0.01)
    assert scaled(params, 1.0) == params
    areas = [corrupt(case(labels), scaled(params, f), Draws(0)).sum() for f in (0, 0.1, 0.5, 1, 2, 4, 16)]
    assert areas[0] == labels.sum()
    assert areas == sorted(areas)


def test_overlap_goes_to_the_higher_class():
    labels = np.zeros((20, 40), np.uint8)
    labels[5:15, 5:18], labels[5:15, 22:35] = 2, 1
    found = corrupt(case(labels), Params(steps=30, rate=1.0, grow=1.0), Draws(0))
    assert set(np.unique(found)) == {2}
    found = corrupt(case(labels), Params(steps=30, rate=1.0, grow=1.0, over="background"), Draws(0))
    assert (found[labels == 1] == 1).all()
    assert (found[labels == 0] == 2).all()
