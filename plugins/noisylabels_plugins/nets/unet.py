"""A small 2-D U-Net with a feature tap.

Source: Ronneberger, Fischer, Brox, U-Net, MICCAI 2015. Differs: batch normalisation,
nearest up-sampling in place of transposed convolution, padded convolutions; sizes that do not divide are padded inside
and cropped again.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of the U-Net.

    Attributes:
        width: channels at full resolution; they double with every level.
        depth: levels below the first; the deepest has stride 2 ** depth.
        tap: level of the decoder whose features are tapped, 0 .. depth; its stride is 2 ** tap.
    """

    width: int = 16
    depth: int = 4
    tap: int = 2

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.width < 1 or self.depth < 0 or self.tap < 0:
            raise UsageError("width must be at least 1, depth and tap at least 0.")


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    def half(channels: int) -> list[nn.Module]:
        return [
            nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]

    return nn.Sequential(*half(in_channels), *half(out_channels))


class Net(nn.Module):
    """U-Net.

    Args:
        params: widths and depths.
        channels: image channels C.
        num_classes: logits K.
    """

    def __init__(self, params: Params, channels: int, num_classes: int) -> None:
        super().__init__()
        self.depth, self.tap = params.depth, min(params.tap, params.depth)
        widths = [params.width * 2**level for level in range(params.depth + 1)]
        self.down = nn.ModuleList(_block(i, o) for i, o in zip([channels, *widths], widths, strict=False))
        self.up = nn.ModuleList(_block(widths[i + 1] + widths[i], widths[i]) for i in range(params.depth))
        self.head = nn.Conv2d(widths[0], num_classes, 1)
        self.tap_channels = (widths[self.tap],)

    def forward(self, image: Tensor) -> Output:
        """Logits (B, K, Y, X) and the tapped features (B, D, Y / 2**tap, X / 2**tap) of images (B, C, Y, X)."""
        height, width = image.shape[-2:]
        multiple = 2**self.depth
        pad = (0, -width % multiple, 0, -height % multiple)
        x = F.pad(image, pad, mode="replicate") if any(pad) else image
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        tap = x
        for level in reversed(range(self.depth)):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[level](torch.cat([x, skips[level]], 1))
            if level == self.tap:
                tap = x
        stride = 2**self.tap
        return Output(
            logits=self.head(x)[..., :height, :width],
            tap=tap[..., : -(-height // stride), : -(-width // stride)],
        )
