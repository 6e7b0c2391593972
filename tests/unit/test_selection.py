from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import small_case, small_info
from toys import blobs

from noisylabels import hiding
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.errors import Mismatch, UsageError
from noisylabels.geometry import components
from noisylabels.plan import plan, segments
from noisylabels.recipe import OneOf, Option, Recipe, Selection, Step, Target
from noisylabels.selection import choose, choose_classes
from noisylabels.store.dataset import write_dataset

IDS = [f"c{i}" for i in range(41)]
FRACTIONS = (0, 0.1, 0.25, 0.5, 0.75, 1)


def chosen(selection, seed=0, dataset="d", ids=IDS):
    return choose(ids, selection, seed, dataset)


def test_the_fraction_is_exact_and_nested():
    for seed in range(5):
        before = set()
        for fraction in FRACTIONS:
            found = chosen(Selection(fraction), seed, ids=IDS[::-1])
            assert len(found) == round(fraction * 41)
            assert before <= found
            before = found
    half = chosen(Selection(0.5))
    assert half == chosen(Selection(0.5), ids=IDS[::-1])
    assert half != chosen(Selection(0.5), seed=1)
    assert half != chosen(Selection(0.5), dataset="e")


@pytest.mark.parametrize(
    ("selection", "number"),
    [
        (Selection(0.5), 20),
        (Selection(0.45), 18),
        (Selection(0.45, rounding="floor"), 18),
        (Selection(0.9, rounding="floor"), 36),
        (Selection(0.9), 37),
        (Selection(count=8), 8),
        (Selection(clean=8), 33),
        (Selection(count=0), 0),
        (Selection(clean=41), 0),
    ],
)
def test_how_many(selection, number):
    assert len(chosen(selection)) == number


def test_count_and_fraction_choose_the_same():
    assert chosen(Selection(count=10)) == chosen(Selection(clean=31)) == chosen(Selection(10 / 41))


@pytest.mark.parametrize(
    "selection", [Selection(count=42), Selection(clean=42), Selection(clean=3, by="group")]
)
def test_more_than_there_are(selection):
    with pytest.raises(UsageError, match=r"(touched|clean) (cases|groups) are asked for, but there are only"):
        choose_classes(dict.fromkeys(IDS, "one"), 4, selection, 0, "d")


def test_the_choice_is_even():
    """Every case is chosen about as often: 160 seeds, 10 of 40, within 5 standard deviations."""
    counts = dict.fromkeys(IDS[:40], 0)
    for seed in range(160):
        for case_id in chosen(Selection(0.25), seed, ids=IDS[:40]):
            counts[case_id] += 1
    assert all(abs(count - 40) < 5 * (160 * 0.25 * 0.75) ** 0.5 for count in counts.values())


def test_groups_are_chosen_as_a_whole():
    groups = {f"f{i:02d}": f"video {i % 7}" for i in range(40)}
    before = set()
    for fraction in FRACTIONS:
        found = choose_classes(groups, 4, Selection(fraction, by="group"), 3, "d")
        videos = {groups[i] for i in found}
        assert len(videos) == round(fraction * 7)
        assert set(found) == {i for i in groups if groups[i] in videos}
        assert list(found) == sorted(found)
        assert set(found.values()) <= {None}
        assert before <= set(found)
        before = set(found)


def test_every_class_has_a_choice_of_its_own():
    groups = {i: i for i in IDS}
    before = {}
    for fraction in FRACTIONS:
        found = choose_classes(groups, 4, Selection(fraction, per_class=True), 0, "d")
        per_class = {c: {i for i, classes in found.items() if c in classes} for c in (1, 2, 3)}
        assert [len(per_class[c]) for c in (1, 2, 3)] == [round(fraction * 41)] * 3
        assert all(before.get(c, set()) <= per_class[c] for c in per_class)
        assert all(classes for classes in found.values())
        before = per_class
        if fraction == 0.5:
            assert len({frozenset(one) for one in per_class.values()}) == 3


def objects(labels, share, classes=None, seed=0):
    return hiding.untouched(labels, 4, classes, share, Draws(seed, "objects"))


def test_objects_are_touched_as_a_whole_and_nested():
    labels = blobs((60, 80), 1, count=25, radius=4, ignore=False).labels
    found = components(labels, (1, 2, 3))
    number = len(found.classes)
    shares = []
    before = np.ones(labels.shape, bool)
    for share in (0.0, 0.2, 0.5, 0.8):
        hidden, everything = objects(labels, share)
        assert everything == (share == 0)
        assert not (hidden & ~before).any(), "what a smaller share touches, a larger one does too"
        left = {k for k in range(1, number + 1) if hidden[found.ids == k].any()}
        assert all(hidden[found.ids == k].all() for k in left)
        assert not hidden[labels == 0].any()
        shares.append(1 - len(left) / number)
        before = hidden
    assert shares[0] == 0
    assert objects(labels, 1.0) == (None, False)
    many = [1 - len(np.unique(found.ids[objects(labels, 0.5, seed=s)[0]])) / number for s in range(60)]
    assert np.mean(many) == pytest.approx(0.5, abs=0.06)


def test_what_one_class_draws_does_not_depend_on_another():
    labels = blobs((60, 80), 1, count=25, radius=4).labels
    without = np.where(labels == 1, np.uint8(0), labels)
    with_all, alone = objects(labels, 0.5)[0], objects(without, 0.5)[0]
    np.testing.assert_array_equal(with_all[labels > 1], alone[labels > 1])


