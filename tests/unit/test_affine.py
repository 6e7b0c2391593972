"""Moved objects against scipy, object by object, and what else the mode promises."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from toys import blobs, case, scene

from noisylabels.case import IGNORE
from noisylabels.corruptions import affine
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice
from noisylabels.parts.units import units_of

few = settings(max_examples=25, deadline=None, derandomize=True)
STILL = {"rotate_degrees": 0.0, "translate_relative": 0.0, "scale_relative": 0.0}
scenes = st.builds(
    blobs,
    st.sampled_from([(17, 23), (30, 41), (1, 19), (6, 9, 16), (9, 14, 13), (1, 12, 12)]),
    number=st.integers(0, 10**6),
    ignore=st.booleans(),
    radius=st.integers(1, 9),
)


def moved(labels, k=0, spacing=None, **params):
    return affine.corrupt(case(labels, spacing=spacing), affine.Params(**params), Draws(k))


def expected(one, params, k):
    """The same by scipy: one object after the other, each in a frame with a margin."""
    volume = one.labels.reshape((-1, *one.labels.shape[-2:]))
    chosen = np.isin(np.arange(256), params.classes or (1, 2, 3))
    units = units_of(volume, 4, chosen, params.unit)
    moves = affine._moves(one, volume.shape, units, params, Draws(k))
    structure = np.ones((3, 3, 3))
    out = np.where(chosen[volume], 0, volume)
    free = chosen[volume] | (volume == 0)
    for c in (1, 2, 3):
        if not chosen[c]:
            continue
        parts = (
            ndimage.label(volume == c, structure)[0] if params.unit == "object" else (volume == c).astype(int)
        )
        for mask in (parts == i + 1 for i in range(parts.max())):
            unit = 0 if params.unit == "case" else c
            if params.unit == "object":
                first = np.argwhere(mask)[0]
                unit = next(
                    i for i in units.order
                    if (first >= units.box[i, 0]).all() and (first <= units.box[i, 1]).all()
                    and np.abs(units.centre[i] - np.argwhere(mask).mean(axis=0)).max() < 0.001
                )  # fmt: skip
            matrix = moves.matrix[unit]
            back = moves.about[unit] - matrix @ moves.landing[unit]
            wide = np.pad(mask, 2).astype(np.uint8)
            turned = ndimage.affine_transform(
                wide, matrix, back + 2 - matrix @ [2, 2, 2], order=0, mode="constant", prefilter=False
            )[2:-2, 2:-2, 2:-2]
            hit = (turned > 0) & free
            if params.unit == "object" and not hit.any():
                hit = mask
            out[hit] = c
    return out.reshape(one.labels.shape)


@given(
    one=scenes, k=st.integers(0, 99), unit=st.sampled_from(["object", "class"]),
    about=st.sampled_from(["object", "frame"]), axis=st.sampled_from(["z", "any"]),
    classes=st.sampled_from([None, (1, 3)]),
)  # fmt: skip
@few
def test_is_what_scipy_gives(one, k, unit, about, axis, classes):
    params = affine.Params(
        rotate_degrees=70.0, translate_px=2.7, unit=unit, about=about, axis=axis, classes=classes
    )
    found, theirs = affine.corrupt(one, params, Draws(k)), expected(one, params, k)
    if unit == "class":  # one that would vanish stays; scipy's does not know
        gone = [c for c in (1, 2, 3) if not (theirs == c).any()]
        keep = ~np.isin(one.labels, gone) & ~np.isin(found, gone)
        found, theirs = found[keep], theirs[keep]
    assert np.array_equal(found, theirs)


@given(
    one=scenes, k=st.integers(0, 99), degrees=st.sampled_from([0.0, 10.0, 180.0]),
    shift=st.sampled_from([0.0, 0.3, 4.0]), scale=st.sampled_from([0.0, 0.9]),
    unit=st.sampled_from(["object", "class", "case"]), classes=st.sampled_from([None, (2,), (1, 3)]),
)  # fmt: skip
@few
def test_compiled_and_plain(one, k, degrees, shift, scale, unit, classes):
    params = affine.Params(
        rotate_degrees=degrees, translate_relative=shift, scale_relative=scale, unit=unit, classes=classes,
        about=("object", "frame")[k % 2], axis=("z", "any")[k // 2 % 2],
    )  # fmt: skip
    assert choice.has_numba()
    with mock.patch.object(choice, "has_numba", return_value=False):
        plain = affine.corrupt(one, params, Draws(k))
    assert np.array_equal(affine.corrupt(one, params, Draws(k)), plain)


def test_twin_works_in_parts():
    labels = np.zeros((700, 800), np.uint8)
    labels[20:680, 30:770] = 1
    labels[::7, ::5] = 2
    found = moved(labels, unit="class", scale_relative=0.5)
    with mock.patch.object(choice, "has_numba", return_value=False):
        assert np.array_equal(moved(labels, unit="class", scale_relative=0.5), found)


@given(
    one=scenes, unit=st.sampled_from(["object", "class", "case"]), about=st.sampled_from(["object", "frame"])
)
@few
def test_nothing_is_changed_at_or_near_zero(one, unit, about):
    for tiny in (0.0, 1e-7):
        params = affine.Params(
            rotate_degrees=tiny,
            translate_relative=tiny,
            scale_relative=tiny,
            unit=unit,
            about=about,
            axis="any",
        )
        for k in range(3):
            assert np.array_equal(affine.corrupt(one, params, Draws(k)), one.labels)


def test_a_quarter_turn_is_exact():
    labels = np.zeros((21, 21), np.uint8)
    labels[8:13, 5:16] = 1
    with mock.patch.object(Draws, "uniform", lambda self, shape, *_: np.full(shape, 1.0)):
        found = moved(labels, rotate_degrees=90.0, translate_relative=0.0, scale_relative=0.0)
    assert np.array_equal(found, labels.T)


def test_whole_pixels_are_shifted_as_they_are():
    labels = scene().labels
    with mock.patch.object(Draws, "uniform", lambda self, shape, *_: np.full(shape, 1.0)):
        found = moved(labels, rotate_degrees=0.0, translate_px=2.0, scale_relative=0.0, unit="case")
    expected = np.zeros_like(labels)
    expected[2:, 2:] = np.where(labels == IGNORE, 0, labels)[:-2, :-2]
    assert np.array_equal(found, np.where(labels == IGNORE, labels, expected))


@pytest.mark.parametrize("shift", [0.5, -0.5, 1.5])
def test_half_a_pixel_moves_an_object_as_a_whole(shift):
    labels = np.zeros((20, 20), np.uint8)
    labels[5:10, 7:14] = 1
    labels[6, 9] = 0  # centre at no simple fraction
    with mock.patch.object(Draws, "uniform", lambda self, shape, *_: np.full(shape, np.sign(shift_of))):
        shift_of = shift
        found = moved(labels, rotate_degrees=0.0, translate_px=abs(shift), scale_relative=0.0)
    step = int(np.ceil(shift))
    step = next(s for s in (step, step - 1) if np.array_equal(found, np.roll(labels, (s, s), (0, 1))))
    assert abs(step - shift) == 0.5


@pytest.mark.parametrize("shape", [(60, 70), (24, 28, 32)])
def test_directions_are_balanced_and_rotation_keeps_areas(shape):
    """Over many draws the mean shift is 0 within four standard errors, and no rotation changes the mean area."""
    labels = np.zeros(shape, np.uint8)
    middle = tuple(slice(n // 2 - 5, n // 2 + 4) for n in shape)
    labels[middle] = 1
    clean = np.argwhere(labels).mean(axis=0)
    shifts, areas = [], []
    for k in range(300):
        found = moved(labels, k, rotate_degrees=0.0, translate_px=4.0, scale_relative=0.0)
        shifts.append(np.argwhere(found).mean(axis=0) - clean)
        turned = moved(labels, k, rotate_degrees=45.0, translate_px=1.0, scale_relative=0.0, axis="any")
        areas.append((turned > 0).sum() / (labels > 0).sum())
    shifts = np.array(shifts)
    assert (np.abs(shifts.mean(axis=0)) < 4 * shifts.std(axis=0) / np.sqrt(300)).all()
    assert len(np.unique(np.sign(shifts).round(), axis=0)) >= 2 ** len(shape)  # every octant is reached
    assert abs(np.mean(areas) - 1) < 0.004
    assert np.std(areas) < 0.05


def test_sizes_vary_around_one():
    labels = np.zeros((90, 90), np.uint8)
    labels[30:60, 30:60] = 1
    areas = [
        (moved(labels, k, rotate_degrees=0.0, translate_relative=0.0, scale_relative=0.3) > 0).sum() / 900
        for k in range(200)
    ]
    assert np.mean(areas) == pytest.approx(1 + 0.3**2 / 3, abs=0.06)
    assert min(areas) == pytest.approx(0.7**2, abs=0.05)
    assert max(areas) == pytest.approx(1.3**2, abs=0.09)


def test_thick_slices_are_turned_without_being_sheared():
    """A cube in mm keeps its sides: 4 slices of 3 mm and 12 pixels of 1 mm."""
    labels = np.zeros((11, 40, 40), np.uint8)
    labels[4:8, 14:26, 14:26] = 1
    volumes = []
    for k in range(60):
        params = {"rotate_degrees": 180.0, "axis": "any", "scale_relative": 0.0, "translate_px": 0.0}
        found = moved(labels, k, spacing=(3.0, 1.0, 1.0), **params)
        places = (np.argwhere(found) - np.argwhere(labels).mean(axis=0)) * [3, 1, 1]
        assert np.linalg.norm(places, axis=1).max() < 12 * np.sqrt(3) / 2 + 2
        volumes.append(found.sum() / labels.sum())
    assert abs(np.mean(volumes) - 1) < 0.02


def test_objects_that_would_vanish_stay():
    labels = np.zeros((12, 16), np.uint8)
    labels[3, 3], labels[8:10, 9:12], labels[0, 15] = 1, 2, 3
    seen = set()
    for k in range(40):
        found = moved(labels, k, translate_px=40.0)
        assert {1, 2, 3} <= set(np.unique(found)) or (found > 0).any()
        seen |= set(np.unique(found).tolist())
        if (found == 3).sum() == 1 and found[0, 15] == 3:
            seen.add("stayed")
    assert seen == {0, 1, 2, 3, "stayed"}
    walled = np.where(labels == 0, IGNORE, labels).astype(np.uint8)
    assert np.array_equal(moved(walled, 1, translate_px=40.0, scale_relative=0.9), walled)


def test_one_pixel_objects_by_the_ten_thousand():
    labels = np.zeros((256, 320), np.uint8)
    labels[::3, ::3] = 1 + np.indices((86, 107)).sum(axis=0) % 3
    found = moved(labels, rotate_degrees=180.0, translate_px=1.0)
    assert (found != labels).any()
    count = (labels > 0).sum()
    assert count < (found > 0).sum() < 1.2 * count  # those that fall between pixels stay: the rest is as many
    assert (moved(labels, rotate_degrees=0.0, translate_px=1.0, scale_relative=0.0) > 0).sum() <= count
    assert np.array_equal(moved(labels, rotate_degrees=180.0, scale_relative=0.0), labels)  # about themselves


def test_higher_classes_cover_lower_ones_and_what_stays_covers_all():
    labels = np.zeros((30, 40), np.uint8)
    labels[5:25, 5:18], labels[5:25, 18:35], labels[12:15] = 1, 2, np.where(labels[12:15] > 0, 0, 0)
    labels[0:3, :], labels[27:, :] = 3, IGNORE
    covered = False
    for k in range(20):
        both = moved(labels, k, classes=(1, 2), rotate_degrees=40.0, unit="class")
        two = moved(
            np.where(labels == 1, 0, labels).astype(np.uint8),
            k,
            classes=(2,),
            rotate_degrees=40.0,
            unit="class",
        )
        assert np.array_equal(both == 2, two == 2)
        assert np.array_equal(both == 3, labels == 3)
        assert np.array_equal(both == IGNORE, labels == IGNORE)
        covered |= bool(((both == 2) & (labels == 1)).any())
    assert covered


def test_holes_are_kept():
    y, x = np.indices((80, 80)) - 40
    ring = ((y * y + x * x <= 20**2) & (y * y + x * x > 8**2)).astype(np.uint8)
    for k in range(10):
        found = moved(ring, k)
        assert ndimage.label(found == 0)[1] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"rotate_degrees": -1.0}, {"rotate_degrees": 181.0}, {"scale_relative": 1.0}, {"translate_px": -1.0},
        {"translate_px": 1.0, "translate_mm": 1.0}, {"unit": "pixel"}, {"about": "nothing"}, {"axis": "y"},
        {"translate_relative": float("nan")},
    ],
)  # fmt: skip
def test_refused(wrong):
    with pytest.raises(UsageError):
        affine.Params(**wrong)


def test_millimetres_need_a_spacing():
    labels = scene().labels
    with pytest.raises(UsageError, match="toy"):
        moved(labels, translate_mm=1.0)
    same = {"rotate_degrees": 0.0, "scale_relative": 0.0}
    assert np.array_equal(
        moved(labels, 3, (0.5, 0.5), translate_mm=1.0, **same),
        moved(labels, 3, (0.5, 0.5), translate_px=2.0, **same),
    )
