"""LWANet: a light network of a MobileNet-V2 encoder and attention where decoder and encoder meet.

An *attention fusion block* weighs every channel of both by what a small network makes of its mean.

Source: Ni et al., Attention-guided lightweight network for real-time segmentation of robotic surgical instruments,
ICRA 2020.
Code:    nizhenliang/LWANet (no licence; nothing is taken from it).
Differs: the last layer is linear and its logits are up-sampled bilinearly to the image. ``--net-compat author`` ends
         in batch normalisation and ReLU as the authors' code does: no logit is below 0, so no class is ever ruled out.
         (The code trains on labels of a quarter of the size, the largest class of every 4 x 4 pixels; here the loss
         sees all pixels.) Sizes that do not divide by 32 are padded inside and cropped again.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from noisylabels_plugins.api import Output
from noisylabels_plugins.parts.mobilenet import MobileNetV2
from noisylabels_plugins.parts.sizes import cropped, padded, resized
from noisylabels_plugins.parts.weights import Pretrained, load_encoder

DIMS = frozenset({2})
"""Axes an image may have."""

MIN_BATCH = 2
"""Cases a training batch needs: pooled features are normalised over the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(Pretrained):
    """Parameters of LWANet.

    Attributes:
        compat: none for linear logits, author for batch-normalised and rectified ones as in the authors' code.
    """

    compat: Literal["none", "author"] = "none"


class Fusion(nn.Module):
    """The attention fusion block: high * weight of high + low * weight of low, weights of channels in 0 .. 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_high, self.of_low = _gate(channels), _gate(channels)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Decoder and encoder features together, all (B, D, y, x)."""
        means = (x.mean((2, 3), keepdim=True) for x in (high, low))
        by_high, by_low = (gate(mean) for gate, mean in zip((self.of_high, self.of_low), means, strict=True))
        return high * by_high + low * by_low


class Net(nn.Module):
    """LWANet.

    Args:
        params: encoder weights and kind of logits.
        channels: image channels C.
        num_classes: logits K.
        dims: axes of an image, 2.

    Attributes:
        tap_channels: of the last fusion block.
        encoder_source: where the encoder's weights are from.
    """

    tap_channels = (24,)

    def __init__(self, params: Params, channels: int, num_classes: int, dims: int = 2) -> None:
        super().__init__()
        self.encoder = MobileNetV2(channels)
        self.encoder_source = load_encoder(self.encoder, params.encoder_weights)
        widths = self.encoder.widths[::-1]
        self.up = nn.ModuleList(_up(inputs, outputs) for inputs, outputs in pairwise(widths))
        self.fusion = nn.ModuleList(Fusion(width) for width in widths[1:])
        self.head = _head(num_classes, linear=params.compat == "none")

    def tap_head(self, index: int, channels: int) -> nn.Module:
        """A head of the network's own kind with a linear last layer, on the tap."""
        return _head(channels, linear=True)

    def forward(self, image: Tensor) -> Output:
        """Logits (B, K, Y, X) and the tap (B, 24, Y / 4, X / 4, rounded up) of images (B, C, Y, X)."""
        large = padded(image, 32)
        *lows, x = self.encoder(large)
        for up, fusion, low in zip(self.up, self.fusion, reversed(lows), strict=True):
            x = fusion(up(x), low)
        logits = resized(self.head(x), large)
        return Output(logits=cropped(logits, image), tap=cropped(x, image, 4))


def _gate(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1),
        nn.BatchNorm2d(channels),
        nn.Sigmoid(),
    )


def _separable(inputs: int, outputs: int) -> nn.Sequential:
    """A 3 x 3 filter for each channel alone, then 1 x 1 across channels."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        _separable(inputs, outputs),
        nn.ConvTranspose2d(outputs, outputs, 4, stride=2, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _head(outputs: int, *, linear: bool) -> nn.Sequential:
    """Two separable convolutions; a linear one ends in 1 x 1 with bias in place of normalisation and ReLU."""
    last = _separable(24, outputs)
    if linear:
        last = nn.Sequential(*last[:3], nn.Conv2d(24, outputs, 1))
    return nn.Sequential(_separable(24, 24), last)
