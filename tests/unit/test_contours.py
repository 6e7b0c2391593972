"""Outlines traced, thinned and filled: exactly, and compiled as in plain numpy."""

from fractions import Fraction
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from noisylabels.case import IGNORE
from noisylabels.geometry import steps_px
from noisylabels.kernels import choice, polygons, simplify, spans
from noisylabels.kernels.components import component_runs
from noisylabels.kernels.contours import trace
from noisylabels.parts.traced import starts, walk

few = settings(max_examples=40, deadline=None, derandomize=True)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14))
label_maps = shapes.flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 1, 1, 2, IGNORE]))
)
EVERYTHING = np.zeros(256, dtype=bool)


def both(call):
    """The result of the compiled kernel, which is that of its twin."""
    compiled = call()
    with mock.patch.object(choice, "has_numba", return_value=False):
        plain = call()
    parts = (compiled, plain) if isinstance(compiled, tuple) else ((compiled,), (plain,))
    for one, other in zip(*parts, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    return compiled


def traced(labels, classes=(1, 2)):
    table, of_class = component_runs(labels, classes)
    return trace(table, np.arange(len(of_class) + 1) > 0, labels.shape), np.append(0, of_class).astype(
        np.uint8
    )


def filled(shape, points, begin, first, slices, classes):
    def paint():
        out = np.zeros(shape, np.uint8)
        polygons.fill(out, out.copy(), EVERYTHING, polygons.Polygons(points, begin, first, slices, classes))
        return out

    return both(paint)


def of_rings(rings, points):
    """What fill needs to know of rings whose corners are moved to ``points``."""
    head = starts(rings)
    return points, rings.begin, np.append(head, len(rings.slices)), rings.slices[head], head


@given(labels=label_maps)
@few
def test_a_traced_outline_fills_back(labels):
    rings, classes = both(lambda: traced(labels)[0]), traced(labels)[1]
    points, begin, first, slices, head = of_rings(rings, rings.corners.astype(np.int64) * polygons.FINE)
    out = filled(labels.shape, points, begin, first, slices, classes[rings.owner[head]])
    assert np.array_equal(out, np.where(labels == IGNORE, 0, labels))


@given(labels=label_maps)
@few
def test_so_does_the_ring_that_cuts_corners(labels):
    rings, classes = traced(labels)
    if len(rings.slices) == 0:
        return
    gates = walk(rings, labels.shape, steps_px(2)).gate
    points, begin, first, slices, head = of_rings(rings, gates)
    out = filled(labels.shape, points, begin, first, slices, classes[rings.owner[head]])
    assert np.array_equal(out, np.where(labels == IGNORE, 0, labels))


def test_rings_of_an_object_with_holes():
    picture = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 1], [1, 1, 0, 1, 0], [1, 1, 1, 1, 1]], np.uint8)
    rings, _ = traced(picture[None])
    assert rings.hole.tolist() == [False, True, True]  # holes do not join at corners, objects do
    assert np.diff(rings.begin).tolist() == [20, 4, 4]
    assert rings.corners[:3].tolist() == [[1, 0], [0, 0], [0, 1]]


def winding(ring, y, x):
    """Winding number by exact crossings of the ray to the left, half-open as stated."""
    total = 0
    for (y0, x0), (y1, x1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        low, high = min(y0, y1), max(y0, y1)
        if low <= y < high and x0 + Fraction(int((y - y0) * (x1 - x0)), int(y1 - y0)) <= x:
            total += 1 if y1 < y0 else -1
    return total


@given(
    ring=st.lists(st.tuples(st.integers(-6, 18), st.integers(-6, 18)), min_size=3, max_size=7),
    hole=st.lists(st.tuples(st.integers(-6, 18), st.integers(-6, 18)), min_size=3, max_size=5),
)
@few
def test_filled_where_the_winding_number_is_positive(ring, hole):
    one, two = (np.array(points) * 64 for points in (ring, hole))  # quarters of a pixel: many ties
    begin = np.array([0, len(one), len(one) + len(two)])
    points = np.concatenate([one, two]).astype(np.int64)
    out = filled((1, 4, 4), points, begin, np.array([0, 2]), np.array([0]), np.array([3], np.uint8))
    for y, x in np.ndindex(4, 4):
        at = (256 * y + 128, 256 * x + 128)
        assert (out[0, y, x] == 3) == (winding(one, *at) + winding(two, *at) > 0)


@given(points=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=5))
@few
def test_polygons_that_share_a_side_share_no_pixel(points):
    """A square cut in two along any line, however often that crosses itself."""
    line = np.array([(0, 4), *points, (12, 7)])
    parts = ([(12, 0), (0, 0), *line], [*line[::-1], (0, 12), (12, 12)])
    covered = np.zeros((1, 3, 3), int)
    for part in parts:
        ring = np.array(part, dtype=np.int64) * 64
        one = (np.array([0, len(ring)]), np.array([0, 1]), np.array([0]), np.array([1], np.uint8))
        covered += filled((1, 3, 3), ring, *one)
    assert (covered == 1).all()


def test_painting_order_and_what_is_fixed():
    labels = np.array([[[0, 1, 2, IGNORE, 0, 0]]], np.uint8)
    fixed = np.zeros(256, dtype=bool)
    fixed[[2, IGNORE]] = True

    def paint():
        out = np.where(labels == 1, 0, labels).astype(np.uint8)
        first, last = np.array([0, 0, 5]), np.array([5, 1, 4])
        spans.paint(out, labels, fixed, np.zeros(3, np.int64), first, last, np.array([1, 3, 3], np.uint8))
        return out

    assert both(paint).tolist() == [[[3, 3, 2, IGNORE, 1, 1]]]


@given(labels=label_maps, tolerance=st.sampled_from([0.0, 0.6, 1.0, 2.5, 9.0]))
@few
def test_simplified_rings_stay_within_the_tolerance(labels, tolerance):
    rings, _ = traced(labels)
    points = rings.corners.astype(np.float64)
    kept = both(lambda: simplify.kept_points(points, rings.begin, tolerance))
    for k in range(len(rings.slices)):
        ring, keep = (part[rings.begin[k] : rings.begin[k + 1]] for part in (points, kept))
        assert keep.sum() >= 4
        at = np.flatnonzero(keep)
        for a, b in zip(at, np.roll(at, -1), strict=True):
            inner = np.arange(a, b if b > a else b + len(ring)) % len(ring)
            ends = (np.broadcast_to(ring[i], (len(inner), 2)) for i in (a, b))
            assert (simplify.distances(ring[inner], *ends) <= tolerance**2).all()
