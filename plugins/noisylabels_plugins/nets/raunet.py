"""RAUNet: a ResNet-34 encoder, LinkNet decoder blocks and an attention module at each of three skips.

An *augmented attention module* asks the pooled features of decoder and encoder which channels of the encoder to add.

Source: Ni et al., RAUNet: residual attention U-Net for semantic segmentation of cataract surgical instruments, ICONIP
2019.
Code:    nizhenliang/RAUNet (no licence; nothing is taken from it).
Differs: sizes that do not divide by 32 are padded inside and cropped again; logits, not log-probabilities.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from noisylabels_plugins.api import Output
from noisylabels_plugins.parts.resnet import ResNet
from noisylabels_plugins.parts.sizes import cropped, padded
from noisylabels_plugins.parts.weights import Pretrained, load_encoder

DIMS = frozenset({2})
"""Axes an image may have."""

MIN_BATCH = 2
"""Cases a training batch needs: pooled features are normalised over the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(Pretrained):
    """Parameters of RAUNet."""


class Attention(nn.Module):
    """The augmented attention module: high + softmax over channels of a weight * low."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_high, self.of_low, self.low = (_unit(channels, channels) for _ in range(3))
        self.weight = nn.Conv2d(channels, channels, 1)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Decoder features with what attention lets through of the encoder's, all (B, D, y, x)."""
        pooled = self.of_high(high.mean((2, 3), keepdim=True)) + self.of_low(low.mean((2, 3), keepdim=True))
        return high + self.weight(pooled).softmax(1) * self.low(low)


class Net(nn.Module):
    """RAUNet.

    Args:
        params: encoder weights.
        channels: image channels C.
        num_classes: logits K.
        dims: axes of an image, 2.

    Attributes:
        tap_channels: of the last attention module.
        encoder_source: where the encoder's weights are from.
    """

    tap_channels = (64,)

    def __init__(self, params: Params, channels: int, num_classes: int, dims: int = 2) -> None:
        super().__init__()
        self.encoder = ResNet(34, channels)
        self.encoder_source = load_encoder(self.encoder, params.encoder_weights)
        self.up = nn.ModuleList(_up(2 * width, width) for width in (256, 128, 64))
        self.attention = nn.ModuleList(Attention(width) for width in (256, 128, 64))
        self.head = nn.Sequential(
            _up(64, 64),
            nn.ConvTranspose2d(64, 32, 3, stride=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 32, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, num_classes, 2, padding=1),
        )

    def tap_head(self, index: int, channels: int) -> nn.Module:
        """A 3 x 3 convolution on the tap."""
        return nn.Conv2d(self.tap_channels[index], channels, 3, padding=1)

    def forward(self, image: Tensor) -> Output:
        """Logits (B, K, Y, X) and the tap (B, 64, Y / 4, X / 4, rounded up) of images (B, C, Y, X)."""
        *lows, x = self.encoder(padded(image, 32))
        for up, attention, low in zip(self.up, self.attention, reversed(lows), strict=True):
            x = attention(up(x), low)
        return Output(logits=cropped(self.head(x), image), tap=cropped(x, image, 4))


def _unit(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _up(inputs: int, outputs: int) -> nn.Sequential:
    """LinkNet's decoder block: narrow to a quarter, double the size, widen."""
    width = inputs // 4
    return nn.Sequential(
        _unit(inputs, width),
        nn.ConvTranspose2d(width, width, 4, stride=2, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        _unit(width, outputs),
    )
