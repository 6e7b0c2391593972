"""Small pictures of cases as data addresses: the image, outlines to lie over it, and differences.

Image and overlays are separate pictures on purpose: an overlay is drawn at twice the size of the image and
stays crisp, and one image serves several pictures.
"""

import base64
import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, Case, LabelMap

Colour = tuple[int, int, int]
Tone = Literal["clean", "noisy", "other"]

TONES: dict[Tone, Colour] = {"clean": (94, 242, 176), "noisy": (255, 92, 170), "other": (250, 250, 250)}
"""Colour of an outline by what it shows."""

CHANGES: dict[str, Colour] = {
    "added": (255, 138, 61),
    "missing": (77, 163, 255),
    "other class": (255, 226, 89),
}
"""Colour of a wrong pixel: given a class where there is none, none where there is one, another class."""

_CLASSES: tuple[Colour, ...] = (
    (64, 150, 255), (255, 176, 46), (166, 108, 255), (0, 201, 201),
    (255, 99, 71), (154, 205, 50), (210, 180, 140), (120, 120, 255),
)  # fmt: skip

_SIDE = 320  # pixels of the longer side of an image: twice what a phone shows in two columns
_HALO: Colour = (12, 12, 14)
_TINT = 92  # of 255: how strongly a class covers the image


def class_colour(c: int) -> Colour:
    """Colour of a class other than the background; from the ninth on they come again."""
    return _CLASSES[(c - 1) % len(_CLASSES)]


def slice_to_show(clean: LabelMap, other: LabelMap) -> int:
    """The slice of a volume with the most differing pixels; with the most foreground where none differ."""
    axes = tuple(range(1, clean.ndim))
    differing = ((clean != other) & (clean != IGNORE)).sum(axis=axes)
    foreground = ((clean != 0) & (clean != IGNORE)).sum(axis=axes)
    return int(np.argmax(differing if differing.any() else foreground))


def size_to_show(shape: tuple[int, ...]) -> tuple[int, int]:
    """Width and height of a picture of a label map (..., Y, X): its own, or made to fit."""
    height, width = shape[-2:]
    scale = _SIDE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def pixels_to_show(case: Case, at: int | None = None) -> NDArray[np.uint8]:
    """The image of a case as 8-bit values: three channels as colours (Y, X, 3), else the first one (Y, X).

    Args:
        case: other than 8-bit values show their 1 to 99 % range; a case without an image gives an even grey.
        at: slice of a volume; None for a 2-D case.
    """
    pixels = np.full((1, *case.labels.shape), 96, np.uint8) if case.image is None else case.image
    pixels = pixels if at is None else pixels[:, at]
    if pixels.dtype != np.uint8:
        low, high = np.percentile(pixels, [1, 99])
        pixels = (np.clip((pixels - low) / max(float(high - low), 1e-9), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(pixels, 0, -1) if len(pixels) == 3 else pixels[0])


def image_picture(case: Case, at: int | None = None) -> str:
    """The image of a case; volumes show one slice, and other than 8-bit values their 1 to 99 % range.

    Args:
        case: with an image; a case without one gives an even grey.
        at: slice of a volume; None for a 2-D case.
    """
    from PIL import Image

    pixels = pixels_to_show(case, at)
    picture = Image.fromarray(pixels).resize(size_to_show(pixels.shape[:2]), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(
        buffer, format="JPEG", quality=88, subsampling=0
    )  # a photograph as PNG is five times the size
    return _address("jpeg", buffer)


def outline_picture(labels: LabelMap, tone: Tone) -> str:
    """Outlines of all classes of a label map (Y, X), inside which each class is tinted in its own colour.

    The tint tells a flipped class, whose outline is right, from a class that is right.
    """
    from PIL import Image

    width, height = size_to_show(labels.shape)
    line = np.zeros((2 * height, 2 * width), dtype=bool)
    index = np.zeros(line.shape, dtype=np.uint8)
    for c in np.unique(labels[(labels != IGNORE) & (labels != 0)]).tolist():
        plane = Image.fromarray(np.where(labels == c, np.uint8(255), np.uint8(0)))
        grown = np.asarray(plane.resize((2 * width, 2 * height), Image.Resampling.BILINEAR)) >= 128
        index[grown] = 3 + (c - 1) % len(_CLASSES)
        line |= grown & ~_shrunk(grown, 5)
    index[_grown(line, 1)] = 2
    index[line] = 1
    alphas = [255, 255, *[_TINT] * len(_CLASSES)]
    return _indexed(index, [TONES[tone], _HALO, *_CLASSES], alphas)


def difference_picture(clean: LabelMap, other: LabelMap) -> str:
    """Wrong pixels of a label map (Y, X) in the colours of :data:`CHANGES`, transparent elsewhere."""
    from PIL import Image

    wrong = (clean != other) & (clean != IGNORE) & (other != IGNORE)
    kind = np.where(clean == 0, 1, np.where(other == 0, 2, 3)).astype(np.uint8) * wrong
    width, height = size_to_show(clean.shape)
    grown = Image.fromarray(kind).resize((2 * width, 2 * height), Image.Resampling.NEAREST)
    return _indexed(np.asarray(grown), list(CHANGES.values()), [255] * len(CHANGES))


def _shrunk(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """Erosion by a diamond; the frame is outside, so an object that touches it is outlined there too."""
    for _ in range(steps):
        padded = np.pad(mask, 1)
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def _grown(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    for _ in range(steps):
        padded = np.pad(mask, 1)
        mask = mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return mask


def _indexed(index: NDArray[np.uint8], colours: list[Colour], alphas: list[int]) -> str:
    """A picture of few colours with an alpha each; index 0 is transparent."""
    from PIL import Image

    picture = Image.fromarray(index).convert("P")
    picture.putpalette([0, 0, 0, *(v for colour in colours for v in colour)])
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True, transparency=bytes([0, *alphas]))
    return _address("png", buffer)


def _address(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
