"""Objects drawn as polygons or with jittered outlines: what stays, what moves, and how it is spread."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toys import blobs, case

from noisylabels.case import IGNORE
from noisylabels.corruptions import polygon, vertex_jitter
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import steps_px
from noisylabels.kernels import choice
from noisylabels.parts.polygons import Clicks, redrawn
from noisylabels.parts.traced import blocks, scene_of, walk, wobble
from noisylabels.parts.vertices import bends, evenly, positions

few = settings(max_examples=40, deadline=None, derandomize=True)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14))
label_maps = shapes.flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 1, 1, 2, IGNORE]))
)


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


@given(labels=label_maps)
@few
def test_without_tolerance_or_share_nothing_changes(labels):
    one = case(labels)
    for params in (
        polygon.Params(how="simplify", tolerance_px=0.0),
        polygon.Params(how="simplify", tolerance_px=0.0, level=False),
        polygon.Params(how="clicks", every_px=0.0, miss=1.0, share=0.0),
    ):
        assert np.array_equal(polygon.corrupt(one, params, Draws(0)), labels)
    jitter = vertex_jitter.Params(sd_px=0.0, spacing_px=3.0)
    assert np.array_equal(vertex_jitter.corrupt(one, jitter, Draws(0)), labels)


@given(labels=label_maps, seed=st.integers(0, 99))
@few
@pytest.mark.parametrize("how", ["resample", "simplify", "clicks", "share", "straight", "smooth"])
def test_compiled_and_plain(how, labels, seed):
    one = case(labels)
    if how in ("straight", "smooth"):
        params = vertex_jitter.Params(between=how, spacing_px=2.0)
        both(lambda: vertex_jitter.corrupt(one, params, Draws(seed)))
    else:
        values = {"share": 0.6} if how == "share" else {"how": how}
        params = polygon.Params(**values, tolerance_px=1.0, every_px=3.0)
        both(lambda: polygon.corrupt(one, params, Draws(seed)))


def disc(radius=40, hole=0, size=120):
    y, x = np.indices((size, size)) - size / 2 + 0.3
    far = y * y + x * x
    return case(((far < radius * radius) & (far >= hole * hole)).astype(np.uint8))


def test_vertices_lie_at_equal_distances():
    one = disc()
    rings = scene_of(one, (1,)).rings
    along = walk(rings, one.labels.shape, steps_px(2))
    assert along.total[0] / 16000 == pytest.approx(2 * np.pi * 40, rel=0.06)  # steps of 1 and 0.707 px
    found = evenly(along, np.array([12]), np.array([0.25]))
    at = positions(along, found) / 256
    gaps = np.sqrt(((at - np.roll(at, -1, axis=0)) ** 2).sum(axis=1))
    assert gaps == pytest.approx(np.full(12, gaps.mean()), rel=0.06)
    assert sorted(found.place.tolist()) == list(range(-6, 6))
    top = at[found.place == 0][0] - (59.7 + 0.5)
    assert np.degrees(np.arctan2(top[1], -top[0])) == pytest.approx(
        0.25 * 30, abs=2
    )  # clockwise from the top


@pytest.mark.parametrize("count", [3, 4, 5, 8])
def test_level_polygons_keep_the_area(count):
    for one in (disc(), disc(hole=15), case(np.pad(np.ones((60, 20), np.uint8), 20))):
        area = one.labels.sum()
        free, level = (
            np.mean(
                [
                    polygon.corrupt(
                        one, polygon.Params(vertices=(count, count), jitter=0.0, level=flag), Draws(k)
                    ).sum()
                    / area
                    for k in range(12)
                ]
            )
            for flag in (False, True)
        )
        assert free < 0.96
        assert level == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("module", "params"),
    [
        (polygon, polygon.Params()),
        (polygon, polygon.Params(how="clicks", every_px=20.0)),
        (vertex_jitter, vertex_jitter.Params(sd_px=3.0)),
        (vertex_jitter, vertex_jitter.Params(sd_px=3.0, between="smooth", spacing_px=30.0)),
        (vertex_jitter, vertex_jitter.Params(sd_px=2.0, spacing_px=0.0)),
    ],
)
def test_no_drift_of_area_or_place(module, params):
    one = disc(30, hole=12)
    noisy = [module.corrupt(one, params, Draws(k)) for k in range(60)]
    places = np.array([np.argwhere(labels).mean(axis=0) for labels in noisy]) - np.argwhere(one.labels).mean(
        axis=0
    )
    assert np.mean([labels.sum() for labels in noisy]) == pytest.approx(one.labels.sum(), rel=0.04)
    assert np.abs(places.mean(axis=0)).max() < 0.6
    assert (np.abs(places) > 0).any(axis=0).all()


def test_jitter_has_its_standard_deviation():
    """A straight edge across the frame: the height where it stands at many places, over many draws."""
    labels = np.zeros((80, 200), np.uint8)
    labels[40:] = 1
    params = vertex_jitter.Params(sd_px=3.0, spacing_px=20.0)
    heights = [(vertex_jitter.corrupt(case(labels), params, Draws(k)) == 0).sum(axis=0) for k in range(100)]
    spread = np.std(np.array(heights)[:, 20:180])  # between vertices it is less: 2/3 of the variance
    assert spread == pytest.approx(3 * np.sqrt(2 / 3), rel=0.1)


def test_no_drift_where_the_frame_cuts():
    y, x = np.indices((120, 120))
    for middle in (30, 0, -20):
        one = case(((y - middle) ** 2 + (x - 60) ** 2 < 1600).astype(np.uint8))
        for params in (polygon.Params(jitter=0.1), polygon.Params(how="clicks", every_px=25.0)):
            area = np.mean([int(polygon.corrupt(one, params, Draws(k)).sum()) for k in range(30)])
            assert area == pytest.approx(int(one.labels.sum()), rel=0.03)


@pytest.mark.parametrize("how", ["simplify", "clicks", "jitter"])
def test_the_frame_is_no_outline(how):
    """An object that the frame cuts still reaches the frame, and one that fills it stays."""
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, :30] = 1
    labels[:8, 30:50] = 2

    def corrupt(map_, seed):
        if how == "jitter":
            return vertex_jitter.corrupt(case(map_), vertex_jitter.Params(), Draws(seed))
        return polygon.corrupt(case(map_), polygon.Params(how=how, every_px=6.0), Draws(seed))

    for seed in range(10):
        noisy = corrupt(labels, seed)
        assert (noisy[26:34, 0] == 1).all()
        assert (noisy[0, 37:43] == 2).all()
        assert (corrupt(np.ones((20, 30), np.uint8), seed) == 1).all()


def test_holes_are_kept_or_filled():
    one = disc(40, hole=14)
    for how in ("resample", "simplify", "clicks"):
        keep, fill = (
            polygon.corrupt(one, polygon.Params(how=how, jitter=0.0, holes=word), Draws(1))[60, 60]
            for word in ("keep", "fill")
        )
        assert (keep, fill) == (0, 1)
    tiny = np.ones((9, 9), np.uint8)
    tiny[4, 4] = 0
    assert np.array_equal(polygon.corrupt(case(tiny), polygon.Params(how="simplify"), Draws(0)), tiny)


def test_neighbouring_slices_wobble_alike():
    one = case(np.repeat(disc(30, size=90).labels[None], 12, axis=0))
    for module, alike, apart in (
        (vertex_jitter, {"slices": 12}, {"slices": 1}),
        (polygon, {"slices": 12}, {"slices": 1}),
    ):
        differ = [
            (np.diff(module.corrupt(one, module.Params(**values), Draws(3)).astype(int), axis=0) != 0).mean()
            for values in (alike, apart)
        ]
        assert 0 < differ[0] < 0.4 * differ[1]
        still = module.corrupt(one, module.Params(slices=1000), Draws(3))
        assert (still[0] != one.labels[0]).any()


def test_numbers_do_not_depend_on_other_objects():
    labels = blobs((60, 90), 3, count=4, radius=9).labels
    more = labels.copy()
    more[-3:, -3:] = 2
    assert not labels[-8:, -8:].any()
    for module in (polygon, vertex_jitter):
        one, two = (module.corrupt(case(map_), module.Params(), Draws(5)) for map_ in (labels, more))
        assert np.array_equal(one[:-14, :-14], two[:-14, :-14])
        chosen = module.corrupt(case(labels), module.Params(classes=(2,)), Draws(5))
        assert ((chosen == 2) | (labels != 0) | (chosen == 0)).all()


def test_wobble_is_blended_and_has_unit_variance():
    one = case(np.repeat(disc(20, size=60).labels[None], 9, axis=0))
    rings = scene_of(one, (1,)).rings
    ring, place = np.repeat(np.arange(9), 4000), np.tile(np.arange(4000), 9)
    numbers = wobble(rings, 7, 4).normal(1, ring, place).reshape(9, 4000, 2)
    assert numbers.std(axis=1) == pytest.approx(np.ones((9, 2)), abs=0.05)
    together = [np.corrcoef(numbers[0, :, 0], numbers[z, :, 0])[0, 1] for z in range(9)]
    assert together[1] > 0.9
    assert together[2] == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert np.abs(together[4:]).max() < 0.06
    lasting = wobble(rings, 7, None).uniform(0, ring, place).reshape(9, 4000, 2)
    assert (lasting == lasting[0]).all()


def test_blocks_of_rings_change_nothing(monkeypatch):
    one = blobs((40, 50), 6, count=9, ignore=True)
    whole = vertex_jitter.corrupt(one, vertex_jitter.Params(), Draws(2))
    monkeypatch.setattr("noisylabels.parts.traced._BLOCK", 30)
    rings = scene_of(one, (1, 2, 3)).rings
    parts = list(blocks(rings))
    assert len(parts) > 3
    assert [low for low, _ in parts[1:]] == [high for _, high in parts[:-1]]
    assert np.array_equal(vertex_jitter.corrupt(one, vertex_jitter.Params(), Draws(2)), whole)


def test_bends_of_a_square():
    one = case(np.pad(np.ones((20, 20), np.uint8), 5))
    along = walk(scene_of(one, (1,)).rings, one.labels.shape, steps_px(2))
    found = positions(along, bends(along, 1000, steps_px(2))) / 256
    assert len(found) == 4
    corners = np.array([[5, 5], [5, 25], [25, 25], [25, 5]])
    assert np.sqrt(((found[:, None] - corners) ** 2).sum(axis=2)).min(axis=1).max() < 0.6


def test_redrawn_in_one_call():
    one = disc()
    noisy = redrawn(one, (1,), Clicks(15_000, 1_000, steps_px(2)), key=5)
    changed = (noisy != one.labels).sum() / one.labels.sum()
    assert 0.01 < changed < 0.1
    assert np.array_equal(redrawn(one, (1,), Clicks(15_000, 1_000, steps_px(2)), key=5), noisy)
    assert np.array_equal(
        redrawn(one, (1,), Clicks(15_000, 1_000, steps_px(2)), key=5, share=0.0), one.labels
    )


@pytest.mark.parametrize(
    "values",
    [
        {"how": "freehand"},
        {"vertices": (2, 5)},
        {"vertices": (6, 5)},
        {"jitter": 0.6},
        {"miss": -0.1},
        {"share": 1.5},
        {"holes": "drop"},
        {"slices": 0},
        {"tolerance_px": -1.0},
        {"every_px": 1.0, "every_mm": 1.0},
    ],
)
def test_impossible_polygons_are_refused(values):
    with pytest.raises(UsageError):
        polygon.Params(**values)


@pytest.mark.parametrize(
    "values", [{"sd_px": -1.0}, {"between": "wavy"}, {"slices": 0}, {"sd_px": 1.0, "sd_mm": 1.0}]
)
def test_impossible_jitter_is_refused(values):
    with pytest.raises(UsageError):
        vertex_jitter.Params(**values)


def test_millimetres_need_a_spacing():
    for module, values in ((polygon, {"how": "clicks", "every_mm": 2.0}), (vertex_jitter, {"sd_mm": 1.0})):
        with pytest.raises(UsageError, match="spacing"):
            module.corrupt(case(np.ones((4, 4), np.uint8)), module.Params(**values), Draws(0))
