"""OCRNet: every pixel of a dilated ResNet-50 looks at the image's objects before it is classified.

A first head on layer3 makes a soft map of every class. The mean feature under each map is the class's *object region*;
every pixel attends to the regions, and what it gathers is joined to its own feature.

Source: Yuan, Chen, Wang, Object-contextual representations for semantic segmentation, ECCV 2020; in the setting of
Pissas et al., Effective semantic segmentation in cataract surgery: what matters most?, MICCAI 2021 (CSS).
Differs: no dropout.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Output
from noisylabels_plugins.parts.resnet import LAYERS, ResNet
from noisylabels_plugins.parts.sizes import resized
from noisylabels_plugins.parts.weights import Pretrained, load_encoder

DIMS = frozenset({2})
"""Axes an image may have."""

MIN_BATCH = 1
"""Cases a training batch needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(Pretrained):
    """Parameters of OCRNet.

    Attributes:
        layers: of the ResNet, 18, 34, 50 or 101.
        width: channels of pixel features, object regions and what is gathered from them.
        key: channels in which pixels and regions are compared.
    """

    layers: int = 50
    width: int = 512
    key: int = 256

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.layers not in LAYERS:
            raise UsageError(f"layers must be one of {', '.join(map(str, LAYERS))}, not {self.layers}.")
        if min(self.width, self.key) < 1:
            raise UsageError("width and key must be at least 1.")


class ObjectContext(nn.Module):
    """Attention of pixels to object regions.

    Args:
        width: channels D of pixels, regions and context.
        key: channels in which they are compared.
    """

    def __init__(self, width: int, key: int) -> None:
        super().__init__()
        self.scale = key**-0.5
        self.of_pixel = nn.Sequential(_unit(width, key), _unit(key, key))
        self.of_region = nn.Sequential(_unit(width, key), _unit(key, key))
        self.value = _unit(width, width)
        self.gathered = _unit(width, width)
        self.joined = _unit(2 * width, width)

    def forward(self, pixels: Tensor, maps: Tensor) -> Tensor:
        """Pixel features (B, D, y, x) with the context that class maps (B, K, y, x) of logits give them."""
        regions = object_regions(pixels, maps)[
            ..., None
        ]  # (B, D, K, 1), as the image that normalisation expects
        queries, keys = self.of_pixel(pixels).flatten(2), self.of_region(regions).flatten(2)
        attention = (queries.transpose(1, 2) @ keys * self.scale).softmax(2)  # (B, N, K)
        context = self.value(regions).flatten(2) @ attention.transpose(1, 2)
        return self.joined(torch.cat([self.gathered(context.view_as(pixels)), pixels], 1))


def object_regions(pixels: Tensor, maps: Tensor) -> Tensor:
    """The mean feature under every class's map, (B, D, K).

    Args:
        pixels: features, (B, D, y, x).
        maps: logits (B, K, y, x); their softmax over all pixels is what a class's pixels weigh.
    """
    return pixels.flatten(2) @ maps.flatten(2).softmax(2).transpose(1, 2)


class Net(nn.Module):
    """OCRNet.

    Args:
        params: encoder and widths.
        channels: image channels C.
        num_classes: logits K.
        dims: axes of an image, 2.

    Attributes:
        tap_channels: of what the final and the first head classify.
        encoder_source: where the encoder's weights are from.
    """

    def __init__(self, params: Params, channels: int, num_classes: int, dims: int = 2) -> None:
        super().__init__()
        self.encoder = ResNet(params.layers, channels, output_stride=8)
        self.encoder_source = load_encoder(self.encoder, params.encoder_weights)
        *_, early, late = self.encoder.widths
        self.tap_channels = (params.width, params.width)
        self.early, self.late = _unit(early, params.width, 3), _unit(late, params.width, 3)
        self.context = ObjectContext(params.width, params.key)
        self.heads = nn.ModuleList(self.tap_head(index, num_classes) for index in range(2))

    def tap_head(self, index: int, channels: int) -> nn.Module:
        """A 1 x 1 convolution, as both classifiers are."""
        return nn.Conv2d(self.tap_channels[index], channels, 1)

    def forward(self, image: Tensor) -> Output:
        """Logits (B, K, Y, X) and taps (B, D, Y / 8, X / 8, rounded up) of images (B, C, Y, X)."""
        *_, early, late = self.encoder(image)
        early, late = self.early(early), self.late(late)
        maps = self.heads[1](early)
        joined = self.context(late, maps)
        aux = Output(logits=resized(maps, image), tap=early)
        return Output(logits=resized(self.heads[0](joined), image), tap=joined, aux=(aux,))


def _unit(inputs: int, outputs: int, kernel: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
