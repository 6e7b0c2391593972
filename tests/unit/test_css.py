"""The CSS row: Lovasz-softmax on two heads, cases of rare classes more often."""

import pytest
import torch
from toy_training import ToySet, toy_batch, toy_task, two_headed

from noisylabels_plugins.api import Progress
from noisylabels_plugins.catalogue import NETS
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.losses import lovasz
from noisylabels_plugins.methods import css
from noisylabels_plugins.samplers import SAMPLERS

CPU = torch.device("cpu")
AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)


def test_its_loss_is_that_of_the_main_head_and_four_tenths_of_the_other():
    batch = toy_batch()
    torch.manual_seed(0)
    method = css.Method(css.Params(), two_headed(toy_task(batch)))
    output = method.net(batch.image)
    loss = lovasz.Loss(lovasz.Params(), 4)
    main, aux = (loss(one.logits.log_softmax(1), batch.labels).item() for one in (output, *output.aux))
    assert main != aux
    assert method.step(batch, AT)["loss"] == pytest.approx(main + 0.4 * aux)


def test_it_has_network_loss_and_sampler_of_its_own():
    assert css.Method.DEFAULT_NET == "ocrnet"
    assert css.Method.OWN_LOSS
    assert css.Method.SAMPLER in SAMPLERS
    assert css.Method.SAMPLER == "repeat-factor"


def test_it_trains_the_network_of_its_own():
    batch = toy_batch(size=(32, 40), batch=2)
    torch.manual_seed(0)
    task = toy_task(batch, net=NETS.load(css.Method.DEFAULT_NET), layers=18, width=16, key=8)
    method = css.Method(css.Params(), task)
    losses = [r["loss"] for r in train(method, ToySet(batch), Plan(epochs=4, batch_size=2), CPU)]
    assert losses[-1] < losses[0]
    method.train(False)
    assert method.predict(batch.image).shape == (2, 4, 32, 40)
