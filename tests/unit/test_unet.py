"""The U-Net: shapes at any size, the tap, and what a pixel can see."""

import pytest
import torch

from noisylabels_plugins.nets.unet import Net, Params


def net(channels=3, classes=4, **values):
    torch.manual_seed(0)
    return Net(Params(**{"width": 4, "depth": 3, **values}), channels, classes).eval()


@pytest.mark.parametrize("size", [(16, 16), (24, 20), (17, 31), (8, 40), (3, 5), (1, 1)])
@pytest.mark.parametrize("tap", [0, 1, 2, 3])
@torch.inference_mode()
def test_logits_have_the_size_of_the_image_and_the_tap_its_stride(size, tap):
    network = net(tap=tap)
    out = network(torch.randn(2, 3, *size))
    assert out.logits.shape == (2, 4, *size)
    assert out.tap.shape == (2, network.tap_channels[0], *(-(-n // 2**tap) for n in size))
    assert network.tap_channels == (4 * 2**tap,)
    assert out.aux == ()
    assert torch.isfinite(out.logits).all()


@pytest.mark.parametrize(("channels", "classes"), [(1, 2), (3, 4), (5, 9)])
@torch.inference_mode()
def test_any_number_of_channels_and_classes(channels, classes):
    assert net(channels, classes)(torch.randn(1, channels, 8, 8)).logits.shape == (1, classes, 8, 8)


def test_widths_double_with_every_level():
    network = net(width=3, depth=2)
    assert [block[0].out_channels for block in network.down] == [3, 6, 12]
    assert [block[0].in_channels for block in network.up] == [9, 18]
    weights = sum(p.numel() for p in net(width=8).parameters()) / sum(p.numel() for p in net().parameters())
    assert 3.8 < weights < 4, "four times the weights for twice the width"


def test_every_weight_takes_part():
    network = net().train()
    out = network(torch.randn(2, 3, 16, 16))
    out.logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_tap_leads_to_the_encoder():
    network = net(tap=1).train()
    network(torch.randn(2, 3, 16, 16)).tap.square().sum().backward()
    assert network.down[0][0].weight.grad.abs().sum() > 0
    assert network.up[0][0].weight.grad is None, "finer levels are above the tap"
    assert network.head.weight.grad is None


@torch.inference_mode()
def test_padding_inside_changes_nothing_but_the_rim():
    """A size that divides, and the same cut by a few pixels: equal far from the cut."""
    image = torch.randn(1, 3, 64, 64)
    network = net(depth=1, tap=1)
    whole, cut = network(image), network(image[..., :61, :59])
    torch.testing.assert_close(cut.logits[..., :40, :40], whole.logits[..., :40, :40])
    assert not torch.allclose(cut.logits[..., -1, -1], whole.logits[..., 60, 58])


@torch.inference_mode()
def test_it_sees_far_and_moves_with_the_image():
    network = net(depth=2)
    image = torch.zeros(1, 3, 48, 48)
    image[..., 20, 20] = 9
    moved = network(image.roll((4, 8), (2, 3))).logits
    still = network(image).logits
    torch.testing.assert_close(moved[..., 12:, 16:], still.roll((4, 8), (2, 3))[..., 12:, 16:])
    changed = (still - network(torch.zeros_like(image)).logits).abs().sum((0, 1)) > 1e-7
    assert changed.any(0).sum() > 20, "columns that one pixel has an influence on"


@torch.inference_mode()
def test_images_of_a_batch_do_not_meet_in_evaluation():
    images = torch.randn(3, 3, 20, 24)
    network = net()
    together = network(images).logits
    torch.testing.assert_close(network(images[1:2]).logits, together[1:2], rtol=1e-4, atol=1e-5)


def test_the_seed_decides_the_weights():
    one, same = net(), net()
    torch.manual_seed(1)
    other = Net(Params(width=4, depth=3), 3, 4)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.head.weight, other.head.weight)
