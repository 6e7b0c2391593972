"""Shapes on the grid against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from noisylabels import geometry
from noisylabels.errors import UsageError

masks = st.one_of(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 5)] * 3)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)
few = settings(max_examples=40, deadline=None)


def brute_squared(mask, steps):
    points = np.argwhere(mask) * np.array(steps)
    places = np.argwhere(np.ones_like(mask)) * np.array(steps)
    return ((places[:, None] - points[None]) ** 2).sum(axis=2).min(axis=1).reshape(mask.shape)


@given(mask=masks, spacing=st.tuples(*[st.sampled_from([0.35, 0.7, 1.0, 2.5])] * 3))
@few
def test_squared_distances(mask, spacing):
    for steps in (geometry.steps_px(mask.ndim), geometry.steps_mm(spacing[: mask.ndim])):
        found = geometry.squared_distances(mask, steps)
        assert found.dtype == np.int64
        if mask.any():
            assert (found == brute_squared(mask, steps)).all()
        else:
            assert (found == geometry.FAR).all()


@given(mask=masks)
@few
def test_bounding_box(mask):
    box = geometry.bounding_box(mask)
    if not mask.any():
        assert box is None
        return
    assert mask[box].sum() == mask.sum()
    for axis, side in enumerate(box):
        for end in (side.start, side.stop - 1):
            assert mask.take(end, axis=axis).any()
    wide = geometry.bounding_box(mask, (2,) * mask.ndim)
    assert all(
        (w.start, w.stop) == (max(0, s.start - 2), min(n, s.stop + 2))
        for w, s, n in zip(wide, box, mask.shape, strict=True)
    )


def test_components_touch_at_corners_and_are_numbered_by_first_pixel():
    labels = np.array(
        [
            [0, 2, 0, 1],
            [2, 0, 0, 1],
            [0, 1, 0, 2],
            [0, 0, 0, 2],
        ],
        dtype=np.uint8,
    )
    ids, classes = geometry.components(labels, (1, 2))
    assert ids.tolist() == [[0, 1, 0, 2], [1, 0, 0, 2], [0, 3, 0, 4], [0, 0, 0, 4]]
    assert classes.tolist() == [2, 1, 1, 2]
    assert geometry.components(labels, (3,)).classes.tolist() == []


@given(mask=masks)
@few
def test_outline(mask):
    found = geometry.outline(mask.astype(np.uint8))
    for place in np.ndindex(mask.shape):
        near = [
            mask[tuple(np.add(place, step))]
            for step in (*np.eye(mask.ndim, dtype=int), *-np.eye(mask.ndim, dtype=int))
            if all(0 <= p < n for p, n in zip(np.add(place, step), mask.shape, strict=True))
        ]
        assert found[place] == any(value != mask[place] for value in near)


@given(mask=masks, radius=st.sampled_from([500, 1000, 1500, 2300]))
@few
def test_band(mask, radius):
    steps = geometry.steps_px(mask.ndim)
    found = geometry.band(mask, radius, steps)
    if mask.all() or not mask.any():
        assert not found.any()
        return
    other = np.where(mask, brute_squared(~mask, steps), brute_squared(mask, steps))
    assert (found == (other <= radius**2)).all()


def test_millimetres_are_whole_micrometres():
    assert geometry.steps_mm((2.5, 0.7, 0.6999)) == (2500, 700, 700)
    with pytest.raises(UsageError, match="finer"):
        geometry.steps_mm((1.0, 0.0004))


def offsets(half_left, half_right):
    """The offsets of one element as a set."""
    z, y = np.array(half_left.shape) // 2
    return {
        (i - z, j - y, x)
        for i, j in np.ndindex(half_left.shape)
        if half_left[i, j] >= 0
        for x in range(-half_left[i, j], half_right[i, j] + 1)
    }


@pytest.mark.parametrize("steps", [(1000, 1000, 1000), (2500, 700, 700), (300, 400, 500)])
@pytest.mark.parametrize("radius", [0, 999, 1000, 1414, 2500, 3500, 5000])
def test_ball_is_all_offsets_within_the_radius(steps, radius):
    half = geometry.ball(np.array([radius**2]), steps)[0]
    reach = [radius // s + 1 for s in steps]
    expected = {
        (z, y, x)
        for z in range(-reach[0], reach[0] + 1)
        for y in range(-reach[1], reach[1] + 1)
        for x in range(-reach[2], reach[2] + 1)
        if (z * steps[0]) ** 2 + (y * steps[1]) ** 2 + (x * steps[2]) ** 2 <= radius**2
    }
    assert offsets(half, half) == expected


def test_rows_beyond_the_frame_are_left_out():
    steps = geometry.steps_px(3)
    whole = geometry.ball(np.array([5000**2]), steps)
    assert (geometry.ball(np.array([5000**2]), steps, (2, 9)) == whole[:, 3:-3]).all()
    radii = np.array([[[5000.0, 3000.0], [2000.0, 4000.0], [1000.0, 6000.0]]])
    sides = geometry.half_ellipsoids(radii, steps)
    cut = geometry.half_ellipsoids(radii, steps, (1, 2))
    assert all((one == other[:, 4:-4, 2:-2]).all() for one, other in zip(cut, sides, strict=True))


@pytest.mark.parametrize("radius", [1000, 1500, 5000, 7000, 13000])
def test_half_ellipsoid_of_equal_radii_is_the_ball(radius):
    steps = geometry.steps_px(3)
    left, right = geometry.half_ellipsoids(np.full((1, 3, 2), float(radius)), steps)
    half = geometry.ball(np.array([radius**2]), steps)
    assert (left == half).all()
    assert (right == half).all()


def test_half_ellipsoid_has_the_radius_of_each_side():
    radii = np.array([[[0.0, 2000.0], [3000.0, 0.0]]])
    left, right = geometry.half_ellipsoids(radii, geometry.steps_px(2))
    assert offsets(left[0], right[0]) == {
        (0, 0, 0), (0, 0, -1), (0, 0, -2), (0, 0, -3), (0, 1, 0), (0, 1, -1), (0, 1, -2), (0, 2, 0),
    }  # fmt: skip


@given(n=st.integers(0, 2**62 - 1))
@settings(max_examples=200, deadline=None)
def test_integer_root(n):
    root = int(geometry.integer_root(np.array([n]))[0])
    assert root**2 <= n < (root + 1) ** 2
