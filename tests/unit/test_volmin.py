"""VolMin: the identity makes it the baseline; with a confident network it finds the noise that is there."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from toy_training import ToySet, same, toy_batch, toy_task, two_headed

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Output
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.methods import baseline, volmin
from noisylabels_plugins.parts.transition import log_volume

CPU = torch.device("cpu")


def make(module, batch, change=lambda task: task, **values):
    torch.manual_seed(0)
    return module.Method(module.Params(**values), change(toy_task(batch)))


@pytest.mark.parametrize("change", [lambda task: task, two_headed], ids=["one head", "two heads"])
def test_with_the_identity_and_no_volume_it_is_the_baseline(change):
    batches = toy_batch(1), toy_batch(2)
    plan = Plan(epochs=3, batch_size=3)
    frozen = {"initial": -60.0, "transition_lr": 1e-30, "volume_weight": 0.0}
    methods = make(baseline, batches[0], change), make(volmin, batches[0], change, **frozen)
    logs = [[r["loss"] for r in train(m, ToySet(*batches), plan, CPU)] for m in methods]
    assert methods[1].transition().allclose(torch.eye(4), atol=1e-20)
    assert logs[1] == pytest.approx(logs[0], rel=1e-5)
    for one, other in zip(methods[0].net.parameters(), methods[1].net.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


class Knows(nn.Module):
    """Has learned the true class, which is in the image's first channel, and cannot forget it."""

    tap_channels = (1,)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, image):
        sure = 20.0 * nn.functional.one_hot(image[:, 0].long(), 3).movedim(-1, 1)
        return Output(logits=sure + 0 * self.weight, tap=image[:, :1])


def test_with_a_confident_network_it_finds_the_noise():
    truth = torch.tensor([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.3, 0.7]])
    generator = torch.Generator().manual_seed(0)
    batch = toy_batch(size=(64, 64), classes=3)
    true = torch.randint(0, 3, batch.labels.shape, generator=generator)
    batch.image[:, 0] = true
    batch.labels[...] = torch.multinomial(truth[true.flatten()], 1, generator=generator).view_as(true)

    def knowing(task):
        object.__setattr__(task, "build_net", Knows)
        object.__setattr__(task, "classes", task.classes[:3])
        return task

    method = make(volmin, batch, knowing, transition_lr=0.1)
    records = list(train(method, ToySet(batch), Plan(epochs=150, batch_size=3), CPU))
    learned = torch.tensor(records[-1]["epoch_done"]["t_class"])
    assert (learned - truth).abs().max() < 0.03
    assert (torch.tensor(records[0]["epoch_done"]["t_class"]) - truth).abs().max() > 0.1
    assert method.predict(batch.image).argmax(1).equal(true)


def test_the_volume_is_added_at_its_weight():
    batch = toy_batch()
    plan = Plan(epochs=1, batch_size=3)
    methods = [make(volmin, batch, volume_weight=weight) for weight in (0.0, 0.1)]
    plain, whole = (next(train(method, ToySet(batch), plan, CPU)) for method in methods)
    assert whole["log_volume"] < 0
    assert whole["loss"] == pytest.approx(plain["loss"] + 0.1 * whole["log_volume"])


def test_the_gradient_of_the_volume_against_finite_differences():
    matrix = torch.eye(3, dtype=torch.float64) * 0.7 + 0.1
    assert gradcheck(log_volume, matrix.requires_grad_())


def test_the_matrix_keeps_its_own_learning_rate():
    batches = toy_batch(1), toy_batch(2)
    method = make(volmin, batches[0], transition_lr=0.02)
    rates = []
    for _ in train(method, ToySet(*batches), Plan(epochs=3, batch_size=3, schedule="poly"), CPU):
        rates.append((method.lr, method.transition_optimizer.param_groups[0]["lr"]))
    assert [rate for _, rate in rates] == [0.02] * 6
    assert rates[0][0] > rates[-1][0]


def test_a_checkpoint_holds_the_matrix():
    batch = toy_batch()
    one, other = make(volmin, batch), make(volmin, batch)
    list(train(one, ToySet(batch), Plan(epochs=2, batch_size=3), CPU))
    assert not same(one.transition.state_dict(), other.transition.state_dict())
    other.load_state_dict(one.state_dict())
    assert same(one.transition.state_dict(), other.transition.state_dict())


@pytest.mark.parametrize("values", [{"transition_lr": 0.0}, {"volume_weight": -1.0}])
def test_values_that_mean_nothing_are_refused(values):
    with pytest.raises(UsageError, match=next(iter(values)).replace("_", "-")):
        volmin.Params(**values)
