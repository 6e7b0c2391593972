"""The RAUNet row: cross-entropy without its Dice part; present classes, or all as the authors sum them."""

import pytest
import torch
from toy_training import ToySet, same, toy_batch, toy_task, two_headed

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Progress
from noisylabels_plugins.catalogue import NETS
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.losses import cel_dice
from noisylabels_plugins.methods import baseline, raunet

CPU = torch.device("cpu")
AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)
OWN = {"lr": 1e-3, "weight_decay": 0.0}


def make(module, batch, two_heads=False, **values):
    torch.manual_seed(0)
    task = toy_task(batch)
    return module.Method(module.Params(**values), two_headed(task) if two_heads else task)


@pytest.mark.parametrize("two_heads", [False, True])
@pytest.mark.parametrize("compat", ["none", "author"])
def test_without_its_dice_part_it_is_the_baseline(compat, two_heads):
    batches = toy_batch(1), toy_batch(2)
    plan = Plan(epochs=2, batch_size=3)
    methods = [
        make(baseline, batches[0], two_heads, **OWN),
        make(raunet, batches[0], two_heads, dice_weight=0.0, compat=compat),
    ]
    logs = [[r["loss"] for r in train(m, ToySet(*batches), plan, CPU)] for m in methods]
    assert logs[1] == pytest.approx(logs[0], rel=1e-6)
    for one, other in zip(*(m.net.parameters() for m in methods), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_it_is_the_baseline_with_its_loss():
    batches = toy_batch(1), toy_batch(2)
    torch.manual_seed(0)
    plain = baseline.Method(baseline.Params(**OWN), toy_task(batches[0], loss=cel_dice))
    methods = plain, make(raunet, batches[0])
    plan = Plan(epochs=2, batch_size=3)
    logs = [[r["loss"] for r in train(m, ToySet(*batches), plan, CPU)] for m in methods]
    assert logs[0] == logs[1]
    assert same(methods[0].net.state_dict(), methods[1].net.state_dict())


def test_an_absent_class_blows_up_the_authors_loss_and_not_ours():
    whole, lacking = toy_batch(), toy_batch(missing=(2,))
    losses = {
        (compat, batch is whole): make(raunet, batch, compat=compat).step(batch, AT)["loss"]
        for compat in ("none", "author")
        for batch in (whole, lacking)
    }
    assert losses["none", False] == pytest.approx(losses["none", True], rel=0.3)
    assert losses["author", False] > losses["author", True] + 5


def test_it_has_a_network_and_a_loss_of_its_own():
    assert raunet.Method.DEFAULT_NET == "raunet"
    assert raunet.Method.OWN_LOSS


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_values_that_mean_nothing_are_refused(weight):
    with pytest.raises(UsageError, match=r"dice-weight must be 0 \.\. 1"):
        raunet.Params(dice_weight=weight)


def test_it_trains_the_network_of_its_own():
    batch = toy_batch(size=(32, 40), batch=2)
    torch.manual_seed(0)
    task = toy_task(batch, net=NETS.load(raunet.Method.DEFAULT_NET))
    method = raunet.Method(raunet.Params(), task)
    losses = [r["loss"] for r in train(method, ToySet(batch), Plan(epochs=4, batch_size=2), CPU)]
    assert losses[-1] < losses[0]
    method.train(False)
    assert method.predict(batch.image).shape == (2, 4, 32, 40)
