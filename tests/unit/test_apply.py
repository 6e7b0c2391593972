"""A recipe on one case: what is hidden, who decides what, and that every mode can be kept to some objects."""

import types
from dataclasses import dataclass, replace

import numpy as np
import pytest
from toys import blobs, case, draw, read, scene, volume

from noisylabels.apply import corrupted
from noisylabels.case import IGNORE
from noisylabels.catalogue import MODES, Catalogue
from noisylabels.draws import Draws
from noisylabels.errors import NoisyLabelsError
from noisylabels.geometry import components
from noisylabels.recipe import OneOf, Option, Recipe, Selection, Step

ALL = (1, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Of the modes below.

    Attributes:
        to: a class.
    """

    to: int = 3


def paint(one, params, draws):
    """Every foreground pixel that is seen becomes class ``to``."""
    seen = (one.labels > 0) & (one.labels != IGNORE)
    return np.where(seen, np.uint8(params.to), one.labels)


def flood(one, params, draws):
    """The whole background becomes class ``to``."""
    return np.where(one.labels == 0, np.uint8(params.to), one.labels)


def fade(one, params, draws):
    """All that is seen vanishes."""
    return np.where(one.labels == IGNORE, one.labels, np.uint8(0))


def mark(one, params, draws):
    """Every pixel gets a random class."""
    words = draws.at("x").integers(one.labels.shape, 0, 3).astype(np.uint8)
    return np.where(one.labels == IGNORE, one.labels, words)


def unveil(one, params, draws):
    """Breaks the contract: writes where there is no label."""
    return np.full_like(one.labels, 1)


@pytest.fixture(autouse=True)
def own_modes(monkeypatch):
    load = Catalogue.load
    own = {f.__name__: f for f in (paint, flood, fade, mark, unveil)}

    def find(self, name):
        if name in own:
            return types.SimpleNamespace(VERSION=1, Params=Params, corrupt=own[name])
        return load(self, name)

    monkeypatch.setattr(Catalogue, "load", find)


def step(mode, **params):
    return Step(mode, params, 1)


def one_of(per, *options):
    """Weights and modes in turn."""
    pairs = zip(options[::2], options[1::2], strict=True)
    return OneOf(tuple(Option(w, m if isinstance(m, Step) else step(m)) for w, m in pairs), per)


def run(one, *steps, seed=0, selection=None, **more):
    return corrupted(one, Recipe(seed, steps, selection or Selection()), "d", **more).labels


PICTURE = """
.11...22..
.11...22..
..........
.33..11..x
"""


def toy():
    return case(read(PICTURE))


def test_classes_that_are_not_chosen_are_put_back():
    assert draw(run(toy(), step("paint"), classes=(2,))) == [
        ".11...33..",
        ".11...33..",
        "..........",
        ".33..11..x",
    ]
    assert draw(run(toy(), step("flood", to=2), classes=(1,)))[3] == "2332211" + "22x"


def test_a_case_with_nothing_to_touch_stays():
    only = case(read(".22.\n...."))
    np.testing.assert_array_equal(run(only, step("flood"), classes=(1, 3)), only.labels)
    np.testing.assert_array_equal(run(toy(), step("flood"), selection=Selection(objects=0)), toy().labels)
    empty = case(np.zeros((3, 4), np.uint8))
    assert (run(empty, step("flood")) == 3).all(), "an empty map has nothing that was left out"


def test_objects_that_are_not_chosen_are_put_back():
    found = {
        draw(run(toy(), step("paint", to=3), seed=s, selection=Selection(objects=0.5)))[0] for s in range(20)
    }
    assert found == {".11...22..", ".33...22..", ".11...33..", ".33...33.."}


def test_hidden_objects_stay_hidden_for_all_steps():
    twice = run(toy(), step("fade"), step("flood"), classes=(1,))
    assert draw(twice) == ["3333332233", "3333332233", "3333333333", "333333333x"]


@pytest.mark.parametrize("mode", MODES.names())
@pytest.mark.parametrize("toy", [scene, volume])
def test_every_mode_can_be_kept_to_some_classes_and_objects(mode, toy):
    module, one = MODES.load(mode), toy()
    try:
        module.corrupt(one, module.EXAMPLE, Draws(0, "x"))
    except NoisyLabelsError:
        pytest.skip("not for this case")
    example = Step.of(mode, module, module.EXAMPLE)
    for classes in ((1,), (2, 3)):
        found = run(one, example, classes=classes)
        others = np.isin(one.labels, [c for c in ALL if c not in classes])
        np.testing.assert_array_equal(found[others], one.labels[others])
    ids = components(one.labels, ALL).ids
    for seed in range(3):
        selection = Selection(objects=0.5)
        found = run(one, example, seed=seed, selection=selection)
        draws = Draws(seed, "objects", "d", "toy")
        left = _left(one.labels, draws)
        assert left.any() or seed
        np.testing.assert_array_equal(found[left], one.labels[left])
        assert (ids[left] > 0).all()


def _left(labels, draws):
    """The pixels of objects whose own draw is 0.5 or more, the slow way."""
    left = np.zeros(labels.shape, bool)
    for c in ALL:
        ids, classes = components(labels, [c])
        for k, chance in enumerate(draws.at(c).uniform(len(classes)), start=1):
            left |= (ids == k) & (chance >= 0.5)
    return left


def test_a_choice_for_the_case():
    choice = one_of("case", 1, step("paint", to=1), 1, step("paint", to=2), 2, "none")
    counts = {}
    for seed in range(200):
        first = draw(run(toy(), choice, seed=seed))[0]
        counts[first] = counts.get(first, 0) + 1
    assert set(counts) == {".11...11..", ".22...22..", ".11...22.."}
    assert counts[".11...22.."] == pytest.approx(100, abs=35)


def test_a_choice_for_every_class():
    choice = one_of("class", 1, step("paint", to=3), 1, "none")
    found = {tuple(draw(run(toy(), choice, seed=s))) for s in range(30)}
    assert found == {
        (top, top, "." * 10, bottom)
        for top, bottom in [
            (".11...22..", ".33..11..x"),
            (".33...22..", ".33..33..x"),
            (".11...33..", ".33..11..x"),
            (".33...33..", ".33..33..x"),
        ]
    }


def test_a_choice_for_every_object():
    choice = one_of("object", 1, step("paint", to=3), 1, "none", 0, "unveil")
    lower = {
        draw(run(toy(), choice, seed=s))[0][1] + draw(run(toy(), choice, seed=s))[3][5] for s in range(30)
    }
    assert lower == {"11", "13", "31", "33"}, "two objects of a class choose for themselves"


def test_options_start_from_the_same_labels_and_the_highest_class_wins_the_background():
    choice = one_of("class", 1, step("flood", to=1), 1, step("flood", to=2), 3, "none")
    found = {draw(run(toy(), choice, seed=s))[2] for s in range(40)}
    assert found == {"." * 10, "1" * 10, "2" * 10}
    other_way = one_of("class", 1, step("flood", to=2), 1, step("flood", to=1), 3, "none")
    assert {draw(run(toy(), other_way, seed=s))[2] for s in range(40)} == found


def test_without_objects_no_option_is_taken():
    empty = case(np.zeros((3, 4), np.uint8))
    choice = one_of("object", 1, "flood", 1, "mark")
    np.testing.assert_array_equal(run(empty, choice), empty.labels)


def test_a_sure_choice_is_the_step_itself():
    """One option of weight 1 for everything: as the step, but with an address of its own."""
    one = blobs((40, 50), 2, ignore=True)
    module = MODES.load("dilate")
    params = {"radius_px": [2.0, 2.0]}
    want = module.corrupt(one, module.Params(radius_px=(2.0, 2.0)), Draws(0, "any"))
    for per in ("case", "class", "object"):
        choice = one_of(per, 0, "unveil", 1, Step("dilate", params, 1))
        np.testing.assert_array_equal(run(one, choice), want)


def test_addresses_are_as_stated():
    one = toy()
    plain = run(one, step("fade"), step("mark"), address="video/3")
    draws = Draws(0, "corrupt", "d", "1", "video/3")
    faded = np.where(one.labels == IGNORE, one.labels, np.uint8(0))
    np.testing.assert_array_equal(plain, mark(one.with_labels(faded), None, draws))
    chosen = run(one, step("fade"), one_of("case", 0, "flood", 1, "mark"))
    draws = Draws(0, "corrupt", "d", "1.1", "toy")
    np.testing.assert_array_equal(chosen, mark(one.with_labels(faded), None, draws))


def test_cases_with_one_address_draw_the_same():
    one, other = toy(), replace(toy(), case_id="other")
    choice = one_of("object", 1, "mark", 1, step("paint", to=1), 1, "none")
    selection = Selection(objects=0.7)
    same = [run(c, choice, step("mark"), selection=selection, address="v/1") for c in (one, other)]
    own = [run(c, choice, step("mark"), selection=selection) for c in (one, other)]
    np.testing.assert_array_equal(*same)
    assert (own[0] != own[1]).any()


def test_annotators_differ_and_do_not_depend_on_how_many_there_are():
    found = [run(toy(), step("mark"), annotator=k) for k in (None, 0, 1, 2)]
    assert len({labels.tobytes() for labels in found}) == 4
    want = mark(toy(), None, Draws(0, "corrupt", "d", "0", "toy").reader(1))
    np.testing.assert_array_equal(found[2], want)


@pytest.mark.parametrize("per", ["case", "class", "object"])
def test_a_broken_option_is_named(per):
    with pytest.raises(NoisyLabelsError, match="mode 'unveil' broke its contract on case toy"):
        run(toy(), one_of(per, 1, "unveil", 0, "none"))


def test_many_objects_are_quick():
    """40,000 single pixels choose for themselves without a loop over them."""
    labels = np.zeros((400, 400), np.uint8)
    labels[::2, ::2] = 1 + np.indices((200, 200)).sum(axis=0) % 3
    one = case(labels)
    found = run(one, one_of("object", 1, step("paint", to=1), 1, "none"), selection=Selection(objects=0.5))
    share = (found != labels).sum() / (labels > 1).sum()
    assert share == pytest.approx(0.25, abs=0.02)
