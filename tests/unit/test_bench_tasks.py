import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from processes import alive, environment, until
from safetensors.torch import save_file

from noisylabels.errors import Mismatch, UsageError
from noisylabels.scoring import CaseScore, write_scores
from noisylabels.store.locks import Lock, holder
from noisylabels.store.runs import RunRecord
from noisylabels.suites import load
from noisylabels_cli import bench_runner
from noisylabels_cli.bench import _run
from noisylabels_cli.bench_check import check_commands, check_suite
from noisylabels_cli.bench_child import BUSY, main, open_steps
from noisylabels_cli.bench_meaning import refuse_other_meaning
from noisylabels_cli.bench_progress import Progress, duration
from noisylabels_cli.bench_runner import Ended, Runner, available_kib, child_environment
from noisylabels_cli.bench_tasks import Place, Task, all_tasks


def phantoms(folder, name, cell=None, cases=9):
    out = folder / name
    args = ["phantom", "--cases", str(cases), "--size", "32x40", "--out", str(out)]
    return Task(name=name, product=out, begun=out, steps=[(args, out)], meaning={}, cell=cell)


@pytest.fixture
def runner(tmp_path):
    ended = []
    made = Runner(lambda name: tmp_path / "work" / name, 1, child_environment(1), ended.append)
    return made, ended


def test_a_task_that_another_process_is_at_is_left_to_it(tmp_path, runner):
    cell = load("jcas-phantoms").cells()[0]
    lock = Lock(tmp_path / "work" / "one" / "lock", {"parent": os.getpid()})
    assert lock.take()
    ends = runner[0].run([phantoms(tmp_path, "one", cell), phantoms(tmp_path, "two", cell)])
    lock.release()
    assert [(end.task.name, end.state) for end in ends] == [("one", "busy"), ("two", "done")]
    assert not (tmp_path / "one").exists()


def test_data_that_another_process_makes_are_waited_for(tmp_path, runner, monkeypatch):
    monkeypatch.setattr(bench_runner, "_RETRY_SECONDS", 0.2)
    lock = Lock(tmp_path / "work" / "one" / "lock", {"parent": os.getpid()})
    assert lock.take()
    threading.Timer(0.8, lock.release).start()
    ends = runner[0].run([phantoms(tmp_path, "one")])
    assert [end.state for end in ends] == ["done"]
    assert (tmp_path / "one").is_dir()


def test_what_needs_something_that_failed_is_left_out(tmp_path, runner):
    first = phantoms(tmp_path, "one", cases=2)  # too few
    needy = Task(
        name="two", product=tmp_path / "two", begun=tmp_path / "two", steps=[], meaning={}, needs=("one",)
    )
    ends = runner[0].run([first, needy])
    assert [(end.task.name, end.state) for end in ends] == [("one", "failed"), ("two", "left out")]
    assert "too few" in ends[0].reason
    assert runner[1] == ends


def test_only_as_many_run_at_a_time_as_memory_allows(tmp_path, runner, monkeypatch):
    made, _ = runner
    made.jobs = 3
    most = []
    start_one = made._spawn

    def counted(task):
        child = start_one(task)
        most.append(len(made._children) + 1)
        return child

    monkeypatch.setattr(made, "_spawn", counted)
    monkeypatch.setattr(bench_runner, "available_kib", lambda: 0)
    made.run([phantoms(tmp_path, name) for name in ("one", "two")])
    monkeypatch.setattr(bench_runner, "available_kib", lambda: 10**9)
    made.run([phantoms(tmp_path, name) for name in ("three", "four")])
    assert most == [1, 1, 1, 2]


def test_the_first_cells_are_given_time_to_show_their_memory(tmp_path, runner, monkeypatch):
    made, cell = runner[0], load("jcas-phantoms").cells()[0]
    made.jobs, most = 4, []
    start_one = made._spawn
    monkeypatch.setattr(
        made, "_spawn", lambda task: (most.append(len(made._children) + 1), start_one(task))[1]
    )
    made.run([phantoms(tmp_path, str(i), cell) for i in range(4)])
    assert most[:2] == [1, 2]
    assert most[2] <= 2  # the third only after one has ended
    monkeypatch.setattr(bench_runner, "_SHOW_SECONDS", 0.0)
    most.clear()
    made._seen = False
    made.run([phantoms(tmp_path, f"again {i}", cell) for i in range(4)])
    assert max(most) > 2


