import csv
import io
import re

import pytest
from bench_records import RUNS, line_of, page, record, suite, table
from fake_runs import write_run
from small import small_dataset

from noisylabels.catalogue import MODES
from noisylabels.generate import noisy_dataset
from noisylabels.metrics.noise import PooledNoise
from noisylabels.recipe import Recipe, Step
from noisylabels.reports.bench_table import GAP, MEAN, bench_table, share_of_gap
from noisylabels.reports.bench_text import to_csv, to_latex, to_markdown, to_text
from noisylabels.reports.groups import WARNED
from noisylabels.scoring import Spread
from noisylabels.store.runs import RunRecord


def test_values_are_means_and_deviations_over_seeds_in_per_cent():
    jcas = line_of(table(RUNS), "jcas")
    assert jcas.cells["dice", "shaft"] == pytest.approx((75, 100 * 0.005**0.5, 2))
    assert jcas.cells["dice", MEAN] == pytest.approx((65, 100 * 0.005**0.5, 2))
    assert jcas.cells["jaccard", "shaft"].mean == pytest.approx(50 * (0.7 / 1.3 + 0.8 / 1.2))


def test_one_seed_has_no_spread_and_no_seed_no_value():
    found = table(RUNS)
    assert line_of(found, "sr").cells["dice", MEAN] == pytest.approx((70, None, 1))
    assert line_of(found, "sr", "flips").cells["dice", MEAN] == (None, None, 0)
    assert (len(line_of(found, "sr").runs), line_of(found, "sr").wanted) == (1, 2)


def test_the_upper_bound_stands_in_every_block_and_is_not_ranked():
    found = table(RUNS)
    for noise in ("ellipse", "flips"):
        upper = line_of(found, "upper", noise)
        assert upper.cells["dice", MEAN].mean == pytest.approx(80)
        assert upper.marks == {}


def test_the_share_of_the_gap_is_between_baseline_and_upper_bound():
    found = table(RUNS)
    assert line_of(found, "jcas").gap == pytest.approx((65 - 45) / (80 - 45))
    assert line_of(found, "baseline").gap is None
    assert line_of(found, "upper").gap is None
    assert line_of(found, "jcas", "flips").gap is None


def test_an_unfinished_row_is_compared_with_the_same_seeds():
    assert line_of(table(RUNS), "sr").gap == pytest.approx(
        (70 - 50) / (80 - 50)
    )  # seed 1; the baseline's mean is 45
    without = {name: run for name, run in RUNS.items() if name != "baseline-ellipse-1"}
    assert line_of(table(without), "sr").gap is None
    assert line_of(table(without), "jcas").gap == pytest.approx((60 - 40) / (80 - 40))
    assert "by mean Dice over the seeds that all three have" in GAP


@pytest.mark.parametrize(
    ("row", "low", "high", "share"),
    [
        (Spread(60, 1, 3), Spread(50, 1, 3), Spread(70, 1, 3), 0.5),
        (Spread(40, None, 1), Spread(50, None, 1), Spread(70, None, 1), -0.5),
        (Spread(75, None, 1), Spread(50, None, 1), Spread(70, None, 1), 1.25),
        (Spread(70, None, 1), Spread(69.6, None, 1), Spread(70, None, 1), None),  # below half a point
        (Spread(70, None, 1), Spread(69.5, None, 1), Spread(70, None, 1), 1.0),
        (Spread(70, 1, 3), Spread(66, 3, 3), Spread(70, 4, 3), None),  # 4 points, but they spread by 5
        (Spread(70, 1, 3), Spread(65, 3, 3), Spread(70, 4, 3), 1.0),
        (Spread(70, 1, 3), Spread(71, 1, 3), Spread(69, 1, 3), None),
        (Spread(None, None, 0), Spread(50, None, 1), Spread(70, None, 1), None),
        (Spread(60, None, 1), None, Spread(70, None, 1), None),
    ],
)
def test_a_gap_too_small_has_no_shares(row, low, high, share):
    assert share_of_gap(row, low, high) == share


def test_best_and_second_best_by_block_and_column():
    found = table(RUNS)
    marks = {row: line_of(found, row).marks for row in ("baseline", "sr", "jcas")}
    assert {row: m.get(("dice", "shaft")) for row, m in marks.items()} == {
        "baseline": None,
        "sr": 2,
        "jcas": 1,
    }
    assert {row: m.get(("dice", MEAN)) for row, m in marks.items()} == {"baseline": None, "sr": 1, "jcas": 2}
    assert all(not line.marks for line in found.blocks[1].lines)


def test_values_that_are_printed_alike_share_a_mark():
    runs = {f"{row}-ellipse-0": record((value, value)) for row, value in
            {"baseline": 0.40001, "sr": 0.60001, "jcas": 0.60002}.items()}  # fmt: skip
    found = table(runs)
    ranks = {row: line_of(found, row).marks["dice", MEAN] for row in ("baseline", "sr", "jcas")}
    assert ranks == {"baseline": 2, "sr": 1, "jcas": 1}
    assert line_of(table({"sr-ellipse-0": record((0.5, 0.5))}), "sr").marks == {}  # nothing to compare with


