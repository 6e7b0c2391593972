"""Which runs belong together, who is baseline to whom, and which runs and seeds a mean or a share is of."""

from dataclasses import replace
from pathlib import Path

import pytest

from noisylabels.errors import UsageError
from noisylabels.reports.groups import group_runs, noises, share_of_gap
from noisylabels.scoring import CaseScore
from noisylabels.store.runs import RunRecord


def run(method="baseline", labels="noisy", seed=0, dice=0.5, noise="ellipse", dataset="phantoms", **more):
    noise = noise if labels == "noisy" else ""
    info = {"method": method, "labels": labels, "dataset": dataset, "seed": seed, "noise": noise, **more}
    counts = [CaseScore("a", "shaft", metric, 5.0) for metric in ("tp", "fp", "fn")]
    scores = [] if dice is None else [CaseScore("a", "shaft", "dice", dice), *counts]
    return RunRecord(path=Path("run"), info=info, scores=scores, predictions={})


def three(dataset, low, middle, high, **more):
    return [run(dice=low, dataset=dataset, **more), run("jcas", dice=middle, dataset=dataset, **more),
            run("baseline", "clean", dice=high, dataset=dataset)]  # fmt: skip


def test_a_share_is_of_the_gap_of_its_own_dataset():
    groups = group_runs([*three("here", 0.2, 0.5, 0.8), *three("there", 0.4, 0.5, 0.6, seed=0)])
    assert [(g.dataset, g.role) for g in groups] == [
        (dataset, role) for dataset in ("here", "there") for role in ("baseline", "method", "upper")
    ]
    found = [share_of_gap(g, groups, "dice", "present") for g in groups if g.role == "method"]
    assert found == pytest.approx([0.5, 0.5])
    worse = group_runs(three("here", 0.5, 0.4, 0.75))
    assert share_of_gap(worse[1], worse, "dice", "present") == pytest.approx(-0.4)


@pytest.mark.parametrize("twice", [0, 2], ids=["baselines", "upper bounds"])
def test_where_two_stand_at_an_end_there_is_no_share(twice):
    runs = three("here", 0.25, 0.5, 0.75)
    more = run("baseline", runs[twice].labels, dice=0.5, dataset="here", epochs=99)
    groups = group_runs([*runs, more])
    method = next(g for g in groups if g.role == "method")
    assert share_of_gap(method, groups, "dice", "present") is None


def test_noisy_labels_of_unknown_noise_are_not_clean_ones():
    groups = group_runs([run(noise=""), run(labels="clean")])
    assert [(g.role, g.labels, len(g.runs)) for g in groups] == [
        ("baseline", "noisy", 1),
        ("upper", "clean", 1),
    ]
    another = group_runs([run(noise="", loss="gce"), run(labels="clean")])
    assert [g.role for g in another] == ["baseline", "upper"], "the clean one is no rival"


@pytest.mark.parametrize(
    "other",
    [run(noise="dilate"), run(dataset="elsewhere"), run("jcas"), run(labels="clean")],
    ids=["noise", "dataset", "method", "labels"],
)
def test_only_an_ordinary_baseline_on_the_same_labels_makes_another_loss_a_method(other):
    groups = group_runs([run(loss="gce"), other])
    assert [g.role for g in groups if g.runs[0].info.get("loss") == "gce"] == ["baseline"]
    groups = group_runs([run(loss="gce"), other, run()])
    assert [g.role for g in groups if g.runs[0].info.get("loss") == "gce"] == ["method"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"epochs": 30}, {"epochs": 60}),
        ({"net": "unet"}, {"net": "deeplab"}),
        ({"environment": {"processes": 1}}, {"environment": {"processes": 4}}),
        ({"environment": {"precision": "fp32"}}, {"environment": {"precision": "fp16"}}),
        ({"dataset": "here"}, {"dataset": "there"}),
        ({"method": "jcas"}, {"method": "sr"}),
    ],
)
def test_seeds_of_other_settings_are_not_pooled(one, other):
    assert [len(g.runs) for g in group_runs([run(seed=0, **one), run(seed=1, **other)])] == [1, 1]
    assert [len(g.runs) for g in group_runs([run(seed=0, **one), run(seed=1, **one)])] == [2]


def test_runs_that_were_not_evaluated_count_for_nothing():
    group = group_runs([run(seed=2, dice=None), run(seed=1, dice=0.25), run(seed=0, dice=0.5)])[0]
    assert [one.seed for one in group.runs] == [0, 1, 2]
    assert group.seeds == {0, 1}
    assert len(group.summaries("present")) == 2
    assert group.mean("dice", "present") == pytest.approx((0.375, 0.125 * 2**0.5, 2))
    assert group.mean("dice", "present", {1, 2}) == pytest.approx((0.25, None, 1))


def test_only_weights_chosen_on_the_test_cases_have_the_mark():
    marks = {
        rule: group_runs([run(select=rule)])[0].name
        for rule in ("last", "best-val", "best-noisy-val", "best-test")
    }
    assert [rule for rule, name in marks.items() if "†" in name] == ["best-test"]


def test_every_noise_is_named_once():
    groups = group_runs([run(), run("jcas"), run(noise="dilate"), run(labels="clean")])
    assert noises(groups) == ["dilate", "ellipse"]


def test_other_images_are_another_row():
    """A reader that was added changes the dataset's digest, and neither images nor clean labels."""
    one, other = {"cases_digest": "a" * 64, "clean_digest": "1"}, {"cases_digest": "b" * 64}
    alike = [run(seed=0, **one), run(seed=1, **{**one, "clean_digest": "2"})]
    assert [g.name for g in group_runs(alike)] == ["baseline"]
    groups = group_runs([*alike, run(seed=2, **other), run(labels="clean", seed=0, **other)])
    assert [(g.name, len(g.runs)) for g in groups] == [
        ("baseline (data aaaaaaaa)", 2), ("baseline (data bbbbbbbb)", 1), ("baseline (data bbbbbbbb)", 1),
    ]  # fmt: skip
    method = run("jcas", seed=0, **one)
    found = group_runs([*alike, method, run(labels="clean", seed=0, **other)])
    assert share_of_gap(found[1], found, "dice", "present") is None


def test_an_upper_bound_that_was_trained_twice_counts_once():
    twice = [replace(run(labels="clean"), path=Path(name)) for name in ("u", "v")]
    assert [len(g.runs) for g in group_runs(twice)] == [1]
    changed = replace(twice[1], scores=[])
    for pair in ([twice[0], changed], [run(), replace(run(), path=Path("v"))]):
        with pytest.raises(
            UsageError, match="would share a row, and both have seed 0; leave one of them out"
        ):
            group_runs(pair)
