"""Slices interpolated between others: against the definition, in floating point and pixel by pixel."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from toys import blobs, case, read

from noisylabels import geometry
from noisylabels.case import IGNORE
from noisylabels.corruptions import interpolate_slices
from noisylabels.draws import Draws
from noisylabels.parts import slices

few = settings(max_examples=20, deadline=None, derandomize=True)
volumes = st.builds(
    blobs,
    st.sampled_from([(7, 9, 16), (12, 11, 13), (1, 12, 12), (9, 1, 5)]),
    number=st.integers(0, 10**6),
    count=st.integers(0, 14),
    ignore=st.booleans(),
    radius=st.integers(1, 7),
)


def stacked(picture):
    """Slices of one row each, one above the other, as a volume."""
    return read(picture)[:, None, :]


def brute(clean, drawn, kept, between, upper, steps):
    """By definition, object by object, with distances in floating point from scipy."""
    out = np.where(drawn[:, None, None] | (clean == IGNORE), clean, 0)
    free = (clean != IGNORE) & ~drawn[:, None, None]
    ids, classes = geometry.components(clean, (1, 2, 3))
    for c in (1, 2, 3):
        for k in np.flatnonzero(classes == c) + 1:
            for z, shape in shapes(ids == k, drawn, kept, between, upper, steps):
                out[z][shape & free[z]] = c
    if between == "missing":
        return out
    pixels = np.bincount(clean.ravel(), minlength=256)
    gaps = np.zeros(clean.shape, dtype=bool)
    ids, classes = geometry.components(((clean > 0) & (clean != IGNORE)).astype(np.uint8), (1,))
    for k in range(1, len(classes) + 1):
        for z, shape in shapes(ids == k, drawn, kept, between, upper, steps):
            gaps[z] |= shape & free[z] & (out[z] == 0)
    for _ in range(50):
        before = out.copy()
        for z, y, x in np.argwhere(gaps & (out == 0)):
            sides = [before[z, b, a] for b, a in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
                     if 0 <= b < out.shape[1] and 0 <= a < out.shape[2]]  # fmt: skip
            sides = [c for c in sides if c not in (0, IGNORE)]
            out[z, y, x] = max(sides, key=lambda c: (pixels[c], -int(c)), default=0)
    return out


def shapes(body, drawn, kept, between, upper, steps):
    there = np.flatnonzero(body.any(axis=(1, 2)))
    seen = [int(z) for z in there if drawn[z] or (kept and z in (there[0], there[-1]))]
    for z in seen:
        yield z, body[z]
    for a, b in pairwise(seen):
        for z in range(a + 1, b):
            yield z, shape_at(body[a], body[b], z - a, b - z, between, upper, steps)


def shape_at(low, high, down, up, between, upper, steps):
    nearer = high if up < down or (up == down and upper) else low
    if between != "interpolate":
        return nearer if between == "nearest" else np.zeros_like(low)

    def signed(m):
        inside = (
            distance_transform_edt(m, sampling=steps)
            if not m.all()
            else np.full(m.shape, np.hypot(m.shape[0] * steps[0], m.shape[1] * steps[1]))
        )
        return np.where(m, inside, -distance_transform_edt(~m, sampling=steps))

    total = up * signed(low) + down * signed(high)
    return np.where(np.abs(total) < 1e-6, nearer, total > 0)


@pytest.mark.parametrize("between", ["interpolate", "nearest", "missing"])
@pytest.mark.parametrize("ends", ["kept", "lost"])
@given(one=volumes, every=st.sampled_from([2.0, 3.0, 3.5, 6.0]), seed=st.integers(0, 9))
@few
def test_interpolation_against_its_definition(between, ends, one, every, seed):
    spaced = case(one.labels, spacing=(3.0, 0.6, 0.9))
    params = interpolate_slices.Params(every=every, between=between, ends=ends)
    found = interpolate_slices.corrupt(spaced, params, Draws(seed))
    drawn = slices.drawn_slices(len(one.labels), every, Draws(seed).at("phase"))
    upper = float(Draws(seed).at("upper").uniform()) < 0.5
    assert np.array_equal(found, brute(one.labels, drawn, ends == "kept", between, upper, (600, 900)))


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ("interpolate", "..1....\n..11...\n..111.."),
        ("missing", "..1....\n.......\n..111.."),
        ("nearest", "..1....\n..1....\n..111.."),
    ],
)
def test_picture_of_the_docstring(between, expected):
    clean = stacked(".......\n..1....\n.111...\n..111..\n.......")
    seen = set()
    for seed in range(20):
        params = interpolate_slices.Params(every=2.0, between=between, ends="kept")
        found = interpolate_slices.corrupt(case(clean), params, Draws(seed))
        if not np.array_equal(found, clean):
            seen.add(found[1:4].tobytes())
    wanted = {stacked(expected).tobytes()}
    if between == "nearest":
        wanted.add(stacked("..1....\n..111..\n..111..").tobytes())
    assert seen == wanted


def test_a_cone_is_what_it_was():
    z, y, x = np.indices((41, 61, 61))
    labels = ((y - 30) ** 2 + (x - 30) ** 2 <= (28 - 0.6 * z) ** 2).astype(np.uint8)
    found = interpolate_slices.corrupt(case(labels), interpolate_slices.Params(every=8.0), Draws(0))
    assert (found != labels).sum() < 0.04 * labels.sum()
    assert abs(int(found.sum()) - int(labels.sum())) < 0.005 * labels.sum(), "no drift of the area"


def test_an_object_without_a_drawn_slice_vanishes_unless_its_ends_are_kept():
    labels = np.zeros((40, 5, 5), np.uint8)
    labels[10:13, 2, 2] = 1
    for seed in range(20):
        kept = interpolate_slices.Params(every=40.0)
        assert np.array_equal(interpolate_slices.corrupt(case(labels), kept, Draws(seed)), labels)
    lost = interpolate_slices.Params(every=40.0, ends="lost")
    left = [int(interpolate_slices.corrupt(case(labels), lost, Draws(seed)).sum()) for seed in range(200)]
    assert set(left) == {0, 1}
    assert np.mean(left) == pytest.approx(3 / 40, abs=0.08)


def test_what_an_object_leaves_may_become_its_surroundings():
    labels = np.full((9, 8, 8), 1, np.uint8)
    labels[2:7, 2:6, 2:6] = 2
    params = interpolate_slices.Params(every=4.0, between="missing", classes=(2,), fill="neighbour")
    found = interpolate_slices.corrupt(case(labels), params, Draws(0))
    assert set(np.unique(found)) == {1, 2}
    assert (found == 2).sum() < (labels == 2).sum()
    bare = interpolate_slices.Params(every=4.0, between="missing", classes=(2,))
    assert (interpolate_slices.corrupt(case(labels), bare, Draws(0)) == 0).any()


@pytest.mark.parametrize("ends", ["kept", "lost"])
def test_no_gap_opens_between_a_lesion_and_its_organ(ends):
    z, y, x = np.indices((30, 40, 40))
    labels = ((y - 20) ** 2 + (x - 20) ** 2 < 300).astype(np.uint8)
    labels[(z - 14) ** 2 + (y - 18) ** 2 + (x - 16) ** 2 < 60] = 2
    for every in (5.0, 8.0, 13.0):
        for seed in range(5):
            params = interpolate_slices.Params(every=every, ends=ends)
            found = interpolate_slices.corrupt(case(labels), params, Draws(seed))
            there = found.any(axis=(1, 2))
            assert ((found > 0) == (labels > 0))[there].all()


def test_very_uneven_spacing_does_not_overflow():
    labels = blobs((9, 40, 40), 1, 9).labels
    one = case(labels, spacing=(1.0, 99_991.0, 0.001))
    found = interpolate_slices.corrupt(one, interpolate_slices.Params(every=5.0), Draws(0))
    assert np.array_equal(found == IGNORE, labels == IGNORE)
