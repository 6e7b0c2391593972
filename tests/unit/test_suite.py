import tomllib
from collections import Counter
from pathlib import Path

import pytest

from noisylabels.errors import UsageError
from noisylabels.suite import chosen, merged
from noisylabels.suites import load, read

TEXT = """
title = "Two rows"
seeds = [0, 1, 2]

[phantom]
cases = 12

[training]
net_params = { width = 4 }
params = { lr = 0.01 }
epochs = 3

[[rows]]
key = "upper"
name = "Upper bound"
method = "baseline"
labels = "clean"

[[rows]]
name = "Baseline"
method = "baseline"

[[rows]]
name = "JCAS, w/ DAR"
method = "jcas"
params = { parts = "dar" }
epochs = 5

[[noises]]
name = "Ellipse"
mode = "ellipse"

[[noises]]
name = "Flips"
mode = "symmetric"
params = { rate = 0.3 }
seed = "run"
training = { epochs = 4, batch_size = 2 }
"""


def suite(text=TEXT, **change):
    return read({**tomllib.loads(text), **change}, Path("folder/two.toml"))


def test_cells_are_rows_by_noises_by_seeds_and_the_upper_bound_knows_no_noise():
    cells = suite().cells()
    assert [cell.name for cell in cells[:5]] == [
        "upper-clean-0",
        "baseline-ellipse-0",
        "jcas-w-dar-ellipse-0",
        "baseline-flips-0",
        "jcas-w-dar-flips-0",
    ]
    assert len(cells) == len({cell.name for cell in cells}) == 3 * (1 + 2 * 2)


def test_a_row_wins_over_a_noise_and_that_over_the_suite():
    found = suite()
    by_name = {cell.name: found.settings_of(cell) for cell in found.cells()}
    assert by_name["baseline-ellipse-1"] == {"net_params": {"width": 4}, "params": {"lr": 0.01}, "epochs": 3}
    assert by_name["baseline-flips-1"]["epochs"] == 4
    assert by_name["jcas-w-dar-flips-1"] | {"epochs": 5, "batch_size": 2} == by_name["jcas-w-dar-flips-1"]
    assert by_name["jcas-w-dar-flips-1"]["params"] == {"lr": 0.01, "parts": "dar"}
    assert by_name["upper-clean-0"]["epochs"] == 3


def test_the_table_of_another_network_is_forgotten():
    low, high = {"net": "unet", "net_params": {"width": 4}}, {"net": "raunet"}
    assert merged(low, high) == {"net": "raunet"}
    assert merged(low, {"net": "unet", "net_params": {"depth": 2}})["net_params"] == {"width": 4, "depth": 2}


def test_the_noise_follows_the_run_or_stays():
    ellipse, flips = suite().noises
    assert [ellipse.seed(seed) for seed in (0, 5)] == [0, 0]
    assert [flips.seed(seed) for seed in (0, 5)] == [0, 5]


@pytest.mark.parametrize("count", [1, 2, 4, 7, 40])
def test_shards_are_a_partition(count):
    cells = suite().cells()
    parts = [chosen(cells, shard=f"{i}/{count}") for i in range(1, count + 1)]
    assert Counter(cell.name for part in parts for cell in part) == Counter(cell.name for cell in cells)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_patterns_choose_by_row_noise_and_seed():
    def picked(*patterns):
        return [cell.name for cell in chosen(suite().cells(), patterns)]

    assert picked("baseline/ellipse/1") == ["baseline-ellipse-1"]
    assert picked("upper") == ["upper-clean-0", "upper-clean-1", "upper-clean-2"]
    assert picked("*/flips/2") == ["baseline-flips-2", "jcas-w-dar-flips-2"]
    assert picked("jcas*/e*", "upper//0") == [
        "upper-clean-0",
        *(f"jcas-w-dar-ellipse-{seed}" for seed in (0, 1, 2)),
    ]


