"""Hulls, boxes and blocks against their definitions, and compiled as in plain numpy."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toys import blobs, case

from noisylabels.case import IGNORE
from noisylabels.corruptions import box, coarse, ellipse, hull
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice, hulls
from noisylabels.kernels import coarse as kernel
from noisylabels.kernels.components import components

few = settings(max_examples=40, deadline=None, derandomize=True)
label_maps = st.one_of(st.tuples(*[st.integers(1, 12)] * 2), st.tuples(*[st.integers(1, 7)] * 3)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 3, IGNORE]))
)
planes = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2]))
)


def both(call):
    """The result of the compiled kernel, which is that of its twin."""
    compiled = call()
    with mock.patch.object(choice, "has_numba", return_value=False):
        plain = call()
    assert compiled.dtype == plain.dtype
    assert np.array_equal(compiled, plain)
    return compiled


def layered(labels, cover):
    """Every object's cover painted in ascending order of the class, over background and objects."""
    ids, classes = components(labels, (1, 2))
    out = np.zeros_like(labels)
    for k in np.argsort(classes, kind="stable"):
        out[cover(ids == k + 1)] = classes[k]
    return out


def chain(places):
    """Corners of the convex hull of pixel centres, by Andrew's chain."""
    points = sorted(map(tuple, places.tolist()))
    if len(points) < 3:
        return np.array(points)

    def half(ordered):
        found = []
        for p in ordered:
            while len(found) > 1 and turn(found[-2], found[-1], p) <= 0:
                found.pop()
            found.append(p)
        return found[:-1]

    return np.array(half(points) + half(points[::-1]))


def turn(a, b, p):
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def distance(corners, shape, size):
    """Distance of every pixel to a convex polygon, 0 inside, for pixels of some size."""
    away = np.full(shape, np.inf)
    inside = np.full(shape, len(corners) > 2)
    places = np.moveaxis(np.indices(shape), 0, -1)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= turn(a, b, (places[..., 0], places[..., 1])) >= 0
        (ay, ax), (by, bx), p = a * size, b * size, places * size
        along = (p[..., 0] - ay) * (by - ay) + (p[..., 1] - ax) * (bx - ax)
        t = np.clip(along / max((by - ay) ** 2 + (bx - ax) ** 2, 1e-9), 0, 1)
        away = np.minimum(away, np.hypot(p[..., 0] - ay - t * (by - ay), p[..., 1] - ax - t * (bx - ax)))
    return np.where(inside, 0, away)


@given(
    labels=planes,
    margin=st.sampled_from([0.0, 1.0, 1.7, 3.3]),
    size=st.sampled_from([(1.0, 1.0), (1.5, 0.7)]),
)
@few
def test_hull_against_its_definition(labels, margin, size):
    found = both(lambda: hull.corrupt(case(labels, spacing=size), hull.Params(margin_mm=margin), Draws(0)))

    def cover(mine, slack):
        return distance(chain(np.argwhere(mine)), labels.shape, np.array(size)) <= margin + slack

    surely, maybe = (layered(labels, lambda mine, s=slack: cover(mine, s)) for slack in (-1e-6, 1e-6))
    if margin == 0:
        surely = maybe
    sure = surely == maybe
    assert np.array_equal(found[sure], maybe[sure])


