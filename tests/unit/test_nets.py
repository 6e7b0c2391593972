"""Every network of the catalogue: sizes, taps, heads, gradients, seeds, weight files."""

import pytest
import torch
from torch import nn
from toy_nets import CASES, SIZES, new, outputs

from noisylabels.errors import UsageError
from noisylabels.params import parameters
from noisylabels_plugins.catalogue import NETS


@pytest.mark.parametrize(("name", "dims"), CASES)
@torch.inference_mode()
def test_one_image_of_any_size_in_evaluation(name, dims):
    network = new(name, dims).eval()
    for size in [*SIZES[dims], (5,) * dims]:
        found = outputs(network, torch.randn(1, 3, *size))
        assert len(found) == len(network.tap_channels)
        for out, tapped in zip(found, network.tap_channels, strict=True):
            assert out.logits.shape == (1, 4, *size)
            assert out.tap.shape[:2] == (1, tapped)
            assert out.tap.ndim == 2 + dims
            assert torch.isfinite(out.logits).all()


@pytest.mark.parametrize(("name", "dims"), CASES)
def test_gradients_reach_every_weight_from_outputs_and_tap_heads(name, dims):
    network = new(name, dims).train()
    for module in network.modules():  # blocks that start as their shortcut hide what is inside
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
    found = outputs(network, torch.randn(NETS.load(name).MIN_BATCH, 3, *SIZES[dims][1]))
    loss = sum(out.logits.square().mean() for out in found)
    heads = [network.tap_head(index, 6) for index in range(len(found))]
    for out, head in zip(found, heads, strict=True):
        features = head(out.tap)
        assert features.shape == (len(out.tap), 6, *out.tap.shape[2:])
        loss = loss + features.square().mean()
    loss.backward()
    for part in (network, *heads):
        for key, weight in part.named_parameters():
            assert weight.grad is not None, key
            assert torch.isfinite(weight.grad).all(), key
            assert weight.grad.any() or key.endswith("bias"), (
                f"{key}: a bias before normalisation has no effect"
            )


@pytest.mark.parametrize(("name", "dims"), CASES)
@torch.inference_mode()
def test_images_of_a_batch_do_not_meet_in_evaluation(name, dims):
    network, images = new(name, dims).eval(), torch.randn(2, 3, *SIZES[dims][1])
    apart = torch.cat([network(image[None]).logits for image in images])
    torch.testing.assert_close(network(images).logits, apart, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "dims"), CASES)
def test_the_seed_decides_the_weights(name, dims):
    one, same, other = (new(name, dims, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(("name", "dims"), CASES)
def test_groups_hold_every_weight_that_learns_once(name, dims):
    network = new(name, dims)
    if not hasattr(network, "groups"):
        assert all(weight.requires_grad for weight in network.parameters())
        return
    held = [weight for group in network.groups() for weight in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {weight for weight in network.parameters() if weight.requires_grad}
    assert all(group["factor"] > 0 for group in network.groups())


@pytest.mark.parametrize(("name", "dims"), CASES)
def test_channels_and_classes_are_free(name, dims):
    with torch.device("meta"):
        out = new(name, dims, channels=1, classes=2).eval()(torch.randn(1, 1, *SIZES[dims][0]))
    assert out.logits.shape == (1, 2, *SIZES[dims][0])


@pytest.mark.parametrize("name", NETS.names())
def test_a_network_says_what_it_takes(name):
    module = NETS.load(name)
    assert module.DIMS
    assert not module.DIMS - {2, 3}
    assert module.MIN_BATCH in (1, 2)
    assert all(parameter.help for parameter in parameters(module.Params))


@pytest.mark.parametrize(("name", "dims"), CASES)
def test_a_training_batch_needs_no_more_cases_than_said(name, dims):
    least = NETS.load(name).MIN_BATCH
    network = new(name, dims).train()
    if least == 2:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            network(torch.randn(1, 3, *SIZES[dims][0]))
    assert torch.isfinite(network(torch.randn(least, 3, *SIZES[dims][0])).logits).all()


ENCODED = [name for name in NETS.names() if hasattr(NETS.load(name).Params(), "encoder_weights")]


@pytest.mark.parametrize("name", ENCODED)
def test_the_encoder_starts_from_a_file(tmp_path, name):
    given, random = new(name, seed=1).encoder.state_dict(), new(name)
    torch.save({"state_dict": given}, tmp_path / "encoder.pth")
    network = new(name, encoder_weights=str(tmp_path / "encoder.pth"))
    assert random.encoder_source == "random"
    assert network.encoder_source.startswith("encoder.pth sha256:")
    for key, tensor in network.state_dict().items():
        encoder, _, rest = key.partition(".")
        expected = given[rest] if encoder == "encoder" else random.state_dict()[key]
        assert torch.equal(tensor, expected), f"{key}: the file decides the encoder and nothing else"
    torch.save({"conv1.weight": torch.ones(3)}, tmp_path / "encoder.pth")
    with pytest.raises(UsageError, match="does not fit the encoder"):
        new(name, encoder_weights=str(tmp_path / "encoder.pth"))
