"""Flat pictures and labels in two folders."""

from pathlib import Path

import numpy as np
from PIL import Image


def write(folder: Path) -> int:
    """Write the files; returns the number of cases."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(6):
        rng = np.random.default_rng(number)
        image = rng.integers(0, 255, (20, 24, 3)).astype(np.uint8)
        labels = np.zeros((20, 24), np.uint8)
        labels[4:9, 5 : 9 + number] = 100
        labels[12:15, 3:9] = 200
        Image.fromarray(image).save(folder / "images" / f"p{number // 2}_{number}_img.png")
        Image.fromarray(labels).save(folder / "labels" / f"p{number // 2}_{number}_mask.png")
    return 6
