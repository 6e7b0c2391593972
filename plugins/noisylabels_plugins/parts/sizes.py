"""Images of any size for networks that halve it several times: padded before, cropped after."""

import torch.nn.functional as F
from torch import Tensor


def padded(image: Tensor, multiple: int, least: int = 1) -> Tensor:
    """The image (B, C, *S) with its last slices, rows and columns repeated until all sizes are a multiple.

    Args:
        image: 2-D or 3-D images.
        multiple: what every size is to divide by.
        least: what no size is to be below; itself a multiple, or 1.
    """
    pad = [
        amount
        for length in reversed(image.shape[2:])
        for amount in (0, max(-length % multiple, least - length))
    ]
    return F.pad(image, pad, mode="replicate") if any(pad) else image


def cropped(x: Tensor, image: Tensor, stride: int = 1) -> Tensor:
    """The part of a map (B, D, *s) of this stride that an image before its padding covers, rounded up."""
    return x[(..., *(slice(-(-length // stride)) for length in image.shape[2:]))]


def resized(x: Tensor, image: Tensor) -> Tensor:
    """A 2-D map (B, D, y, x) at the size of the image, bilinearly, corner pixels on corner pixels."""
    return F.interpolate(x, image.shape[2:], mode="bilinear", align_corners=True)
