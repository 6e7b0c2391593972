"""The networks of JCAS's table: published sizes, and what each of them is made of."""

import pytest
import torch
from torch import nn
from toy_nets import new, outputs, weights

from noisylabels.errors import UsageError
from noisylabels_plugins.nets import deeplab, lwanet, ocrnet, raunet


def test_sizes_of_the_published_networks():
    with torch.device("meta"):
        network = deeplab.Net(deeplab.Params(), 3, 4)
        affinity = weights(network.tap_head(0, 256)) + weights(network.tap_head(1, 128))
        image = torch.randn(1, 3, 256, 320)
        main, aux = outputs(network.eval(), image)
        assert weights(network) + affinity == 66_537_056, "the released JCAS, executed"
        assert weights(network.heads) + affinity == 24_036_896, "its classifier modules"
        assert network.tap_channels == (2048, 1024)
        assert main.tap.shape[2:] == aux.tap.shape[2:] == (33, 41)
        light = lwanet.Net(lwanet.Params(compat="author"), 3, 11)
        assert weights(light) == pytest.approx(2.06e6, rel=0.01), "as its authors say"
        assert light.eval()(image).tap.shape == (1, 24, 64, 80)
        assert raunet.Net(raunet.Params(), 3, 4).eval()(image).tap.shape == (1, 64, 64, 80)
        wide = ocrnet.Net(ocrnet.Params(), 3, 4).eval()(image)
        assert wide.tap.shape == wide.aux[0].tap.shape == (1, 512, 32, 40)


def test_deeplab_sums_its_dilations():
    head = deeplab.Classifier(5, 3, (6, 12, 18, 24))
    assert all(conv.weight.std() < 0.02 and not conv.bias.any() for conv in head.convs)
    x = torch.zeros(1, 5, 61, 61)
    x[..., 30, 30] = 1
    touched = {int(abs(row - 30)) for row in head(x)[0].abs().sum(0).nonzero()[:, 0]}
    assert touched == {0, 6, 12, 18, 24}
    torch.testing.assert_close(head(x), sum(conv(x) for conv in head.convs))


def test_deeplab_freezes_early_layers_of_a_given_encoder(tmp_path):
    torch.save(new("deeplab", seed=1).encoder.state_dict(), tmp_path / "e.pth")
    file = str(tmp_path / "e.pth")
    network = new("deeplab", encoder_weights=file)
    learning = {key for key, weight in network.encoder.named_parameters() if weight.requires_grad}
    assert learning == {
        *(f"layer{i}.{j}.conv{k}.weight" for i in (3, 4) for j in (0, 1) for k in (1, 2)),
        *(f"layer{i}.0.downsample.0.weight" for i in (3, 4)),
    }
    assert [group["factor"] for group in network.groups()] == [0.1, 1]
    statistics = network.encoder.bn1.running_mean.clone()
    network.train()(torch.randn(1, 3, 32, 32)).logits.sum().backward()
    assert not torch.equal(network.encoder.bn1.running_mean, statistics), "statistics follow the data"
    assert network.encoder.layer2[0].conv1.weight.grad is None

    free = new("deeplab", encoder_weights=file, frozen="none", encoder_lr_factor=0.5)
    assert all(weight.requires_grad for weight in free.parameters())
    assert [group["factor"] for group in free.groups()] == [0.5, 1]
    random = new("deeplab")
    assert all(weight.requires_grad for weight in random.parameters())
    assert [group["factor"] for group in random.groups()] == [1, 1]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("deeplab", {"layers": 152}, "18, 34, 50, 101, not 152"),
        ("deeplab", {"dilations": "0,6"}, "dilations must be"),
        ("deeplab", {"dilations": ""}, "dilations must be"),
        ("deeplab", {"encoder_lr_factor": 0}, "encoder-lr-factor must be above 0"),
        ("deeplab", {"frozen": "early"}, "give encoder-weights"),
        ("deeplab", {"stride_in": "5x5"}, "stride-in"),
        ("ocrnet", {"layers": 20}, "not 20"),
        ("ocrnet", {"key": 0}, "at least 1"),
        ("lwanet", {"compat": "authors"}, "did you mean 'author'"),
        ("raunet", {"encoder_weights": "nowhere.pth"}, "There is no file nowhere.pth"),
    ],
)
def test_values_that_mean_nothing_are_refused(name, values, message):
    with pytest.raises(UsageError, match=message):
        new(name, **values)


def test_raunet_attention_adds_what_its_weights_let_through():
    torch.manual_seed(0)
    attention = raunet.Attention(6).eval()
    high, low = torch.randn(2, 6, 4, 5), torch.randn(2, 6, 4, 5)
    share = (attention(high, low) - high) / attention.low(low).where(attention.low(low) > 0, torch.nan)
    each = share.flatten(2).nanmean(2)
    seen = ~each.isnan()
    assert seen.any()
    assert (each[seen] > 0).all()
    nn.init.zeros_(attention.weight.weight)
    nn.init.zeros_(attention.weight.bias)
    torch.testing.assert_close(attention(high, low), high + attention.low(low) / 6)


def test_lwanet_fusion_weighs_channels_between_0_and_1():
    fusion = lwanet.Fusion(6).eval()
    high, low = torch.randn(2, 6, 4, 5), torch.randn(2, 6, 4, 5)
    fused = fusion(high, torch.zeros_like(low)) / high
    assert ((fused > 0) & (fused < 1)).all()
    torch.testing.assert_close(fused, fused[..., :1, :1].expand_as(fused))


@torch.inference_mode()
def test_lwanet_of_its_authors_has_no_negative_logit():
    image = torch.randn(2, 3, 64, 64)
    assert new("lwanet", compat="author").train()(image).logits.min() >= 0
    assert new("lwanet").train()(image).logits.min() < 0


@torch.inference_mode()
def test_an_object_region_is_the_mean_feature_under_its_map():
    pixels, inside = torch.randn(2, 7, 6, 5), torch.rand(2, 1, 6, 5) < 0.5
    maps = torch.cat([inside, ~inside], 1) * 50.0
    regions = ocrnet.object_regions(pixels, maps)
    assert regions.shape == (2, 7, 2)
    for image in range(2):
        for index, chosen in enumerate((inside[image, 0], ~inside[image, 0])):
            torch.testing.assert_close(regions[image, :, index], pixels[image][:, chosen].mean(1))


@torch.inference_mode()
def test_a_pixel_that_resembles_a_region_looks_at_it():
    """With identities for projections, attention is the softmax of scaled inner products."""
    context = ocrnet.ObjectContext(4, 4).eval()
    for part in ("of_pixel", "of_region", "value", "gathered"):
        setattr(context, part, nn.Identity())
    pixels, maps = torch.randn(1, 4, 3, 3), torch.randn(1, 2, 3, 3)
    regions = ocrnet.object_regions(pixels, maps)[0]
    taken = []
    context.joined = nn.Identity()
    joined = context(pixels, maps)[0]
    for pixel in pixels[0].flatten(1).T:
        weight = torch.stack([pixel @ region / 2 for region in regions.T]).softmax(0)
        taken.append((weight * regions).sum(1))
    torch.testing.assert_close(joined[:4].flatten(1), torch.stack(taken, 1))
    assert torch.equal(joined[4:], pixels[0])
