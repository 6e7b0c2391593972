"""Strengths that are solved for a measured result."""

import types
from dataclasses import dataclass, replace
from math import inf

import numpy as np
import pytest
from small import small_case, small_dataset, small_info
from toys import CLASSES, blobs, case, scene, volume

from noisylabels.apply import corrupted
from noisylabels.case import IGNORE
from noisylabels.catalogue import MODES, Catalogue
from noisylabels.errors import UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.metrics.aims import gauge
from noisylabels.metrics.noise import measure
from noisylabels.recipe import OneOf, Option, Recipe, Selection, Step, Target
from noisylabels.store.dataset import Dataset, write_dataset
from noisylabels.targets import solve


def search(curve, aim, metric="wrong_foreground", tolerance=0.01, setting=lambda factor: factor):
    """Solve for a curve of the factor; the result and the factors that were tried."""
    tried = []

    def make(factor):
        tried.append(factor)
        return factor

    return solve(Target(metric, (aim, aim), tolerance), aim, setting, make, curve), tried


@pytest.mark.parametrize("aim", [0.003, 0.04, 0.1, 0.55, 2.0, 6.0])
def test_a_rising_curve_is_met(aim):
    solved, tried = search(lambda f: 0.1 * f, aim, tolerance=0.0005)
    assert solved.value == pytest.approx(aim, abs=0.0005)
    assert solved.factor == solved.result == pytest.approx(aim / 0.1, rel=0.2)
    assert len(tried) <= 1 + 6 + 12 + 1
    assert solved.aim == aim


def test_a_falling_metric_is_met():
    solved, _ = search(lambda f: 1 / (1 + f), 0.2, "dice", 0.001)
    assert solved.value == pytest.approx(0.2, abs=0.001)
    assert solved.factor == pytest.approx(4, rel=0.02)


def test_the_picture_in_the_docstring():
    curve = {0: 0.0, 1: 0.02, 2: 0.05, 4: 0.14, 3: 0.08, 3.5: 0.11, 3.25: 0.096}
    solved, tried = search(lambda f: curve[f], 0.1, tolerance=0.005)
    assert tried == [1, 2, 4, 3, 3.5, 3.25]
    assert (solved.value, solved.factor) == (0.096, 3.25)


def test_a_hit_ends_the_search():
    assert search(lambda f: 0.1 * f, 0.105)[1] == [1.0]
    assert search(lambda f: 0.1 * f, 0.4)[1] == [1.0, 2.0, 4.0]


def test_a_strength_at_its_limit_ends_the_search():
    solved, tried = search(lambda f: 0.1 * min(f, 2.5), 0.7)
    assert (solved.value, solved.factor) == (0.25, 4.0)
    assert tried == [1, 2, 4, 8, 16, 32]
    assert search(lambda f: 0.1 * min(f, 2.5), 0.7, setting=lambda f: min(f, 2.5))[1] == [1, 2, 4]


def test_no_strength_is_multiplied_by_more_than_64():
    solved, tried = search(lambda f: 0.001 * f, 0.7)
    assert (solved.value, solved.factor) == (0.064, 64.0)
    assert tried[-1] == 64


def test_no_noise_at_all_is_the_factor_0():
    solved, _ = search(lambda f: 0.3 + f if f else 0.0, 0.0)
    assert (solved.value, solved.factor) == (0.0, 0.0)


def test_the_best_of_all_tries_is_kept_where_the_curve_is_not_monotone():
    """It rises over the aim and falls back under it, and what was near is not forgotten."""
    curve = {1: 0.05, 2: 0.097, 4: 0.06, 8: 0.3}
    solved, _ = search(lambda f: curve.get(f, 0.5), 0.1, tolerance=0.001)
    assert (solved.value, solved.factor) == (0.097, 2)


def test_nothing_left_to_measure_counts_as_too_much():
    solved, _ = search(lambda f: inf if f > 1.3 else f, 1.2, tolerance=0.001)
    assert solved.value == pytest.approx(1.2, abs=0.001)


def test_equally_near_results_give_the_first():
    assert search(lambda f: 0.2, 0.5)[0].factor == 1.0


METRICS = ("dice", "jaccard", "wrong_pixels", "wrong_foreground", "shift_px", "shift_mm")


def pairs():
    for number, one in enumerate(
        [scene(), volume(), *(blobs((30, 40), k, ignore=k == 1, spacing=(0.7, 0.5)) for k in range(3))]
    ):
        rng = np.random.default_rng(number)
        moved = np.roll(one.labels, 1 + number, axis=-1)
        moved[rng.random(moved.shape) < 0.02] = number % 4
        ignored = one.labels == IGNORE
        yield one, np.where(ignored | (moved == IGNORE), one.labels, moved).astype(np.uint8)