def test_free_memory_is_told_on_linux():
    assert available_kib() is None or available_kib() > 1000


def test_steps_go_on_after_the_last_product(tmp_path):
    (tmp_path / "there").touch()

    def step(word, makes):
        return {"args": [word], "makes": str(tmp_path / makes)}

    steps = [step("_write", "there"), step("train", "there"), step("evaluate", "scores")]
    assert open_steps(steps) == steps
    steps = [step("phantom", "there"), step("train", "there"), step("predict", "no")]
    assert open_steps(steps) == steps[1:]
    assert open_steps([step("train", "no"), step("evaluate", "there")]) == []


@pytest.mark.parametrize(("done", "finished"), [(5, False), (6, True)])
def test_scores_of_a_training_that_was_stopped_are_not_the_end_of_a_cell(tmp_path, done, finished):
    """Whoever evaluates a cell while it is stopped has it taken up all the same."""
    info = {"method": "sr", "labels": "noisy", "dataset": "d", "seed": 0, "epochs": 3}
    (tmp_path / "run.json").write_text(json.dumps(info))
    about = {"noisylabels": json.dumps({"done": str(done), "steps": "6"})}
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors", metadata=about)
    steps = [
        {"args": ["train", "sr"], "makes": str(tmp_path / "model.safetensors")},
        {"args": ["evaluate", str(tmp_path)], "makes": str(tmp_path / "scores.csv")},
    ]
    assert open_steps(steps) == steps
    write_scores(tmp_path / "scores.csv", [CaseScore("a", "shaft", "dice", 0.5)])
    assert open_steps(steps) == ([] if finished else steps)
    run = RunRecord.open(tmp_path)
    assert (run.progress, run.finished) == ((done, 6, "updates"), finished)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    assert RunRecord.open(tmp_path).updates is None


