"""ResNet encoders with 18, 34, 50 and 101 layers, named and shaped as torchvision's, without the classifier.

Source: He et al., Deep residual learning for image recognition, CVPR 2016; dilation instead of stride: Chen et al.,
DeepLab, TPAMI 2018. A dilated network with the weights of the strided one gives, at every second (fourth) position,
exactly what the strided one gives: a convolution that loses its stride keeps its dilation, those after it double
theirs. Random weights start every block as its shortcut alone (Goyal et al., Accurate, large minibatch SGD, 2017):
without it the deep ones hardly train from scratch.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from noisylabels.errors import UsageError

LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Blocks in each of the four stages, by the number of layers."""

StrideIn = Literal["3x3", "1x1"]


class _Basic(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    expansion = 1

    def __init__(
        self, channels: int, width: int, stride: int, dilation: tuple[int, int], stride_in: StrideIn
    ) -> None:
        super().__init__()
        first, later = dilation
        self.conv1 = _conv(channels, width, 3, stride, first)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, 1, later)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(channels, width, stride)

    def start_as_identity(self) -> None:
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x), inplace=True)


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside the identity."""

    expansion = 4

    def __init__(
        self, channels: int, width: int, stride: int, dilation: tuple[int, int], stride_in: StrideIn
    ) -> None:
        super().__init__()
        early = stride_in == "1x1"
        self.conv1 = _conv(channels, width, 1, stride if early else 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, 1 if early else stride, dilation[1 if early else 0])
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, 4 * width, 1)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(channels, 4 * width, stride)

    def start_as_identity(self) -> None:
        nn.init.zeros_(self.bn3.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        return F.relu(self.bn3(self.conv3(out)) + self.downsample(x), inplace=True)


class ResNet(nn.Module):
    """ResNet without classifier, with random weights.

    Args:
        layers: 18, 34, 50 or 101.
        channels: image channels C.
        output_stride: image pixels per position of the last feature map, 8, 16 or 32.
        stride_in: the convolution of a bottleneck that has the stride: 3x3 as in torchvision, 1x1 as in the first
            release of ResNet and in DeepLab-v2; weights of one fit the other in name only.
        ceil_mode: whether the max-pooling rounds sizes up, as DeepLab-v2 does.

    Attributes:
        name: of the torchvision model with the same weights.
        widths: channels of the four feature maps.
    """

    first_conv = "conv1"
    left_out = ()

    def __init__(
        self,
        layers: int,
        channels: int,
        *,
        output_stride: int = 32,
        stride_in: StrideIn = "3x3",
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        if layers not in LAYERS:
            raise UsageError(f"layers must be one of {', '.join(map(str, LAYERS))}, not {layers}.")
        block = _Basic if layers < 50 else _Bottleneck
        self.name = f"resnet{layers}"
        self.widths = tuple(width * block.expansion for width in (64, 128, 256, 512))
        self.ceil_mode = ceil_mode
        self.conv1 = _conv(channels, 64, 7, 2)
        self.bn1 = nn.BatchNorm2d(64)
        reached, dilation, inputs = 4, 1, 64
        for index, (count, width) in enumerate(zip(LAYERS[layers], (64, 128, 256, 512), strict=True)):
            wanted = 1 if index == 0 else 2
            stride = wanted if reached * wanted <= output_stride else 1
            before, dilation, reached = dilation, dilation * wanted // stride, reached * stride
            stage = [block(inputs, width, stride, (before, dilation), stride_in)]
            inputs = width * block.expansion
            stage += [block(inputs, width, 1, (dilation, dilation), stride_in) for _ in range(count - 1)]
            setattr(self, f"layer{index + 1}", nn.Sequential(*stage))
        start_randomly(self)
        for module in self.modules():
            if isinstance(module, _Basic | _Bottleneck):
                module.start_as_identity()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The feature maps of the four stages (B, D, *s), strides 4, 8, 16, 32 or what the output stride leaves."""
        x = F.relu(self.bn1(self.conv1(image)), inplace=True)
        x = F.max_pool2d(x, 3, 2, 1, ceil_mode=self.ceil_mode)
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return tuple(maps)


def start_randomly(network: nn.Module) -> None:
    """He's normal weights over the outputs of every convolution; batch normalisation starts as the identity."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = kernel // 2 * dilation
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()  # has no tensors, so no names either
    return nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
