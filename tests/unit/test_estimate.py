"""What a dry run says about time and memory."""

from types import SimpleNamespace

import pytest
from small import small_dataset

from noisylabels.catalogue import MODES
from noisylabels.generate import plan
from noisylabels.recipe import Recipe, Selection, Step
from noisylabels_cli import estimate
from noisylabels_cli.estimate import Measured
from noisylabels_cli.workers import Workers

SIZE = {f"c{k}": 100 * (k + 1) for k in range(9)}


@pytest.mark.parametrize(("count", "want"), [(1, ["c8"]), (3, ["c8", "c4", "c0"]), (99, sorted(SIZE)[::-1])])
def test_the_largest_case_is_always_tried(count, want):
    assert estimate._sample(list(SIZE), SIZE, count) == want
    assert estimate._sample([], SIZE, count) == []


def test_seconds_go_with_pixels():
    found = Measured({"c8": 9.0, "c0": 1.0}, 0, 0)
    assert estimate._extrapolated(found, SIZE, list(SIZE)) == pytest.approx(4500 * 10 / 1000)
    assert estimate._extrapolated(found, SIZE, []) == 0


def test_no_number_of_processes_makes_it_shorter_than_its_longest_case():
    many = Workers("processes", 8, None)
    assert estimate._shared(80, 4, SimpleNamespace(entries={}), many) == ", 10 s with 8 processes"
    assert estimate._shared(80, 60, SimpleNamespace(entries={}), many) == ", 60 s with 8 processes"
    assert (
        estimate._shared(80, 60, SimpleNamespace(entries={}), Workers("serial", None, None))
        == ", in one process"
    )
    assert "at tcp://x:1" in estimate._shared(80, 4, None, Workers("dask", None, "tcp://x:1"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0312, "0.03 s"), (1.4, "1 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_durations_in_few_digits(seconds, text):
    assert estimate._duration(seconds) == text


def test_memory_is_that_of_the_process_which_tried(tmp_path):
    clean = small_dataset(tmp_path / "d")
    module = MODES.load("symmetric")
    what = plan(clean, Recipe(0, (Step.of("symmetric", module, module.Params()),), Selection(count=4)))
    found = estimate._measured(clean, what, ["case_000", "case_001"])
    assert set(found.seconds) == {"case_000", "case_001"}
    assert 10 << 20 < found.start <= found.peak < 4 << 30
    assert [p.name for p in tmp_path.iterdir()] == ["d"]
