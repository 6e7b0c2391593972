"""The deformation against the package elasticdeform, live and by digests, and what else it promises."""

import hashlib
from importlib import import_module
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import blobs, case

from noisylabels.case import IGNORE
from noisylabels.corruptions import elastic
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice, warps
from noisylabels.parts import splines, turns, warp

few = settings(max_examples=25, deadline=None, derandomize=True)

try:
    package = import_module("elasticdeform")
except ImportError:
    package = None
needs_package = pytest.mark.skipif(package is None, reason="elasticdeform is not installed")


def bodies(shape, number=0):
    """Overlapping bodies of the classes 1 to 3, from our own draws: the same on every version of everything."""
    labels = np.zeros(shape, np.uint8)
    places = np.indices(shape)
    for k in range(9):
        draws = Draws(number, "bodies", str(k))
        centre = [int(draws.integers((), 0, n - 1)) for n in shape]
        radius = int(draws.integers((), 2, max(3, max(shape) // 4)))
        far = sum((axis - c) ** 2 for axis, c in zip(places, centre, strict=True))
        labels[far <= radius * radius] = 1 + k % 3
    return labels


SETTINGS = [  # shape, points, sigma in px, degrees, shift in px, mode
    ((64, 80), 3, 4.0, 0.0, 0.0, "nearest"),
    ((64, 80), 3, 4.0, 0.0, 0.0, "constant"),
    ((97, 33), 9, 1.5, 0.0, 0.0, "constant"),
    ((50, 70), 2, 300.0, 0.0, 0.0, "nearest"),
    ((64, 80), 4, 2.0, 25.0, 3.0, "constant"),
    ((2, 61), 3, 2.0, 0.0, 0.0, "constant"),
    ((28, 36, 44), 3, 3.0, 0.0, 0.0, "nearest"),
    ((9, 52, 40), 5, 2.0, 0.0, 0.0, "constant"),
    ((9, 52, 40), 2, 1.0, -70.0, 2.0, "nearest"),
    ((1, 52, 40), 3, 2.0, 0.0, 0.0, "constant"),
]
# Of what elasticdeform 0.5.1 (built from source, numpy 2.4, scipy 1.17) makes of these settings.
DIGESTS = [
    "b32116f32ccb", "bfdebcd6ce11", "a44b35bf6b2b", "9074b9d95921", "b8bab11aa058",
    "d5484a8d1b47", "6eb06d2ca0c5", "17a17913e15d", "e5507f7d867f", "e5b15cb0f009",
]  # fmt: skip


def prepared(shape, points, sigma, degrees, shift, number=0):
    """Labels, grid and linear map of a setting."""
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    draws = Draws(number, "grid", str(shape))
    grid = splines.rounded_grid(draws.normal((len(axes), *(points,) * len(axes))) * sigma)
    labels = bodies(shape, number)
    linear = None
    if degrees or shift:
        linear = warp.turned_frame(case(labels), axes, degrees, np.full(len(axes), shift))
    return labels, grid, linear


def digest(labels):
    return hashlib.sha256(labels.tobytes()).hexdigest()[:12]


@pytest.mark.parametrize(("setting", "expected"), list(zip(SETTINGS, DIGESTS, strict=True)))
def test_is_what_elasticdeform_gave(setting, expected):
    *what, mode = setting
    labels, grid, linear = prepared(*what)
    found = warp.deformed(labels, (1, 2, 3), grid, linear, mode)
    assert (found != labels).any()
    assert digest(found) == expected


@needs_package
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("setting", SETTINGS)
def test_is_what_elasticdeform_gives(setting, number):
    *what, mode = setting
    labels, grid, linear = prepared(*what, number)
    theirs = warp.deformed(labels, (1, 2, 3), grid, linear, mode, "elasticdeform")
    assert np.array_equal(warp.deformed(labels, (1, 2, 3), grid, linear, mode), theirs)
    if linear is None and 1 not in labels.shape:
        assert np.array_equal(package.deform_grid(labels, grid, order=0, mode=mode), theirs)


@needs_package
@pytest.mark.parametrize("edge", ["nearest", "constant"])
def test_backends_agree(edge):
    pixel = case(np.ones((1, 1), np.uint8))
    for toy in (pixel, blobs((60, 50), 1, ignore=True), blobs((7, 30, 41), 2, spacing=(2.5, 0.7, 0.9))):
        for more in (
            {},
            {"rotate_degrees": 40.0, "translate_px": 3.0},
            {"classes": (1, 3)},
            {"dilate_px": 2.0},
        ):
            own = elastic.Params(sigma_relative=0.2, edge=edge, **more)
            other = elastic.Params(sigma_relative=0.2, edge=edge, backend="elasticdeform", **more)
            for k in range(3):
                found = elastic.corrupt(toy, own, Draws(k))
                assert np.array_equal(found, elastic.corrupt(toy, other, Draws(k)))


def test_missing_package_is_said_in_a_sentence():
    with (
        mock.patch.object(warp, "import_module", side_effect=ImportError("No module named 'elasticdeform'")),
        pytest.raises(UsageError, match="pip install --no-binary elasticdeform"),
    ):
        elastic.Params(backend="elasticdeform")


def test_rounded_grids_keep_away_from_middles():
    """At control points, and halfway between them, no coordinate lies near the middle between two pixels."""
    values = np.round(np.linspace(-8, 8, 4097) * 2) / 2  # whole and half pixels
    for share in (1.0, 0.5, 1 / 3, 2 / 9, 11 / 48, 7 / 125):
        coordinate = splines.rounded_grid(values) + share * (
            splines.rounded_grid(values[::-1]) - splines.NUDGE
        )
        assert np.abs((coordinate - 0.5) - np.rint(coordinate - 0.5)).min() > 4e-12
    assert np.abs(splines.rounded_grid(values) - values).max() < 2.0**-10


def test_spline_takes_the_grids_values_and_continues_linear_maps():
    grid = Draws(0).normal((2, 4, 5)) * 3
    made = splines.field(grid, (31, 41))
    assert np.abs(values_of(made, (31, 41))[:, ::10, ::10] - grid).max() < 1e-13
    linear = np.array([[0.2, -0.1, 3.0], [0.05, 0.3, -2.0]])
    y, x = np.indices((31, 41))
    added = values_of(splines.field(grid, (31, 41), linear), (31, 41)) - values_of(made, (31, 41))
    expected = np.stack([0.2 * y - 0.1 * x + 3.0, 0.05 * y + 0.3 * x - 2.0])
    assert np.abs(added - expected).max() < 1e-12


def values_of(made, shape):
    """Displacements of a field over a plane."""
    rows = []
    for axis in (1, 2):
        planes = made.coefficients[axis, 0]
        first, weights = made.cells[1], made.weights[1]
        lines = sum(planes[first + k] * weights[:, k, None] for k in range(4))
        rows.append(warps._along(lines, made.cells[2], made.offsets))
    return np.stack(rows).reshape(2, *shape)


shapes = st.one_of(st.tuples(*[st.integers(1, 70)] * 2), st.tuples(*[st.integers(1, 26)] * 3))


@given(
    shape=shapes, points=st.integers(2, 6), sigma=st.sampled_from([0.01, 1.0, 4.0, 60.0]),
    number=st.integers(0, 10**6), constant=st.booleans(), turned=st.booleans(),
)  # fmt: skip
@few
def test_compiled_and_plain(shape, points, sigma, number, constant, turned):
    labels, grid, linear = prepared(shape, points, sigma, 20.0 * turned, 1.5 * turned, number)
    if number % 2:
        labels = blobs(shape, number, ignore=True).labels
    edge = "constant" if constant else "nearest"

    def made():
        return warp.deformed(labels, (1, 3), grid, linear, edge)

    assert choice.has_numba()
    with mock.patch.object(choice, "has_numba", return_value=False):
        plain = made()
    assert np.array_equal(made(), plain)


def test_large_bodies_are_filled_by_tiles_as_pixel_by_pixel():
    every = np.ones(256, dtype=bool)
    labels = np.zeros((300, 400), np.uint8)
    labels[40:260, 60:350] = 1
    labels[100:180, 0:120] = 2
    thick = np.repeat(labels[None, ::3, ::4], 20, axis=0)
    for one in (labels, thick):
        for sigma, constant in ((0.5, False), (6.0, True), (12.0, False), (60.0, True)):
            grid = splines.rounded_grid(Draws(3).normal((one.ndim, *(3,) * one.ndim)) * sigma)
            made = splines.field(grid, one.shape)
            found = warps.warp(one, every, made, constant)
            with mock.patch.object(choice, "has_numba", return_value=False):
                assert np.array_equal(found, warps.warp(one, every, made, constant))


def centre_and_area(labels):
    places = np.argwhere(labels == 1)
    return places.mean(axis=0), len(places)


@pytest.mark.parametrize("shape", [(49, 57), (25, 29, 33)])
def test_directions_are_balanced_and_areas_stay(shape):
    """Over many draws and places the mean displacement is 0 and the mean area the clean one, within 4 standard errors.

    The places reach from halfway before to halfway behind the control point in the middle: at a control point the
    spline swings most, so a small body there loses some hundredths on average, and one in between gains them.
    """
    grid, places = np.indices(shape), Draws(0, "places")
    moved, areas, number = [], [], 500
    for k in range(number):
        at = [int(places.at(k, axis).integers((), n // 4, n - 1 - n // 4)) for axis, n in enumerate(shape)]
        labels = (sum((a - m) ** 2 for a, m in zip(grid, at, strict=True)) <= 16).astype(np.uint8)
        clean, area = centre_and_area(labels)
        centre, size = centre_and_area(elastic.corrupt(case(labels), elastic.Params(sigma_px=2.0), Draws(k)))
        moved.append(centre - clean)
        areas.append(size / area)
    error = np.std(moved, axis=0) / np.sqrt(number)
    assert (np.abs(np.mean(moved, axis=0)) < 4 * error).all()
    assert (error < 0.12).all()
    assert abs(np.mean(areas) - 1) < 4 * np.std(areas) / np.sqrt(number)
    assert np.std(areas) / np.sqrt(number) < 0.015


def test_ignore_and_classes_that_were_not_chosen():
    toy = blobs((70, 90), 4, ignore=True)
    found = elastic.corrupt(toy, elastic.Params(sigma_px=6.0, classes=(1, 3)), Draws(1))
    assert np.array_equal(found == IGNORE, toy.labels == IGNORE)
    assert np.array_equal(found == 2, toy.labels == 2)
    without = case(np.where(np.isin(toy.labels, (2, IGNORE)), 0, toy.labels).astype(np.uint8))
    alone = elastic.corrupt(without, elastic.Params(sigma_px=6.0), Draws(1))
    open_ = ~np.isin(toy.labels, (2, IGNORE))
    assert np.array_equal(found[open_], alone[open_])


def test_sigma_in_mm_and_relative_to_the_objects():
    labels = np.zeros((40, 60), np.uint8)
    labels[10:30, 10:30] = 1  # 20 x 20
    labels[5, 50] = 2  # a speck hardly counts: the mean is over pixels
    fine = case(labels, spacing=(0.5, 0.5))

    def same(one, two, toy=fine):
        draws = Draws(2)
        found = elastic.corrupt(toy, elastic.Params(**one), draws)
        return np.array_equal(found, elastic.corrupt(toy, elastic.Params(**two), draws))

    assert same({"sigma_mm": 1.0}, {"sigma_px": 2.0})
    assert not same({"sigma_mm": 1.0}, {"sigma_px": 1.0})
    area = (400 * 400 + 1) // 401  # mean area of the object that a pixel lies in
    assert same({"sigma_relative": 0.1}, {"sigma_px": 0.1 * float(int(1000 * np.sqrt(area))) / 1000})
    assert same({}, {"sigma_relative": 0.05})
    thick = case(bodies((8, 30, 30), 1), spacing=(4.0, 1.0, 1.0))
    with pytest.raises(UsageError, match="toy"):
        elastic.corrupt(case(labels), elastic.Params(sigma_mm=1.0), Draws(0))
    assert np.allclose(elastic._sigma(thick, (1, 2, 3), (0, 1, 2), elastic.Params()) * [4, 1, 1], elastic._sigma(
        thick, (1, 2, 3), (0, 1, 2), elastic.Params())[2])  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma_px": -1.0}, {"sigma_px": 1e4}, {"sigma_px": 1.0, "sigma_mm": 1.0}, {"points": 1}, {"points": 10},
        {"edge": "mirror"}, {"backend": "scipy"}, {"rotate_degrees": 200.0}, {"sigma_px": float("nan")},
    ],
)  # fmt: skip
def test_refused(wrong):
    with pytest.raises(UsageError):
        elastic.Params(**wrong)


def test_rotation_alone_turns_the_frame():
    y, x = np.indices((41, 41)) - 20
    labels = ((y * y + x * x <= 15**2) & (x >= 0)).astype(np.uint8)
    params = elastic.Params(sigma_px=0.0, rotate_degrees=90.0)
    angle = 90.0 * float(Draws(5).at("angle").uniform((), -1.0, 1.0))
    cosine, sine = (v[0] for v in turns.cos_sin(np.array([angle])))
    found = elastic.corrupt(case(labels), params, Draws(5))
    middle = np.argwhere(found == 1).mean(axis=0) - 20
    length = np.argwhere(labels == 1).mean(axis=0)[1] - 20
    assert middle == pytest.approx([-sine * length, cosine * length], abs=0.15)
    assert abs(int(found.sum()) - int(labels.sum())) < 8


def test_growth_comes_last_and_covers_background_alone():
    toy, more = blobs((50, 60), 3), 0
    for k in range(4):
        plain = elastic.corrupt(toy, elastic.Params(sigma_px=3.0), Draws(k))
        grown = elastic.corrupt(toy, elastic.Params(sigma_px=3.0, dilate_px=4.0), Draws(k))
        assert np.array_equal(grown[plain > 0], plain[plain > 0])
        more += int((grown[plain == 0] > 0).sum())
    assert more > 100
