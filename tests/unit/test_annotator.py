"""Annotators: what each style does, who they are, and how their mistakes go together."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from toys import CLASSES, blobs, case, draw, read, scene

from noisylabels.case import IGNORE
from noisylabels.corruptions import annotator
from noisylabels.corruptions.annotator import Params, confusion_of
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import choice
from noisylabels.metrics.displacement import read as displacement
from noisylabels.normal import normal_quantile
from noisylabels.parts.styles import STYLES, Latent, confused, quantile, stronger

DRAWS = Draws(0, "annotator")


def many(count=400, radius=2):
    """A row of discs of class 1, far from each other."""
    size = 2 * radius + 20
    y, x = np.indices((size, size)) - size // 2
    return case(np.tile((y * y + x * x <= radius * radius).astype(np.uint8), (1, count)))


def corrupt(one, draws=DRAWS, **params):
    return annotator.corrupt(one, Params(**params), draws)


def means(one, noisy):
    found = displacement(one.labels, noisy, 1)
    return np.array([found.shifts[found.owner == k].mean() for k in range(len(found.pixels))])


def test_over_and_under_move_every_outline_by_the_offset():
    one = case(read("\n".join(["........"] * 3 + ["...11..."] * 2 + ["........"] * 3)))
    wide = corrupt(one, styles=("over",), offset_px=1.0, spread=0.0)
    assert draw(wide)[2:6] == ["..1111.."] * 4
    assert np.array_equal(corrupt(case(wide), styles=("under",), offset_px=1.0, spread=0.0), one.labels)


@pytest.mark.parametrize(("style", "sign"), [("over", 1), ("under", -1)])
def test_objects_spread_about_the_offset(style, sign):
    one = many(radius=12)
    found = sign * means(one, corrupt(one, styles=(style,), offset_px=4.0, spread=0.25))
    assert abs(found.mean() - 4.0) < 0.3
    assert abs(found.std() - 1.0) < 0.2


def test_omitter_misses_its_share_and_leaves_what_lies_around():
    one = many()
    missed = displacement(one.labels, corrupt(one, styles=("omitter",), omit=0.3), 1).missed
    assert abs(missed.mean() - 0.3) < 0.1
    inside = case(read("11111\n11211\n11111"))
    assert (corrupt(inside, styles=("omitter",), omit=1.0, classes=(2,)) == 1).all()


def test_wrong_class_follows_its_matrix():
    one = many(count=2000)
    matrix = np.eye(4)
    matrix[1] = 0.1, 0.5, 0.3, 0.1
    found = corrupt(one, styles=("wrong_class",), confusion=tuple(matrix.ravel()))
    given = np.bincount(found[12, 12::24], minlength=4) / 2000
    assert abs(given - matrix[1]).max() < 0.05
    turned = corrupt(one, styles=("wrong_class",), wrong=1.0)
    assert set(np.unique(turned)) == {0, 2}, "class 1 is taken for the next"


def test_stated_confusion_matrices():
    one = scene()
    assert np.array_equal(confusion_of(one, Params(), "good"), np.eye(4))
    omitter = confusion_of(one, Params(omit=0.25, classes=(1, 3)), "omitter", 2.0)
    assert omitter.tolist() == [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0], [0.5, 0, 0, 0.5]]
    wrong = confusion_of(one, Params(wrong=0.5), "wrong_class")
    assert wrong.tolist() == [[1, 0, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0.5, 0.5], [0, 0.5, 0, 0.5]]
    assert all(confusion_of(one, Params(), style) is None for style in ("over", "polygonal", "careless"))
    with pytest.raises(UsageError, match="toy has 4 classes"):
        confusion_of(one, Params(confusion=(1.0, 0.0, 0.0, 1.0)), "wrong_class")


def test_strength_ends_where_a_row_is_used_up():
    matrix = np.array([[1, 0, 0], [0.2, 0.6, 0.2], [0, 0, 1]])
    assert np.allclose(stronger(matrix, 100.0)[1], (0.5, 0, 0.5))
    assert np.array_equal(stronger(matrix, 0.0), np.eye(3))


@pytest.mark.parametrize("style", STYLES)
def test_no_style_touches_what_it_must_not(style):
    one = blobs((40, 50), 3, ignore=True)
    found = corrupt(one, styles=(style,), offset_px=2.0, classes=(1, 2))
    assert np.array_equal(found == IGNORE, one.labels == IGNORE)
    assert ((one.labels != 3) | (found == 3)).all()
    if style not in ("good",):
        assert not np.array_equal(found, one.labels)


@pytest.mark.parametrize("style", STYLES)
def test_compiled_kernels_and_their_twins_give_the_same_bits(style):
    for one in (blobs((40, 50), 7, ignore=True), blobs((6, 20, 22), 8)):
        compiled = corrupt(one, styles=(style,), offset_px=1.5)
        with mock.patch.object(choice, "has_numba", return_value=False):
            assert np.array_equal(corrupt(one, styles=(style,), offset_px=1.5), compiled)


def test_careless_outlines_have_the_stated_spread_and_reach():
    one = many(count=60, radius=30)
    found = displacement(one.labels, corrupt(one, styles=("careless",), offset_px=2.0, omit=0.0), 1)
    assert abs(found.shifts.std() - 2.0) < 0.2
    assert abs(found.shifts.mean()) < 0.2


def test_polygons_lose_no_area():
    one = blobs((120, 120), 5, count=3, radius=30)
    found = corrupt(one, styles=("polygonal",), offset_px=3.0, spread=0.0)
    for c in (1, 2, 3):
        before, after = (one.labels == c).sum(), (found == c).sum()
        assert before == 0 or abs(after / before - 1) < 0.1


def test_a_person_is_the_same_in_every_case():
    params = Params(styles=("good", "omitter"), omit=1.0, strength=(1.0, 1.0))
    for k in range(4):
        found = [annotator.corrupt(scene(), params, Draws(0, str(c)).reader(k)) for c in range(3)]
        assert all(np.array_equal(each, scene().labels) == (k % 2 == 0) for each in found)


def test_a_single_map_has_one_style_by_weight():
    params = Params(styles=("good", "omitter"), omit=1.0, weights=(3.0, 1.0))
    same = [
        np.array_equal(annotator.corrupt(scene(), params, Draws(0, str(k))), scene().labels)
        for k in range(400)
    ]
    assert abs(np.mean(same) - 0.75) < 0.1


@pytest.mark.parametrize("style", STYLES)
def test_fully_correlated_annotators_of_a_style_agree(style):
    params = Params(styles=(style,), correlation=1.0, offset_px=1.5)
    one = blobs((60, 70), 2)
    maps = [annotator.corrupt(one, params, Draws(0, "x").reader(k)) for k in range(3)]
    assert all(np.array_equal(maps[0], each) for each in maps)


@pytest.mark.parametrize("style", ["over", "omitter", "wrong_class", "polygonal", "careless"])
def test_independent_annotators_differ(style):
    params = Params(styles=(style,), correlation=0.0, offset_px=2.0)
    one = blobs((120, 140), 2, count=12, radius=12)
    maps = {annotator.corrupt(one, params, Draws(0, "x").reader(k)).tobytes() for k in range(3)}
    assert len(maps) == 3


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_latent_numbers_are_correlated_by_rho(rho):
    streams = [Latent(Draws(1, "case").reader(k), rho).normals("offset")(20000) for k in range(2)]
    assert abs(np.corrcoef(*streams)[0, 1] - rho) < 0.03
    assert all(abs(each.std() - 1) < 0.03 for each in streams)


def test_offsets_of_annotators_are_correlated_by_rho():
    one = many(count=500, radius=12)
    params = Params(styles=("over",), offset_px=4.0, spread=0.4, correlation=0.6)
    first, second = (means(one, annotator.corrupt(one, params, Draws(0, "c").reader(k))) for k in range(2))
    assert abs(np.corrcoef(first, second)[0, 1] - 0.6) < 0.12


def test_what_is_done_as_the_common_key_says_is_shared_by_rho():
    maps = [Latent(Draws(1, "case").reader(k), 0.36).shared("clicks", 20000) for k in range(2)]
    assert abs(maps[0].mean() - 0.6) < 0.02
    assert abs((maps[0] & maps[1]).mean() - 0.36) < 0.02
    one, other = (Latent(Draws(1, "case").reader(k), 0.36).keys("clicks") for k in range(2))
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_quantiles_at_the_ends():
    assert quantile(0.0) == -np.inf
    assert quantile(1.0) == np.inf
    assert quantile(0.3) == normal_quantile(np.array([0.3]))[0]


def test_confused_takes_the_others_in_order():
    matrix = np.array([[1, 0, 0], [0.25, 0.0, 0.75], [0, 0, 1]])
    classes = np.array([1, 1, 1, 2], np.uint8)
    z = np.array([0.0, 0.0, 0.0, 0.0])
    pick = np.array([-5.0, 0.6, 0.7, 0.0])  # q(0.75) = 0.674: class 2 below, background above
    assert confused(classes, matrix, z, pick).tolist() == [2, 2, 0, 2]


def test_millimetres_need_a_spacing():
    params = {"styles": ("over",), "offset_mm": 1.0, "spread": 0.0}
    one = scene()
    assert np.array_equal(corrupt(one, **params), corrupt(one, styles=("over",), offset_px=2.0, spread=0.0))
    with pytest.raises(UsageError, match="no spacing"):
        corrupt(case(one.labels), **params)


@pytest.mark.parametrize(
    "wrong",
    [
        {"styles": ()}, {"styles": ("bad",)}, {"strength": (1.0, 2.0)}, {"strength": (-1.0,)},
        {"weights": (1.0,)}, {"styles": ("over",), "weights": (0.0,)}, {"correlation": 1.1},
        {"offset_px": 1.0, "offset_mm": 1.0}, {"spread": -0.1}, {"length": 0.5}, {"omit": 2.0},
        {"wrong": -1.0}, {"confusion": (1.0, 0.0)}, {"confusion": (1.0, 0.5, 0.0, 1.0)},
    ],
)  # fmt: skip
def test_impossible_parameters(wrong):
    with pytest.raises(UsageError):
        Params(**wrong)


def test_one_class_has_no_other_to_be_taken_for():
    one = replace(case(read("....\n.11.\n....")), classes=CLASSES[:2], readers={}, scores={})
    assert np.array_equal(corrupt(one, styles=("wrong_class",), wrong=1.0), one.labels)
