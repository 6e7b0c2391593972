import json
import shutil
import signal
import subprocess
import sys

import pytest
from processes import alive, environment, until
from small import small_dataset
from toy_training import log_of

from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.phantoms import phantom_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.locks import holder
from noisylabels.store.runs import RunRecord
from noisylabels.suites.few import few_cases
from noisylabels_cli.main import INTERRUPTED, run

SUITE = """
title = "Tiny"
seeds = [0]

[phantom]
cases = 9
size = [32, 40]

[training]
net_params = { width = 4, depth = 2 }
epochs = 30
batch_size = 8
validate_every = 10

[[rows]]
name = "Baseline"
method = "baseline"

[[rows]]
name = "JCAS"
method = "jcas"

[[noises]]
name = "Ellipse"
mode = "ellipse"
"""
FILES = ("table.md", "table.tex", "table.csv", "table.html", "curves.csv")


def bench(folder, *words, text=SUITE, out="out"):
    (folder / "tiny.toml").write_text(text)
    return run(["bench", str(folder / "tiny.toml"), "--out", str(folder / out), *map(str, words)])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A folder in which the suite was run from beginning to end."""
    folder = tmp_path_factory.mktemp("bench")
    assert bench(folder, "--jobs", 2, "--device", "cpu") == 0
    return folder


def test_a_suite_becomes_runs_and_tables(undisturbed):
    out = undisturbed / "out"
    for name in FILES:
        assert (out / name).stat().st_size > 0
    for cell in ("baseline-ellipse-0", "jcas-ellipse-0"):
        record = RunRecord.open(out / "runs" / cell)
        assert record.scores
        assert (record.info["epochs"], record.info["net_params"]) == (30, {"width": 4, "depth": 2})
        assert f"noisylabels evaluate {out}/runs/{cell}" in (out / "work" / cell / "log.txt").read_text()
        assert f'href="runs/{cell}/"' in (out / "table.html").read_text()
    assert 'href="reports/ellipse.html"' in (out / "table.html").read_text()
    assert "Learned noise" in (out / "reports" / "ellipse.html").read_text()
    assert not list(out.rglob("lock*"))


def test_finished_cells_are_not_run_again(undisturbed, capsys):
    scores = undisturbed / "out" / "runs" / "jcas-ellipse-0" / "scores.csv"
    before = scores.stat().st_mtime_ns
    tables = {name: (undisturbed / "out" / name).read_bytes() for name in FILES}
    assert bench(undisturbed) == 0
    said = capsys.readouterr()
    assert scores.stat().st_mtime_ns == before
    assert "Ellipse" in said.out
    assert "failed" not in said.err
    assert tables == {name: (undisturbed / "out" / name).read_bytes() for name in FILES}


def test_a_dry_run_tells_what_is_there(undisturbed, capsys):
    more = SUITE.replace("seeds = [0]", "seeds = [0, 1]")
    assert bench(undisturbed, "--dry-run", "--only", "jcas", text=more) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["jcas-ellipse-0", "finished"]
    assert lines[2].split()[:5] == ["jcas-ellipse-1", "open", "noisylabels", "train", "jcas"]
    assert lines[-1] == "1 of 2 cells are to be run."
    assert not (undisturbed / "out" / "runs" / "jcas-ellipse-1").exists()


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("epochs = 30", "epochs = 31", "epochs: 30 then, 31 now"),
        ('name = "JCAS"', 'name = "JCAS"\nloss = "gce"', "loss: the default then, gce now"),
        ('mode = "ellipse"', 'mode = "dilate"', "recipe"),
        ("cases = 9", "cases = 12", "phantom cases: 9 then, 12 now"),
    ],
)
def test_a_suite_that_changed_since_is_refused(undisturbed, capsys, old, new, finding):
    for words in ((), ("--table",), ("--dry-run",)):
        assert bench(undisturbed, *words, text=SUITE.replace(old, new)) == 4
        said = capsys.readouterr().err
        assert finding in said
        assert "remove it to have it made anew" in said


def test_names_titles_and_further_rows_are_no_change(undisturbed, capsys):
    text = SUITE.replace('title = "Tiny"', 'title = "Other"').replace(
        'name = "JCAS"', 'key = "jcas"\nname = "Ours"'
    )
    text = text.replace("[[noises]]", '[[rows]]\nname = "SR"\nmethod = "sr"\n\n[[noises]]', 1)
    assert bench(undisturbed, "--table", text=text) == 0
    said = capsys.readouterr().out
    assert said.startswith("Other\n")
    assert "Ours" in said
    assert "2 of 3 cells are finished" in said


def test_settings_that_change_no_number_may_change(undisturbed):
    text = SUITE.replace("epochs = 30", "epochs = 30\ntrack_train = true\nworkers = 0")
    assert bench(undisturbed, "--dry-run", text=text) == 0


def test_a_damaged_record_is_named(undisturbed, tmp_path, capsys):
    shutil.copytree(undisturbed / "out", tmp_path / "out")
    (tmp_path / "out" / "work" / "jcas-ellipse-0" / "task.json").write_text("{")
    assert bench(tmp_path, "--table") == 3
    assert "task.json is damaged" in capsys.readouterr().err


def start(folder, text):
    (folder / "tiny.toml").write_text(text)
    words = ["bench", str(folder / "tiny.toml"), "--out", str(folder / "out"), "--device", "cpu"]
    return subprocess.Popen(
        [sys.executable, "-m", "noisylabels_cli.main", *words, "--only", "baseline"],
        env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_grid_that_was_killed_goes_on_to_the_same_numbers(undisturbed, tmp_path):
    process = start(tmp_path, SUITE)
    run_folder, work = (tmp_path / "out" / name / "baseline-ellipse-0" for name in ("runs", "work"))
    until((run_folder / "state.pt").exists, bool, seconds=60)
    process.kill()
    process.communicate(timeout=60)
    assert bench(tmp_path, "--device", "cpu", "--only", "baseline") == 0
    assert (work / "log.txt").read_text().count("$ noisylabels train") == 2
    other = undisturbed / "out" / "runs" / "baseline-ellipse-0"
    assert (run_folder / "scores.csv").read_text() == (other / "scores.csv").read_text()
    assert log_of(run_folder) == log_of(other)


def test_a_signal_stops_a_grid_and_its_children(tmp_path):
    process = start(tmp_path, SUITE.replace("cases = 9", "cases = 9000"))
    lock = tmp_path / "out" / "work" / "data" / "lock"
    until(lambda: holder(lock), bool, seconds=60)
    child = holder(lock)["pid"]
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, said
    assert said.splitlines()[-1] == "noisylabels: Interrupted."
    assert not alive(child)
    assert not lock.exists()
    assert not list((tmp_path / "out" / "data").glob("*"))


@pytest.mark.parametrize(
    ("words", "text", "code", "finding"),
    [
        ([], SUITE.replace("epochs = 30", "epoch = 30"), 2, "did you mean 'epochs'"),
        ([], SUITE.replace('method = "jcas"', 'method = "jcass"'), 2, "did you mean 'jcas'"),
        ([], SUITE.replace("[training]", "[train]"), 2, "did you mean 'training'"),
        ([], SUITE.replace("[phantom]\ncases = 9\nsize = [32, 40]", ""), 2, "name its folder with --data"),
        (["--data", "nowhere"], SUITE, 3, "does not exist"),
        (["--source", "nowhere"], SUITE, 2, "leave out --source"),
        (["--only", "jcass"], SUITE, 2, "did you mean 'jcas'"),
        (["--only", ""], SUITE, 2, "--only names no cell"),
        (["--only", "jcas", "--only", " , "], SUITE, 2, "--only names no cell"),
        (["--shard", "²/3"], SUITE, 2, "i from 1 to n"),
        (["--table"], SUITE, 3, "There is no folder"),
        ([], SUITE.replace("epochs = 30", "net = 3"), 2, "net takes a text, not 3"),
        (
            [],
            SUITE.replace("net_params = { width = 4, depth = 2 }", "net_params = 3"),
            2,
            "net_params is a table",
        ),
        ([], SUITE.replace("cases = 9", "case = 9"), 2, "In data: No such option"),
        ([], SUITE.replace("epochs = 30", 'schedule = "cosin"'), 2, "did you mean 'cosine'"),
        (["--weights", "."], SUITE.replace("epochs = 30", "net = 3"), 2, "net takes a text, not 3"),
        (["--shard", "3/2"], SUITE, 2, "i from 1 to n"),
        (["--device", "cuda:77"], SUITE, 2, "no device"),
        ([], "title =", 2, "not TOML"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(tmp_path, capsys, words, text, code, finding):
    assert bench(tmp_path, *words, text=text) == code
    said = capsys.readouterr()
    assert finding in said.err
    assert len([line for line in said.err.splitlines() if line.startswith("noisylabels: ")]) == 1
    assert "bug" not in said.err
    assert not (tmp_path / "out").exists()


def test_a_noisy_dataset_is_no_start(tmp_path, capsys):
    clean = small_dataset(tmp_path / "clean")
    module = MODES.load("erode")
    noisy_dataset(clean, Recipe(0, (Step.of("erode", module, module.Params()),)), tmp_path / "noisy")
    assert bench(tmp_path, "--data", tmp_path / "noisy") == 2
    assert "a suite makes its noise itself" in capsys.readouterr().err


def test_data_without_a_test_case_are_refused_at_once(tmp_path, capsys):
    few_cases(small_dataset(tmp_path / "clean", count=12), 3, 0, tmp_path / "few")
    assert bench(tmp_path, "--data", tmp_path / "few") == 2
    assert "has no test case to score" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_suites_that_come_along_are_listed_and_shown(capsys):
    assert run(["bench", "--list"]) == 0
    assert "jcas-endovis18" in capsys.readouterr().out
    assert run(["bench", "jcas-jsrt", "--show"]) == 0
    assert 'title = "JCAS and its neighbours' in capsys.readouterr().out


def test_the_few_cases_of_a_source_are_training_cases(tmp_path):
    clean = small_dataset(tmp_path / "clean", count=12)
    few, other = (few_cases(clean, 3, seed, tmp_path / str(seed)) for seed in (0, 1))
    assert len(few.ids("train")) == len(set(few.ids("train")) & set(clean.ids("train"))) == 3
    assert (few.ids("val"), few.ids("test")) == (clean.ids("val"), [])
    assert few.ids("train") != other.ids("train")
    assert few.info == clean.info
    with pytest.raises(UsageError, match="8 to train on"):
        few_cases(clean, 9, 0, tmp_path / "many")
    assert not (tmp_path / "many").exists()


WRONG = """
[[noises]]
name = "Wrong"
mode = "symmetric"
params = { classes = ["hand"] }

