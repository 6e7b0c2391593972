"""A small U-Net in 2-D or 3-D with a feature tap.

Source: Ronneberger, Fischer, Brox, U-Net, MICCAI 2015; Cicek et al., 3D U-Net, MICCAI 2016. Differs: normalisation,
nearest up-sampling in place of transposed convolution, padded convolutions; sizes that do not divide are padded inside
and cropped again.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Output

DIMS = frozenset({2, 3})
MIN_BATCH = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of the U-Net.

    Attributes:
        width: channels at full resolution; they double with every level.
        depth: levels below the first; the deepest has stride 2 ** depth.
        tap: level of the decoder whose features are tapped, 0 .. depth; its stride is 2 ** tap.
        norm: batch, or group (8 groups, or as many as divide the channels), whose result does not depend on the
            other cases of a batch.
    """

    width: int = 16
    depth: int = 4
    tap: int = 2
    norm: Literal["batch", "group"] = "batch"

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.width < 1 or self.depth < 0 or self.tap < 0:
            raise UsageError("width must be at least 1, depth and tap at least 0.")


class Net(nn.Module):
    """U-Net.

    Args:
        params: widths and depths.
        channels: image channels C.
        num_classes: logits K.
        dims: axes of an image, 2 or 3.
    """

    def __init__(self, params: Params, channels: int, num_classes: int, dims: int = 2) -> None:
        super().__init__()
        self.depth, self.tap, self.dims = params.depth, min(params.tap, params.depth), dims
        widths = [params.width * 2**level for level in range(params.depth + 1)]
        self.down = nn.ModuleList(
            _block(i, o, params.norm, dims) for i, o in zip([channels, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            _block(widths[i + 1] + widths[i], widths[i], params.norm, dims) for i in range(params.depth)
        )
        self.head = _conv(dims)(widths[0], num_classes, 1)
        self.tap_channels = (widths[self.tap],)

    def tap_head(self, index: int, channels: int) -> nn.Module:
        """A 3 x 3 (x 3) convolution on the tap."""
        return _conv(self.dims)(self.tap_channels[index], channels, 3, padding=1)

    def forward(self, image: Tensor) -> Output:
        """Logits (B, K, *S) and the tapped features (B, D, *S / 2**tap, rounded up) of images (B, C, *S)."""
        size = image.shape[2:]
        multiple = 2**self.depth
        pad = [amount for length in reversed(size) for amount in (0, -length % multiple)]
        x = F.pad(image, pad, mode="replicate") if any(pad) else image
        pool = F.max_pool2d if self.dims == 2 else F.max_pool3d
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else pool(x, 2))
            skips.append(x)
        tap = x
        for level in reversed(range(self.depth)):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[level](torch.cat([x, skips[level]], 1))
            if level == self.tap:
                tap = x
        stride = 2**self.tap
        return Output(
            logits=_crop(self.head(x), tuple(size)),
            tap=_crop(tap, tuple(-(-length // stride) for length in size)),
        )


def _crop(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return x[(..., *(slice(length) for length in size))]


def _conv(dims: int) -> type[nn.Conv2d] | type[nn.Conv3d]:
    return nn.Conv2d if dims == 2 else nn.Conv3d


def _block(in_channels: int, out_channels: int, norm: str, dims: int) -> nn.Sequential:
    def half(channels: int) -> list[nn.Module]:
        return [
            _conv(dims)(channels, out_channels, 3, padding=1, bias=False),
            _norm(out_channels, norm, dims),
            nn.ReLU(inplace=True),
        ]

    return nn.Sequential(*half(in_channels), *half(out_channels))


def _norm(channels: int, norm: str, dims: int) -> nn.Module:
    if norm == "group":
        return nn.GroupNorm(math.gcd(channels, 8), channels)
    return (nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d)(channels)