def test_classes_that_are_not_chosen_are_hidden():
    labels = blobs((40, 50), 2, ignore=True).labels
    hidden, everything = objects(labels, 1.0, classes=(2,))
    np.testing.assert_array_equal(hidden, (labels == 1) | (labels == 3))
    assert not everything
    only = np.where(labels == 2, np.uint8(0), labels)
    assert objects(only, 1.0, classes=(2,))[1]
    assert objects(np.zeros((3, 4), np.uint8), 0.5) == (pytest.approx(np.zeros((3, 4), bool)), False)


@given(
    count=st.integers(1, 40), length=st.tuples(st.integers(1, 6), st.integers(1, 6)).map(sorted).map(tuple)
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_segments_are_runs_of_neighbours(count, length):
    ids = [f"v_{i}" for i in range(count)]
    runs = segments(ids[::-1], length, Draws(count, "s"))
    numbers = [runs[i] for i in ids]
    assert numbers == sorted(numbers)
    sizes = np.bincount(numbers)
    assert ((sizes[:-1] >= length[0]) & (sizes <= length[1])[:-1]).all()
    assert 1 <= sizes[-1] <= length[1]


def dataset(folder, count=24, spacing=None):
    """Cases of two videos of twelve frames."""
    cases = [
        replace(small_case(i, spacing=spacing), group=f"v{i // 12}", case_id=f"v{i // 12}_{i % 12}")
        for i in range(count)
    ]
    ids = [case.case_id for case in cases]
    return write_dataset(cases, small_info(), folder / "d", {"default": {"train": ids[:20], "val": ids[20:]}})


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("clean"))


def step(mode="dilate", **params):
    module = MODES.load(mode)
    return Step.of(mode, module, module.Params(**params))


def test_a_plan_says_what_will_be_done(clean):
    found = plan(clean, Recipe(0, (step(),), Selection(0.5), share="group"))
    assert found.ids == tuple(sorted(clean.ids("train")))
    assert len(found.chosen) == 10
    assert set(found.addresses.values()) == {"v0", "v1"}
    assert found.needs == frozenset()
    assert found == plan(clean, Recipe(0, (step(),), Selection(0.5), share="group"))
    assert plan(clean, Recipe(0, (step(),))).addresses == {i: i for i in found.ids}


def test_segments_do_not_depend_on_the_split(clean):
    one, both = (
        plan(clean, Recipe(0, (step(),), splits=parts, share="segment"))
        for parts in (("train",), ("train", "val"))
    )
    assert both.addresses.items() >= one.addresses.items()
    runs = [one.addresses[f"v0_{i}"] for i in range(12)]
    assert runs == sorted(runs)
    assert runs[0] == "v0/0"
    assert 2 <= len(set(runs)) <= 4


def test_classes_by_name(clean):
    found = plan(clean, Recipe(0, (Step("dilate", {"classes": ["liver"]}, 1),)))
    assert found.recipe.steps[0].params == {"classes": [1]}
    with pytest.raises(UsageError, match="no class 'livre'; did you mean 'liver'"):
        plan(clean, Recipe(0, (Step("dilate", {"classes": ["livre"]}, 1),)))


@pytest.mark.parametrize(
    ("recipe", "kind", "message"),
    [
        (Recipe(0, (Step("dilat", {}, 1),)), UsageError, "did you mean 'dilate'"),
        (Recipe(0, (Step("dilate", {}, 99),)), Mismatch, "version 99"),
        (
            Recipe(0, (step(), OneOf((Option(1, Step("dilat", {}, 1)), Option(1, Step.nothing()))))),
            UsageError,
            "did",
        ),
        (Recipe(0, (step(),), Selection(count=21)), UsageError, "only 20"),
        (Recipe(0, (step(),), Selection(clean=3, by="group")), UsageError, "only 2"),
        (Recipe(0, (step("symmetric"),), target=Target("shift_mm", (1, 1))), UsageError, "aim at shift_px"),
    ],
)
def test_what_cannot_be_done_is_refused_before(clean, recipe, kind, message):
    with pytest.raises(kind, match=message):
        plan(clean, recipe)


def test_a_target_needs_a_strength(clean, monkeypatch):
    module = MODES.load("ellipse")
    monkeypatch.delattr(module, "scaled", raising=False)
    with pytest.raises(UsageError, match=r"mode with a strength .*\(ellipse\)"):
        plan(clean, Recipe(0, (step("ellipse"),), target=Target("dice", (0.5, 0.5))))
    nothing = OneOf((Option(1, Step.nothing()), Option(1, Step.nothing())))
    with pytest.raises(UsageError, match=r"\(none\)"):
        plan(clean, Recipe(0, (nothing,), target=Target("dice", (0.5, 0.5))))


def test_needs_are_those_of_all_options(clean, monkeypatch):
    monkeypatch.setattr(MODES.load("ellipse"), "NEEDS", frozenset({"image"}), raising=False)
    monkeypatch.setattr(MODES.load("erode"), "NEEDS", frozenset({"readers"}), raising=False)
    both = OneOf((Option(1, step("ellipse")), Option(1, step("erode"))))
    assert plan(clean, Recipe(0, (step(), both))).needs == {"image", "readers"}
