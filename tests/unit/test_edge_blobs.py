"""Discs on edges: against their definition, nested, balanced."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import blobs, case

from noisylabels.case import IGNORE
from noisylabels.corruptions.edge_blobs import Params, corrupt, scaled
from noisylabels.draws import Draws
from noisylabels.kernels import choice, philox

SEQUENCES = ("add", "remove", "coin", "add_then_remove")

scenes = st.builds(
    lambda shape, number, ignore: blobs(shape, number, ignore=ignore, radius=6).labels,
    st.sampled_from([(17, 23), (9, 30), (1, 12), (5, 9, 13), (1, 9, 9)]),
    st.integers(0, 10**6),
    st.booleans(),
)


def twin(call):
    with mock.patch.object(choice, "has_numba", return_value=False):
        return call()


def edges(labels):
    """Inner and outer edge pixels of every class, by looking at all pairs of neighbours."""
    inner, outer = set(), set()
    for place in np.ndindex(labels.shape):
        for axis in range(labels.ndim):
            for step in (-1, 1):
                other = list(place)
                other[axis] += step
                if not 0 <= other[axis] < labels.shape[axis] or labels[place] in (0, IGNORE):
                    continue
                if labels[tuple(other)] not in (labels[place], IGNORE):
                    inner.add((int(labels[place]), place))
                    outer.add((int(labels[place]), tuple(other)))
    return inner, outer


def by_definition(labels, params, draws):
    """Discs on the edges, one by one."""
    key = int(draws.at("discs").words(1)[0])
    places = np.moveaxis(np.indices(labels.shape), 0, -1)
    low, high = params.radius_px

    def discs(edge, turn):
        for c, centre in sorted(edge):
            flat = np.array([np.ravel_multi_index(centre, labels.shape)])
            there, size, coin, _ = philox.words(key, flat, c, turn)[0].tolist()
            if there >= philox.threshold(params.share) or (params.sequence == "coin" and coin >> 31):
                continue
            radius = np.floor((size >> 27) * (high * 1000 - low * 1000) / 31 + low * 1000)
            away = places - np.array(centre)
            yield c, (away * away).sum(axis=-1) * 1000**2 <= radius**2

    out = labels.copy()
    inner, outer = edges(labels)
    if params.sequence in ("remove", "coin"):
        for c, reached in discs(outer, 1):
            out[reached & (labels == c)] = 0
    if params.sequence != "remove":
        for c, reached in discs(inner, 0):
            free = labels == 0 if params.over == "background" else (labels < c) & (labels != IGNORE)
            out[reached & free] = np.maximum(out[reached & free], c)
    if params.sequence == "add_then_remove":
        grown = out.copy()
        for c, reached in discs(edges(grown)[1], 1):
            out[reached & (grown == c)] = 0
    return out


@given(
    labels=scenes,
    share=st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    radius=st.sampled_from([(0.0, 0.0), (1.0, 1.0), (0.5, 3.5), (2.0, 4.0), (30.0, 50.0)]),
    sequence=st.sampled_from(SEQUENCES),
    over=st.sampled_from(["background", "all"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_as_defined_compiled_and_plain(labels, share, radius, sequence, over, seed):
    params = Params(share=share, radius_px=radius, sequence=sequence, over=over)
    found = corrupt(case(labels), params, Draws(seed))
    assert np.array_equal(found, by_definition(labels, params, Draws(seed)))
    assert np.array_equal(found, twin(lambda: corrupt(case(labels), params, Draws(seed))))


@pytest.mark.parametrize("sequence", ["add", "remove", "coin"])
@pytest.mark.parametrize("over", ["background", "all"])
def test_more_and_larger_discs_contain_fewer_and_smaller_ones(sequence, over):
    for number in range(3):
        labels = blobs((60, 70), number, ignore=number == 1).labels
        for values in (
            [{"share": s} for s in (0.0, 0.05, 0.2, 0.6, 1.0)],
            [{"radius_px": r} for r in ((0.0, 0.0), (0.0, 2.0), (1.0, 4.0), (3.0, 8.0))],
        ):
            before = np.zeros(labels.shape, bool)
            for value in values:
                params = Params(
                    **{"share": 0.1, "radius_px": (2.0, 5.0), **value}, sequence=sequence, over=over
                )
                changed = corrupt(case(labels), params, Draws(number)) != labels
                assert not (before & ~changed).any()
                before = changed


def test_area_is_kept_by_coin_and_no_direction_is_preferred():
    y, x = np.indices((161, 161)) - 80
    labels = (y * y + x * x <= 40 * 40).astype(np.uint8)
    found = [corrupt(case(labels), Params(radius_px=(3.0, 6.0)), Draws(k)).astype(int) for k in range(60)]
    assert np.mean([one.sum() for one in found]) == pytest.approx(labels.sum(), rel=0.01)
    changed = sum(np.abs(one - labels) for one in found)
    sides = [changed[:80].sum(), changed[81:].sum(), changed[:, :80].sum(), changed[:, 81:].sum()]
    assert max(sides) < 1.1 * min(sides)


def test_realised_share_of_discs():
    labels = np.zeros((400, 400), np.uint8)
    labels[100:300, 100:300] = 1
    found = corrupt(case(labels), Params(share=0.2, radius_px=(1.0, 1.0), sequence="add"), Draws(0))
    grown = found[99, 100:300].sum() + found[300, 100:300].sum()
    assert grown / 400 == pytest.approx(0.2, abs=0.05)  # a disc of one pixel reaches the one above it


def test_millimetres_follow_the_spacing():
    labels = np.zeros((40, 40), np.uint8)
    labels[20:, :] = 1
    one = case(labels, spacing=(2.0, 0.5))
    found = corrupt(one, Params(share=1.0, radius_mm=(4.0, 4.0), sequence="add"), Draws(0))
    assert found.any(axis=1).sum() == 22  # two rows of 2 mm
    turned = case(np.ascontiguousarray(labels.T), spacing=(2.0, 0.5))
    found = corrupt(turned, Params(share=1.0, radius_mm=(4.0, 4.0), sequence="add"), Draws(0))
    assert found.any(axis=0).sum() == 28  # eight columns of 0.5 mm


def test_scaled():
    params = Params(share=0.2, radius_px=(2.0, 4.0))
    assert scaled(params, 1.0) == params
    assert scaled(params, 0.5) == Params(share=0.1, radius_px=(2.0, 4.0))
    assert scaled(params, 2.0) == Params(share=0.2, radius_px=(4.0, 8.0))
    labels = blobs((60, 70), 0).labels
    wrong = [(corrupt(case(labels), scaled(params, f), Draws(0)) != labels).sum() for f in (0, 0.3, 1, 2, 5)]
    assert wrong[0] == 0
    assert wrong == sorted(wrong)


def test_only_unlabelled_neighbours_make_no_edge():
    labels = np.full((12, 12), IGNORE, np.uint8)
    labels[3:9, 3:9] = 1
    labels[0, :] = 0
    for sequence in SEQUENCES:
        assert np.array_equal(corrupt(case(labels), Params(share=1.0, sequence=sequence), Draws(0)), labels)
