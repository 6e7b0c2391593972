"""Networks of MONAI: tapped, padded, and asked for in one sentence where MONAI is missing."""

import copy
import sys

import pytest
import torch
from torch import nn
from toy_nets import OF_MONAI, new

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.monai import Tapped


class Toy(nn.Module):
    """Halves an image, doubles it again; refuses sizes that it cannot take."""

    def __init__(self):
        super().__init__()
        self.inside = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2, padding=1))
        self.up = nn.ConvTranspose2d(5, 4, 2, stride=2)

    def forward(self, image):
        assert min(image.shape[2:]) >= 8
        assert not any(length % 4 for length in image.shape[2:])
        return self.up(self.inside(image))


@pytest.mark.parametrize("size", [(8, 12), (9, 5), (1, 1)])
def test_a_network_of_others_is_padded_cropped_and_tapped(size):
    network = Tapped(Toy(), dims=2, layer="inside.0", tap_channels=5, tap_stride=2, multiple=4, least=8)
    image = torch.randn(2, 3, *size)
    out = network(image)
    assert out.logits.shape == (2, 4, *size)
    assert out.tap.shape == (2, 5, *(-(-length // 2) for length in size))
    network.tap_head(0, 7)(out.tap).sum().backward()
    assert network.network.inside[0].weight.grad.any()


@torch.inference_mode()
def test_a_copy_of_a_tapped_network_taps_itself():
    network = Tapped(Toy(), dims=2, layer="inside.0", tap_channels=5, tap_stride=2, multiple=4, least=8)
    image = torch.randn(1, 3, 8, 8)
    tap, again = network(image).tap, copy.deepcopy(network)
    nn.init.zeros_(network.network.inside[0].weight)
    assert torch.equal(again(image).tap, tap)


@pytest.mark.parametrize("name", OF_MONAI)
def test_without_monai_its_networks_say_what_to_install(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(UsageError, match=r"needs monai, .* install noisylabels\[monai\]"):
        new(name)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("dynunet", {"levels": 2}, "levels at least 3"),
        ("segresnet", {"width": 12}, "multiple of 8"),
        ("segresnet", {"blocks": "1"}, "blocks must be two or more"),
    ],
)
def test_monai_networks_refuse_values_that_mean_nothing(name, values, message):
    with pytest.raises(UsageError, match=message):
        new(name, **values)
