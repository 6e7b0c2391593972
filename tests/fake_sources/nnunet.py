"""A dataset of our own is one of nnU-Net."""

from pathlib import Path

from small import small_dataset


def write(folder: Path) -> int:
    """Write the dataset; returns the number of its cases."""
    small_dataset(
        folder, count=7, ending=".nii.gz", channels=2, shape=(5, 10, 12), spacing=(2.0, 1.0, 1.0), ignore=True
    )
    return 7
