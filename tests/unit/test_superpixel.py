"""Superpixels: compiled and plain, connected, following the image; and who wins one."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from toys import CLASSES, blobs

from noisylabels.case import IGNORE, Case
from noisylabels.corruptions import superpixel
from noisylabels.corruptions.superpixel import Params, corrupt, scaled
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.kernels import choice, slic

DTYPES = (np.uint8, np.uint16, np.int16, np.float32, np.float64, np.bool_)


def twin(call):
    with mock.patch.object(choice, "has_numba", return_value=False):
        return call()


def pictured(labels, image, spacing=None):
    return Case(case_id="toy", labels=labels, classes=CLASSES, image=image, spacing=spacing)


def segments_of(image, count, compactness=10.0, spacing=None):
    """The superpixels of a whole image, (Y, X) or (Z, Y, X)."""
    kept = {}

    def remember(features, grid):
        kept["grid"] = grid
        kept["segments"], kept["first"] = slic_superpixels(features, grid)
        return kept["segments"], kept["first"]

    slic_superpixels = slic.superpixels
    labels = np.zeros(image.shape[1:], np.uint8)
    labels[(0,) * labels.ndim] = labels[(-1,) * labels.ndim] = 1
    with mock.patch.object(superpixel.slic, "superpixels", remember):
        corrupt(pictured(labels, image, spacing), Params(segments=count, compactness=compactness), Draws(0))
    return kept["segments"].reshape(image.shape[1:]), kept["grid"]


@given(
    shape=st.sampled_from([(17, 23), (1, 14), (9, 1), (30, 31), (5, 9, 13), (1, 9, 12), (6, 7, 1)]),
    number=st.integers(0, 10**6),
    channels=st.integers(1, 3),
    dtype=st.sampled_from(DTYPES),
    follows=st.booleans(),
    spacing=st.booleans(),
    params=st.builds(
        Params,
        segments=st.sampled_from([0, 1, 2, 5, 20, 100, 10**7]),
        compactness=st.sampled_from([0.01, 1.0, 10.0, 1000.0]),
        rule=st.sampled_from(["majority", "threshold", "flip"]),
        share=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
        rate=st.sampled_from([0.0, 0.5, 1.0]),
        window=st.sampled_from([None, (20.0, 90.0), (-500.0, 500.0)]),
        classes=st.sampled_from([None, (2,), (1, 3)]),
    ),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_compiled_and_plain_and_the_rules(shape, number, channels, dtype, follows, spacing, params):
    labels = blobs(shape, number, ignore=number % 2 == 0, radius=6).labels
    noise = np.random.default_rng(number).integers(0, 120, (channels, *shape))
    image = (noise // 4 + labels % 9 * 10 if follows else noise).astype(dtype)
    one = pictured(labels, image, (2.1, 0.7, 1.3)[-len(shape) :] if spacing else None)
    before = image.copy()
    found = corrupt(one, params, Draws(number))
    assert np.array_equal(image, before)
    assert np.array_equal(found, twin(lambda: corrupt(one, params, Draws(number))))
    assert np.array_equal(found == IGNORE, labels == IGNORE)
    for c in {1, 2, 3} - set(params.classes or (1, 2, 3)):
        assert np.array_equal(found == c, labels == c)
    if params.segments in (0, 10**7):
        assert np.array_equal(found, labels)


@pytest.mark.parametrize("shape", [(60, 80), (12, 30, 34)])
@pytest.mark.parametrize("compactness", [0.1, 10.0, 100.0])
def test_superpixels_are_connected_and_not_small(shape, compactness):
    image = np.random.default_rng(0).integers(0, 255, (1, *shape)).astype(np.uint8)
    image = ndimage.uniform_filter(image, (0, *(5,) * len(shape)))
    segments, grid = segments_of(image, 60, compactness)
    count = segments.max() + 1
    sizes = np.bincount(segments.ravel())
    assert (sizes >= grid.smallest).all()
    assert 15 <= count <= 180
    for k in range(count):
        assert ndimage.label(segments == k)[1] == 1
    _, first = np.unique(segments, return_index=True)
    assert np.array_equal(first, np.sort(first))


def test_a_constant_image_is_cut_into_its_grid():
    segments, grid = segments_of(np.full((1, 48, 72), 7, np.int16), 24)
    assert grid.counts.tolist() == [1, 4, 6]
    y, x = np.indices((48, 72))
    assert np.array_equal(segments, y // 12 * 6 + x // 12)


def test_superpixels_follow_edges_and_low_compactness_more_so():
    y, x = np.indices((90, 90))
    labels = ((y - 41) ** 2 + (x - 47) ** 2 < 30**2).astype(np.uint8)
    image = (40 + 100 * labels + np.random.default_rng(1).integers(0, 20, labels.shape)).astype(np.uint8)[
        None
    ]
    wrong = [
        (corrupt(pictured(labels, image), Params(segments=100, compactness=m), Draws(0)) != labels).mean()
        for m in (10.0, 1000.0)
    ]
    assert wrong[0] < 0.001
    assert wrong[1] > 0.01


def test_intensities_may_be_shifted_stretched_and_of_any_type():
    rng = np.random.default_rng(2)
    image = ndimage.gaussian_filter(rng.random((64, 64)), 2)
    image = np.round((image - image.min()) / np.ptp(image) * 200).astype(np.int64)
    expected, _ = segments_of(image[None].astype(np.uint8), 50)
    for other in (
        image[None].astype(np.uint16) + 300,
        image[None].astype(np.int16) - 100,
        image[None].astype(np.float32) * 4,
        image[None].astype(np.float64) / 8 - 1,
        np.stack([image] * 3).astype(np.uint8),
    ):
        assert np.array_equal(segments_of(other, 50)[0], expected)


def test_spacing_makes_supervoxels_as_wide_in_mm():
    image = np.zeros((1, 10, 60, 60), np.uint8)
    assert segments_of(image, 200, spacing=(6.0, 1.0, 1.0))[1].counts.tolist() == [6, 6, 6]
    assert segments_of(image, 200)[1].counts.tolist() == [2, 11, 11]
    thin = np.zeros((1, 4, 100, 100), np.uint8)  # thinner than a supervoxel: the plane is cut as a plane is
    assert segments_of(thin, 100)[1].counts.tolist() == [1, 10, 10]


def test_superpixels_far_from_objects_are_left_alone():
    labels = np.zeros((100, 100), np.uint8)
    labels[40:60, 40:60] = 1
    image = np.random.default_rng(0).integers(0, 255, (1, 100, 100)).astype(np.uint8)
    place = superpixel._around(labels == 1, np.array([1, 10, 10]).astype(np.int64)[-2:])
    assert [(p.start, p.stop) for p in place] == [(20, 80), (20, 80)]
    found = corrupt(pictured(labels, image), Params(segments=100, rule="threshold", share=0.0), Draws(0))
    assert found.any()


PATCHES = np.array([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1]], np.int32)
LABELS = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], np.uint8)


def snapped(labels, words=(0, 0), classes=(1, 2, 3), **values):
    drawn = np.array(words, dtype=np.uint64)
    return superpixel._snapped(labels[None], PATCHES[None], classes, drawn, Params(**values))[0].tolist()


def test_rules_as_in_the_picture():
    assert snapped(LABELS) == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]
    assert snapped(LABELS, rule="threshold", share=0.2) == [[1] * 5] * 3
    assert snapped(LABELS, rule="threshold", share=0.9) == [[0] * 5] * 3
    never, always = (2**32 - 1,) * 2, (0, 0)
    assert snapped(LABELS, never, rule="flip", rate=1.0) == snapped(LABELS)
    assert snapped(LABELS, always, rule="flip", rate=1.0) == [
        [0, 0, 0, 1, 1],
        [0, 0, 1, 1, 1],
        [0, 0, 1, 1, 1],
    ]
    assert snapped(LABELS, always, rule="flip", rate=0.0) == snapped(LABELS)


def test_flips_are_likelier_the_closer_it_is():
    """Patch 0 holds 6 of 7 pixels of class 1, patch 1 holds 2 of 8: runner-up over first 1/6 and 1/3."""
    for share, expected in ((0.1, (True, True)), (0.25, (False, True)), (0.4, (False, False))):
        found = np.array(snapped(LABELS, (int(share * 2**32),) * 2, rule="flip", rate=1.0))
        assert (found[0, 0] == 0, found[0, 4] == 1) == expected


def test_ties_unlabelled_and_unchosen_pixels():
    even = np.array([[1, 1, 0, 2, 2], [1, 0, 2, 2, 3], [0, IGNORE, 3, 3, 3]], np.uint8)
    assert snapped(even) == even.tolist()  # three against three, four against four
    assert snapped(even, classes=(3,)) == [[1, 1, 0, 2, 2], [1, 0, 2, 2, 3], [0, IGNORE, 3, 3, 3]]
    found = snapped(even, rule="threshold", share=0.5)
    assert found == [[1, 1, 1, 3, 3], [1, 1, 3, 3, 3], [1, IGNORE, 3, 3, 3]]


def test_scaled_makes_wider_patches():
    params = Params(segments=400)
    assert scaled(params, 1.0) == params
    assert scaled(params, 2.0).segments == 100
    assert scaled(params, 0.0).segments == 0
    assert scaled(params, 1e9).segments == 1
    assert scaled(params, 1e-9).segments == 2**31 - 1
    assert scaled(Params(segments=0), 3.0).segments == 0


def test_what_is_refused():
    labels = blobs((20, 20), 1).labels
    with pytest.raises(UsageError, match="toy has no image"):
        corrupt(pictured(labels, None), Params(), Draws(0))
    for value in (np.nan, np.inf, -np.inf):
        broken = np.zeros((1, 20, 20), np.float32)
        broken[0, 3, 3] = value
        with pytest.raises(InvalidData, match="finite"):
            corrupt(pictured(labels, broken), Params(segments=10), Draws(0))
    for values in (
        {"segments": -1},
        {"compactness": 0.0},
        {"rule": "best"},
        {"share": 1.1},
        {"rate": -0.1},
        {"window": (3.0, 3.0)},
        {"window": (0.0, np.inf)},
    ):
        with pytest.raises(UsageError):
            Params(**values)
