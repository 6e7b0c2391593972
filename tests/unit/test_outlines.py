"""Outlines that move: compiled kernels against their twins, and both against brute force."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import blobs, case

from noisylabels import geometry
from noisylabels.case import IGNORE
from noisylabels.corruptions import boundary, dilate, erode
from noisylabels.draws import Draws
from noisylabels.kernels import bits, choice, components
from noisylabels.parts import outlines, slabs
from noisylabels.parts.reaches import PerObject

few = settings(max_examples=25, deadline=None, derandomize=True)
scenes = st.builds(
    blobs,
    st.sampled_from([(17, 23), (16, 24), (6, 9, 16), (5, 11, 13), (1, 12, 12)]),
    number=st.integers(0, 10**6),
    ignore=st.booleans(),
    radius=st.integers(1, 7),
)


def twin(call):
    with mock.patch.object(choice, "has_numba", return_value=False):
        return call()


def both(call):
    """The result of the compiled kernel, which is that of its twin."""
    assert choice.has_numba(), "the tests compare compiled kernels with their twins: install numba"
    compiled, plain = call(), twin(call)
    parts = (compiled, plain) if isinstance(compiled, tuple) else ((compiled,), (plain,))
    for one, other in zip(*parts, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    return compiled


@given(
    one=scenes,
    ball=st.booleans(),
    reach=st.lists(st.integers(0, 6), min_size=6, max_size=6),
    squared=st.integers(0, 60),
    steps=st.sampled_from([(1, 1, 1), (25, 7, 7), (3, 4, 5)]),
    apart=st.booleans(),
)
@few
def test_bits_compiled_and_plain(one, ball, reach, squared, steps, apart):
    found = outlines.traced(one, (1, 3), apart)
    of, first = outlines.groups_of(found, found.chosen, None if apart else np.zeros(256, np.int64))
    elements = np.zeros((len(first), 7), np.int64)
    elements[:, 0] = squared * min(steps) ** 2 + np.arange(len(first)) if ball else -1
    elements[:, 1:] = reach
    groups = bits.Groups(of, found.classes[first], elements, np.array(steps))
    shut = np.where(np.arange(256) < 3, np.arange(256), 255).astype(np.uint8)
    keep = sum(reach) % 2 == 0

    def moved():
        more, less = found.volume.copy(), found.volume.copy()
        bits.grow(more, found.volume, shut, found.table, groups)
        bits.shrink(less, found.volume, found.table, groups, keep)
        return more, less

    both(moved)
    assert both(lambda: np.array(bits.has_ignore(found.volume))) == (one.labels == IGNORE).any()


@pytest.mark.parametrize("width", [1, 63, 64, 65, 128, 130])
def test_balls_do_not_leak_into_the_next_row(width):
    labels = np.zeros((9, width), np.uint8)
    labels[4, [0, -1]] = 1
    for radius in (1.0, 3.0, 70.0):
        one = case(labels)
        grown = dilate.corrupt(one, dilate.Params(radius_px=(radius, radius)), Draws(0))
        assert (grown == brute(one, radius * 1000, (1000, 1000), grow=True)).all()
        one = case(1 - labels)
        shrunk = erode.corrupt(one, erode.Params(radius_px=(radius, radius)), Draws(0))
        assert (shrunk == brute(one, radius * 1000, (1000, 1000), grow=False)).all()


@given(one=scenes, seed=st.integers(0, 9), granularity=st.sampled_from(["object", "direction", "local"]))
@few
def test_parts_of_a_map_and_ways_to_move_make_no_difference(one, seed, granularity):
    """Cut into slices, or painted object by object, outlines are moved to the same place."""
    for values in ({}, {"over": "all", "fill": "nearest"}):
        params = boundary.Params(radius_px=(0.5, 5.0), granularity=granularity, nodes=4, **values)
        expected = boundary.corrupt(one, params, Draws(seed))
        for module, name in ((slabs, "LEAST"), (outlines, "_FEW")):
            with mock.patch.object(module, name, 0):
                assert (both(lambda p=params: boundary.corrupt(one, p, Draws(seed))) == expected).all()


@given(one=scenes, seed=st.integers(0, 9))
@few
@pytest.mark.parametrize("granularity", ["object", "direction", "local"])
def test_outlines_compiled_and_plain(granularity, one, seed):
    for module, words in ((dilate, "background all"), (erode, "background nearest")):
        field = "over" if module is dilate else "fill"
        for word in words.split():
            values = {"radius_px": (0.5, 4.5), "granularity": granularity, "nodes": 4, field: word}
            both(lambda m=module, v=values: m.corrupt(one, m.Params(**v), Draws(seed)))
    both(lambda: boundary.corrupt(one, boundary.Params(granularity=granularity), Draws(seed)))


def brute(one, radius, steps, grow):
    """Growth and shrinkage by definition: all pairs of pixels."""
    labels = one.labels
    places = np.argwhere(np.ones_like(labels))
    values = labels.ravel()
    scaled = places * np.array(steps)
    near = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2) <= radius**2
    touch = np.abs(places[:, None] - places[None]).sum(axis=2) == 1
    out = values.copy()
    for c in (1, 2, 3):
        mine = values == c
        if grow:
            out[(values == 0) & near[:, mine].any(axis=1)] = c
        else:
            eats = ~mine & (values != IGNORE) & touch[:, mine].any(axis=1)
            out[mine & near[:, eats].any(axis=1)] = 0
    return out.reshape(labels.shape)


@given(one=scenes, radius=st.sampled_from([1.0, 1.5, 2.0, 2.9, 5.0]), mm=st.booleans())
@few
def test_outlines_against_all_pairs(one, radius, mm):
    spacing = (2.5, 0.7, 1.1)[-one.labels.ndim :]
    steps = geometry.steps_mm(spacing) if mm else geometry.steps_px(one.labels.ndim)
    labelled = case(one.labels, spacing=spacing)
    given_radius = {"radius_mm" if mm else "radius_px": (radius, radius)}
    grown = dilate.corrupt(labelled, dilate.Params(**given_radius), Draws(0))
    assert (grown == brute(one, radius * 1000, steps, grow=True)).all()
    shrunk = erode.corrupt(labelled, erode.Params(**given_radius), Draws(0))
    assert (shrunk == brute(one, radius * 1000, steps, grow=False)).all()


@given(one=scenes)
@few
def test_radius_of_each_object(one):
    """Objects with a radius of their own: as if each were alone."""
    found = outlines.traced(one, (1, 2, 3), apart=True)
    n = len(found.classes)
    radii = PerObject(np.arange(n) * 700 % 4000)
    steps = geometry.steps_px(one.labels.ndim)
    shape = one.labels.shape
    grown = outlines.grown(found.volume.copy(), found, radii, steps, "background").reshape(shape)
    shrunk = outlines.shrunk(found, radii, steps, "background").reshape(shape)
    more, less = one.labels.copy(), one.labels.copy()
    ids = components.components(one.labels, (1, 2, 3)).ids
    for k in sorted(range(1, n), key=lambda k: found.classes[k]):
        near = geometry.squared_distances(ids == k, steps) <= radii.radii[k] ** 2
        more[near & (one.labels == 0)] = found.classes[k]
        alone = case(np.where((ids == k) | (one.labels == IGNORE), one.labels, 0))
        less[(brute(alone, radii.radii[k], steps, grow=False) == 0) & (ids == k)] = 0
    assert (grown == more).all()
    assert (shrunk == less).all()


@pytest.mark.parametrize(
    ("module", "values", "expected"),
    [
        (dilate, {"over": "background"}, "11112222"),
        (dilate, {"over": "all"}, "11122222"),
        (dilate, {"over": "all", "classes": (1,)}, "1111122."),
        (erode, {"fill": "background"}, "..1..2.."),
        (erode, {"fill": "nearest"}, "..1112.."),
        (erode, {"fill": "nearest", "classes": (1,)}, "..12222."),
    ],
)
def test_classes_that_touch(module, values, expected):
    """Three pixels of class 1 and three of class 2 side by side, background at both ends."""
    labels = np.array([[0, 1, 1, 1, 2, 2, 2, 0]], dtype=np.uint8)
    found = module.corrupt(case(labels), module.Params(radius_px=(1.0, 1.0), **values), Draws(0))
    assert "".join(".12"[v] for v in found[0]) == expected
