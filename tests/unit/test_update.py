"""One update: which weights move and how far, with clipping, fp16, groups of parameters and several optimisers."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from toy_training import ToySet, toy_batch, toy_task

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Batch, Progress
from noisylabels_plugins.base import Base, Params
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.methods import baseline
from noisylabels_plugins.update import NotFinite, Updates

CPU = torch.device("cpu")
AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)


def one_part(updates):
    updates.start()
    updates.part(1.0, True, True)
    return updates


def scaler(kind):
    return torch.amp.GradScaler("cpu", init_scale=2.0**12) if kind == "fp16" else None


@pytest.mark.parametrize("kind", ["fp32", "fp16"])
@pytest.mark.parametrize(("limit", "moved"), [(None, (3, 4)), (2.5, (1.5, 2)), (100.0, (3, 4))])
def test_weights_move_by_the_clipped_gradient(kind, limit, moved):
    """The length is that over the weights of all optimisers, and of the loss, not of what fp16 makes of it."""
    one, other = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    updates = one_part(Updates(scaler(kind), limit))
    updates((3 * one + 4 * other).sum(), torch.optim.SGD([one], 1.0), torch.optim.SGD([other], 1.0))
    assert (-one.item(), -other.item()) == pytest.approx(moved)
    assert updates.grad_norm == pytest.approx(5)


@pytest.mark.parametrize("kind", ["fp32", "fp16"])
def test_every_optimiser_forgets_the_gradient_before(kind):
    pair = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizers = [torch.optim.SGD([weight], 1.0) for weight in pair]
    updates = Updates(scaler(kind))
    for factor in (1.0, 10.0):
        one_part(updates)((factor * (pair[0] + 2 * pair[1])).sum(), *optimizers)
    assert [-weight.item() for weight in pair] == pytest.approx([11, 22])


def test_an_update_leaves_the_gradients_of_other_weights_alone():
    """A method with two updates in a step, as a network and its noise model, has two losses on the same graph."""
    mine, theirs = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    loss = (mine * theirs).sum()
    updates = one_part(Updates())
    updates(loss, torch.optim.SGD([mine], 0.5))
    assert theirs.grad is None
    assert (mine.item(), theirs.item()) == (0.5, 1)


class Groups(Base):
    """Two weights in groups of their own rate, one that is not scheduled, and a second optimiser."""

    def __init__(self):
        self.net = nn.ParameterList([nn.Parameter(torch.zeros(())) for _ in range(4)])
        slow, fast, fixed, other = self.net
        self.optimizer = torch.optim.SGD(
            [{"params": [slow], "lr": 0.1}, {"params": [fast]}, {"params": [fixed], "scheduled": False}], 0.5
        )
        self.second = torch.optim.SGD([other], 0.25)

    def step(self, batch, at):
        before = [weight.item() for weight in self.net]
        self.update(sum(self.net), at, self.optimizer, self.second)
        moved = [a - weight.item() for a, weight in zip(before, self.net, strict=True)]
        return {"loss": 0.0, "moved": moved, "factor": at.lr_factor}


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_schedule_multiplies_the_first_rate_of_every_group_of_every_optimiser(schedule):
    plan = Plan(epochs=4, batch_size=3, schedule=schedule)
    for record in train(Groups(), ToySet(toy_batch()), plan, CPU):
        factor = plan.lr_factor((record["step"] - 1) / 4)
        assert record["factor"] == factor
        assert record["moved"] == pytest.approx([0.1 * factor, 0.5 * factor, 0.5, 0.25 * factor], abs=1e-6)
        assert record["lr"] == pytest.approx(0.1 * factor), "the log has the rate that was used"


def test_what_a_method_asks_of_its_optimiser_is_what_it_gets():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].weight.requires_grad_(False)
    net.groups = lambda: [
        {"params": net[0].parameters(), "factor": 0.1},
        {"params": net[1].parameters(), "factor": 1.0},
    ]
    asked = Params(lr=0.5, weight_decay=0.03, optimizer="sgd", momentum=0.7)
    extra = nn.Linear(1, 1)
    for params, kind in ((asked, torch.optim.SGD), (replace(asked, optimizer="adamw"), torch.optim.AdamW)):
        made = Base.new_optimizer(params, net, extra)
        assert type(made) is kind
        assert [group["lr"] for group in made.param_groups] == [0.05, 0.5, 0.5]
        assert [len(group["params"]) for group in made.param_groups] == [1, 2, 2], "frozen ones are left out"
        assert {group["weight_decay"] for group in made.param_groups} == {0.03}
        assert all(group.get("momentum", 0.7) == 0.7 for group in made.param_groups)


def test_the_state_holds_tensors_lists_and_numbers_and_takes_them_back():
    class Holder(Base):
        def __init__(self):
            self.net = nn.Linear(1, 1)
            self.found, self.seen, self.count, self.by_case = torch.zeros(2), [], 0, {}

    one, other = Holder(), Holder()
    one.found, one.seen, one.count, one.by_case = torch.ones(2), [3], 4, {"a": torch.ones(1)}
    assert set(one.own_values()) == {"found", "seen", "count", "by_case"}
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.found, one.found)
    assert (other.seen, other.count, other.by_case) == ([3], 4, one.by_case)
    assert torch.equal(other.net.weight, one.net.weight)


def test_a_gradient_that_is_not_finite_in_fp32_stops_before_the_step():
    weight = nn.Parameter(torch.zeros(1))
    updates = one_part(Updates())
    with pytest.raises(NotFinite, match="length of the gradient is"):
        updates(weight.sqrt().sum(), torch.optim.SGD([weight], 1.0))  # its slope at 0 is infinite
    assert weight.item() == 0
    assert updates.settled, "nothing has changed yet"


def test_a_part_whose_loss_is_not_finite_spoils_the_batch_and_not_the_next_one():
    weight = nn.Parameter(torch.zeros(1))
    optimizer, updates = torch.optim.SGD([weight], 1.0), Updates()
    updates.start()
    updates.part(0.5, True, False)
    updates(weight.sum() + float("inf"), optimizer)
    updates.part(0.5, False, True)
    with pytest.raises(NotFinite, match="loss is inf"):
        updates(weight.sum(), optimizer)
    assert weight.item() == 0
    one_part(updates)(weight.sum(), optimizer)
    assert weight.item() == -1


def test_two_updates_that_share_one_of_their_optimisers_cannot_be_cut():
    one, other = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizers = torch.optim.SGD([one], 1.0), torch.optim.SGD([other], 1.0)
    updates = Updates()
    updates.start()
    updates.part(0.5, True, False)
    updates(one.sum(), optimizers[0])
    with pytest.raises(UsageError, match="leave out --accumulate"):
        updates((one + other).sum(), *optimizers)


def test_parts_of_unequal_size_count_by_their_cases():
    """The gradient of a batch of 5 in parts of 3 and 2 is that of the whole batch."""

    class Mean(Base):
        def __init__(self):
            self.net = nn.ParameterList([nn.Parameter(torch.zeros(()))])
            self.optimizer = torch.optim.SGD(self.net.parameters(), 1.0)
            self.sizes = []

        def step(self, batch, at):
            self.sizes.append(len(batch.image))
            value = batch.image.mean()
            self.update(self.net[0] * value, at, self.optimizer)
            return {"loss": value.item()}

    class Cases(ToySet):
        min_batch = 1

        def items(self, epoch, index, batch_size):
            return [
                type("Item", (), {"case_id": name, "place": i})
                for i, name in enumerate(self.batches[0].case_ids)
            ]

        def make(self, items, epoch):
            places = [item.place for item in items]
            whole = self.batches[0]
            names = tuple(item.case_id for item in items)
            return Batch(image=whole.image[places], labels=whole.labels[places], case_ids=names)

    found = []
    for accumulate, sizes in ((1, [5]), (2, [3, 2]), (5, [1] * 5)):
        method = Mean()
        plan = Plan(epochs=1, batch_size=5, accumulate=accumulate)
        (record,) = train(method, Cases(toy_batch(batch=5)), plan, CPU)
        assert method.sizes == sizes
        found.append((record["loss"], method.net[0].item()))
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert found[0] == pytest.approx(found[2], rel=1e-5)
    assert found[0][1] == pytest.approx(-found[0][0], rel=1e-5)


def test_a_prediction_is_a_share_of_every_class_at_every_pixel():
    batch = toy_batch()
    method = baseline.Method(baseline.Params(), toy_task(batch))
    method.train(False)
    assert not any(module.training for module in method.net.modules())
    with torch.no_grad():
        found = method.predict(batch.image)
        alone = method.predict(batch.image[:1])
    assert found.shape == (3, 4, 24, 20)
    torch.testing.assert_close(found.sum(1), torch.ones(3, 24, 20))
    torch.testing.assert_close(found[:1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ({"lr": 0.0}, "lr must be above 0"),
        ({"lr": float("inf")}, "lr must be above 0"),
        ({"weight_decay": -0.1}, "weight-decay must be 0 or more"),
        ({"aux_weight": -0.1}, "aux-weight must be 0 or more"),
        ({"momentum": 1.0}, "momentum must be 0 or more and below 1"),
        ({"momentum": -0.1}, "momentum must be 0 or more and below 1"),
    ],
)
def test_rates_that_mean_nothing_are_refused(values, finding):
    with pytest.raises(UsageError, match=finding):
        Params(**values)
    Params(weight_decay=0.0, aux_weight=0.0, momentum=0.0)