@given(labels=label_maps)
@few
def test_envelopes_compiled_and_plain(labels):
    begin = np.array([0, 1, max(1, labels.size // 3), labels.size])
    values = labels.reshape(-1).astype(np.int64)
    if (np.diff(begin) > 0).all():
        both(lambda: hulls.bends(values, begin))
        assert (hulls.ceilings(values, begin) <= values).all()


@given(labels=planes, margin=st.sampled_from([0.0, 0.4, 0.5, 2.0]))
@few
def test_box_along_the_axes(labels, margin):
    more = int(margin + 0.5)

    def cover(mine):
        (y0, x0), (y1, x1) = np.argwhere(mine).min(axis=0) - more, np.argwhere(mine).max(axis=0) + more
        covered = np.zeros_like(mine)
        covered[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = True
        return covered

    found = both(lambda: box.corrupt(case(labels), box.Params(margin_px=margin), Draws(0)))
    assert np.array_equal(found, layered(labels, cover))


def test_a_block_around_a_body():
    labels = np.zeros((6, 7, 8), np.uint8)
    labels[2, 3, 3] = labels[3, 4, 4] = labels[4, 3, 5] = 1
    whole = box.corrupt(case(labels), box.Params(), Draws(0))
    assert (whole[2:5, 3:5, 3:6] == 1).all()
    assert whole.sum() == 18
    assert np.array_equal(box.corrupt(case(labels), box.Params(per_slice=True), Draws(0)), labels)
    wide = case(labels, spacing=(3.0, 1.0, 1.0))
    mm = box.corrupt(wide, box.Params(margin_mm=1.0), Draws(0))
    assert (np.argwhere(mm).min(axis=0).tolist(), np.argwhere(mm).max(axis=0).tolist()) == (
        [2, 2, 2],
        [4, 5, 6],
    )


@given(labels=label_maps, margin=st.sampled_from([0.0, 1.3]))
@few
def test_turned_boxes_hold_the_objects(labels, margin):
    one = case(labels, spacing=(2.0, 0.7, 0.9)[-labels.ndim :])
    found = both(lambda: box.corrupt(one, box.Params(turned=True, margin_mm=margin), Draws(0)))
    foreground = (labels > 0) & (labels != IGNORE)
    assert (found[foreground] >= labels[foreground]).all()
    both(lambda: ellipse.corrupt(one, ellipse.Params(fit="box"), Draws(0)))
    both(lambda: ellipse.corrupt(one, ellipse.Params(fit="contour"), Draws(0)))


def test_turned_box_of_a_turned_rectangle():
    y, x = np.indices((120, 120)) - 60
    along, across = x * 4 + y * 3, y * 4 - x * 3
    labels = ((np.abs(along) <= 200) & (np.abs(across) <= 75)).astype(np.uint8)
    found = box.corrupt(case(labels), box.Params(turned=True), Draws(0))
    assert int(found.sum()) == pytest.approx(int(labels.sum()), rel=0.07)  # pixels are squares
    wide = box.corrupt(case(labels), box.Params(turned=True, margin_px=3.0), Draws(0))
    assert np.abs(along[wide > 0]).max() / 5 == pytest.approx(43, abs=1)
    assert np.abs(across[wide > 0]).max() / 5 == pytest.approx(18, abs=1)


@pytest.mark.parametrize("fit", ["contour", "box"])
def test_ellipses_of_slices_are_those_of_planes(fit):
    one = blobs((7, 40, 50), 5, count=8, radius=12)
    params = ellipse.Params(fit=fit)
    together = ellipse.corrupt(one, params, Draws(0))
    alone = np.stack([ellipse.corrupt(case(plane), params, Draws(0)) for plane in one.labels])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("module", [hull, box])
def test_other_classes_are_never_covered(module):
    labels = blobs((40, 50), 2, count=9).labels
    found = module.corrupt(case(labels), module.Params(classes=(2,), margin_px=3.0), Draws(0))
    others = (labels == 1) | (labels == 3)
    assert np.array_equal(found[others], labels[others])
    assert ((found == 2) >= (labels == 2)).all()


@given(
    labels=label_maps,
    side=st.sampled_from([1.0, 1.5, 2.0, 3.0, 5.0]),
    ties=st.sampled_from(["turns", "lowest", "highest"]),
    axes=st.sampled_from(["in_plane", "all"]),
    seed=st.integers(0, 9),
)
@few
def test_blocks_have_their_majority(labels, side, ties, axes, seed):
    params = coarse.Params(block_px=side, ties=ties, axes=axes)
    found = both(lambda: coarse.corrupt(case(labels), params, Draws(seed)))
    if side == 1:
        assert np.array_equal(found, labels)
    shift = Draws(seed).at("offset").uniform(3)
    fine = int(256 * side)
    number = np.zeros(labels.shape, dtype=np.int64)
    for axis, size in enumerate(labels.shape):
        step = 256 if labels.ndim == 3 and axis == 0 and axes == "in_plane" else fine
        part = (256 * np.arange(size) + int(shift[axis - labels.ndim] * step)) // step
        number = number * 100 + part.reshape([-1 if k == axis else 1 for k in range(labels.ndim)])
    for block in np.unique(number):
        inside = (number == block) & (labels != IGNORE)
        if not inside.any():
            continue
        (given_class,) = np.unique(found[inside])
        votes = np.bincount(labels[inside], minlength=4)
        winners = np.flatnonzero(votes == votes.max())
        assert given_class in {"turns": winners, "lowest": winners[:1], "highest": winners[-1:]}[ties]
    assert np.array_equal(found == IGNORE, labels == IGNORE)


@given(labels=label_maps, seed=st.integers(0, 9))
@few
def test_nearest_takes_a_pixel_of_the_block(labels, seed):
    params = coarse.Params(block_px=3.0, rule="nearest", aligned=True, classes=(1, 2))
    found = both(lambda: coarse.corrupt(case(labels), params, Draws(seed)))
    assert np.array_equal(found[labels == 3], labels[labels == 3])
    height, width = (
        n // 3 * 3 for n in labels.shape[-2:]
    )  # whole blocks of three pixels, with their middles
    middles = (..., slice(1, height, 3), slice(1, width, 3))
    assert np.array_equal(found[middles], labels[middles])


def test_coarse_keeps_area_and_place():
    y, x = np.indices((90, 90)) - 45
    one = case((y * y + x * x < 900).astype(np.uint8))
    for rule in ("majority", "nearest"):
        for side in (4.0, 7.0):
            params = coarse.Params(block_px=side, rule=rule)
            noisy = [coarse.corrupt(one, params, Draws(k)) for k in range(60)]
            assert np.mean([n.sum() for n in noisy]) == pytest.approx(one.labels.sum(), rel=0.01)
            centre = np.mean([np.argwhere(n).mean(axis=0) for n in noisy], axis=0)
            assert centre == pytest.approx([45, 45], abs=0.35)


def test_who_does_not_vote_stays():
    labels = np.array([[[1, 1, 2, 2], [3, 3, IGNORE, 0]]], np.uint8)
    voting = np.zeros(256, dtype=bool)
    voting[[0, 1, 3]] = True
    blocks = (np.zeros(1, np.int64), np.zeros(2, np.int64), np.array([0, 0, 1, 1]))
    for even in (False, True):
        found = both(lambda e=even: kernel.majorities(labels, voting, blocks, e, not e))
        assert found.tolist() == [[[3 if even else 1] * 2 + [2, 2], [3 if even else 1] * 2 + [IGNORE, 0]]]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (hull.Params, {"margin_px": -1.0}),
        (hull.Params, {"margin_px": 1.0, "margin_mm": 1.0}),
        (box.Params, {"margin_mm": 2000.0}),
        (coarse.Params, {"rule": "mean"}),
        (coarse.Params, {"ties": "none"}),
        (coarse.Params, {"axes": "z"}),
        (coarse.Params, {"block_px": -2.0}),
        (coarse.Params, {"classes": (1, 1)}),
    ],
)
def test_impossible_settings_are_refused(kind, values):
    with pytest.raises(UsageError):
        kind(**values)