@pytest.mark.parametrize(("one", "noisy"), list(pairs()))
def test_the_quick_numbers_are_those_of_the_report(one, noisy):
    def found(metric, labels=noisy, spacing=one.spacing):
        return gauge(metric, one.labels, 4, spacing)(labels)

    full = measure(one.labels, noisy, CLASSES, one.spacing)
    in_px = measure(one.labels, noisy, CLASSES)
    counts = np.asarray(full.transitions)
    union = counts.sum(axis=0) + counts.sum(axis=1) - counts.diagonal()
    assert found("dice") == pytest.approx(full.mean_dice)
    assert found("jaccard") == pytest.approx(np.mean((counts.diagonal() / union)[1:]))
    assert found("wrong_pixels") == full.wrong_share
    assert found("wrong_foreground") == full.wrong_pixels / counts[1:].sum()
    for metric, one_measure in (("shift_mm", full), ("shift_px", in_px)):
        moved = [d for d in one_measure.displacement if d.count]
        want = sum(d.mean_abs * d.count for d in moved) / sum(d.count for d in moved)
        assert found(metric) == pytest.approx(want)
    for metric in METRICS:
        assert found(metric, one.labels) == (1 if metric in ("dice", "jaccard") else 0)


@pytest.mark.parametrize("metric", METRICS)
def test_maps_without_foreground(metric):
    empty, full = np.zeros((4, 5), np.uint8), np.ones((4, 5), np.uint8)
    best = 1.0 if metric in ("dice", "jaccard") else 0.0
    assert gauge(metric, empty, 2, (1.0, 1.0))(empty) == best
    gone, invented = (gauge(metric, a, 2, (1.0, 1.0))(b) for a, b in ((full, empty), (empty, full)))
    want = {"dice": 0.0, "jaccard": 0.0, "wrong_pixels": 1.0}.get(metric, inf)
    assert invented == want
    assert gone == (1.0 if metric == "wrong_foreground" else want)


def step(mode="asymmetric", **params):
    module = MODES.load(mode)
    return Step.of(mode, module, module.Params(**params))


FLIPS = step(rate=0.1, unit="pixel", background=False)


def aimed(one, metric, value, *steps, seed=0, tolerance=0.01, **more):
    recipe = Recipe(seed, steps or (FLIPS,), target=Target(metric, value, tolerance), **more)
    return corrupted(one, recipe, "d")


