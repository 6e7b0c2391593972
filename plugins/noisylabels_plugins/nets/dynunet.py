"""DynUNet: the U-Net of nnU-Net with instance normalisation, 2-D and 3-D, from MONAI.

Source: Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation, Nature
Methods 2021.
Code:    Project-MONAI/MONAI (Apache-2.0), ``monai.networks.nets.DynUNet``, called as it is.
Differs: kernels of 3 and strides of 2 along every axis instead of a plan made from the data; no deep supervision; sizes
that do not divide are padded inside and cropped again.
"""

from dataclasses import dataclass

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.monai import Tapped, monai_net

DIMS = frozenset({2, 3})
"""Axes an image may have."""

MIN_BATCH = 1
"""Cases a training batch needs."""

_WIDEST = {2: 512, 3: 320}
"""Most channels of a level, by the axes of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of DynUNet.

    Attributes:
        width: channels at full resolution; they double with every level up to 512 (320 in 3-D).
        levels: resolutions, the full one included, from 3 on.
    """

    width: int = 32
    levels: int = 5

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.width < 1 or self.levels < 3:
            raise UsageError("width must be at least 1, levels at least 3.")


class Net(Tapped):
    """DynUNet, tapped in the decoder at stride 4 (2 if it has three levels).

    Args:
        params: widths and depths.
        channels: image channels C.
        num_classes: logits K.
        dims: axes of an image, 2 or 3.

    Raises:
        UsageError: MONAI is not installed.
    """

    def __init__(self, params: Params, channels: int, num_classes: int, dims: int = 2) -> None:
        downs = params.levels - 1
        widths = [min(params.width * 2**level, _WIDEST[dims]) for level in range(params.levels)]
        network = monai_net(
            "DynUNet",
            spatial_dims=dims,
            in_channels=channels,
            out_channels=num_classes,
            kernel_size=[3] * params.levels,
            strides=[1] + [2] * downs,
            upsample_kernel_size=[2] * downs,
            filters=widths,
        )
        level = min(2, downs - 1)
        super().__init__(
            network,
            dims=dims,
            layer=f"upsamples.{downs - 1 - level}",
            tap_channels=widths[level],
            tap_stride=2**level,
            multiple=2**downs,
            least=2 ** (downs + 1),  # instance normalisation needs two positions at the coarsest level
        )
