"""One picture of several cases: what a recipe does to them, before a dataset is made.

Every case is a row of three tiles: the image with the clean outlines, the noisy labels over the grey image
with the clean outlines in white, and the wrong pixels. A volume shows the slice with most of them.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.metrics.noise import measure
from noisylabels.reports.pictures import CHANGES, Colour, class_colour, pixels_to_show, slice_to_show
from noisylabels.store.files import disk_errors, write_bytes
from noisylabels.store.write import refuse_existing

if TYPE_CHECKING:
    from PIL import Image

_MARK = "noisylabels preview"
_SIDE = 256  # pixels of the longer side of a tile
_COLUMNS = 2
_GAP, _LINE = 8, 20  # between tiles, and the height of a line of text
_INK: Colour = (38, 42, 46)
_PAPER: Colour = (255, 255, 255)
_UNLABELLED: Colour = (52, 52, 58)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of one case.

    Attributes:
        caption: its name and what was measured on the whole of it.
        tiles: clean, noisy and wrong, each (H, W, 3).
    """

    caption: str
    tiles: tuple[Pixels, Pixels, Pixels]


def row(case: Case, noisy: LabelMap) -> Row:
    """Draw one case.

    Args:
        case: clean labels and image; without an image the tiles are grey.
        noisy: labels of the same shape.
    """
    at = slice_to_show(case.labels, noisy) if noisy.ndim == 3 else None
    found = measure(case.labels, noisy, case.classes, case.spacing)
    place = "" if at is None else f", slice {at} of {len(noisy)}"
    caption = f"{case.case_id}{place}: Dice {found.mean_dice:.3f}, {found.wrong_share:.1%} wrong"
    clean, other = (labels if at is None else labels[at] for labels in (case.labels, noisy))
    image = _resized(pixels_to_show(case, at), clean.shape)
    clean, other = _enlarged(clean), _enlarged(other)
    return Row(caption, (_outlined(image, clean), _covered(image, clean, other), _wrong(image, clean, other)))


def page(rows: Sequence[Row], heading: str, classes: Sequence[str]) -> "Image.Image":
    """All rows on one page, in two columns, under a heading and above a legend of the colours.

    Args:
        rows: at least one; tiles may differ in size.
        heading: what was done.
        classes: K names, background first.
    """
    from PIL import Image

    width = max(sum(tile.shape[1] + _GAP for tile in one.tiles) for one in rows) + _GAP
    height = max(one.tiles[0].shape[0] for one in rows) + _LINE + _GAP
    columns = min(_COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    canvas = Image.new("RGB", (columns * width + _GAP, lines * height + 2 * _LINE + 3 * _GAP), _PAPER)
    _write(canvas, heading, _GAP, _GAP, canvas.width - _GAP)
    for k, one in enumerate(rows):
        x, y = _GAP + k % columns * width, 2 * _GAP + _LINE + k // columns * height
        _write(canvas, one.caption, x, y, x + width - _GAP)
        for tile in one.tiles:
            canvas.paste(Image.fromarray(tile), (x, y + _LINE))
            x += tile.shape[1] + _GAP
    _legend(canvas, classes, canvas.height - _LINE - _GAP)
    return canvas


def write_preview(picture: "Image.Image", path: Path) -> None:
    """Write a page as PNG; an earlier preview at the same place is replaced, nothing else.

    Raises:
        UsageError: something that is no preview is at ``path``.
        NoisyLabelsError: it cannot be written.
    """
    from PIL import Image, PngImagePlugin, UnidentifiedImageError

    if path.exists() or path.is_symlink():
        try:
            with Image.open(path) as there:
                ours = there.info.get("Software") == _MARK
        except (OSError, UnidentifiedImageError):
            ours = False
        if not ours:
            refuse_existing(path)
    note = PngImagePlugin.PngInfo()
    note.add_text("Software", _MARK)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True, pnginfo=note)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, buffer.getvalue())


def _outlined(image: Pixels, clean: LabelMap) -> Pixels:
    tile = image.copy()
    edges = _edges(clean)
    for c in _present(clean):
        tile[edges & (clean == c)] = class_colour(c)
    tile[clean == IGNORE] = _UNLABELLED
    return tile


def _covered(image: Pixels, clean: LabelMap, noisy: LabelMap) -> Pixels:
    tile = _grey(image)
    for c in _present(noisy):
        inside = noisy == c
        tile[inside] = (tile[inside] * 0.35 + np.array(class_colour(c)) * 0.65).astype(np.uint8)
    tile[_edges(clean) & (clean != IGNORE)] = _PAPER
    tile[noisy == IGNORE] = _UNLABELLED
    return tile


def _wrong(image: Pixels, clean: LabelMap, noisy: LabelMap) -> Pixels:
    tile = _grey(image)
    wrong = (clean != noisy) & (clean != IGNORE) & (noisy != IGNORE)
    kinds = (wrong & (clean == 0), wrong & (noisy == 0), wrong & (clean != 0) & (noisy != 0))
    for inside, colour in zip(kinds, CHANGES.values(), strict=True):
        tile[inside] = colour
    tile[clean == IGNORE] = _UNLABELLED
    return tile


def _legend(canvas: "Image.Image", classes: Sequence[str], y: int) -> None:
    from PIL import ImageDraw

    pen, x = ImageDraw.Draw(canvas), _GAP
    colours = {name: class_colour(c) for c, name in enumerate(classes) if c}
    for group, shown in (("Labels:", colours), ("Wrong pixels:", CHANGES), ("", {"no label": _UNLABELLED})):
        x = _write(canvas, group, x, y, canvas.width) + _GAP
        for name, colour in shown.items():
            pen.rectangle((x, y + 3, x + 11, y + 14), fill=colour)
            x = _write(canvas, name, x + 17, y, canvas.width) + 2 * _GAP


def _write(canvas: "Image.Image", text: str, x: int, y: int, end: int) -> int:
    """Text from x on, cut where it would pass ``end``; gives the place behind it."""
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=13)
    shown = text
    while shown and x + pen.textlength(shown, font=font) > end:
        shown = shown[:-4].rstrip() + "..." if len(shown) > 4 else ""
    pen.text((x, y), shown, fill=_INK, font=font)
    return x + int(pen.textlength(shown, font=font))


def _grey(image: Pixels) -> Pixels:
    grey = (image.mean(axis=-1) * 0.75).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _present(labels: LabelMap) -> list[int]:
    return [int(c) for c in np.unique(labels) if c not in (0, IGNORE)]


def _edges(labels: LabelMap) -> NDArray[np.bool_]:
    """Pixels of objects within two steps of a pixel of another class; the frame is none."""
    padded = np.pad(labels, 2, mode="edge")
    h, w = labels.shape
    shifts = ((0, 2), (1, 2), (3, 2), (4, 2), (2, 0), (2, 1), (2, 3), (2, 4))
    near = [padded[dy : dy + h, dx : dx + w] != labels for dy, dx in shifts]
    return np.asarray((labels != 0) & (labels != IGNORE) & np.logical_or.reduce(near))


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the tile of a plane."""
    scale = _SIDE / max(shape)
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _enlarged(labels: LabelMap) -> LabelMap:
    height, width = _size(labels.shape)
    rows = np.arange(height) * labels.shape[0] // height
    return np.ascontiguousarray(labels[rows][:, np.arange(width) * labels.shape[1] // width])


def _resized(image: Pixels, shape: tuple[int, ...]) -> Pixels:
    from PIL import Image

    height, width = _size(shape)
    picture = Image.fromarray(image).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    return np.array(picture)
