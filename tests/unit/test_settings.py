"""Settings of torch for the time of a training, and how the memory of a device is measured."""

import pytest
import torch
from torch import nn
from toy_training import toy_batch, toy_task

from noisylabels_plugins import memory
from noisylabels_plugins.api import Progress
from noisylabels_plugins.distributed import ALONE
from noisylabels_plugins.loop import Place
from noisylabels_plugins.methods import baseline
from noisylabels_plugins.precision import FP32, Precision
from noisylabels_plugins.settings import torch_settings

CPU = torch.device("cpu")
AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)


def state():
    cudnn = torch.backends.cudnn
    return torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, cudnn.benchmark


@pytest.mark.parametrize("before", [(False, False, False), (True, True, False), (False, False, True)])
@pytest.mark.parametrize("asked", [True, False])
def test_settings_are_those_asked_for_and_then_those_before(before, asked):
    cudnn, own = torch.backends.cudnn, state()
    try:
        torch.use_deterministic_algorithms(before[0])
        cudnn.deterministic, cudnn.benchmark = before[1:]
        with torch_settings(asked, CPU):
            assert state() == (asked or before[0], asked, not asked)
        assert state() == before
    finally:
        torch.use_deterministic_algorithms(own[0])
        cudnn.deterministic, cudnn.benchmark = own[1:]


@pytest.mark.parametrize(("cases", "steps"), [(16, [1, 1, 2]), (3, [1, 1, 2]), (2, [1, 1]), (1, [1, 1])])
def test_peaks_are_those_after_the_first_update(monkeypatch, cases, steps):
    """The first one makes the momenta, which stay. Two of two cases have just failed, and are not tried."""
    seen = []
    for name, found in (("reset_peak_memory_stats", None), ("max_memory_allocated", 100), ("memory_allocated", 0),
                        ("mem_get_info", (1000, 1000))):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, lambda device, found=found: found)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    memory.measured(seen.append, cases, torch.device("cuda"))
    assert seen == steps


def gpu():
    """A place that says it is a GPU and computes here."""
    place = Place(Precision(FP32, CPU))
    values = {"device": torch.device("cuda"), "precision": place.precision, "group": ALONE}
    made = type("Gpu", (), values)()
    made.moved = place.moved
    return made


@pytest.mark.parametrize("least", [1, 2])
def test_what_is_measured_is_an_update_with_so_many_cases(monkeypatch, least):
    batch, seen = toy_batch(batch=8), []

    class Watched(baseline.Method):
        def step(self, batch, at):
            seen.append((len(batch.case_ids), len(batch.image), len(batch.labels)))
            return super().step(batch, at)

    def measured(step, cases, device):
        for few in (1, 2):
            step(few)
        return 3

    monkeypatch.setattr(memory, "measured", measured)
    text = memory.sentence(Watched(baseline.Params(), toy_task(batch)), batch, AT, gpu(), 1, least)
    assert seen == [(least,) * 3, (2 * least,) * 3]
    assert (
        f"about {3 * least} would fit: use --batch-size {3 * least}, or --accumulate {-(-8 // (3 * least))}"
        in text
    )


@pytest.mark.parametrize("why", ["shared", "no case fits", "nothing fits"])
def test_where_nothing_can_be_measured_no_number_is_told(monkeypatch, why):
    batch = toy_batch(batch=4)
    method = baseline.Method(baseline.Params(), toy_task(batch))
    if why == "shared":
        method.net = nn.SyncBatchNorm(3)

    def measured(step, cases, device):
        if why == "shared":
            raise AssertionError("the others are not listening")
        if why == "nothing fits":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return 0

    def asked(*words):
        seen.append(words)
        return measured(*words)

    seen = []
    monkeypatch.setattr(memory, "measured", asked)
    text = memory.sentence(method, batch, AT, gpu(), 1)
    assert len(seen) == (why != "shared")
    assert text == (
        "The memory of cuda does not suffice for 4 cases at once; use a smaller network or smaller images, or lower "
        "--batch-size."
    )
