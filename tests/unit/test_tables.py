import re
from dataclasses import replace
from pathlib import Path

import pytest

from noisylabels.errors import UsageError
from noisylabels.reports.cases import best_and_worst, case_means, spread_out
from noisylabels.reports.groups import group_runs, share_of_gap
from noisylabels.reports.tables import known_metrics, result_table, to_latex, to_markdown, to_text
from noisylabels.scoring import CaseScore
from noisylabels.store.runs import RunRecord


def scored(dice, structure="shaft", case_id="a"):
    counts = [CaseScore(case_id, structure, m, 5.0) for m in ("tp", "fp", "fn")]
    return [
        CaseScore(case_id, structure, "dice", dice),
        CaseScore(case_id, structure, "hd95_px", 10 * dice),
        *counts,
    ]


def run(method="baseline", labels="noisy", seed=0, dice=0.5, noise="ellipse", **more):
    info = {
        "method": method,
        "labels": labels,
        "dataset": "phantoms",
        "seed": seed,
        "noise": noise,
        "net": "unet",
        **more,
    }
    scores = scored(dice) + scored(dice / 2, "wrist_1")
    return RunRecord(path=Path("run"), info=info, scores=scores, predictions={})


RUNS = [
    run("baseline", "clean", dice=0.875),
    run("jcas", seed=1, dice=0.75),
    run("jcas", seed=0, dice=0.625),
    run(dice=0.5),
    run("jcas", seed=2, dice=0.6875),
]


def test_seeds_are_put_together_and_the_order_is_baseline_methods_upper_bound():
    groups = group_runs(RUNS)
    assert [(g.role, g.name, [r.seed for r in g.runs]) for g in groups] == [
        ("baseline", "baseline", [0]),
        ("method", "jcas", [0, 1, 2]),
        ("upper", "baseline", [0]),
    ]
    assert [g.title for g in groups] == [
        "baseline, noisy labels",
        "jcas, noisy labels",
        "upper bound, clean labels",
    ]


def test_runs_with_other_parameters_are_another_row_named_by_the_difference():
    runs = [run("jcas", params={"parts": parts, "lr": 0.1}) for parts in ("all", "dar")]
    assert [g.name for g in group_runs(runs)] == ["jcas (parts all)", "jcas (parts dar)"]
    assert [g.name for g in group_runs([run("jcas", net=net) for net in ("unet", "vnet")])][
        1
    ] == "jcas (net vnet)"


