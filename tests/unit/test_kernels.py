"""Compiled kernels against their numpy twins, bit for bit, and both against brute force."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toys import blobs, case

from noisylabels import transition
from noisylabels.case import IGNORE
from noisylabels.corruptions import ellipse
from noisylabels.draws import Draws
from noisylabels.kernels import choice, components, flips, tables
from noisylabels.parts import fits

few = settings(max_examples=25, deadline=None, derandomize=True)
label_maps = st.one_of(st.tuples(*[st.integers(1, 18)] * 2), st.tuples(*[st.integers(1, 9)] * 3)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2, IGNORE]))
)
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


def test_choice_follows_what_is_installed():
    assert choice.compiled("balls").__name__ == "noisylabels.kernels.balls_numba"
    assert twin(lambda: choice.compiled("balls")) is None


def test_choice_without_numba():
    with mock.patch.object(choice, "import_module", side_effect=ImportError("no numba for this interpreter")):
        assert choice.has_numba.__wrapped__() is False


@given(labels=label_maps, seed=st.integers(0, 99))
@few
def test_flips(labels, seed):
    words = Draws(seed).words(labels.shape)
    both(lambda: flips.flip_pixels(labels, transition.symmetric(3, 0.5, (0, 1, 2)), words))
    both(lambda: flips.flip_pixels(labels, transition.pair(3, 1.0, (1, 2)), words))


@given(labels=label_maps)
@few
def test_tables(labels):
    both(lambda: tables.look_up(np.arange(256)[::-1].astype(np.uint8), labels))


@given(labels=label_maps)
@few
def test_components_and_moments(labels):
    ids, classes = both(lambda: components.components(labels, (1, 2)))
    found = both(lambda: components.moments(labels, (1, 2)))
    assert (found.classes == classes).all()
    for k in range(1, len(classes) + 1):
        places = np.argwhere(ids == k)
        assert set(labels[ids == k].tolist()) == {classes[k - 1]}
        assert found.pixels[k - 1] == len(places)
        assert (found.first[k - 1] == places.sum(axis=0)).all()
        assert (found.second[k - 1] == (places[:, :, None] * places[:, None, :]).sum(axis=0)).all()
    far = [np.abs(p - q).max() > 1 for p in np.argwhere(ids == 1) for q in np.argwhere(ids == 2)]
    assert all(far) or classes[0] != classes[1]


@given(labels=label_maps)
@few
def test_runs_are_the_components(labels):
    ids, classes = components.components(labels, (1, 2))
    table, of_class = components.component_runs(labels, (1, 2))
    both(lambda: tuple(components.component_runs(labels, (1, 2))[0]))
    assert (of_class == classes).all()
    width = labels.shape[-1]
    rows = labels.size // width
    for start in {0, rows // 2}:
        found = both(lambda s=start: components.numbers(table, slice(s, rows), width))
        assert (found == ids.reshape(rows, width)[start:]).all()


@given(one=scenes, fit=st.sampled_from(["moments", "contour", "box"]), scale=st.sampled_from([0.5, 1.0, 2.0]))
@few
def test_ellipses_compiled_and_plain(one, fit, scale):
    both(lambda: ellipse.corrupt(one, ellipse.Params(fit=fit, scale=scale), Draws(0)))


def test_ellipse_raster_is_the_quadric():
    labels = blobs((40, 50), 4, count=3, radius=12).labels
    found = fits.from_moments(labels, (1, 2, 3))
    expected = np.zeros_like(labels)
    places = np.moveaxis(np.indices(labels.shape), 0, -1)
    for k in np.argsort(found.classes, kind="stable"):
        away = places - found.centre[k]
        inside = np.einsum("yxi,ij,yxj->yx", away, found.form[k], away) <= 1
        expected[inside] = found.classes[k]
    assert (ellipse.corrupt(case(labels), ellipse.Params(), Draws(0)) == expected).all()


def bar_and_v():
    """The two shapes whose areas are stated in noisylabels/fits.py."""
    y, x = np.indices((220, 300))
    labels = np.zeros((220, 300), np.uint8)
    labels[90:110, 40:160] = 1
    for slope in (0.3, -0.3):
        labels[(np.abs(x - 220 - slope * (y - 5)) < 5) & (y > 20) & (y < 120)] = 2
    return labels


@pytest.mark.parametrize(
    ("fit", "bar", "v"),
    [(fits.from_moments, 1.05, 3.9), (fits.from_contour, 1.19, 15.5), (fits.from_box, 0.79, 3.1)],
)
def test_areas_stated_for_the_fits(fit, bar, v):
    labels = bar_and_v()
    found = fit(labels, (1, 2))
    areas = {
        int(c): np.pi / np.sqrt(np.linalg.det(form)) / (labels == c).sum()
        for c, form in zip(found.classes, found.form, strict=True)
    }
    assert round(areas[1], 2) == bar
    assert round(areas[2], 1) == v


@pytest.mark.parametrize("fit", [fits.from_moments, fits.from_contour])
def test_fits_find_the_ellipse_they_are_given(fit):
    y, x = np.indices((200, 260))
    u, v = (x - 130) * 0.8 + (y - 90) * 0.6, (y - 90) * 0.8 - (x - 130) * 0.6
    labels = ((u / 80) ** 2 + (v / 30) ** 2 <= 1).astype(np.uint8)
    found = fit(labels, (1,))
    half = 1 / np.sqrt(np.linalg.eigvalsh(found.form[0]))
    assert found.centre[0] == pytest.approx([90, 130], abs=0.05)
    assert sorted(half) == pytest.approx([30, 80], rel=0.02)


def test_smallest_box_of_a_turned_rectangle():
    y, x = np.indices((120, 120))
    labels = (
        (np.abs((x - 60) * 4 + (y - 60) * 3) <= 200) & (np.abs((y - 60) * 4 - (x - 60) * 3) <= 75)
    ).astype(np.uint8)
    found = fits.from_box(labels, (1,))
    half = sorted(1 / np.sqrt(np.linalg.eigvalsh(found.form[0])))
    assert half == pytest.approx([15, 40], abs=1.0)  # a pixel square sticks out by up to 0.7


@pytest.mark.parametrize("fit", [fits.from_moments, fits.from_contour, fits.from_box])
@pytest.mark.parametrize("shape", ["pixel", "line", "diagonal"])
def test_thin_objects_keep_an_ellipse(fit, shape):
    labels = np.zeros((12, 12), np.uint8)
    if shape == "pixel":
        labels[5, 5] = 1
    elif shape == "line":
        labels[5, 2:10] = 1
    else:
        labels[np.arange(2, 10), np.arange(2, 10)] = 1
    found = fit(labels, (1,))
    assert np.isfinite(found.form).all()
    assert np.isfinite(found.reach).all()
    assert (np.linalg.eigvalsh(found.form[0]) > 0).all()
