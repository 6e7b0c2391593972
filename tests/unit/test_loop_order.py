"""What the loop does around an update: what is seeded, what processes agree on and when, and what a failure undoes."""

import time

import pytest
import torch
from toy_training import ToySet, same, toy_batch, toy_task

from noisylabels.errors import NoisyLabelsError
from noisylabels_plugins.base import Base
from noisylabels_plugins.distributed import Group
from noisylabels_plugins.feed import parts
from noisylabels_plugins.loop import Place, Plan, train
from noisylabels_plugins.methods import baseline
from noisylabels_plugins.precision import BF16, FP32, Precision

CPU = torch.device("cpu")


class Drawer(Base):
    """Draws from torch in every update."""

    def __init__(self):
        self.net = torch.nn.Linear(1, 1)
        self.drawn = []

    def step(self, batch, at):
        self.drawn.append(torch.rand(()).item())
        return {"loss": 1.0}


class Others(Group):
    """One of several processes whose others are not there; it keeps what was asked of it."""

    def __init__(self, rank, size, stop=False):
        super().__init__(rank, size)
        self.events, self.stop = [], stop

    def added(self, numbers):
        return list(numbers)

    def any(self, flag):
        return flag or self.stop

    def share(self, modules):
        self.events.append("share")


class Several(ToySet):
    """A set whose batches are cut: every process has the whole batch."""

    min_batch = 3

    def items(self, epoch, index, batch_size):
        return [type("Item", (), {"case_id": name}) for name in self.batches[index].case_ids]

    def make(self, items, epoch):
        return self.batches[0]


def drawn(seed=0, start=0, rank=0, size=1):
    data = Several(toy_batch(), toy_batch())
    place = Place(Precision(FP32, CPU), Others(rank, size) if size > 1 else Group())
    plan = Plan(epochs=3, batch_size=3, seed=seed)
    method = Drawer()
    assert len(list(train(method, data, plan, place, start=start))) == 6 - start
    return method.drawn


def test_what_is_drawn_in_an_update_is_its_own():
    """By seed, step and process, whatever was drawn before; a run that starts later draws the same there."""
    first = drawn()
    assert len(set(first)) == 6
    torch.rand(7)
    assert drawn() == first
    assert drawn(start=3) == first[3:]
    assert not set(drawn(seed=1)) & set(first)


def test_processes_draw_apart():
    one, other = (drawn(rank=rank, size=2) for rank in (0, 1))
    assert len(set(one + other)) == 12


def test_processes_agree_on_the_weights_before_and_after_the_end_of_an_epoch():
    """Buffers of batch normalisation differ between processes, and so may what a method finds in its own part."""
    group = Others(0, 2)

    class Watched(Drawer):
        def step(self, batch, at):
            group.events.append("step")
            return super().step(batch, at)

        def end_epoch(self, train, at):
            group.events.append("end")
            return {}

    data = Several(toy_batch(), toy_batch())
    list(train(Watched(), data, Plan(epochs=2, batch_size=3), Place(Precision(FP32, CPU), group)))
    assert group.events == ["step", "step", "share", "end", "share"] * 2


def test_a_process_stops_when_another_one_has_to():
    place = Place(Precision(FP32, CPU), Others(0, 2, stop=True))
    assert not list(train(Drawer(), Several(toy_batch()), Plan(epochs=2, batch_size=3), place))


@pytest.mark.parametrize("error", [ValueError("whatever"), torch.OutOfMemoryError("no memory")])
def test_any_failure_in_an_update_leaves_the_state_before_it(error):
    batch = toy_batch()

    class Failing(baseline.Method):
        def step(self, batch, at):
            log = super().step(batch, at) if at.step == 0 else {"loss": self.net(batch.image).logits.mean()}
            if at.step == 1:
                self.seen = 1
                raise error
            return log

    method = Failing(baseline.Params(), toy_task(batch))
    method.seen = 0
    updates = train(method, ToySet(batch), Plan(epochs=2, batch_size=3), CPU)
    next(updates)
    before = {name: value.clone() for name, value in method.net.state_dict().items()}
    with pytest.raises(type(error)):
        next(updates)
    assert same(dict(method.net.state_dict()), before)
    assert method.seen == 0


def test_only_the_update_is_in_mixed_precision():
    kinds = []

    class Watched(Drawer):
        def step(self, batch, at):
            kinds.append(torch.is_autocast_enabled("cpu"))
            return super().step(batch, at)

        def end_epoch(self, train, at):
            kinds.append(torch.is_autocast_enabled("cpu"))
            return {}

    for name in (BF16, FP32):
        list(train(Watched(), ToySet(toy_batch()), Plan(epochs=1, batch_size=3), Place(Precision(name, CPU))))
    assert kinds == [True, False, False, False]


def test_a_broken_batch_names_all_its_cases():
    """Also those of other parts and processes: the finding may come from any of them."""

    class Broken(Drawer):
        def step(self, batch, at):
            return {"loss": float("nan")}

    class Cut(Several):
        def make(self, items, epoch):
            whole = self.batches[0]
            return type(whole)(image=whole.image[:1], labels=whole.labels[:1], case_ids=(items[0].case_id,))

        min_batch = 1

    plan = Plan(epochs=1, batch_size=3, accumulate=3)
    with pytest.raises(NoisyLabelsError, match="cases case_0, case_1, case_2") as error:
        list(train(Broken(), Cut(toy_batch()), plan, CPU))
    assert error.value.note["cases"] == ["case_0", "case_1", "case_2"]
    assert (error.value.note["epoch"], error.value.note["step"]) == (0, 0)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_time_a_training_waits_for_data_is_in_its_records(workers):
    class Slow(ToySet):
        def batch(self, epoch, index, batch_size):
            time.sleep(0.2)
            return super().batch(epoch, index, batch_size)

    (record,) = train(Drawer(), Slow(toy_batch()), Plan(epochs=1, batch_size=3, workers=workers), CPU)
    assert 0.02 < record["waited"] <= record["seconds"]


@pytest.mark.parametrize(("pieces", "size"), [(4, 1), (2, 2), (1, 4)])
def test_no_part_is_smaller_than_the_network_can_take(pieces, size):
    class Pairs(Several):
        min_batch = 2

        def make(self, items, epoch):
            return [item.case_id for item in items]

    data = Pairs(toy_batch(batch=5))
    for rank in range(size):
        found = parts(data, 0, 0, 5, pieces, Group(rank, size)).own
        assert found
        assert all(len(made) >= 2 for made, _ in found)
