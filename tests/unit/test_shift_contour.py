"""An annotator with a bias: the sign is the same everywhere, the spread is as drawn, missed parts are at an end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import blobs, case

from noisylabels import geometry
from noisylabels.corruptions import dilate, erode
from noisylabels.corruptions.shift_contour import Params, corrupt, scaled
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice
from noisylabels.kernels.bites import Bites, bite, farthest
from noisylabels.kernels.components import component_runs, numbers

few = settings(max_examples=25, deadline=None, derandomize=True)
scenes = st.builds(
    blobs,
    st.sampled_from([(17, 23), (16, 70), (6, 9, 16), (5, 11, 13), (1, 12, 12)]),
    number=st.integers(0, 10**6),
    ignore=st.booleans(),
    radius=st.integers(1, 7),
)
STILL = {"spread_px": 0.0, "miss": 0.0}


def compiled_and_plain(call):
    with pytest.MonkeyPatch.context() as patch:
        found = call()
        patch.setattr(choice, "has_numba", lambda: False)
        for one, other in zip(found, call(), strict=True):
            assert one.dtype == other.dtype
            assert (one == other).all()
    return found


@given(one=scenes, offset=st.sampled_from([0.5, 1.0, 2.3, 4.0]))
@few
def test_a_bias_alone_is_growth_or_shrinkage(one, offset):
    radius = (offset, offset)
    over = corrupt(one, Params(offset_px=offset, **STILL), Draws(0))
    assert (over == dilate.corrupt(one, dilate.Params(radius_px=radius), Draws(0))).all()
    under = corrupt(one, Params(offset_px=-offset, **STILL), Draws(0))
    assert (under == erode.corrupt(one, erode.Params(radius_px=radius), Draws(0))).all()


@given(one=scenes, seed=st.integers(0, 99), wobble=st.sampled_from([0.0, 3.0]), mm=st.booleans())
@few
def test_the_bias_has_one_sign_everywhere(one, seed, wobble, mm):
    one = case(one.labels, spacing=(0.8,) * one.labels.ndim)
    unit = "mm" if mm else "px"
    lengths = {f"spread_{unit}": 2.0, f"wobble_{unit}": wobble, "nodes": 4, "miss": 0.0}
    for bias in (1.0, -1.0):
        params = Params(**{f"offset_{unit}": bias}, **lengths)
        (found,) = compiled_and_plain(lambda p=params: (corrupt(one, p, Draws(seed)),))
        changed = found != one.labels
        assert (one.labels[changed] == 0).all() if bias > 0 else (found[changed] == 0).all()


def test_spread_is_the_drawn_one():
    """Discs far apart: each has grown by the offset and its own normal number."""
    y, x = np.indices((90, 120)) % 30 - 15
    labels = (y * y + x * x <= 9).astype(np.uint8)
    found = corrupt(case(labels), Params(offset_px=4.0, spread_px=1.5, miss=0.0), Draws(5))
    ids, classes = geometry.components(labels, (1,))
    far = 4000 + 1500 * Draws(5).at("spread").normal(len(classes) + 1)
    expected = np.zeros_like(labels)
    for k in range(1, len(classes) + 1):
        squared = geometry.squared_distances(ids == k, (1000, 1000))
        expected[squared <= max(0, np.rint(far[k])) ** 2] = 1
    assert (found == expected).all()
    assert len(set(np.rint(far[1:]).tolist())) == 12


def test_without_a_bias_objects_go_either_way():
    y, x = np.indices((90, 120)) % 30 - 15
    labels = (y * y + x * x <= 25).astype(np.uint8)
    found = corrupt(case(labels), Params(offset_px=0.0, spread_px=2.0, miss=0.0), Draws(0))
    assert ((found == 1) & (labels == 0)).any()
    assert ((found == 0) & (labels == 1)).any()


def test_wobble_is_slow_and_as_large_as_asked():
    """Along a long straight outline: mean, standard deviation, and hardly a step between neighbours."""
    labels = np.zeros((200, 3000), np.uint8)
    labels[:80] = 1
    depths = []
    for k in range(12):
        params = Params(offset_px=40.0, spread_px=0.0, wobble_px=4.0, nodes=60, miss=0.0)
        found = corrupt(case(labels), params, Draws(k))
        depths.append(found.sum(axis=0).astype(float) - 80)
    nodes = np.stack(depths)[:, ::51]  # between control points the blend of two varies less
    assert abs(nodes.mean() - 40) < 2  # balls reach over their neighbours: a little more than the offset
    assert 2.5 < nodes.std() < 4.5
    assert np.abs(np.diff(np.stack(depths), axis=1)).max() < 4


@given(one=scenes, seed=st.integers(0, 99), mm=st.booleans())
@few
def test_bites(one, seed, mm):
    """The farthest pixel in a direction, and the share of pixels nearest to it: by definition."""
    labels = one.labels.reshape((-1, *one.labels.shape[-2:]))
    table, classes = component_runs(labels, (1, 2, 3))
    n = len(classes) + 1
    draws = Draws(seed)
    directions = draws.at("a").integers((n, 3), -3, 3)
    places, pixels = farthest(table, labels.shape[1], directions)
    wanted = np.floor(draws.at("b").uniform(n, -0.5, 1.0).clip(0) * pixels).astype(np.int64)
    steps = (25, 7, 11) if mm else (1, 1, 1)

    def bitten():
        out = labels.copy()
        return (out, *bite(out, table, Bites(places, wanted), steps))

    out, *left = compiled_and_plain(bitten)
    ids = geometry.components(labels, (1, 2, 3)).ids
    expected = labels.copy()
    for k in range(1, n):
        there = np.argwhere(ids == k)
        far = there @ directions[k]
        assert places[k].tolist() == there[np.flatnonzero(far == far.max())[0]].tolist()
        assert pixels[k] == len(there)
        away = (((there - places[k]) * steps) ** 2).sum(axis=1)
        gone = [i for i, d in enumerate(away) if (away <= d).sum() <= wanted[k]]
        expected[tuple(there[gone].T)] = 0
    assert (out == expected).all()
    kept = numbers(type(table)(*left), slice(0, labels.shape[0] * labels.shape[1]), labels.shape[2])
    assert (kept.reshape(labels.shape) == np.where((expected == labels) & (ids > 0), ids, 0)).all()


def test_missed_share_and_probability():
    y, x = np.indices((300, 400)) % 50 - 25
    labels = (y * y + x * x <= 20 * 20).astype(np.uint8)
    still = {"offset_px": 0.0, "spread_px": 0.0, "miss_share": (0.25, 0.25)}
    found = corrupt(case(labels), Params(miss=0.5, **still), Draws(2))
    size = int(labels[:50, :50].sum())
    shares = [
        1 - found[a : a + 50, b : b + 50].sum() / size for a in range(0, 300, 50) for b in range(0, 400, 50)
    ]
    missed = [share for share in shares if share > 0]
    assert 14 < len(missed) < 34
    assert all(0.24 < share <= 0.25 for share in missed)
    more = corrupt(case(labels), Params(miss=0.8, **still), Draws(2))
    assert not ((found != labels) & (more == labels)).any()


@pytest.mark.parametrize("shape", [(41, 41), (21, 21, 21)])
def test_every_side_is_missed_alike(shape):
    middle = np.array(shape) // 2
    away = np.indices(shape) - middle.reshape(-1, *[1] * len(shape))
    labels = ((away**2).sum(axis=0) <= (middle[0] - 2) ** 2).astype(np.uint8)
    params = Params(offset_px=0.0, spread_px=0.0, miss=1.0, miss_share=(0.1, 0.1))
    ends = []
    for k in range(300):
        lost = np.argwhere((labels == 1) & (corrupt(case(labels), params, Draws(0, str(k))) == 0)) - middle
        ends.append(lost.mean(axis=0) / np.linalg.norm(lost.mean(axis=0)))
    assert np.abs(np.mean(ends, axis=0)).max() < 0.12
    assert np.abs(np.mean(np.square(ends), axis=0) - 1 / len(shape)).max() < 0.08


def test_a_missed_part_is_drawn_around():
    """The outline of what is left moves, also where the part is missing."""
    labels = np.zeros((40, 80), np.uint8)
    labels[15:25, 10:70] = 1
    params = {"spread_px": 0.0, "miss": 1.0, "miss_share": (0.3, 0.3)}
    exact = corrupt(case(labels), Params(offset_px=0.0, **params), Draws(0))
    under = corrupt(case(labels), Params(offset_px=-2.0, **params), Draws(0))
    assert (under == erode.corrupt(case(exact), erode.Params(radius_px=(2.0, 2.0)), Draws(0))).all()
    over = corrupt(case(labels), Params(offset_px=2.0, **params), Draws(0))
    assert (over == dilate.corrupt(case(exact), dilate.Params(radius_px=(2.0, 2.0)), Draws(0))).all()


def test_scaled():
    params = Params(offset_px=-4.0, wobble_px=1.0, miss=0.3)
    double = scaled(params, 2.0)
    assert (double.offset_px, double.spread_px, double.wobble_px, double.miss) == (-8.0, 2.0, 2.0, 0.3)
    assert double.miss_share == (0.2, 0.6)
    assert scaled(params, 1e9).offset_px == -1000.0
    assert scaled(Params(offset_mm=2.0, spread_mm=0.5), 0.5) == Params(
        offset_mm=1.0, spread_mm=0.25, miss_share=(0.05, 0.15)
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"offset_px": 1.0, "spread_mm": 1.0}, "all in px or all in mm"),
        ({"offset_px": 2000.0}, "between -1000 and 1000"),
        ({"spread_px": -1.0}, "between 0 and 1000"),
        ({"nodes": 1}, "control points"),
        ({"miss": 2.0}, "missed part"),
        ({"miss_share": (0.5, 0.2)}, "missed share"),
    ],
)
def test_impossible_parameters(values, message):
    with pytest.raises(UsageError, match=message):
        Params(**values)


def test_millimetres_need_a_spacing():
    with pytest.raises(UsageError, match="toy has no spacing"):
        corrupt(blobs((9, 9)), Params(offset_mm=1.0), Draws(0))
