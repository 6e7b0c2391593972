from math import hypot

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from noisylabels.errors import InvalidData
from noisylabels.metrics import _boundary
from noisylabels.metrics.surface import assd, hd95, surface_distances, surface_scores


def drawn(text):
    return np.array([[c == "#" for c in line] for line in text.split()])


def slow_boundary(mask):
    found = []
    for place in np.argwhere(mask):
        for axis in range(mask.ndim):
            for step in (-1, 1):
                near = place.copy()
                near[axis] += step
                inside = all(0 <= near[a] < mask.shape[a] for a in range(mask.ndim))
                if not inside or not mask[tuple(near)]:
                    found.append(tuple(place.tolist()))
    return sorted(set(found))


def slow_distances(one, other, spacing):
    there = slow_boundary(other)
    scale = spacing or (1.0,) * one.ndim
    return [min(hypot(*[(a - b) * s for a, b, s in zip(p, q, scale, strict=True)]) for q in there)
            for p in slow_boundary(one)]  # fmt: skip


def slow_percentile(values, share):
    ordered = sorted(values)
    rank = share * (len(ordered) - 1)
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


masks = st.sampled_from([(2, 7, 9), (2, 3, 4, 5)]).flatmap(lambda shape: hnp.arrays(np.bool_, shape))


@settings(max_examples=60, deadline=None)
@given(masks, st.booleans())
def test_scores_equal_their_slow_twin(pair, with_spacing):
    one, two = pair
    spacing = (2.5, 0.75, 1.5)[-one.ndim :] if with_spacing else None
    if not (one.any() and two.any()):
        return
    pooled = slow_distances(one, two, spacing) + slow_distances(two, one, spacing)
    assert hd95(one, two, spacing) == pytest.approx(slow_percentile(pooled, 0.95))
    assert assd(one, two, spacing) == pytest.approx(sum(pooled) / len(pooled))


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.bool_, (2, 12, 13)), st.booleans())
def test_tree_and_transform_agree(pair, with_spacing):
    starts, targets = pair
    if not targets.any():
        return
    spacing = (0.7, 1.9) if with_spacing else None
    tree, transform = [], []
    for share, into in ((0, tree), (10**9, transform)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_boundary, "_DENSE", share)
            into.extend(_boundary.distances(starts, targets, spacing).tolist())
    assert tree == pytest.approx(transform, abs=1e-12)


@settings(deadline=None)
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6)))
def test_boundary_equals_its_slow_twin(mask):
    assert [tuple(p) for p in np.argwhere(_boundary.boundary(mask)).tolist()] == slow_boundary(mask)


def test_the_frame_is_outside():
    full = np.ones((3, 4), bool)
    assert _boundary.boundary(full).tolist() == drawn("#### #..# ####").tolist()


def test_a_drawn_case():
    square = drawn(".##.... .##.... .......")
    moved = drawn("....##. ....##. .......")
    there, back = surface_distances(square, moved)
    assert sorted(there.tolist()) == [2, 2, 3, 3]
    assert sorted(back.tolist()) == [2, 2, 3, 3]
    assert surface_scores(square, moved) == (3.0, 2.5, "")
    assert surface_scores(square, moved, (1.0, 0.5)) == (1.5, 1.25, "")


def test_pooled_is_neither_the_larger_nor_the_mean_of_the_directed_values():
    one = drawn("#" + "." * 40)
    two = drawn("#" * 21 + "." * 20)
    assert hd95(one, two) == pytest.approx(np.percentile([0, *range(21)], 95))
    assert assd(one, two) == pytest.approx(sum(range(21)) / 22)


@pytest.mark.parametrize(
    ("true", "predicted", "value", "note"),
    [(0, 0, 0.0, "absent in both"), (1, 0, 5.0, "missed"), (0, 1, 5.0, "invented")],
)
def test_empty_objects_have_stated_values(true, predicted, value, note):
    reference, prediction = (np.full((3, 4), bool(v)) for v in (true, predicted))
    assert surface_scores(reference, prediction) == (value, value, note)
    doubled = surface_scores(reference, prediction, (2.0, 2.0))
    assert doubled.hd95 == doubled.assd == 2 * value


def test_a_perfect_prediction_has_distance_zero():
    disc = np.hypot(*np.mgrid[-8:9, -8:9]) < 6
    assert surface_scores(disc, disc) == (0.0, 0.0, "")


def test_spacing_and_shape_must_fit():
    mask = np.ones((3, 4), bool)
    with pytest.raises(InvalidData, match="axes"):
        hd95(mask, mask, (1.0, 1.0, 1.0))
    with pytest.raises(InvalidData, match="shape"):
        hd95(mask, mask.T)