SETTINGS = {
    "loss": ("", "gce"),
    "loss_params": ({}, {"q": 0.5}),
    "net_params": ({}, {"width": 12}),
    "params": ({}, {"weight_decay": 0.0}),
    "batch_size": (4, 2),
    "accumulate": (1, 2),
    "schedule": ("cosine", "poly"),
    "augment": (["flip"], []),
    "trusted": ("", "8"),
    "clip_norm": (None, 1.0),
    "sync_batchnorm": (False, True),
    "select": ("last", "best-val"),
    "environment": ({"precision": "fp32", "processes": 1}, {"precision": "bf16", "processes": 1}),
    "sees": ({"shape": [64, 64]}, {"shape": [128, 128]}),
    "encoder_source": ({"net": "random"}, {"net": "resnet34 0123456789ab"}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_runs_that_differ_in_more_than_the_seed_never_share_a_row(name):
    one, other = (run(seed=i, **{name: value}) for i, value in enumerate(SETTINGS[name]))
    assert [len(g.runs) for g in group_runs([one, other])] == [1, 1]
    again = run(seed=1, **{name: SETTINGS[name][0]})
    assert [len(g.runs) for g in group_runs([one, again])] == [2]


def test_a_row_says_only_what_sets_it_apart_as_its_flags_do():
    shared = {"net_params": {"width": 12}, "batch_size": 4, "workers": 2}
    runs = [run(**shared), run(**shared, seed=1), run(**shared, loss="gce", loss_params={"q": 0.5})]
    assert [g.name for g in group_runs(runs)] == ["baseline (loss ce)", "baseline (loss-q 0.5, loss gce)"]
    runs = [
        run("jcas", augment=a, params={"weight_decay": d}) for a, d in (([], 0.1), (["flip", "shift"], 0.0))
    ]
    assert [g.name for g in group_runs(runs)] == [
        "jcas (weight-decay 0.0, augment flip,shift)", "jcas (weight-decay 0.1, augment none)",
    ]  # fmt: skip


def test_what_changes_only_speed_or_what_is_written_down_sets_nothing_apart():
    neutral = {"workers": 0, "cache": "none", "track_train": True, "validate_every": 1, "compile": "eager"}
    assert len(group_runs([run(), run(seed=1, **neutral), run(seed=2, loss="ce")])) == 1
    looked_at = [run("jcas", seed=i, select="best-val", validate_every=n) for i, n in enumerate((1, 5))]
    assert len(group_runs(looked_at)) == 2


def test_encoders_are_told_by_what_they_hold_and_not_by_where_it_lay():
    runs = [run(seed=i, net_params={"encoder_weights": at}, encoder_source={"net": "resnet34 01"})
            for i, at in enumerate(("a/resnet34.pth", "b/resnet34.pth"))]  # fmt: skip
    assert len(group_runs(runs)) == 1


def test_a_baseline_with_another_loss_is_a_method_beside_the_ordinary_one():
    runs = [run(), run(loss="gce", dice=0.75), run("baseline", "clean", dice=1.0)]
    groups = group_runs(runs)
    assert [g.role for g in groups] == ["baseline", "method", "upper"]
    assert share_of_gap(groups[1], groups, "dice", "present") == pytest.approx(0.5)
    assert group_runs(runs[1:])[0].role == "baseline"


def test_a_row_that_has_a_name_is_called_by_it():
    runs = [run("jcas", params={"parts": "affinity"}), run("jcas"), run("baseline", "clean")]
    names = ("w/ Affinity", "JCAS", "Upper bound")
    groups = group_runs(replace(one, row=name) for one, name in zip(runs, names, strict=True))
    assert [g.title for g in groups] == [
        "JCAS, noisy labels", "w/ Affinity, noisy labels", "upper bound, clean labels",
    ]  # fmt: skip
    chosen = replace(run("jcas", select="best-test"), row="JCAS")
    assert group_runs([chosen])[0].name == "JCAS †"


def test_the_share_of_the_gap_goes_by_means_over_the_seeds_that_all_three_have():
    groups = group_runs(RUNS)
    assert share_of_gap(groups[1], groups, "dice", "present") == pytest.approx((0.625 - 0.5) / (0.875 - 0.5))
    more = group_runs([*RUNS, run(seed=1, dice=0.25), run("baseline", "clean", seed=1, dice=0.75)])
    means = (0.625 + 0.75) / 2, (0.5 + 0.25) / 2, (0.875 + 0.75) / 2
    assert share_of_gap(more[1], more, "dice", "present") == pytest.approx(
        (means[0] - means[1]) / (means[2] - means[1])
    )
    other = group_runs([run("jcas", seed=1), *(one for one in RUNS if one.method == "baseline")])
    assert share_of_gap(other[1], other, "dice", "present") is None
    assert share_of_gap(groups[0], groups, "dice", "present") is None
    assert share_of_gap(groups[1], groups[:2], "dice", "present") is None


def test_two_noises_do_not_mix():
    groups = group_runs([*RUNS, run(dice=0.25, noise="dilate"), run("jcas", noise="dilate", dice=0.25)])
    assert [g.noise for g in groups] == ["dilate", "dilate", "ellipse", "ellipse", ""]
    assert share_of_gap(groups[1], groups, "dice", "present") == 0


def test_cells_hold_mean_and_deviation():
    table = result_table(RUNS, ["dice"])
    row = table.rows[1]
    assert table.columns == ("shaft", "wrist_1", "mean")
    assert row.cells["dice", "shaft"].mean == pytest.approx(0.6875)
    assert row.cells["dice", "shaft"].sd == pytest.approx(0.0625)
    assert row.cells["dice", "mean"].mean == pytest.approx(0.6875 * 0.75)
    assert table.best("dice", "shaft") is row
    assert result_table(RUNS, ["hd95_px"]).best("hd95_px", "shaft").group.name == "baseline"


def test_text_is_aligned_and_says_rule_noise_and_definition():
    text = to_text(result_table(RUNS, ["dice"]))
    lines = text.splitlines()
    assert lines[0].split() == ["Dice", "shaft", "wrist_1", "mean"]
    assert len({len(line) for line in lines[:5]}) == 1
    assert re.search(r"^jcas, noisy labels +0\.688 ± 0\.062 ", text, re.MULTILINE)
    assert "Rule 'present'" in text
    assert "Noise: ellipse." in text
    assert "Dice = 2 TP" in text


def test_markdown_is_a_table_with_the_best_in_bold():
    lines = to_markdown(result_table(RUNS, ["dice", "hd95_px"])).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 5
    assert len({line.count("|") for line in rows}) == 1
    assert "**0.688 ± 0.062**" in rows[3]
    assert "HD95 (px) mean" in rows[0]
    assert "**" not in rows[4]


def test_latex_escapes_and_balances():
    text = to_latex(result_table(RUNS, ["dice"]))
    assert r"wrist\_1" in text
    assert text.count("{") == text.count("}")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.count("&") for line in rows[1:]}) == 1
    assert r"\textbf{0.688 $\pm$ 0.062}" in text


