"""Smooth random displacements: the field, and outlines that follow it."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import blobs, case, draw, read

from noisylabels.corruptions import like
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice
from noisylabels.metrics import displacement
from noisylabels.parts import displacement as displacement_parts
from noisylabels.parts.displacement import Shift, displaced, element, few_kinds, left_out
from noisylabels.parts.imitation import see
from noisylabels.parts.outlines import traced
from noisylabels.parts.waves import HALF, draw_wave

few = settings(max_examples=25, deadline=None, derandomize=True)


def noisy(one, text, draws=None, **params):
    return like.corrupt(one, like.Params(profile=text, **params), draws or Draws(0, one.case_id))


# -- the field ------------------------------------------------------------------------------------------------


def wave(number, shape=(1, 64, 64), length=8.0, steps=(1000, 1000, 1000)):
    draws = Draws(number, "wave")
    return draw_wave(shape, steps, 1000 * length, draws.at("nodes").normal, draws.at("grid").uniform(3))


@pytest.mark.parametrize("way", [(0, 1), (1, 1), (2, 1)])
def test_a_field_is_standard_normal_with_half_the_correlation_at_its_length(way):
    length, size = 9.0, np.sqrt(way[0] ** 2 + way[1] ** 2)
    here, there = [], []
    for number in range(1500):
        field = wave(number, length=length)
        step = np.rint(np.array(way) * length / size * 8) / 8  # eighths of a pixel, by finer steps
        places = np.array([[0, 0], [80, 40], [80 + round(step[0] * 8), 40 + round(step[1] * 8)]])
        found = field.at((np.zeros(3, np.int64), places[:, 0], places[:, 1]), (1000, 125, 125))
        here.append(found[1])
        there.append(found[2])
    assert abs(np.std(here) - 1) < 0.07
    assert abs(np.mean(here)) < 0.1
    assert abs(np.corrcoef(here, there)[0, 1] - 0.5) < 0.07


def test_a_field_varies_alike_at_every_place():
    every = [
        wave(number).at(tuple(np.indices((1, 16, 16)).reshape(3, -1)), (1, 1000, 1000))
        for number in range(800)
    ]
    assert abs(np.std(every, axis=0) - 1).max() < 0.12


def test_an_axis_of_one_pixel_does_not_count():
    places = np.zeros(5, np.int64), np.arange(5), np.arange(5) * 3
    plane, slab = wave(3, (1, 20, 30)), wave(3, (1, 20, 30), steps=(7, 1000, 1000))
    assert plane.nodes.ndim == 2
    assert np.array_equal(plane.at(places, (1000,) * 3), slab.at(places, (7, 1000, 1000)))


def test_a_field_in_a_volume_is_smooth_and_normal():
    found = [
        wave(n, (12, 12, 12), 5.0).at(tuple(np.indices((12, 12, 12)).reshape(3, -1)), (1000,) * 3)
        for n in range(60)
    ]
    volumes = np.array(found).reshape(60, 12, 12, 12)
    assert abs(volumes.std() - 1) < 0.05
    apart = [np.mean(volumes[:, : 12 - k] * volumes[:, k:]) for k in (1, 5, 9)]
    assert apart[0] > 0.9
    assert abs(apart[1] - 0.5) < 0.1
    assert abs(apart[2]) < 0.15


def test_too_short_a_length_is_refused():
    with pytest.raises(UsageError, match="control points"):
        wave(0, (400, 512, 512), 0.5)
    assert 0.87 < HALF < 0.88


# -- displacing outlines --------------------------------------------------------------------------------------


def shifted(text, lengths):
    found = traced(case(read(text)), (1, 2, 3), apart=True)
    out, _ = displaced(found, Shift(1000.0 * np.array([0, *lengths]), {}), (1000, 1000, 1000))
    return draw(out[0])


def test_outlines_move_to_the_nearest_pixel():
    for far, want in ((0.5, "..11.."), (0.6, ".1111."), (1.5, ".1111."), (1.6, "111111")):
        assert shifted("..11..", [far]) == [want]
    for far, want in ((-0.5, ".1111."), (-0.6, "..11.."), (-1.6, "......")):
        assert shifted(".1111.", [far]) == [want]


def test_classes_are_layers():
    assert shifted("111122", [1, 0]) == ["111122"], "the outline between them is that of the higher class"
    assert shifted("111122", [0, 1]) == ["111222"]
    assert shifted("111122", [0, -1]) == ["111112"], "what it leaves goes to what lies below"
    assert shifted("1111x22..", [1, -1]) == ["1111x2..."], "nothing comes from where there is no label"


def test_displacements_are_rounded_to_few_kinds():
    far = np.concatenate([np.arange(-10, 5000, 0.5), np.arange(5000, 200_000, 11)])
    found = few_kinds(far, 1000)
    assert len(np.unique(found)) <= 769, "and none"
    assert found.max() == 64_000
    inside = (far >= 0) & (far <= 64_000)
    assert (found[inside] <= far[inside]).all()
    assert (far[inside] - found[inside] <= np.maximum(17, far[inside] / 128)).all()
    assert not found[far <= 0].any()


@pytest.mark.parametrize("shape", [(90, 70), (24, 20, 22)])
def test_slabs_do_not_show(shape, monkeypatch):
    one = blobs(shape, 4, count=9, radius=9, ignore=True, spacing=(1.5,) * len(shape))
    text = "mm; *: bias 0, object 2, outline 2, length 9, omission 0.1"
    whole = noisy(one, text)
    cut = displacement_parts._slabs

    def thin(shape, longest, steps):
        axis = 0 if shape[0] > 1 else 1
        for slab in cut(shape, longest, steps):
            low, high = slab.core[axis].start, slab.core[axis].stop
            margin = int(longest // steps[axis]) + 2
            for start in range(low, high, 5):
                core, seen = list(slab.core), list(slab.seen)
                core[axis] = slice(start, min(start + 5, high))
                seen[axis] = slice(max(0, start - margin), min(core[axis].stop + margin, shape[axis]))
                yield displacement_parts._Slab(tuple(core), tuple(seen))

    monkeypatch.setattr(displacement_parts, "_slabs", thin)
    assert np.array_equal(noisy(one, text), whole)


@pytest.mark.parametrize("shape", [(40, 50), (8, 20, 22)])
def test_compiled_kernels_and_their_twins_give_the_same_bits(shape):
    one = blobs(shape, 7, ignore=True, spacing=(1.5,) * len(shape))
    text = "mm; *: bias 0.5, object 1.5, outline 1.5, length 6, omission 0.3<9 0.1"
    compiled = noisy(one, text)
    with mock.patch.object(choice, "has_numba", return_value=False):
        assert np.array_equal(noisy(one, text), compiled)


@pytest.mark.parametrize("steps", [(1000, 1000), (700, 700, 2500), (2500, 700, 700), (900, 1000, 1100)])
def test_elements_are_what_their_definition_says(steps):
    far = np.array([0, 600, 1400, 3333, 7000])
    found = element(far, steps)
    least = min(steps)
    middle = [n // 2 for n in found.shape[1:]]
    for b, dz, dy in np.ndindex(found.shape):
        k = (dz - middle[0], dy - middle[1]) if len(steps) == 3 else (dy - middle[1],)
        reached = -1
        for x in range(40):
            lengths = [
                0 if n == 0 else 16 * abs(n) * s - 7 * (s - least)
                for n, s in zip((*k, x), steps, strict=True)
            ]
            if sum(length * length for length in lengths) <= (16 * int(far[b]) + 7 * least) ** 2:
                reached = x
        assert found[b, dz, dy] == reached


def test_left_out_objects_become_what_lies_around():
    labels = read("1111.\n1221.\n1111.\n....3")
    runs = see(case(labels), (1, 2, 3), "px").runs
    assert draw(left_out(labels, runs, np.array([False, True, True]), 4)) == ["1111."] * 3 + ["....."]


@given(seed=st.integers(0, 99), outline=st.sampled_from(["0.7", "2", "5"]))
@few
def test_no_object_vanishes_unless_it_is_missed(seed, outline):
    one = blobs((30, 40), seed, radius=5)
    found = noisy(one, f"px; *: bias -1, object 2, outline {outline}, length 3, omission 0", Draws(seed, "x"))
    for c in (1, 2, 3):
        assert not displacement.read(one.labels, found, c).missed.any(), "a tenth at least is left"


# -- measuring ------------------------------------------------------------------------------------------------