def test_a_child_without_its_parent_stops(tmp_path):
    file = tmp_path / "work" / "task.json"
    file.parent.mkdir()
    step = {
        "args": ["phantom", "--cases", "4000", "--out", str(tmp_path / "many")],
        "makes": str(tmp_path / "many"),
    }
    file.write_text(json.dumps({"steps": [step]}))
    starter = (
        "import os, subprocess as s, sys; print(s.Popen([*sys.argv[1:], str(os.getpid())]).pid); input()"
    )
    words = [sys.executable, "-m", "noisylabels_cli.bench_child", str(file)]
    parent = subprocess.Popen(
        [sys.executable, "-c", starter, *words],
        env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    child = int(parent.stdout.readline())
    until(lambda: holder(file.with_name("lock")), bool)
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    until(lambda: alive(child), lambda found: not found)
    assert not file.with_name("lock").exists()
    assert not (tmp_path / "many").exists()


def test_a_busy_child_says_so(tmp_path, monkeypatch):
    file = tmp_path / "task.json"
    file.write_text('{"steps": []}')
    lock = Lock(tmp_path / "lock", {"parent": os.getpid()})
    assert lock.take()
    monkeypatch.setattr(signal, "signal", lambda *args: None)
    assert main(file, os.getppid()) == BUSY
    lock.release()
    assert main(file, os.getppid()) == 0


def test_the_time_left_follows_from_the_cells_so_far(capsys, tmp_path):
    cell = load("jcas-phantoms").cells()[0]
    shown = Progress(3, jobs=2)
    task = phantoms(tmp_path, "one", cell)
    shown.ended(Ended(task, "done", 100.0, tmp_path / "log.txt"))
    shown.ended(Ended(task, "left out", 0.0, tmp_path / "log.txt"))
    (tmp_path / "log.txt").write_text("noisylabels: First.\nmore\nnoisylabels: The disk is full.\n")
    shown.ended(Ended(task, "failed", 1.0, tmp_path / "log.txt"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[1/3] one: after 1 min 40 s; about 1 min 40 s left"
    assert lines[1].startswith("[2/3] one was left out")
    assert lines[2] == f"[3/3] one failed: The disk is full; see {Path(tmp_path / 'log.txt')}"
    assert duration(7260) == "2 h 1 min"


def test_on_a_terminal_a_line_tells_what_runs(tmp_path, capsys, monkeypatch):
    cell = load("jcas-phantoms").cells()[0]
    task = phantoms(tmp_path / "run", "scores.csv", cell)
    (tmp_path / "run").mkdir()
    shown = Progress(3, jobs=1)
    shown.running([task])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress(3, jobs=1)
    shown.running([task])
    shown.running([task])  # too soon
    assert capsys.readouterr().err == "\r\033[K0 of 3; now scores.csv"
    (tmp_path / "run" / "log.jsonl").write_text('{"epoch": 4}\n')
    shown.looked = 0.0
    shown.running([task])
    assert capsys.readouterr().err.endswith("now scores.csv (epoch 5 done)")


def test_the_reason_is_that_of_the_last_try(tmp_path, runner):
    bad = phantoms(tmp_path, "one", cases=2)  # too few
    log = tmp_path / "work" / "one" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("noisylabels: The disk is full.\n")
    assert "too few" in runner[0].run([bad])[0].reason
    assert log.read_text().startswith("noisylabels: The disk is full.\n$ noisylabels phantom")
    start = log.stat().st_size
    with log.open("a") as more:
        more.write("$ noisylabels train jcas\n")
    assert Ended(bad, "failed", 1.0, log, 1, start).reason == "it said nothing"


def test_a_killed_task_says_so(tmp_path, runner):
    made, _ = runner
    start_one = made._spawn

    def killed(task):
        child = start_one(task)
        child.process.kill()
        return child

    made._spawn = killed
    ends = made.run([phantoms(tmp_path, "one")])
    assert ends[0].reason == "it was killed by signal 9, perhaps for lack of memory"
    assert Ended(ends[0].task, "failed", 1.0, ends[0].log, -11).reason == "it was killed by signal 11"


def test_one_cell_is_one_cell(tmp_path, capsys):
    place = Place(tmp_path, None, "", "cpu")
    given = {"device": "cpu", "jobs": 1, "threads": 1}
    cell = load("jcas-phantoms").cells()[0]
    there = [phantoms(tmp_path, name, cell) for name in ("one", "two")]
    for task in there:
        task.product.mkdir()
    _run(there[:1], place, given)
    _run(there, place, given)
    said = capsys.readouterr().err
    assert "1 cell to run" in said
    assert "2 cells to run" in said


@pytest.mark.parametrize("name", ["adpat", "out", "part"])
def test_a_suite_says_only_what_of_the_prediction_is_its_business(name):
    suite = load("jcas-jsrt")
    pseudo = next(noise for noise in suite.noises if noise.source)
    source = replace(pseudo.source, predict={name: "x"})
    with pytest.raises(UsageError, match=r"flag of predict for noise pseudo"):
        check_suite(replace(suite, noises=(replace(pseudo, source=source),)))


@pytest.mark.parametrize(
    ("predict", "flags"),
    [
        ({"scores": True}, ["--scores"]),
        ({"scores": False, "adapt": "batchnorm"}, ["--adapt=batchnorm"]),
        ({"adapt": "batchnrom"}, None),
    ],
)
def test_values_of_the_prediction_are_looked_at_before(tmp_path, predict, flags):
    suite = load("jcas-jsrt")
    pseudo = next(noise for noise in suite.noises if noise.source)
    source = replace(pseudo.source, predict=predict)
    suite = replace(suite, noises=(replace(pseudo, source=source),))
    tasks = all_tasks(suite, Place(tmp_path, tmp_path / "clean", "digest", "cpu"))
    if flags is None:
        with pytest.raises(UsageError, match=r"In data\.pseudo-0: .*adapt"):
            check_commands(tasks)
        return
    check_commands(tasks)
    args = next(args for task in tasks for args, _ in task.steps if args[0] == "predict")
    assert args[args.index("--out") + 2 : args.index("--device")] == flags


def test_a_cell_whose_settings_nobody_knows_is_not_taken_over(tmp_path):
    task = phantoms(tmp_path, "one")
    (tmp_path / "one").mkdir()
    place = Place(tmp_path, None, "", "cpu")
    with pytest.raises(Mismatch, match=r"one is there, but .*task.json, which says by what settings"):
        refuse_other_meaning([task], place)
    refuse_other_meaning([task], place, read_only=True)