def test_a_structure_that_is_not_there_is_a_dash():
    table = result_table(
        [run(), RunRecord(path=Path("r"), info=run("jcas").info, scores=scored(0.5), predictions={})]
    )
    assert "–" in to_text(table)


def test_nothing_evaluated_gives_no_rows():
    assert result_table([RunRecord(path=Path("r"), info=run().info, predictions={})]).rows == ()
    assert to_markdown(result_table([])).startswith("| Method")


def test_the_metrics_of_runs_are_known_by_rule():
    scores = [one._replace(metric="jaccard") if one.metric == "dice" else one for one in scored(0.5)]
    runs = [run(), replace(run(), scores=scores)]
    assert known_metrics(runs) == ["dice", "hd95_px", "jaccard"]
    assert known_metrics(runs, "pooled") == ["dice", "jaccard"]  # distances cannot be pooled


def test_the_rule_must_exist():
    with pytest.raises(UsageError, match="pooled"):
        result_table(RUNS, rule="pool")


def test_best_and_worst_are_disjoint_and_ordered():
    means = {"a": 0.1, "b": 0.9, "c": 0.5, "d": 0.5}
    best, worst = best_and_worst(means, 3)
    assert [c.case_id for c in worst] == ["a", "c", "d"]
    assert [c.case_id for c in best] == ["b"]
    assert best_and_worst({}, 3) == ([], [])


def test_case_means_are_over_present_structures_and_runs():
    absent = [CaseScore("a", "wrist", m, 0.0) for m in ("dice", "tp", "fp", "fn")]
    assert case_means([scored(0.5) + absent, scored(1.0)]) == {"a": 0.75}


def test_spread_out_takes_the_ends_and_steps_between():
    values = {str(i): float(i) for i in range(9)}
    assert spread_out(values, 3) == ["8", "4", "0"]
    assert spread_out(values, 1) == ["4"]
    assert len(spread_out(values, 20)) == 9


def test_runs_that_were_scored_before_their_end_are_marked():
    log = [{"epoch": 0}, {"epoch": 1}]
    part = replace(run("jcas", epochs=3), log=log)
    whole = replace(run("jcas", seed=1, epochs=3), log=[*log, {"epoch": 2}])
    unscored = replace(part, scores=[])
    assert [part.finished, whole.finished] == [False, True]
    note = "‡ Scored before training had ended."
    for runs, marked in (([part, whole], True), ([whole], False), ([whole, unscored], False)):
        table = result_table(runs)
        assert (table.rows[0].group.name == "jcas ‡") == marked
        assert (note in to_text(table)) == (note in to_markdown(table)) == marked
        assert ("jcas \\ddag{}" in to_latex(table)) == marked
    both = result_table([replace(part, info={**part.info, "select": "best-test"})])
    assert both.rows[0].group.name == "jcas † ‡"
    assert len([line for line in to_text(both).splitlines() if line[:1] in ("†", "‡")]) == 2


def test_weights_that_were_selected_on_the_test_cases_are_marked():
    runs = [run(), run("jcas", select="last"), run("jcas", dice=0.7, select="best-test")]
    table = result_table(runs)
    note = "† Weights selected by their score on the test cases: too good to be compared."
    assert {row.group.name for row in table.rows} == {
        "baseline", "jcas (select last)", "jcas (select best-test) †",
    }  # fmt: skip
    for text in (to_text(table), to_markdown(table)):
        assert text.count("†") >= 2
        assert note in text
    assert "select best-test) \\dag{}" in to_latex(table)
    assert "†" not in to_text(result_table(runs[:2]))