@pytest.mark.parametrize("value", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("shape", [(60, 80), (12, 30, 30)])
def test_flips_are_scaled_to_the_asked_share(value, shape):
    one = blobs(shape, 3, ignore=True)
    made = aimed(one, "wrong_foreground", (value, value))
    assert made.solved.value == pytest.approx(value, abs=0.01)
    wrong = (made.labels != one.labels).sum() / ((one.labels > 0) & (one.labels != IGNORE)).sum()
    assert made.solved.value == wrong
    again = corrupted(
        one, Recipe(0, (step(rate=0.1 * made.solved.factor, unit="pixel", background=False),)), "d"
    )
    np.testing.assert_array_equal(made.labels, again.labels)


def test_every_case_draws_its_own_aim():
    one = blobs((60, 80), 3)
    found = [aimed(replace(one, case_id=f"c{k}"), "wrong_foreground", (0.1, 0.6)).solved for k in range(12)]
    assert all(0.1 <= s.aim <= 0.6 and abs(s.value - s.aim) <= 0.01 for s in found)
    assert max(s.aim for s in found) - min(s.aim for s in found) > 0.2


def test_an_unreachable_target_gives_the_nearest():
    one = blobs((60, 80), 3)
    made = aimed(one, "wrong_pixels", (0.99, 0.99))
    everything = corrupted(one, Recipe(0, (step(rate=1.0, unit="pixel", background=False),)), "d")
    np.testing.assert_array_equal(made.labels, everything.labels)
    assert made.solved.value < 0.9


def test_a_case_without_objects_is_no_error():
    made = aimed(case(np.zeros((8, 9), np.uint8)), "dice", (0.5, 0.5))
    assert not made.labels.any()
    assert made.solved.value == 1.0


def test_all_steps_and_options_are_scaled_together():
    one = blobs((60, 80), 3)
    choice = OneOf((Option(1, FLIPS), Option(1, step("pair-flip", rate=0.1, unit="pixel"))), "object")
    made = aimed(one, "dice", (0.6, 0.6), choice, FLIPS)
    assert made.solved.value == pytest.approx(0.6, abs=0.01)
    assert made.solved.factor != 1


def test_with_a_selection_the_rest_of_the_case_counts_too():
    one = blobs((60, 80), 3)
    recipe = Recipe(0, (FLIPS,), Selection(objects=0.5), target=Target("wrong_foreground", (0.2, 0.2)))
    made = corrupted(one, recipe, "d")
    assert made.solved.value == (made.labels != one.labels).sum() / (one.labels > 0).sum()
    assert made.solved.value == pytest.approx(0.2, abs=0.01)


def test_millimetres_need_a_spacing():
    with pytest.raises(UsageError, match="Case toy has no spacing, so aim at shift_px"):
        aimed(blobs((20, 30)), "shift_mm", (1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Of a mode that pushes everything to the right.

    Attributes:
        by: pixels.
    """

    by: float = 1.0


@pytest.fixture
def push(monkeypatch):
    """A mode whose shift is known."""
    load = Catalogue.load

    def corrupt(one, params, draws):
        by = min(round(params.by), one.labels.shape[-1])
        moved = np.zeros_like(one.labels)
        moved[..., by:] = one.labels[..., : one.labels.shape[-1] - by]
        return moved

    def scaled(params, factor):
        return replace(params, by=params.by * factor)

    module = types.SimpleNamespace(VERSION=1, Params=Params, corrupt=corrupt, scaled=scaled)
    monkeypatch.setattr(Catalogue, "load", lambda self, name: module if name == "push" else load(self, name))


def test_boundaries_are_moved_as_far_as_asked(push):
    """A wide bar that moves by 5 px: its ends by 5, its long sides hardly."""
    labels = np.zeros((40, 60), np.uint8)
    labels[:, 10:30] = 1
    one = case(labels, spacing=(2.0, 2.0))
    made = aimed(one, "shift_mm", (4, 4), Step("push", {}, 1), tolerance=0.3)
    in_px = gauge("shift_px", labels, 4, None)(made.labels)
    assert made.solved.value == pytest.approx(4, abs=0.3)
    assert made.solved.value == pytest.approx(2 * in_px)
    assert made.solved.factor > 1


def test_what_left_the_frame_is_too_much(push):
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 18:28] = 1
    made = aimed(case(labels), "shift_px", (500, 500), Step("push", {"by": 4.0}, 1))
    assert made.labels.any()


def rows(noisy):
    return [noisy.entries[i].measured for i in noisy.ids()]


def test_what_was_aimed_at_is_written_down(tmp_path):
    clean = small_dataset(tmp_path / "clean", count=14)
    target = Target("wrong_foreground", (0.2, 0.5), 0.05)
    noisy = noisy_dataset(clean, Recipe(0, (FLIPS,), Selection(0.8), target=target), tmp_path / "noisy")
    touched = [row for row in rows(noisy) if row["chosen"] == "yes"]
    left = [row for row in rows(noisy) if row["chosen"] == "no"]
    assert len(touched) == 8
    assert {row["target"] + row["reached"] + row["factor"] for row in left} == {""}
    assert all(0.2 <= float(row["target"]) <= 0.5 for row in touched)
    near = [row for row in touched if abs(float(row["target"]) - float(row["reached"])) <= 0.05]
    table = noisy.measured["target"]
    assert (table["metric"], table["aimed"], table["reached"]) == ("wrong_foreground", 8, len(near))
    assert table["mean"] == pytest.approx(np.mean([float(row["reached"]) for row in touched]), abs=1e-6)
    assert 5 <= len(near) < 8, "a case without a structure cannot reach it"
    assert Dataset.open(noisy.path).recipe.target == target


def test_every_annotator_has_an_aim_of_its_own(tmp_path):
    cases = [small_case(i, shape=(40, 50)) for i in range(3)]
    clean = write_dataset(
        cases, small_info(), tmp_path / "clean", {"default": {"train": [c.case_id for c in cases]}}
    )
    recipe = Recipe(0, (FLIPS,), annotators=2, target=Target("wrong_foreground", (0.2, 0.5), 0.05))
    noisy = noisy_dataset(clean, recipe, tmp_path / "noisy")
    for row in rows(noisy):
        assert row["target"] != row["target_2"]
        assert abs(float(row["reached_2"]) - float(row["target_2"])) <= 0.05
    assert noisy.measured["target"]["aimed"] == 6
