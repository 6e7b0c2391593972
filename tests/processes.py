"""What tests of other processes share: functions of one case to apply there, and looking at processes."""

import os
import signal
import sys
import time
from pathlib import Path

from noisylabels.errors import InvalidData


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


def wait_a_little(case_id):
    time.sleep(0.05)
    return case_id


def killed(case_id):
    os.kill(os.getpid(), signal.SIGKILL)


def environment():
    """Of a child that is to find what this process finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def until(look, enough, seconds=20):
    """What ``look`` gives as soon as it is enough."""
    end = time.monotonic() + seconds
    while not enough(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def alive(pid):
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
