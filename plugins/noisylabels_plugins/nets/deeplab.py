"""DeepLab-v2: a dilated ResNet at stride 8 with a classifier on each of its last two stages.

Both classifiers are sums of dilated 3 x 3 convolutions; the main one looks at layer4, the auxiliary one at layer3.
The tap of each is the feature map that it looks at, so an affinity head is one more classifier of the same kind.

Source: Chen et al., DeepLab: semantic image segmentation with deep convolutional nets, atrous convolution and fully
connected CRFs, TPAMI 2018; two heads as in the released code of JCAS (MICCAI 2022).
Differs: from that code: all four dilations are summed (it makes four and returns after the second:
``--net-dilations 6,12``); a bottleneck's stride is in its 3 x 3 convolution, as torchvision's weights expect
(``--net-stride-in 1x1``); without a weight file nothing is frozen and all of it learns at one rate.
"""

from dataclasses import dataclass
from typing import Any, Literal

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
    """Parameters of DeepLab-v2.

    Attributes:
        layers: of the ResNet, 18, 34, 50 or 101.
        dilations: of the convolutions that are summed in every head.
        stride_in: the convolution of a bottleneck that has the stride, 3x3 (torchvision) or 1x1 (the release of JCAS).
        frozen: what does not learn: early (conv1, layer1, layer2 and the scale and shift of every batch
            normalisation, whose statistics still follow the data), none, or auto (early if the encoder starts from a
            file).
        encoder_lr_factor: learning rate of the encoder relative to the heads; not given: 0.1 if it starts from a
            file, else 1.
    """

    layers: int = 101
    dilations: tuple[int, ...] = (6, 12, 18, 24)
    stride_in: Literal["3x3", "1x1"] = "3x3"
    frozen: Literal["auto", "none", "early"] = "auto"
    encoder_lr_factor: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.layers not in LAYERS:
            raise UsageError(f"layers must be one of {', '.join(map(str, LAYERS))}, not {self.layers}.")
        if not self.dilations or min(self.dilations) < 1:
            raise UsageError("dilations must be one or more whole numbers from 1, as in 6,12,18,24.")
        if self.frozen == "early" and self.encoder_weights is None:
            raise UsageError(
                "frozen early would keep random weights for good; give encoder-weights, or drop it."
            )
        if self.encoder_lr_factor is not None and not 0 < self.encoder_lr_factor < float("inf"):
            raise UsageError("encoder-lr-factor must be above 0; to keep the encoder as it is use frozen.")


class Classifier(nn.Module):
    """Sum of 3 x 3 convolutions, one for every dilation; (B, D, y, x) to (B, K, y, x)."""

    def __init__(self, inputs: int, outputs: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(inputs, outputs, 3, padding=d, dilation=d) for d in dilations)
        for conv in self.convs:
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores, or features, of every position."""
        return sum(conv(x) for conv in self.convs)


class Net(nn.Module):
    """DeepLab-v2 with two heads.

    Args:
        params: encoder and heads.
        channels: image channels C.
        num_classes: logits K.
        dims: axes of an image, 2.

    Attributes:
        tap_channels: of layer4 and layer3.
        encoder_source: where the encoder's weights are from.
    """

    def __init__(self, params: Params, channels: int, num_classes: int, dims: int = 2) -> None:
        super().__init__()
        self.dilations = params.dilations
        self.encoder = ResNet(
            params.layers, channels, output_stride=8, stride_in=params.stride_in, ceil_mode=True
        )
        self.encoder_source = load_encoder(self.encoder, params.encoder_weights)
        self.tap_channels = (self.encoder.widths[3], self.encoder.widths[2])
        self.heads = nn.ModuleList(self.tap_head(index, num_classes) for index in range(2))
        given = params.encoder_weights is not None
        if given and params.frozen != "none":
            self._freeze()
        self.encoder_lr_factor = params.encoder_lr_factor or (0.1 if given else 1.0)

    def _freeze(self) -> None:
        encoder = self.encoder
        for part in (encoder.conv1, encoder.bn1, encoder.layer1, encoder.layer2):
            part.requires_grad_(False)
        for module in encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)

    def groups(self) -> list[dict[str, Any]]:
        """What learns, with the factor of its learning rate: the encoder and the heads."""
        learning = [weight for weight in self.encoder.parameters() if weight.requires_grad]
        return [
            {"params": learning, "factor": self.encoder_lr_factor},
            {"params": list(self.heads.parameters()), "factor": 1.0},
        ]

    def tap_head(self, index: int, channels: int) -> nn.Module:
        """A classifier of the network's own kind on layer4 (index 0) or layer3 (index 1)."""
        return Classifier(self.tap_channels[index], channels, self.dilations)

    def forward(self, image: Tensor) -> Output:
        """Logits (B, K, Y, X) and taps (B, D, Y / 8, X / 8, rounded up and at times 1 more) of images (B, C, Y, X)."""
        *_, early, late = self.encoder(image)
        main, aux = (
            Output(logits=resized(head(tap), image), tap=tap)
            for head, tap in zip(self.heads, (late, early), strict=True)
        )
        return main._replace(aux=(aux,))
