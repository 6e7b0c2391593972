"""SegResNet: a residual encoder-decoder with group normalisation, 2-D and 3-D, from MONAI.

Source: Myronenko, 3D MRI brain tumor segmentation using autoencoder regularization, BrainLes 2018.
Code:    Project-MONAI/MONAI (Apache-2.0), ``monai.networks.nets.SegResNet``, called as it is.
Differs: no autoencoder branch; sizes that do not divide are padded inside and cropped again.
"""

from dataclasses import dataclass

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.monai import Tapped, monai_net

DIMS = frozenset({2, 3})
"""Axes an image may have."""

MIN_BATCH = 1
"""Cases a training batch needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Parameters of SegResNet.

    Attributes:
        width: channels at full resolution, a multiple of 8; they double with every level.
        blocks: residual blocks of each level of the encoder, the full resolution first.
    """

    width: int = 16
    blocks: tuple[int, ...] = (1, 2, 2, 4)

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.width < 8 or self.width % 8:
            raise UsageError(
                f"width must be a multiple of 8 (the groups of its normalisation), not {self.width}."
            )
        if len(self.blocks) < 2 or min(self.blocks) < 1:
            raise UsageError("blocks must be two or more whole numbers from 1, as in 1,2,2,4.")


class Net(Tapped):
    """SegResNet, tapped in the decoder at stride 4 (2 if it has two levels).

    Args:
        params: widths and depths.
        channels: image channels C.
        num_classes: logits K.
        dims: axes of an image, 2 or 3.

    Raises:
        UsageError: MONAI is not installed.
    """

    def __init__(self, params: Params, channels: int, num_classes: int, dims: int = 2) -> None:
        ups = len(params.blocks) - 1
        network = monai_net(
            "SegResNet",
            spatial_dims=dims,
            init_filters=params.width,
            in_channels=channels,
            out_channels=num_classes,
            blocks_down=params.blocks,
            blocks_up=(1,) * ups,
        )
        level = min(2, ups - 1)
        super().__init__(
            network,
            dims=dims,
            layer=f"up_layers.{ups - 1 - level}",
            tap_channels=params.width * 2**level,
            tap_stride=2**level,
            multiple=2**ups,
        )
