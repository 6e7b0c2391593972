"""The MobileNet-V2 encoder, named and shaped as torchvision's, without the classifier.

Source: Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks, CVPR 2018.
"""

from torch import Tensor, nn

from noisylabels_plugins.parts.resnet import start_randomly

_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Of every stage: expansion, channels, blocks, stride of the first block."""


class _Inverted(nn.Module):
    """Widen by 1 x 1, filter by 3 x 3 each channel alone, narrow by 1 x 1; beside the identity where that fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        widen = [_filter(inputs, width, 1)] if expansion > 1 else []
        each = _filter(width, width, 3, stride, groups=width)
        narrow = nn.Conv2d(width, outputs, 1, bias=False)
        self.conv = nn.Sequential(*widen, each, narrow, nn.BatchNorm2d(outputs))
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.identity else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNet-V2 up to its 320 channels, with random weights.

    The convolution to 1280 channels (features.18) serves the classifier alone and is left out like it.

    Args:
        channels: image channels C.

    Attributes:
        name: of the torchvision model with the same weights.
        widths: channels of the four feature maps.
    """

    name = "mobilenet_v2"
    first_conv = "features.0.0"
    left_out = ("features.18.",)
    widths = (24, 32, 96, 320)
    taps = (3, 6, 13, 17)
    """Features after which a map is given: the last of every resolution from 1/4 on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        features = [_filter(channels, 32, 3, 2)]
        inputs = 32
        for expansion, outputs, blocks, stride in _STAGES:
            for block in range(blocks):
                features.append(_Inverted(inputs, outputs, stride if block == 0 else 1, expansion))
                inputs = outputs
        self.features = nn.Sequential(*features)
        start_randomly(self)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of 24, 32, 96 and 320 channels (B, D, *s), strides 4, 8, 16 and 32."""
        maps, x = [], image
        for index, feature in enumerate(self.features):
            x = feature(x)
            if index in self.taps:
                maps.append(x)
        return tuple(maps)


def _filter(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))
