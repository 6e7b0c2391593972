import multiprocessing
import signal
import subprocess
import sys

import pytest
from processes import alive, environment, fail_on_b, invalid_b, killed, name_and_process, until

from noisylabels.errors import InvalidData, NoisyLabelsError, UsageError
from noisylabels.parallel import map_cases, usable_cores

WAYS = {
    "serial": {"executor": "serial", "jobs": 2},
    "one job": {"jobs": 1},
    "processes": {"jobs": 2},
}


def named_b(case_id):
    raise InvalidData(f"The file {case_id}.png is damaged.")


@pytest.mark.parametrize("way", WAYS)
def test_every_case_gives_its_result(way):
    words = WAYS[way]
    found = list(map_cases(name_and_process, iter("abcde"), **words))
    assert sorted(case_id for case_id, _ in found) == list("abcde")
    _, mine = name_and_process("")
    assert all((process == mine) == (way != "processes") for _, process in found)
    assert list(map_cases(name_and_process, [], **words)) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fn", "kind", "message"),
    [
        (fail_on_b, NoisyLabelsError, "Case b: ValueError: no luck."),
        (invalid_b, InvalidData, "Case b: It is damaged."),
    ],
)
def test_an_error_names_its_case_and_keeps_its_class(way, fn, kind, message):
    with pytest.raises(kind) as caught:
        list(map_cases(fn, "abc", **WAYS[way]))
    assert str(caught.value) == message
    assert type(caught.value) is kind
    assert not multiprocessing.active_children()


def test_a_case_is_not_named_twice():
    with pytest.raises(InvalidData, match=r"^The file aa\.png is damaged\.$"):
        list(map_cases(named_b, ["aa"]))


def test_a_worker_that_is_killed_is_said():
    with pytest.raises(NoisyLabelsError, match="worker process was killed"):
        list(map_cases(killed, "ab", 2))


def test_a_loop_that_is_left_ends_the_workers():
    results = map_cases(name_and_process, "abcdefgh", 2)
    next(results)
    results.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        ({"executor": "proceses"}, "did you mean 'processes'"),
        ({"executor": "dask"}, "needs the address of a scheduler"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "belongs to the executor dask"),
    ],
)
def test_executors_that_cannot_work(words, finding):
    with pytest.raises(UsageError, match=finding):
        list(map_cases(name_and_process, "ab", **words))


SLOW = """
import sys, time
sys.path.insert(0, sys.argv[1])
from noisylabels.parallel import map_cases
from sleepers import sleep
if __name__ == "__main__":
    try:
        list(map_cases(sleep, "abcd", 2))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_parent(tmp_path, how):
    (tmp_path / "sleepers.py").write_text(
        "import os, pathlib, time\n"
        "def sleep(case_id):\n"
        f"    (pathlib.Path({str(tmp_path)!r}) / f'{{os.getpid()}}.pid').touch()\n"
        "    time.sleep(60)\n"
    )
    (tmp_path / "slow.py").write_text(SLOW)
    words = [sys.executable, str(tmp_path / "slow.py"), str(tmp_path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=environment()) as parent:
        workers = until(lambda: [int(p.stem) for p in tmp_path.glob("*.pid")], lambda found: len(found) == 2)
        parent.send_signal(how)
        _, said = parent.communicate(timeout=20)
    assert parent.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert b"Traceback" not in said
    until(lambda: [pid for pid in workers if alive(pid)], lambda left: not left)


def test_there_is_a_core():
    assert usable_cores() >= 1
