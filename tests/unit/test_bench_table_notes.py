"""What stands around the numbers of a table, and which of them are best by what is printed."""

import pytest
from bench_records import RUNS, line_of, record, suite, table

from noisylabels.metrics.noise import PooledNoise
from noisylabels.reports.bench_table import bench_table


def pooled(wrong, dice):
    """What a heading asks of a measured noise."""
    return type(
        "Measured", (PooledNoise,), {"wrong_share": wrong, "dice": dice, "__init__": lambda self: None}
    )()


def test_a_heading_has_mean_and_deviation_over_the_seeds_of_both_measures():
    found = [pooled(0.1, 0.8), pooled(0.2, 0.9)]
    heading = bench_table(suite(), lambda cell: None, lambda noise: found).blocks[0].heading
    assert heading == "Ellipse (15.0 ± 7.1 % of the pixels wrong, Dice to clean 85.0 ± 7.1 %)"


def test_values_that_differ_as_printed_have_different_ranks():
    values = {"baseline": 0.6001, "sr": 0.6003, "jcas": 0.6002}
    found = table({f"{row}-ellipse-0": record((value, value)) for row, value in values.items()})
    ranks = {row: line_of(found, row).marks.get(("dice", "mean")) for row in values}
    assert ranks == {"baseline": None, "sr": 1, "jcas": 2}


def test_rules_of_selection_that_differ_are_told_row_by_row():
    mixed = table(RUNS | {"sr-ellipse-1": record((0.7, 0.7), select="best-val")})
    assert not any(note.startswith("Scored:") for note in mixed.notes)
    assert "SR: the best epoch on clean validation cases." in mixed.notes
    assert "JCAS: the last epoch." in mixed.notes
    assert sum(note.startswith("Scored:") for note in table(RUNS).notes) == 1


def test_a_finished_table_does_not_say_how_much_is_missing():
    names = [cell.name for cell in suite().cells()]
    whole = {name: record((0.5, 0.5)) for name in names}
    assert not [note for note in table(whole).notes if "cells are finished" in note]
    del whole[names[-1]]
    assert any(f"{len(names) - 1} of {len(names)} cells are finished" in note for note in table(whole).notes)


def test_the_baseline_is_the_row_that_the_suite_names():
    rows = [
        {"key": "upper", "name": "Upper bound", "method": "baseline", "labels": "clean"},
        {"key": "baseline", "name": "Another", "method": "baseline", "loss": "gce"},
        {"key": "plain", "name": "Plain", "method": "baseline"},
        {"name": "JCAS", "method": "jcas"},
    ]
    dice = {"upper-clean": 0.9, "baseline-ellipse": 0.6, "plain-ellipse": 0.5, "jcas-ellipse": 0.7}
    found = table(
        {f"{name}-0": record((value, value)) for name, value in dice.items()}, rows=rows, baseline="plain"
    )
    assert found.suite.baseline == "plain"
    assert line_of(found, "plain").gap is None
    assert line_of(found, "jcas").gap == pytest.approx(0.5)
    assert line_of(found, "baseline").gap == pytest.approx(0.25)


def test_a_row_below_the_baseline_closes_less_than_nothing():
    runs = RUNS | {f"jcas-ellipse-{seed}": record((0.3, 0.2)) for seed in (0, 1)}
    assert line_of(table(runs), "jcas").gap == pytest.approx((25 - 45) / (80 - 45))
