"""Pictures of a mode at work on two phantoms: a laparoscopic scene, and an abdomen in 3-D."""

from typing import Any

import numpy as np
from mode_facts import facts
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from noisylabels.case import Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.params import build
from noisylabels.phantoms.laparoscopy import cases
from noisylabels.phantoms.lits import SPACING, abdomen

SIZE, SCENE, SEED = (192, 240), 13, 5
VOLUME, TIMES = (20, 96, 120), 2
"""Extent of the abdomen (Z, Y, X), and how many times it is enlarged in the pictures."""

COLOURS = ((61, 182, 122), (250, 199, 72), (64, 156, 224))
INK, PAPER = (38, 42, 46), (255, 255, 255)
GAP, HEAD = 8, 24

Pixels = NDArray[np.uint8]


def scene() -> Case:
    """The 2-D phantom: large instruments; the two readers of it are late and sloppy."""
    case = next(c for k, c in enumerate(cases(SCENE + 1, SIZE, seed=SEED, frames=1)) if k == SCENE)
    return with_readers(case)


def volume(number: int = 1) -> Case:
    """The 3-D phantom: liver and tumours."""
    image, labels = abdomen(Draws(number, "docs", "abdomen"), VOLUME)
    grey = np.clip((image.astype(np.int64) + 120) * 255 // 380, 0, 255).astype(np.uint8)
    classes = ("background", "liver", "tumour", "other")  # as many as the scene has
    return with_readers(
        Case(case_id="abdomen", labels=labels, classes=classes, image=grey[None], spacing=SPACING)
    )


def with_readers(case: Case) -> Case:
    """The case with labels of two readers, who draw freely and in ellipses."""
    wobbly, round_ = MODES.load("boundary"), MODES.load("ellipse")
    free = wobbly.Params(radius_px=(0.0, 6.0), granularity="local", nodes=16)
    readers = {
        "1": wobbly.corrupt(case, free, Draws(0, "docs", "reader")),
        "2": round_.corrupt(case, round_.EXAMPLE, Draws(0, "docs", "reader")),
    }
    return Case(
        case_id=case.case_id,
        labels=case.labels,
        classes=case.classes,
        image=case.image,
        spacing=case.spacing,
        readers=readers,
    )


def edges(labels: LabelMap) -> NDArray[np.bool_]:
    """Pixels of an object with a neighbour of another class, (Y, X)."""
    padded = np.pad(labels, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    near = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.asarray((middle > 0) & np.logical_or.reduce([middle != other for other in near]))


def first_tile(image: Pixels, labels: LabelMap) -> Pixels:
    """The image (3, Y, X) with the clean labels as coloured outlines, two pixels wide, (Y, X, 3)."""
    tile = np.moveaxis(image, 0, -1).copy()
    inner = np.where(edges(labels), 0, labels).astype(np.uint8)
    wide = edges(labels) | (edges(inner) & (labels > 0))
    for c, colour in enumerate(COLOURS, start=1):
        tile[wide & (labels == c)] = colour
    return tile


def noisy_tile(image: Pixels, clean: LabelMap, noisy: LabelMap) -> Pixels:
    """The noisy labels laid over the image in grey, with the clean outlines in ink, (Y, X, 3)."""
    grey = 120 + image.mean(axis=0) * 0.45
    tile = np.repeat(np.round(grey / 6)[:, :, None] * 6, 3, axis=2).astype(np.uint8)
    for c, colour in enumerate(COLOURS, start=1):
        tile[noisy == c] = colour
    tile[edges(clean)] = INK
    return tile


def views(case: Case, noisy: LabelMap | None) -> Pixels:
    """The slice with most of the tumours above such a frontal cut, enlarged; the clean case for None."""
    assert case.image is not None
    at = int(np.argmax((case.labels == 2).sum(axis=(1, 2))))
    row = int(np.argmax((case.labels == 2).sum(axis=(0, 2))))
    tall = int(np.rint(SPACING[0] / SPACING[1]))
    tiles = []
    for cut, heights in ((np.s_[at], (1, 1)), (np.s_[:, row], (tall, 1))):
        image, clean = case.image[(0, *np.index_exp[cut])], case.labels[cut]
        given = None if noisy is None else noisy[cut]
        big = [_enlarged(a, heights) for a in (image, clean) + (() if given is None else (given,))]
        colour = np.repeat(big[0][None], 3, axis=0)
        tiles.append(first_tile(colour, big[1]) if given is None else noisy_tile(colour, big[1], big[2]))
    rule = np.full((4, tiles[0].shape[1], 3), PAPER, np.uint8)
    return np.concatenate([tiles[0], rule, tiles[1][::-1]])


def _enlarged(plane: NDArray[Any], heights: tuple[int, int]) -> NDArray[Any]:
    return np.asarray(plane.repeat(TIMES * heights[0], axis=0).repeat(TIMES * heights[1], axis=1))


def row(tiles: list[tuple[str, Pixels]]) -> Pixels:
    """Tiles side by side on white, each under its caption."""
    height, width, _ = tiles[0][1].shape
    page = np.full((height + HEAD, len(tiles) * (width + GAP) - GAP, 3), PAPER, np.uint8)
    for k, (_, tile) in enumerate(tiles):
        page[HEAD:, k * (width + GAP) : k * (width + GAP) + width] = tile
    canvas = Image.fromarray(page)
    pen = ImageDraw.Draw(canvas)
    for k, (caption, _) in enumerate(tiles):
        pen.text((k * (width + GAP), 3), caption, fill=INK, font=ImageFont.load_default(size=14))
    return np.asarray(canvas)


def picture(name: str, plane: Case, solid: Case) -> Image.Image:
    """What a mode makes of both phantoms, for three settings."""
    module, known = MODES.load(name), facts(name)
    shown = known.shown or ({"caption": "example"},)
    settings = [
        (
            one["caption"],
            build(module.Params, one["params"], name) if "params" in one else _default(module),
            one.get("address", "a"),
        )
        for one in shown
    ]
    rows = []
    if 2 in known.dims:
        assert plane.image is not None
        tiles = [("clean", first_tile(plane.image, plane.labels))]
        for caption, params, address in settings:
            noisy = module.corrupt(plane, params, Draws(0, "docs", address))
            tiles.append((caption, noisy_tile(plane.image, plane.labels, noisy)))
        rows.append(row(tiles))
    if 3 in known.dims:
        tiles = [("clean, axial and frontal", views(solid, None))]
        for caption, params, address in settings:
            tiles.append((caption, views(solid, module.corrupt(solid, params, Draws(0, "docs", address)))))
        rows.append(row(tiles))
    page = np.concatenate(rows)
    return Image.fromarray(page).quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def _default(module: Any) -> Any:
    """The defaults, or the example of a mode that needs a value without one."""
    try:
        return module.Params()
    except Exception:
        return module.EXAMPLE
