import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from noisylabels.errors import InvalidData, NoisyLabelsError
from noisylabels.parallel import map_cases, usable_cores


def name_and_process(case_id):
    return case_id, os.getpid()


def fail_on_b(case_id):
    if case_id == "b":
        raise ValueError("no luck")
    return case_id


def invalid_b(case_id):
    if case_id == "b":
        raise InvalidData("It is damaged.")
    return case_id


def named_b(case_id):
    raise InvalidData(f"The file {case_id}.png is damaged.")


def killed(case_id):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_case_gives_its_result(jobs):
    found = list(map_cases(name_and_process, iter("abcde"), jobs))
    assert sorted(case_id for case_id, _ in found) == list("abcde")
    assert all((pid == os.getpid()) == (jobs == 1) for _, pid in found)
    assert list(map_cases(name_and_process, [], jobs)) == []


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("fn", "kind", "message"),
    [
        (fail_on_b, NoisyLabelsError, "Case b: ValueError: no luck."),
        (invalid_b, InvalidData, "Case b: It is damaged."),
    ],
)
def test_an_error_names_its_case_and_keeps_its_class(jobs, fn, kind, message):
    with pytest.raises(kind) as caught:
        list(map_cases(fn, "abc", jobs))
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
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "slow.py"), str(tmp_path)],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    workers = _until(lambda: [int(p.stem) for p in tmp_path.glob("*.pid")], lambda found: len(found) == 2)
    parent.send_signal(how)
    _, said = parent.communicate(timeout=20)
    assert parent.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert b"Traceback" not in said
    _until(lambda: [pid for pid in workers if _alive(pid)], lambda alive: not alive)


def _until(look, enough, seconds=20):
    end = time.monotonic() + seconds
    while not enough(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def _alive(pid):
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_there_is_a_core():
    assert usable_cores() >= 1
