"""Adaptation without labels: what becomes of the statistics of batch normalisation, and what stays."""

import numpy as np
import pytest
import torch
from torch import nn
from toy_training import same, toy_batch, toy_task

from noisylabels.errors import UsageError
from noisylabels_plugins.adapt import adapt_batchnorm, moments
from noisylabels_plugins.base import Base
from noisylabels_plugins.methods import baseline

CPU = torch.device("cpu")


class One(Base):
    """A method whose prediction is one layer; another network is not predicted with."""

    def __init__(self):
        self.net = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5))
        self.spare = nn.BatchNorm2d(2)
        self.spare.running_mean += 7

    def predict(self, image):
        return self.net(image)


def images(count, size=(6, 5), channels=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(3 + i, 1 + i, (channels, *size)).astype(np.float32) for i in range(count)]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_running_statistics_are_the_mean_over_batches(size):
    found, method = images(6), One()
    assert adapt_batchnorm(method, iter(found), size, CPU) == 1
    batches = [np.stack(found[i : i + size]) for i in range(0, 6, size)]
    mean = np.mean([batch.mean((0, 2, 3)) for batch in batches], 0)
    variance = np.mean([batch.var((0, 2, 3), ddof=1) for batch in batches], 0)
    layer = method.net[0]
    assert layer.running_mean.numpy() == pytest.approx(mean, rel=1e-5)
    assert layer.running_var.numpy() == pytest.approx(variance, rel=1e-5)
    assert layer.momentum == 0.1
    assert not layer.training
    assert (method.spare.running_mean == 7).all(), "never predicted with"


def test_sizes_may_differ():
    found = [*images(2), *images(3, (4, 4)), *images(1)]
    method = One()
    adapt_batchnorm(method, found, 4, CPU)
    assert int(method.net[0].num_batches_tracked) == 3


def trained(norm="batch"):
    torch.manual_seed(0)
    return baseline.Method(baseline.Params(), toy_task(toy_batch(), norm=norm))


def test_weights_stay_and_the_same_images_give_the_same():
    one, two, found = trained(), trained(), images(5, (24, 20), 3)
    before = {name: value.clone() for name, value in one.net.named_parameters()}
    buffers = {name: value.clone() for name, value in one.net.named_buffers()}
    state = torch.get_rng_state()
    adapt_batchnorm(one, found, 2, CPU)
    assert torch.equal(torch.get_rng_state(), state), "nothing is drawn"
    adapt_batchnorm(two, found, 2, CPU)
    assert same(one.net.state_dict(), two.net.state_dict())
    assert same(dict(one.net.named_parameters()), before)
    assert not same(dict(one.net.named_buffers()), buffers)


def test_a_shifted_target_is_undone():
    """The features of shifted images, after adaptation, are those of the images themselves."""
    found = images(4, (24, 20), 3)
    shifted = [image * np.float32(1.5) + np.float32(2) for image in found]
    plain, moved = trained(), trained()
    adapt_batchnorm(plain, found, 4, CPU)
    adapt_batchnorm(moved, shifted, 4, CPU)
    with torch.no_grad():
        a = plain.predict(torch.from_numpy(np.stack(found)))[..., 4:-4, 4:-4]
        b = moved.predict(torch.from_numpy(np.stack(shifted)))[..., 4:-4, 4:-4]
        unfit = plain.predict(torch.from_numpy(np.stack(shifted)))[..., 4:-4, 4:-4]
    assert (a - b).abs().mean() < 0.25 * (a - unfit).abs().mean()


def test_a_network_without_batch_normalisation_is_refused():
    with pytest.raises(UsageError, match="no batch normalisation to adapt; predict with --adapt none"):
        adapt_batchnorm(trained("group"), images(2, (24, 20), 3), 2, CPU)


def test_moments_are_those_of_all_pixels():
    found = [*images(3), *images(2, (9, 4))]
    pixels = np.concatenate([image.reshape(2, -1) for image in found], 1).astype(np.float64)
    mean, sd = moments(found)
    assert mean == pytest.approx(pixels.mean(1), rel=1e-6)
    assert sd == pytest.approx(pixels.std(1), rel=1e-6)
    assert moments([np.full((1, 3, 3), 5, np.uint8)])[1] == 1


def test_nothing_remains_of_the_source_and_dropout_stays_off():
    """Layers that have already seen batches, as those of every trained run, after a dropout."""
    found, fresh, old = images(6), One(), One()
    for method in (fresh, old):
        method.net = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(2))
    for _ in range(3):
        old.net[1](torch.full((2, 2, 4, 4), 50.0))
    state = torch.get_rng_state()
    for method in (fresh, old):
        adapt_batchnorm(method, iter(found), 2, CPU)
    assert torch.equal(torch.get_rng_state(), state), "dropout would draw"
    assert same(old.net.state_dict(), fresh.net.state_dict())
    mean = np.mean([np.stack(found[i : i + 2]).mean((0, 2, 3)) for i in (0, 2, 4)], 0)
    assert old.net[1].running_mean.numpy() == pytest.approx(mean, rel=1e-5)
