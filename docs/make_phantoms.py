"""Draw phantom scenes, and the same with their labels laid over.

``docs/phantoms.png`` shows six of the source domain, ``docs/phantoms-target.png`` three of the target domain.

Run ``python docs/make_phantoms.py`` from the repository root.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from noisylabels.case import Case
from noisylabels.phantoms.laparoscopy import cases

SIZE = (192, 240)
PAGES = {"phantoms.png": ("source", (0, 2, 3, 6, 7, 11)), "phantoms-target.png": ("target", (2, 3, 7))}
"""File -> domain and numbers of the scenes."""
COLOURS = ((61, 182, 122), (250, 199, 72), (64, 156, 224))  # of shaft, wrist and clasper
GAP = 4


def tile(case: Case) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Image above and below, (2 Y + GAP, X, 3), and the labels that cover the lower one, (2 Y + GAP, X)."""
    assert case.image is not None
    image = np.moveaxis(case.image, 0, -1)
    rule = np.full((GAP, image.shape[1], 3), 255, np.uint8)
    above = np.zeros((len(image) + GAP, image.shape[1]), np.uint8)
    return np.concatenate([image, rule, image]), np.concatenate([above, case.labels])


def sheet(domain: str, numbers: tuple[int, ...]) -> Image.Image:
    """Rows of three tiles on white, with a palette that holds the colours of the labels as they are."""
    scenes = list(cases(max(numbers) + 1, SIZE, seed=5, frames=1, domain=domain))
    tiles = [tile(scenes[k]) for k in numbers]
    height, width, _ = tiles[0][0].shape
    rows = len(numbers) // 3
    page = np.full((rows * height + 3 * GAP * (rows - 1), 3 * width + 2 * GAP, 3), 255, np.uint8)
    labels = np.zeros(page.shape[:2], np.uint8)
    for k, (image, laid) in enumerate(tiles):
        top, left = (k // 3) * (height + 3 * GAP), (k % 3) * (width + GAP)
        page[top : top + height, left : left + width] = image
        labels[top : top + height, left : left + width] = laid
    free = 256 - len(COLOURS)
    drawn = Image.fromarray(page).quantize(free, kmeans=1, dither=Image.Dither.NONE)
    palette = (drawn.getpalette() or [])[: 3 * free]
    palette += [0] * (3 * free - len(palette)) + [value for colour in COLOURS for value in colour]
    finished = Image.fromarray(np.where(labels > 0, free - 1 + labels, np.asarray(drawn)).astype(np.uint8))
    finished.putpalette(palette)
    return finished


if __name__ == "__main__":
    for name, (domain, numbers) in PAGES.items():
        sheet(domain, numbers).save(Path(__file__).with_name(name), optimize=True)
