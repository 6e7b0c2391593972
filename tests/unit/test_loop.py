"""The loop: schedules, records, when it stops, and what it says when a loss is not finite."""

import math

import pytest
import torch
from toy_training import ToySet, toy_batch

from noisylabels.errors import NoisyLabelsError
from noisylabels_plugins.api import Progress
from noisylabels_plugins.base import Base
from noisylabels_plugins.loop import Plan, train

CPU = torch.device("cpu")


class Recorder(Base):
    """Learns nothing, but remembers what it was asked."""

    def __init__(self, losses=()):
        self.net = torch.nn.Linear(1, 1)
        self.losses = dict(losses)
        self.seen = []
        self.ends = []

    def step(self, batch, at):
        assert self.net.training
        self.seen.append((at.epoch, at.step, at.steps, batch.case_ids, at.lr_factor))
        self.train(False)  # as a method may; the loop puts it right
        return {"loss": self.losses.get(at.step, 1.0), "extra": 2.0}

    def end_epoch(self, train, at):
        self.ends.append((at.step, [batch.case_ids for batch in train]))
        return {"matrix": [[at.epoch]]}


@pytest.fixture
def data():
    return ToySet(toy_batch(1), toy_batch(2, batch=2))


def test_every_update_gives_a_record(data):
    method = Recorder()
    records = list(train(method, data, Plan(epochs=3, batch_size=3), CPU))
    assert [r["step"] for r in records] == [1, 2, 3, 4, 5, 6]
    assert [r["epoch"] for r in records] == [0, 0, 1, 1, 2, 2]
    assert [r.get("epoch_done") for r in records] == [None, {"matrix": [[0]]}, None, {"matrix": [[1]]},
                                                      None, {"matrix": [[2]]}]  # fmt: skip
    assert all(r["seconds"] >= 0 and r["extra"] == 2 for r in records)
    assert [s[:3] for s in method.seen] == [(i // 2, i, 6) for i in range(6)]
    assert [s[3] for s in method.seen] == [data.batches[i % 2].case_ids for i in range(6)]
    assert method.ends == [(i, [b.case_ids for b in data.batches]) for i in (1, 3, 5)]


@pytest.mark.parametrize("start", [0, 1, 4, 6])
def test_it_goes_on_where_it_is_told_to(data, start):
    method = Recorder()
    records = list(train(method, data, Plan(epochs=3, batch_size=3), CPU, start=start))
    assert [r["step"] for r in records] == list(range(start + 1, 7))
    assert [s[1] for s in method.seen] == list(range(start, 6))


@pytest.mark.parametrize("after", [0, 1, 3, 99])
def test_it_stops_between_two_updates(data, after):
    method = Recorder()
    plan = Plan(epochs=3, batch_size=3)
    records = list(train(method, data, plan, CPU, stop=lambda: len(method.seen) == after))
    assert len(records) == len(method.seen) == min(after, 6)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_names_step_and_cases(data, loss):
    method = Recorder({3: loss})
    records = []
    with pytest.raises(NoisyLabelsError) as caught:
        records.extend(train(method, data, Plan(epochs=3, batch_size=3), CPU))
    message = str(caught.value)
    assert f"loss is {loss} at step 3 (cases case_0, case_1)" in message
    assert "lower the learning rate" in message
    assert message.count("\n") == 0
    assert method.ends == [(1, [b.case_ids for b in data.batches])], "nothing follows the broken update"


def test_schedules():
    def factors(name):
        plan = Plan(epochs=1, batch_size=1, schedule=name)
        return [plan.lr_factor(t) for t in (0, 0.25, 0.5, 1)]

    assert factors("constant") == [1, 1, 1, 1]
    assert factors("cosine") == pytest.approx([1, (1 + math.sqrt(0.5)) / 2, 0.5, 0], abs=1e-12)
    assert factors("poly") == pytest.approx([1, 0.75**0.9, 0.5**0.9, 0])


@pytest.mark.parametrize("schedule", ["cosine", "poly", "constant"])
def test_the_schedule_reaches_the_optimiser_and_spares_who_is_not_scheduled(data, schedule):
    class Descent(Recorder):
        def __init__(self):
            super().__init__()
            groups = [{"params": [self.net.weight]}, {"params": [self.net.bias], "scheduled": False}]
            self.optimizer = torch.optim.SGD(groups, 0.5)

        def step(self, batch, at):
            before = self.net.weight.item(), self.net.bias.item()
            self.update((self.net.weight + self.net.bias).sum(), at, self.optimizer)
            moved = before[0] - self.net.weight.item(), before[1] - self.net.bias.item()
            return {"loss": 0.0, "moved": moved, "factor": at.lr_factor}

    plan = Plan(epochs=2, batch_size=3, schedule=schedule)
    for record in train(Descent(), data, plan, CPU):
        factor = plan.lr_factor((record["step"] - 1) / 4)
        assert record["factor"] == factor
        assert record["moved"] == pytest.approx((0.5 * factor, 0.5), abs=1e-6)


def test_a_stage_has_the_schedule_to_itself():
    plan = Plan(epochs=1, batch_size=1, schedule="poly")
    at = Progress(epoch=3, step=30, steps=100, schedule=plan.lr_factor)
    assert at.fraction == 0.3
    assert at.within(20, 40).fraction == 0.5
    assert at.within(20, 40).lr_factor == plan.lr_factor(0.5)
    assert at.within(30, 100).lr_factor == 1
    assert Progress(epoch=0, step=0, steps=0, schedule=plan.lr_factor).fraction == 0


def test_state_that_cannot_be_kept_is_refused():
    method = Recorder()
    method.odd = object()
    with pytest.raises(TypeError, match="attribute 'odd' cannot be part of a checkpoint"):
        method.state_dict()
