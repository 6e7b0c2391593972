import csv
import io

import pytest
from bench_records import PAPER, ROWS, RUNS, line_of, log, page, record, table

from noisylabels.reports.bench_curves import charts, curve, curves_csv


def test_curves_are_means_over_seeds_where_all_were_validated():
    runs = [record((0.5, 0.5), log=log(None, 0.4, 0.6, 0.5)), record((0.5, 0.5), log=log(None, 0.6, 0.8))]
    assert curve(runs) == [
        (2, pytest.approx((50, 14.142, 2), abs=1e-3)),
        (3, pytest.approx((70, 14.142, 2), abs=1e-3)),
    ]
    assert curve([]) == []


def test_curves_as_charts_and_for_other_programs():
    runs = {
        "jcas-ellipse-0": record((0.5, 0.5), log=log(0.4, 0.6)),
        "baseline-ellipse-0": record((0.5, 0.5), log=log(0.5, 0.4)),
        "upper-clean-0": record((0.5, 0.5), log=log(0.5, 0.7)),
    }
    found = table(runs)
    drawn = charts(found, found.blocks[0])
    assert drawn.count("<polyline") == 3
    assert 'class="line noisy"' in drawn
    assert 'class="line upper"' in drawn
    lines = list(csv.DictReader(io.StringIO(curves_csv(found))))
    jcas = [(x["curve"], x["epoch"], float(x["mean"]), x["sd"]) for x in lines if x["row"] == "jcas"]
    assert jcas == [("val", "1", 40.0, ""), ("val", "2", 60.0, "")]
    assert charts(table(RUNS), table(RUNS).blocks[0]) == ""


def test_what_was_memorised_is_nearness_to_the_labels_given(tmp_path):
    given, clean = ({"mean_dice": value} for value in (0.75, 0.5))
    both = [{"epoch": 0}, {"epoch": 4, "train_given": given, "train_clean": clean}]
    found = table({"jcas-ellipse-0": record((0.5, 0.5), log=both)})
    assert curve(line_of(found, "jcas").runs.values(), "memory") == [(5, (25.0, None, 1))]
    assert "Memorised" in page(found)
    assert "ellipse,jcas,memory,5,25.0,,1" in curves_csv(found)
    assert "Memorised" not in page(table(RUNS))


def test_many_methods_are_spread_over_charts_with_baseline_and_upper_bound_in_each():
    rows = [*ROWS[:2], *({"name": f"M{i}", "method": "sr"} for i in range(7))]
    runs = {f"{name}-0": record((0.5, 0.5), log=log(0.4, 0.6)) for name in
            ("upper-clean", "baseline-ellipse", *(f"m{i}-ellipse" for i in range(7)))}  # fmt: skip
    found = table(runs, rows=rows, paper={**PAPER, "ellipse": {}})
    drawn = charts(found, found.blocks[0])
    assert (drawn.count('<svg class="chart"'), drawn.count("<polyline")) == (2, 7 + 2 * 2)