@pytest.mark.parametrize(
    ("pattern", "shard", "finding"),
    [
        ("baselin", "", "did you mean 'baseline'"),
        ("baseline/elipse/0", "", "did you mean 'baseline/ellipse/0'"),
        ("", "0/2", "i from 1 to n"),
        ("", "3/2", "i from 1 to n"),
        ("", "half", "i from 1 to n"),
        ("", "²/3", "i from 1 to n"),
        ("baseline/ellipse/0/9", "", "ROW/NOISE/SEED"),
    ],
)
def test_what_chooses_nothing_is_refused(pattern, shard, finding):
    with pytest.raises(UsageError, match=finding):
        chosen(suite().cells(), [pattern] if pattern else [], shard)


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('title = "Two rows"', "", "lacks 'title'"),
        ("[training]", "[trainings]", "did you mean 'training'"),
        ('mode = "ellipse"', 'mode = "elipse"', "did you mean 'ellipse'"),
        ('mode = "ellipse"', 'preset = "jcas-elipse"', "did you mean 'jcas-ellipse'"),
        ('mode = "ellipse"', "", "needs one of mode, preset and recipe"),
        ('mode = "ellipse"', 'mode = "pseudo-label"', r"\[noises.source\]"),
        ('mode = "ellipse"', 'mode = "ellipse"\nsource = {}', "one of data, phantom and cases"),
        ('mode = "ellipse"', 'mode = "ellipse"\nsed = 1', "did you mean 'seed'"),
        ('name = "Ellipse"', 'name = "Flips"', "two entries of the noises have the key flips"),
        ('name = "Ellipse"', 'name = "Clean"', "upper bound's"),
        (
            'mode = "ellipse"',
            'mode = "symmetric"\nparams = { rat = 1 }',
            "in noise Ellipse: .*did you mean 'rate'",
        ),
        ('mode = "ellipse"', 'mode = "symmetric"\nparams = { rate = 3 }', "in noise Ellipse: .*rate"),
        (
            'mode = "ellipse"',
            'recipe = { steps = [{ one_of = [{ weight = 1, mode = "none" }, { weight = 1, mode = "dilate", '
            "params = { radius = 3 } }] }] }",
            "did you mean 'radius_px'",
        ),
        ("params = { lr = 0.01 }", "params = 0.01", "in the training: params is a table"),
        ('params = { parts = "dar" }', 'net_params = "dar"', "in row jcas-w-dar: net_params is a table"),
        (
            'mode = "ellipse"',
            'mode = "ellipse"\ntraining = { params = [1] }',
            "in noise Ellipse: params is a table",
        ),
        ('labels = "clean"', 'labels = "clear"', "did you mean 'clean'"),
        ("seeds = [0, 1, 2]", "seeds = []", "at least one"),
        ("seeds = [0, 1, 2]", "seeds = [0, 0]", "twice"),
        ("seeds = [0, 1, 2]", 'seeds = ["a"]', "whole numbers"),
        ("seeds = [0, 1, 2]", "seeds = 3", "wrong kind"),
        ('key = "upper"', 'key = "Upper bound"', "small letters"),
        ("[phantom]", 'data = "x"\n[phantom]', "not both"),
        ("[phantom]", 'baseline = "base"\n[phantom]', "did you mean 'baseline'"),
        ("[phantom]", '[paper]\nsource = "x"\ncolumns = ["a"]\nelipse = {}\n[phantom]', None),
    ],
)
def test_a_bad_suite_is_refused_in_a_sentence(tmp_path, old, new, finding):
    file = tmp_path / "mine.toml"
    file.write_text(TEXT.replace(old, new, 1))
    if finding is None:  # a noise without figures says nothing wrong
        assert load(str(file)).paper.figures == {}
        return
    with pytest.raises(UsageError, match=f"(?i){finding}") as caught:
        load(str(file))
    assert "\n" not in str(caught.value)
    assert "mine" in str(caught.value)


def test_two_cells_never_share_a_folder():
    text = TEXT.replace('name = "Baseline"', 'name = "JCAS"')
    with pytest.raises(
        UsageError, match="share the folder jcas-w-dar-flips-0; give a row or a noise another key"
    ):
        suite(text.replace('name = "Ellipse"', 'name = "w/ DAR flips"'))
    assert suite(text.replace('name = "Ellipse"', 'name = "w/ flips"'))


def test_a_class_may_be_named_where_the_data_are_not_known_yet():
    noise = {"name": "Flips", "mode": "symmetric", "params": {"classes": ["heart"], "rate": 0.4}}
    assert suite(noises=[noise]).noises[0].recipe.steps[0].params["classes"] == ["heart"]


PAPER = {"source": "somebody", "columns": ["shaft", "mean"], "test_selected": True}


def test_figures_of_a_paper_are_found_by_noise_row_metric_and_column():
    paper = suite(paper={**PAPER, "ellipse": {"baseline": [[60, 50], [40, 30]]}}).paper
    assert paper.of("ellipse", "baseline", "dice", "mean") == 50
    assert paper.of("ellipse", "baseline", "jaccard", "shaft") == 40
    assert paper.of("ellipse", "upper", "dice", "mean") is None
    assert paper.of("ellipse", "baseline", "dice", "heart") is None


@pytest.mark.parametrize(
    ("figures", "finding"),
    [
        ({"elipse": {"baseline": [[1, 2], [1, 2]]}}, "noise of the paper"),
        ({"ellipse": {"basline": [[1, 2], [1, 2]]}}, "did you mean 'baseline'"),
        ({"ellipse": {"baseline": [[1], [1, 2]]}}, "2 columns"),
        ({"ellipse": {"baseline": [[1, 2]]}}, "wrong kind"),
    ],
)
def test_figures_that_fit_nothing_are_refused(figures, finding):
    with pytest.raises(UsageError, match=finding):
        suite(paper={**PAPER, **figures})


def test_a_suite_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UsageError, match="did you mean 'jcas-jsrt'"):
        load("jcas-jrst")
    with pytest.raises(UsageError, match=r"no suite at mine\.toml; .*jcas-phantoms"):
        load("mine.toml")
