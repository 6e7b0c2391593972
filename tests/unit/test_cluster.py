"""The executor dask, on a real cluster on this machine: a scheduler and two worker processes."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment, fail_on_b, invalid_b, killed, name_and_process, until, wait_a_little
from small import small_dataset

from noisylabels.catalogue import MODES
from noisylabels.errors import InvalidData, NoisyLabelsError, UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.parallel import map_cases
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import Dataset
from noisylabels_cli.main import run

distributed = pytest.importorskip("distributed")

ANY_PORT = "127.0.0.1:0"
MANY = [str(number) for number in range(600)]


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=ANY_PORT, memory_limit=None
    ) as started:
        yield started


@pytest.fixture
def on(cluster):
    """Words for ``map_cases`` after ``fn`` and ``ids``."""
    return {"executor": "dask", "scheduler": cluster.scheduler_address}


def test_every_case_gives_its_result(on):
    found = list(map_cases(name_and_process, iter("abcde"), **on))
    assert sorted(case_id for case_id, _ in found) == list("abcde")
    assert os.getpid() not in {process for _, process in found}
    assert list(map_cases(name_and_process, [], **on)) == []


@pytest.mark.parametrize(
    ("fn", "kind", "message"),
    [
        (fail_on_b, NoisyLabelsError, "Case b: ValueError: no luck."),
        (invalid_b, InvalidData, "Case b: It is damaged."),
    ],
)
def test_an_error_names_its_case_and_keeps_its_class(on, fn, kind, message):
    with pytest.raises(kind) as caught:
        list(map_cases(fn, "abc", **on))
    assert str(caught.value) == message
    assert type(caught.value) is kind


def test_the_same_noisy_dataset_whoever_makes_it(on, tmp_path):
    """Equal digests, and equal files."""
    clean = small_dataset(tmp_path / "clean", count=12, ignore=True)
    steps = [("symmetric", {"rate": 0.2, "unit": "pixel"}), ("boundary", {})]
    modules = [(name, MODES.load(name), params) for name, params in steps]
    recipe = Recipe(3, tuple(Step.of(name, m, m.Params(**params)) for name, m, params in modules))
    made = [
        noisy_dataset(clean, recipe, tmp_path / "serial", executor="serial"),
        noisy_dataset(clean, recipe, tmp_path / "processes", jobs=2),
        noisy_dataset(clean, recipe, tmp_path / "dask", **on),
    ]
    assert len({dataset.digest for dataset in made}) == 1
    assert made[0].digest != clean.digest
    files = [{p.relative_to(d.path): p.read_bytes() for p in d.path.rglob("*") if p.is_file()} for d in made]
    assert files[0] == files[1] == files[2]


def test_the_command_line(cluster, tmp_path, monkeypatch, capsys):
    """Relative paths, as typed, though the workers of the cluster stand in folders of their own."""
    monkeypatch.chdir(tmp_path)
    small_dataset(Path("d"))
    words = ["corrupt", "d", "--mode", "symmetric", "--quiet"]
    assert run([*words, "--out", "here"]) == 0
    assert run([*words, "--out", "there", "--scheduler", cluster.scheduler_address]) == 0
    assert capsys.readouterr().out == "here\nthere\n"
    assert Dataset.open("here").digest == Dataset.open("there").digest


def test_a_loop_that_is_left_is_forgotten(cluster, on):
    results = map_cases(wait_a_little, MANY, **on)
    next(results)
    results.close()
    until(lambda: len(cluster.scheduler.tasks), lambda left: left == 0)


def test_workers_that_are_killed_again_and_again(on):
    """New ones are started each time, so the cluster is whole afterwards."""
    with pytest.raises(NoisyLabelsError, match=r"killed again and again|went away"):
        list(map_cases(killed, "a", **on))
    assert list(map_cases(wait_a_little, "a", **on)) == ["a"]


def test_dask_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("noisylabels.parallel.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'noisylabels\[cluster\]'"):
        list(map_cases(name_and_process, "ab", executor="dask", scheduler="tcp://127.0.0.1:1"))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "no address"])
def test_a_scheduler_that_does_not_answer(monkeypatch, address):
    monkeypatch.setattr("noisylabels.parallel.CONNECT_SECONDS", 0.2)
    with pytest.raises(NoisyLabelsError, match="No dask scheduler answers at") as caught:
        list(map_cases(name_and_process, "ab", executor="dask", scheduler=address))
    assert type(caught.value) is NoisyLabelsError


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "no address"])
def test_nothing_of_a_failed_client_is_left_to_the_garbage_collector(on, monkeypatch, address):
    """It would close it in any thread: in the next client's, that one waits for itself, and fails after 10 s."""
    gc.disable()
    try:
        with monkeypatch.context() as quick:
            quick.setattr("noisylabels.parallel.CONNECT_SECONDS", 0.2)
            with pytest.raises(NoisyLabelsError):
                list(map_cases(name_and_process, "ab", executor="dask", scheduler=address))
        factory = distributed.utils.get_loop_factory
        collected = []
        monkeypatch.setattr(
            distributed.utils, "get_loop_factory", lambda: (collected.append(gc.collect()), factory())[1]
        )
        assert len(list(map_cases(name_and_process, "ab", **on))) == 2
        assert collected
    finally:
        gc.enable()


CLUSTER = """
import time
from distributed import LocalCluster
if __name__ == "__main__":
    words = {"processes": False, "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, threads_per_worker=1, **words) as started:
        print(started.scheduler_address, flush=True)
        time.sleep(60)
"""


def test_a_scheduler_that_is_lost(tmp_path):
    (tmp_path / "lost.py").write_text(CLUSTER)
    words = [sys.executable, str(tmp_path / "lost.py")]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(words, env=environment(), **quiet) as started:
        address = started.stdout.readline().strip()
        results = map_cases(wait_a_little, MANY, executor="dask", scheduler=address)
        next(results)
        started.kill()
        with pytest.raises(NoisyLabelsError, match="went away; what is finished is kept") as caught:
            list(results)
        assert type(caught.value) is NoisyLabelsError


INTERRUPTED = """
import sys
from processes import wait_a_little
from noisylabels.parallel import map_cases
if __name__ == "__main__":
    try:
        list(map_cases(wait_a_little, [str(i) for i in range(600)], executor="dask", scheduler=sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_ctrl_c_leaves_nothing_on_the_cluster(tmp_path, cluster):
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    words = [sys.executable, str(tmp_path / "interrupted.py"), cluster.scheduler_address]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=environment()) as parent:
        until(lambda: len(cluster.scheduler.tasks), lambda found: found > 100)
        parent.send_signal(signal.SIGINT)
        _, said = parent.communicate(timeout=20)
    assert parent.returncode == 130, said
    # Where the signal falls into dask's own waiting, dask logs a NameError of its own; none may come through us.
    assert b"parallel.py" not in said
    assert b"interrupted.py" not in said
    until(lambda: len(cluster.scheduler.tasks), lambda left: left == 0)
