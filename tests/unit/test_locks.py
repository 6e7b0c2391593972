import json
import os
import subprocess
import sys
import threading

import pytest
from processes import until

from noisylabels.store import locks
from noisylabels.store.locks import Lock, holder, is_alive, is_stale


@pytest.fixture
def path(tmp_path):
    return tmp_path / "work" / "lock"


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def left_behind(path, age=0.0, **note):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"token": "old", "host": "elsewhere", "pid": 1, **note}))
    os.utime(path, (path.stat().st_mtime - age,) * 2)


def test_one_has_it_until_it_is_given_back(path):
    first, second = Lock(path), Lock(path)
    assert first.take()
    assert not second.take()
    second.release()  # not its own
    assert holder(path)["token"] == first.note["token"]
    first.release()
    assert not path.exists()
    assert second.take()
    second.release()


def test_of_many_at_once_one_has_it(path):
    left_behind(path, age=1000)
    took, go = [], threading.Barrier(8)

    def attempt():
        lock = Lock(path)
        go.wait()
        if lock.take():
            took.append(lock)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 1
    assert holder(path) == took[0].note
    took[0].release()
    assert list(path.parent.iterdir()) == []


def test_it_says_who_has_it(path):
    lock = Lock(path, {"parent": 7})
    assert lock.take()
    assert {key: holder(path)[key] for key in ("pid", "parent", "host")} == {
        "pid": os.getpid(),
        "parent": 7,
        "host": locks.this_host(),
    }
    lock.release()


@pytest.mark.parametrize(
    ("age", "note", "taken"),
    [
        (0, {}, False),
        (60, {}, False),
        (200, {}, True),
        (0, {"host": "here", "pid": "dead"}, True),
        (0, {"host": "here", "pid": "me"}, False),
        (200, {"host": "here", "pid": "me"}, True),
    ],
)
def test_it_is_taken_over_when_its_holder_is_gone(path, age, note, taken):
    words = {"here": locks.this_host(), "me": os.getpid(), "dead": dead_pid()}
    left_behind(path, age, **{key: words[value] for key, value in note.items()})
    lock = Lock(path)
    assert lock.take() is taken
    assert (holder(path)["token"] == lock.note["token"]) is taken
    lock.release()


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_damaged_lock_is_believed_until_it_is_old(path, text):
    path.parent.mkdir()
    path.write_text(text)
    assert not Lock(path).take()
    os.utime(path, (0, 0))
    lock = Lock(path)
    assert lock.take()
    lock.release()


def test_who_died_while_taking_over_does_not_bar_the_way_for_ever(path):
    left_behind(path, age=1000)
    reserved = path.with_name("lock.old")
    reserved.write_text("{}")
    assert not Lock(path).take()
    os.utime(reserved, (0, 0))
    assert not Lock(path).take()  # this one clears the way
    lock = Lock(path)
    assert lock.take()
    lock.release()


def test_a_holder_keeps_its_lock_young(path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.02)
    lock = Lock(path)
    assert lock.take()
    os.utime(path, (0, 0))
    until(lambda: path.stat().st_mtime, lambda age: age > 0)
    assert not is_stale(path, holder(path))
    lock.release()


def test_processes_are_known_to_live_or_not():
    assert is_alive(os.getpid())
    assert not is_alive(dead_pid())
    assert not is_alive(0)
    waiting = subprocess.Popen([sys.executable, "-c", ""])
    until(lambda: is_alive(waiting.pid), lambda found: not found)  # ended, and not collected yet
    waiting.wait()
