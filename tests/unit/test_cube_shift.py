"""Growth and shrinkage by cubes: the definition, the odd and the even edges, what is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from toys import blobs, case

from noisylabels import geometry
from noisylabels.case import IGNORE
from noisylabels.corruptions.cube_shift import Params, corrupt, scaled
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice

few = settings(max_examples=25, deadline=None, derandomize=True)
scenes = st.builds(
    blobs,
    st.sampled_from([(17, 23), (16, 70), (6, 9, 16), (5, 11, 13), (1, 12, 12)]),
    number=st.integers(0, 10**6),
    ignore=st.booleans(),
    radius=st.integers(1, 7),
    spacing=st.none(),
)


def brute(labels, reach, grow):
    """By definition, all pairs of pixels; reach (D, 2) towards lower and higher indices."""
    places = np.argwhere(np.ones_like(labels))
    away = places[:, None] - places[None]  # covered - source
    near = ((away >= -reach[:, 0]) & (away <= reach[:, 1])).all(axis=2)
    values = labels.ravel()
    out = values.copy()
    for c in (1, 2, 3):
        if grow:
            out[(values == 0) & near[:, values == c].any(axis=1)] = c
        else:
            out[(values == c) & near[:, (values != c) & (values != IGNORE)].any(axis=1)] = 0
    return out.reshape(labels.shape)


@given(one=scenes, edge=st.integers(1, 8), grow=st.booleans(), mm=st.booleans())
@few
def test_definition(one, edge, grow, mm):
    labels = one.labels
    if mm:
        spacing = (2.5, 0.7, 1.1)[-labels.ndim :]
        params = Params(edge_mm=(float(edge), float(edge)), grow=float(grow))
        reach = np.array([[int(edge / 2 / s)] * 2 for s in spacing])
        found = corrupt(case(labels, spacing=spacing), params, Draws(0))
    else:
        params = Params(edge_px=(edge, edge), legacy=True, grow=float(grow))
        reach = np.array([[edge // 2, (edge - 1) // 2][:: 1 if grow else -1]] * labels.ndim)
        found = corrupt(one, params, Draws(0))
    assert (found == brute(labels, reach, grow)).all()


@given(one=scenes, edge=st.sampled_from([1, 3, 5]))
@few
def test_objects_move_alone(one, edge):
    """Each object with the edge and the direction that it drew, compiled and plain."""
    labels = one.labels
    params = Params(edge_px=(edge, edge + 4), unit="object")
    with pytest.MonkeyPatch.context() as patch:
        found = corrupt(one, params, Draws(3))
        patch.setattr(choice, "has_numba", lambda: False)
        assert (found == corrupt(one, params, Draws(3))).all()
    ids, classes = geometry.components(labels, (1, 2, 3))
    n = len(classes) + 1
    edges = edge + 2 * np.floor(Draws(3).at("edge").uniform(n) * 3).astype(int)
    outwards = Draws(3).at("outwards").uniform(n) < 0.5
    expected = labels.copy()
    for k in sorted(range(1, n), key=lambda k: classes[k - 1]):
        reach = np.full((labels.ndim, 2), edges[k] // 2)
        # alone, but what else is there shields or eats as it does in the whole
        if outwards[k]:
            moved = brute(np.where(ids == k, labels, 0), reach, grow=True)
            expected[(moved > 0) & (labels == 0)] = classes[k - 1]
        else:
            expected[(ids == k) & (brute(labels, reach, grow=False) == 0)] = 0
    assert (found == expected).all()


@pytest.mark.parametrize("edge", [2, 3, 4, 7])
@pytest.mark.parametrize("grow", [True, False])
@pytest.mark.parametrize("shape", [(40, 50), (12, 20, 24)])
def test_scipy_gives_the_same(edge, grow, shape):
    """Even edges too, with their shift by half a voxel; at the frame nothing is eaten."""
    labels = (blobs(shape, 2, radius=8).labels > 0).astype(np.uint8)
    element = np.ones((edge,) * len(shape))
    if grow:
        expected = ndimage.binary_dilation(labels, element)
    else:
        expected = ndimage.binary_erosion(labels, element, border_value=1)
    found = corrupt(case(labels), Params(edge_px=(edge, edge), legacy=True, grow=float(grow)), Draws(0))
    assert (found == expected).all()


def test_edges_are_odd_uniform_and_directions_balanced():
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 20:40] = 1
    sizes = [
        int(np.sqrt((corrupt(case(labels), Params(edge_px=(2, 10)), Draws(0, str(k))) == 1).sum()))
        for k in range(800)
    ]
    counts = {way: sizes.count(20 + 2 * way) for way in (-4, -3, -2, -1, 1, 2, 3, 4)}
    assert sum(counts.values()) == 800  # no other size: an edge of 3, 5, 7 or 9, as the range holds
    assert all(70 < count < 130 for count in counts.values())


def test_even_edges_move_the_object_by_half_a_pixel():
    labels = np.zeros((40, 40), np.uint8)
    labels[10:20, 10:20] = 1
    for grow, middle in ((1.0, 14.0), (0.0, 15.0)):
        found = corrupt(case(labels), Params(edge_px=(4, 4), legacy=True, grow=grow), Draws(0))
        assert np.argwhere(found).mean(axis=0).tolist() == [middle, middle]


def test_thin_objects_vanish_or_are_kept():
    labels = np.zeros((20, 40, 40), np.uint8)
    labels[5:15, 5:15, 5:15] = 1  # the cube of 10 voxels of the source
    labels[2:18, 20:38, 20:38] = 1
    shrink = {"edge_px": (15, 15), "grow": 0.0}
    gone = corrupt(case(labels), Params(**shrink), Draws(0))
    assert not gone[:, :18].any()
    assert gone[:, 20:].any()
    kept = corrupt(case(labels), Params(**shrink, keep=True), Draws(0))
    assert (kept[:, :18] == labels[:, :18]).all()
    assert (kept[:, 20:] == gone[:, 20:]).all()


def test_ignore_and_the_frame_neither_give_nor_eat():
    labels = np.array([[1, 1, 1, IGNORE, 0, 0, 0, 0, 2, 2]], np.uint8)
    shrunk = corrupt(case(labels), Params(edge_px=(3, 3), grow=0.0), Draws(0))
    assert shrunk.tolist() == [[1, 1, 1, IGNORE, 0, 0, 0, 0, 0, 2]]
    grown = corrupt(case(labels), Params(edge_px=(7, 7), grow=1.0), Draws(0))
    assert grown.tolist() == [[1, 1, 1, IGNORE, 1, 2, 2, 2, 2, 2]]


def test_scaled():
    params = Params(edge_px=(3, 15))
    assert scaled(params, 0.0).edge_px == (1, 1)
    assert scaled(params, 2.0).edge_px == (5, 29)
    assert scaled(Params(edge_px=(4, 10)), 1.0).edge_px == (4, 10)
    assert scaled(Params(edge_px=(4, 10)), 1.01).edge_px == (5, 9)  # the odd edges of the range
    assert scaled(Params(edge_px=(4, 9), legacy=True), 0.5).edge_px == (3, 5)
    assert scaled(Params(edge_mm=(1.0, 3.0)), 0.5).edge_mm == (0.5, 1.5)
    assert scaled(params, 1e9).edge_px == (2001, 2001)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"edge_px": (3, 5), "edge_mm": (1.0, 2.0)}, "not both"),
        ({"edge_px": (0, 5)}, "1 <= low"),
        ({"edge_px": (4, 4)}, "legacy"),
        ({"edge_mm": (2.0, 1.0)}, "0 <= low"),
        ({"edge_mm": (1.0, 2.0), "legacy": True}, "edge_px"),
        ({"unit": "pixel"}, "known: case, object"),
        ({"grow": 1.5}, "between 0 and 1"),
    ],
)
def test_impossible_parameters(values, message):
    with pytest.raises(UsageError, match=message):
        Params(**values)


def test_millimetres_need_a_spacing():
    with pytest.raises(UsageError, match="toy has no spacing"):
        corrupt(blobs((9, 9)), Params(edge_mm=(1.0, 2.0)), Draws(0))