def test_the_text_has_a_table_of_each_metric_for_every_noise():
    text = to_text(table(RUNS))
    dice = next(line for line in text.splitlines() if line.startswith("JCAS"))
    assert re.split(r"  +", dice) == [
        "JCAS",
        "75.00 ± 7.07*",
        "55.00 ± 7.07+",
        "65.00 ± 7.07+",
        "2",
        "57 %",
        "60.50",
    ]
    assert re.search(r"SR +70.00\+ +70.00\* +70.00\* +1/2 +67 % +–", text)
    assert "Flips: no cell is finished yet." in text
    assert GAP in text
    assert "7 of 14 cells are finished" in text
    assert "test-selected" in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_markdown_marks_the_best_bold_and_the_second_underlined():
    lines = to_markdown(table(RUNS)).splitlines()
    jcas = next(line for line in lines if line.startswith("| JCAS")).strip("| ").split(" | ")
    assert jcas[1:4] == ["**75.00 ± 7.07**", "<u>55.00 ± 7.07</u>", "<u>65.00 ± 7.07</u>"]
    assert jcas[-3:] == ["2", "57 %", "60.50 / 50.00"]
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert next(line for line in lines if line.startswith("| Upper bound")).endswith("| 80.00 / 75.00 |")


def test_latex_is_balanced_and_escaped():
    text = to_latex(table(RUNS))
    assert r"\textbf{75.00 $\pm$ 7.07}" in text
    assert r"\underline{65.00 $\pm$ 7.07}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert len({line.count(" & ") for line in rows}) == 1
    assert not re.search(r"(?<!\\)%", "\n".join(rows))


def test_csv_has_full_precision():
    lines = list(csv.DictReader(io.StringIO(to_csv(table(RUNS)))))
    assert len(lines) == 2 * 4 * 2 * 3
    found = next(x for x in lines if (x["noise"], x["row"], x["metric"], x["column"]) ==
                 ("ellipse", "jcas", "dice", MEAN))  # fmt: skip
    assert float(found["mean"]) == pytest.approx(65)
    assert float(found["gap_closed"]) == pytest.approx(20 / 35)
    assert (found["seeds"], found["of"], found["rank"], found["paper"]) == ("2", "2", "2", "60.5")
    missing = next(x for x in lines if x["noise"] == "flips" and x["row"] == "jcas")
    assert (missing["mean"], missing["sd"], missing["rank"], missing["gap_closed"]) == ("", "", "", "")


def test_weights_chosen_on_the_test_cases_are_marked_in_every_form():
    runs = RUNS | {"sr-ellipse-1": record((0.7, 0.7), select="best-test")}
    found = table(runs)
    for text in (to_text(found), to_markdown(found), to_latex(found)):
        assert re.search(r"SR (†|\\dag\{\})", text)
        assert not re.search(r"JCAS (†|\\dag\{\})", text)
        assert WARNED in text
        assert "SR: the best epoch on the test cases" in text
    assert "SR †" in page(found)
    assert WARNED in page(found)
    assert "†" not in to_text(table(RUNS)) + page(table(RUNS))
    assert "Scored: the last epoch." in to_text(table(RUNS))


def test_the_page_stands_alone_and_is_well_formed():
    text = page(table(RUNS, title="<Tables> & more"))
    assert "&lt;Tables&gt; &amp; more" in text
    assert "<script" not in text
    assert not re.search(r'(src|href)="https?:', text)
    assert "light dark" in text
    for tag in ("table", "tr", "td", "th", "section", "div", "svg", "p"):
        assert len(re.findall(f"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag
    assert '<td class="best">75.00<small>± 7.07</small></td>' in text
    assert '<td class="mean second"><u>65.00</u><small>± 7.07</small></td>' in text
    assert '<a href="runs/sr-1/">1</a><small>1 of 2</small>' in text
    assert "No cell is finished yet." in text


def test_a_page_without_any_run_can_be_made():
    found = table({})
    assert page(found).count("No cell is finished yet.") == 2
    assert to_text(found).count("no cell is finished yet") == 2
    assert "0 of 14 cells" in to_markdown(found) + to_latex(found)
    assert to_csv(found).count("\n") == 1


def test_the_noise_is_told_as_it_was_measured(tmp_path):
    clean = small_dataset(tmp_path / "clean")
    module = MODES.load("symmetric")
    measured = []
    for seed in (0, 1):
        recipe = Recipe(seed, (Step.of("symmetric", module, module.Params(rate=0.3, unit="pixel")),))
        noisy = noisy_dataset(clean, recipe, tmp_path / str(seed))
        measured.append(PooledNoise.from_dict(noisy.measured))
    found = bench_table(suite(), lambda cell: None, lambda noise: measured if noise.key == "flips" else [])
    heading = found.blocks[1].heading
    told = re.fullmatch(r"Flips \((.*) ± .* % of the pixels wrong, Dice to clean (.*) ± .* %\)", heading)
    assert float(told[1]) == pytest.approx(50 * sum(m.wrong_share for m in measured), abs=0.06)
    assert found.blocks[0].heading == "Ellipse"
    assert "Ellipse" in to_text(found)


def test_run_folders_make_a_table(tmp_path):
    clean = small_dataset(tmp_path / "clean")
    module = MODES.load("ellipse")
    noisy = noisy_dataset(
        clean, Recipe(0, (Step.of("ellipse", module, module.Params()),)), tmp_path / "noisy"
    )
    for method, labels, error in (("baseline", "noisy", 4), ("jcas", "noisy", 2), ("baseline", "clean", 0)):
        write_run(tmp_path / f"{method}-{labels}", noisy, method, labels, error=error)
    folders = {"baseline": "baseline-noisy", "jcas": "jcas-noisy", "upper": "baseline-clean"}

    def run_of(cell):
        known = cell.seed == 0 and cell.noise_key in ("ellipse", "clean") and cell.row.key in folders
        return RunRecord.open(tmp_path / folders[cell.row.key]) if known else None

    found = bench_table(suite(), run_of, lambda noise: [])
    assert found.columns == ("liver", "vessel", "tumour", MEAN)
    assert line_of(found, "jcas").runs.keys() == {0}
    for text in (to_text(found), to_markdown(found), to_latex(found), page(found)):
        assert f"{line_of(found, 'jcas').cells['dice', MEAN].mean:.2f}" in text