[[noises]]
name = "Model"
mode = "pseudo-label"

[noises.source]
cases = 2
epochs = 2
"""


def test_pseudo_labels_come_from_a_model_of_a_few_cases_whatever_fails_beside(tmp_path, capsys):
    text = SUITE.partition("[[noises]]")[0].replace("epochs = 30", "epochs = 1") + WRONG
    text = text.replace("validate_every = 10", "validate_every = 0")
    phantom_dataset(tmp_path / "mine", count=9, size=(32, 40), seed=3)
    assert (
        bench(tmp_path, "--data", tmp_path / "mine", "--only", "baseline", "--device", "cpu", text=text) == 3
    )
    said, out = capsys.readouterr(), tmp_path / "out"
    source = json.loads((out / "data" / "model-0.made" / "source" / "splits" / "default.json").read_text())
    assert len(source["train"]) == 2
    assert RunRecord.open(out / "runs" / "baseline-model-0").noise.startswith("pseudo-label")
    assert "Model (" in said.out
    assert "data.wrong-0 failed: There is no class 'hand'" in said.err
    assert "baseline-wrong-0 was left out" in said.err
    last = said.err.splitlines()[-1]
    assert last.startswith("noisylabels: 1 cell could not be finished: data.wrong-0 failed first, see ")
    assert last.endswith("; the same command tries again.")
    assert "1 of 4 cells are finished" in said.out
