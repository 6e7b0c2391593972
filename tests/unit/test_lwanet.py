"""The LWANet row: cross-entropy without gamma; coarse labels as the authors make them."""

import pytest
import torch
from toy_training import ToySet, toy_batch, toy_task, two_headed

from noisylabels.case import IGNORE
from noisylabels.errors import UsageError
from noisylabels_plugins.api import Progress
from noisylabels_plugins.catalogue import NETS
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.methods import baseline, lwanet

CPU = torch.device("cpu")
AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)


def make(module, batch, two_heads=False, **values):
    torch.manual_seed(0)
    task = toy_task(batch)
    return module.Method(module.Params(**values), two_headed(task) if two_heads else task)


@pytest.mark.parametrize("two_heads", [False, True])
def test_without_gamma_it_is_the_baseline(two_heads):
    batches = toy_batch(1), toy_batch(2)
    methods = [
        make(baseline, batches[0], two_heads, lr=1e-3, weight_decay=0.0),
        make(lwanet, batches[0], two_heads, gamma=0.0),
    ]
    plan = Plan(epochs=2, batch_size=3)
    logs = [[r["loss"] for r in train(m, ToySet(*batches), plan, CPU)] for m in methods]
    assert logs[1] == pytest.approx(logs[0], rel=1e-6)
    for one, other in zip(*(m.net.parameters() for m in methods), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def by_hand(labels):
    found = labels.clone()
    for y in range(labels.shape[-2]):
        for x in range(labels.shape[-1]):
            cell = labels[:, y // 4 * 4 : y // 4 * 4 + 4, x // 4 * 4 : x // 4 * 4 + 4]
            found[:, y, x] = torch.where(cell == IGNORE, 0, cell).amax((1, 2))
    return torch.where(labels == IGNORE, IGNORE, found)


@pytest.mark.parametrize("size", [(8, 12), (9, 7), (3, 2)])
def test_coarse_labels_are_the_largest_of_every_cell(size):
    labels = torch.randint(0, 4, (2, *size), generator=torch.Generator().manual_seed(0))
    labels[0, :2, :2] = IGNORE
    assert torch.equal(lwanet.coarse(labels), by_hand(labels))


def test_coarse_labels_of_a_volume():
    volume = torch.zeros(1, 8, 8, 8, dtype=torch.long)
    volume[0, 1, 6, 3] = 2
    large = lwanet.coarse(volume)
    assert large.sum() == 2 * 4**3
    assert (large[0, :4, 4:, :4] == 2).all()


def test_only_the_authors_recipe_grows_classes():
    batch = toy_batch()
    given, coarse = batch.labels.clone(), lwanet.coarse(batch.labels)
    assert (coarse == 3).sum() > 2 * (given == 3).sum()
    plain, author = (make(lwanet, batch, compat=word).step(batch, AT)["loss"] for word in ("none", "author"))
    torch.testing.assert_close(batch.labels, given)
    batch.labels[...] = coarse
    assert make(lwanet, batch).step(batch, AT)["loss"] == pytest.approx(author)
    assert plain != pytest.approx(author)


def test_it_has_a_network_and_a_loss_of_its_own():
    assert lwanet.Method.DEFAULT_NET == "lwanet"
    assert lwanet.Method.OWN_LOSS


def test_values_that_mean_nothing_are_refused():
    with pytest.raises(UsageError, match="gamma must be 0 or more"):
        lwanet.Params(gamma=-1.0)


def test_it_trains_the_network_of_its_own():
    batch = toy_batch(size=(32, 40), batch=2)
    torch.manual_seed(0)
    task = toy_task(batch, net=NETS.load(lwanet.Method.DEFAULT_NET))
    method = lwanet.Method(lwanet.Params(), task)
    losses = [r["loss"] for r in train(method, ToySet(batch), Plan(epochs=4, batch_size=2), CPU)]
    assert losses[-1] < losses[0]
    method.train(False)
    assert method.predict(batch.image).shape == (2, 4, 32, 40)
