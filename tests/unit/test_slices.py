"""Slices skipped, repeated and interpolated: against brute force, and in numbers."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import blobs, case, read

from noisylabels.case import Case
from noisylabels.corruptions import interpolate_slices, slice_dropout, slice_repeat
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice
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
MODES = (slice_dropout, slice_repeat, interpolate_slices)


def twin(call):
    with mock.patch.object(choice, "has_numba", return_value=False):
        return call()


def stacked(picture):
    """Slices of one row each, one above the other, as a volume."""
    return read(picture)[:, None, :]


# all


@pytest.mark.parametrize(
    ("module", "values"),
    [
        (slice_dropout, {"rate": 0.5, "unit": "object", "fill": "neighbour", "classes": (2, 3)}),
        (slice_dropout, {"rate": 0.5, "unit": "class", "run": 2, "axis": 1}),
        (slice_repeat, {"rate": 0.5, "unit": "class", "fill": "neighbour", "classes": (1, 3), "axis": 2}),
        (interpolate_slices, {"every": 3.5}),
        (
            interpolate_slices,
            {"every": 5.0, "ends": "lost", "axis": 2, "classes": (2, 3), "fill": "neighbour"},
        ),
        (interpolate_slices, {"every_mm": 6.0, "axis": 1}),
        (interpolate_slices, {"every": 4.0, "between": "nearest"}),
        (interpolate_slices, {"every": 4.0, "between": "missing", "ends": "lost"}),
    ],
)
@given(one=volumes, seed=st.integers(0, 99))
@few
def test_compiled_and_plain(module, values, one, seed):
    spaced = case(one.labels, spacing=(2.5, 0.7, 1.1))
    params = module.Params(**values)
    found = module.corrupt(spaced, params, Draws(seed))
    assert np.array_equal(found, twin(lambda: module.corrupt(spaced, params, Draws(seed))))


@pytest.mark.parametrize("module", MODES)
def test_a_plane_is_refused(module):
    with pytest.raises(UsageError, match="toy is a plane"):
        module.corrupt(blobs((20, 20)), module.EXAMPLE, Draws(0))


@pytest.mark.parametrize(
    ("module", "values"),
    [
        (slice_dropout, {"rate": 0.5, "unit": "class"}),
        (slice_repeat, {"rate": 0.5}),
        (interpolate_slices, {"every": 3.0}),
    ],
)
@pytest.mark.parametrize("axis", [1, 2])
def test_an_axis_is_the_volume_turned(module, values, axis):
    labels = blobs((15, 14, 16), 3, 12).labels
    turned = np.ascontiguousarray(np.moveaxis(labels, axis, 0))
    one = module.corrupt(case(labels), module.Params(**values, axis=axis), Draws(0))
    other = module.corrupt(case(turned), module.Params(**values), Draws(0))
    assert np.array_equal(np.moveaxis(one, axis, 0), other)


@pytest.mark.parametrize(
    ("module", "values"),
    [
        (slice_dropout, {"rate": 1.5}),
        (slice_dropout, {"unit": "pixel"}),
        (slice_dropout, {"run": 0}),
        (slice_dropout, {"axis": 3}),
        (slice_dropout, {"fill": "nearest"}),
        (slice_repeat, {"rate": 0.5, "every": 3.0}),
        (slice_repeat, {"every": 3.0, "every_mm": 3.0}),
        (slice_repeat, {"way": "left"}),
        (slice_repeat, {"unit": "object"}),
        (interpolate_slices, {"every": 0.5}),
        (interpolate_slices, {"every_mm": -1.0}),
        (interpolate_slices, {"between": "guess"}),
        (interpolate_slices, {"ends": "open"}),
        (interpolate_slices, {"axis": -1}),
    ],
)
def test_impossible_parameters_are_refused(module, values):
    with pytest.raises(UsageError):
        module.Params(**values)


@pytest.mark.parametrize("module", [slice_repeat, interpolate_slices])
def test_millimetres_are_slices(module):
    labels = blobs((20, 14, 16), 3, 12).labels
    spaced = case(labels, spacing=(2.5, 1.0, 1.0))
    by_mm = module.corrupt(spaced, module.Params(every_mm=10.0), Draws(0))
    assert np.array_equal(by_mm, module.corrupt(spaced, module.Params(every=4.0), Draws(0)))
    fine = module.corrupt(spaced, module.Params(every_mm=2.0), Draws(0))
    assert np.array_equal(fine, labels), "closer than slices lie there is nothing to skip"
    bare = Case(case_id="bare", labels=labels, classes=("background", "a", "b", "c"))
    with pytest.raises(UsageError, match="bare has no spacing"):
        module.corrupt(bare, module.Params(every_mm=10.0), Draws(0))


def test_strength_of_a_distance():
    params = interpolate_slices.Params(every=5.0)
    assert interpolate_slices.scaled(params, 0.0).every == 1.0
    assert interpolate_slices.scaled(params, 0.5).every == 3.0
    assert interpolate_slices.scaled(params, 1e9).every == 500.0
    assert interpolate_slices.scaled(interpolate_slices.Params(every_mm=5.0), 2.0).every_mm == 10.0
    assert slice_repeat.scaled(slice_repeat.Params(every=1.7), 1.0) == slice_repeat.Params(every=1.7)


@pytest.mark.parametrize("every", [1.0, 1.5, 2.0, 2.5, 7.0, 100.0])
def test_drawn_slices_lie_every_so_often_wherever_the_first_one_lies(every):
    seen = np.zeros(60)
    for seed in range(300):
        drawn = slices.drawn_slices(60, every, Draws(seed))
        apart = np.diff(np.flatnonzero(drawn))
        assert set(apart.tolist()) <= {int(every), int(np.ceil(every))}
        seen += drawn
    assert seen / 300 == pytest.approx(1 / every, abs=6 * np.sqrt((1 - 1 / every) / every / 300) + 1e-9)


# slice-dropout


@pytest.mark.parametrize("unit", ["slice", "class", "object"])
@pytest.mark.parametrize("run", [1, 4])
@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_share_of_lost_slices(unit, run, rate):
    labels = np.zeros((4000, 1, 12), np.uint8)
    labels[:, :, 1], labels[:, :, 4], labels[:, :, 7], labels[:, :, 10] = 1, 2, 2, 3
    params = slice_dropout.Params(rate=rate, unit=unit, run=run)
    found = slice_dropout.corrupt(case(labels), params, Draws(0))
    lost = found[:, 0, [1, 4, 7, 10]] == 0
    assert lost.mean() == pytest.approx(rate, abs=4.5 * np.sqrt(rate * (1 - rate) * run / 4000))
    same = [bool((lost[:, 0] == lost[:, k]).all()) for k in (1, 2, 3)]
    if rate == 0.2:
        assert same == ([True] * 3 if unit == "slice" else [False] * 3)
        assert (lost[:, 1] == lost[:, 2]).all() == (unit != "object")
        starts = np.flatnonzero(np.diff(lost[:, 0].astype(int), prepend=0) > 0)
        ends = np.flatnonzero(np.diff(lost[:, 0].astype(int), append=0) < 0)
        inner = (ends - starts + 1)[1:-1]
        assert (inner % run == 0).all(), "blocks are lost as a whole"


def test_a_lesion_lost_in_a_slice_becomes_its_organ():
    labels = np.full((5, 6, 6), 1, np.uint8)
    labels[1:4, 2:4, 2:4] = 2
    params = slice_dropout.Params(rate=1.0, unit="class", classes=(2,), fill="neighbour")
    assert (slice_dropout.corrupt(case(labels), params, Draws(0)) == 1).all()
    everything = slice_dropout.Params(rate=1.0, fill="neighbour")
    assert (slice_dropout.corrupt(case(labels), everything, Draws(0)) == 0).all()


# slice-repeat


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_copy_is_the_slice_that_was_drawn_before(way):
    labels = np.zeros((40, 3, 45), np.uint8)
    for z in range(40):
        labels[z, 1, z] = 1
    found = slice_repeat.corrupt(case(labels), slice_repeat.Params(rate=0.5, way=way), Draws(0))
    from_slice = found[:, 1].argmax(axis=1)
    order = np.arange(40) if way == "up" else np.arange(40)[::-1]
    last = order[0]
    for z in order:
        last = z if from_slice[z] == z else last
        assert from_slice[z] == last
    copies = (from_slice != np.arange(40)).mean()
    assert 0.2 < copies < 0.8


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_share_of_copies(rate):
    labels = np.zeros((4000, 1, 2), np.uint8)
    labels[::2, :, 0] = labels[1::2, :, 1] = 1
    found = slice_repeat.corrupt(case(labels), slice_repeat.Params(rate=rate, way="up"), Draws(0))
    changed = (found != labels).any(axis=(1, 2)).mean()
    odd = rate / (1 + rate)  # copies of a slice 1, 3, 5, ... before: (1 - rate) (rate + rate**3 + ...)
    assert changed == pytest.approx(odd if rate < 1 else 0.5, abs=0.03)


def test_both_ways_are_as_likely():
    labels = np.zeros((6, 3, 9), np.uint8)
    labels[2:4, 1, 3:5] = 1
    up = 0
    for seed in range(300):
        found = slice_repeat.corrupt(case(labels), slice_repeat.Params(rate=0.3), Draws(seed))
        up += int(found[4:].any()) - int(found[:2].any())
    assert abs(up) < 4 * np.sqrt(300)


def test_what_a_copy_does_to_other_labels():
    clean = stacked("1122x.3\n.....33")
    up = slice_repeat.Params(rate=1.0, way="up")
    assert np.array_equal(slice_repeat.corrupt(case(clean), up, Draws(0))[1], read("1122..3"))
    down = slice_repeat.Params(rate=1.0, way="down")
    assert np.array_equal(slice_repeat.corrupt(case(clean), down, Draws(0))[0], read("....x33"))
    some = slice_repeat.Params(rate=1.0, way="down", classes=(1, 3))
    assert np.array_equal(slice_repeat.corrupt(case(clean), some, Draws(0))[0], read("..22x33"))
    around = slice_repeat.Params(rate=1.0, way="down", classes=(1,), fill="neighbour")
    organ = stacked("x11222\n222222")
    assert np.array_equal(slice_repeat.corrupt(case(organ), around, Draws(0))[0], read("x22222"))
