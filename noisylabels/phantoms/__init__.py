"""Synthetic cases, and writers of other datasets' raw layouts made from them."""

from noisylabels.phantoms.embedded import phantom_dataset

__all__ = ["phantom_dataset"]
