"""Write ``docs/modes.md`` and its pictures from the modes themselves: ``make docs``.

Text, formula and source are the docstrings of the modules, the tables are their ``Params``, and the
pictures are drawn by their ``corrupt`` on an embedded phantom. Run ``python docs/make_modes.py`` from the
repository root.
"""

from dataclasses import MISSING
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from noisylabels.case import Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.params import Parameter, parameters
from noisylabels.phantoms.laparoscopy import cases

FOLDER = Path(__file__).parent
SIZE = (192, 240)
SCENE, SEED = 13, 5
COLOURS = ((61, 182, 122), (250, 199, 72), (64, 156, 224))  # of shaft, wrist and clasper, as in phantoms.png
INK, PAPER = (38, 42, 46), (255, 255, 255)
GAP, HEAD = 8, 24

SHOWN: dict[str, tuple[tuple[str, dict[str, Any], str], ...]] = {
    "symmetric": (
        ("pixel, rate 0.5", {"unit": "pixel", "background": False}, "a"),
        ("pixel, background too", {"unit": "pixel"}, "a"),
        ("component, rate 0.5", {}, "a"),
    ),
    "asymmetric": (
        ("pixel, rate 0.4", {"unit": "pixel", "background": False}, "a"),
        ("component, rate 0.4", {}, "c"),
        ("class_region, rate 0.4", {"unit": "class_region"}, "c"),
    ),
    "pair-flip": (
        ("pixel, background too", {"unit": "pixel"}, "a"),
        ("component, rate 0.4", {}, "c"),
        ("component, background too", {"background": True}, "b"),
    ),
    "ellipse": (
        ("moments", {}, "a"),
        ("contour", {"fit": "contour"}, "a"),
        ("box", {"fit": "box"}, "a"),
    ),
    "dilate": (
        ("radius 1 to 8 px", {}, "a"),
        ("direction", {"granularity": "direction"}, "b"),
        ("local", {"granularity": "local"}, "a"),
    ),
    "erode": (
        ("radius 1 to 8 px", {}, "a"),
        ("local", {"granularity": "local"}, "a"),
        ("local, fill nearest", {"granularity": "local", "fill": "nearest"}, "a"),
    ),
    "boundary": (
        ("object", {}, "a"),
        ("direction", {"granularity": "direction"}, "a"),
        ("local", {"granularity": "local"}, "a"),
    ),
}
"""Caption, parameters and address of the draws of three pictures; any other mode shows its EXAMPLE."""

Pixels = NDArray[np.uint8]


def edges(labels: LabelMap) -> NDArray[np.bool_]:
    """Pixels of an object whose right or lower neighbour, or left or upper one, is of another class."""
    padded = np.pad(labels, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    near = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.asarray((middle > 0) & np.logical_or.reduce([middle != other for other in near]))


def first_tile(case: Case) -> Pixels:
    """The image with the clean labels as coloured outlines, two pixels wide, (Y, X, 3)."""
    assert case.image is not None
    tile = np.moveaxis(case.image, 0, -1).copy()
    inner = np.where(edges(case.labels), 0, case.labels).astype(np.uint8)
    wide = edges(case.labels) | (edges(inner) & (case.labels > 0))
    for c, colour in enumerate(COLOURS, start=1):
        tile[wide & (case.labels == c)] = colour
    return tile


def noisy_tile(case: Case, noisy: LabelMap) -> Pixels:
    """The noisy labels laid over the image in grey, with the clean outlines in ink, (Y, X, 3)."""
    assert case.image is not None
    grey = 120 + case.image.mean(axis=0) * 0.45
    tile = np.repeat(np.round(grey / 6)[:, :, None] * 6, 3, axis=2).astype(np.uint8)
    for c, colour in enumerate(COLOURS, start=1):
        tile[noisy == c] = colour
    tile[edges(case.labels)] = INK
    return tile


def row(tiles: list[tuple[str, Pixels]]) -> Image.Image:
    """Tiles side by side on white, each under its caption."""
    height, width, _ = tiles[0][1].shape
    page = np.full((height + HEAD, len(tiles) * (width + GAP) - GAP, 3), PAPER, np.uint8)
    for k, (_, tile) in enumerate(tiles):
        page[HEAD:, k * (width + GAP) : k * (width + GAP) + width] = tile
    canvas = Image.fromarray(page)
    pen = ImageDraw.Draw(canvas)
    for k, (caption, _) in enumerate(tiles):
        pen.text((k * (width + GAP), 3), caption, fill=INK, font=ImageFont.load_default(size=14))
    return canvas.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def picture(name: str, case: Case) -> Image.Image:
    """Clean outlines, then what the mode makes of them."""
    module = MODES.load(name)
    shown = SHOWN.get(name, (("example", {}, "a"),))
    tiles = [("clean", first_tile(case))]
    for caption, values, address in shown:
        params = module.Params(**values) if name in SHOWN else module.EXAMPLE
        tiles.append((caption, noisy_tile(case, module.corrupt(case, params, Draws(0, "docs", address)))))
    return row(tiles)


def as_markdown(docstring: str) -> list[str]:
    """A module's docstring without its first line: indented blocks as code, the source in bold."""
    lines: list[str] = []
    for block in docstring.strip().split("\n\n")[1:]:
        code = block.startswith("    ")
        if code and lines and lines[-1] == "```":
            lines[-1:] = ["", *block.split("\n"), "```"]
        elif code:
            lines += ["", "```", *block.split("\n"), "```"]
        else:
            text = " ".join(block.split("\n")).replace("::", ":").replace("``", "`")
            lines += ["", text.replace("Source:", "**Source:**", 1) if text.startswith("Source:") else text]
    return lines


def kind(parameter: Parameter) -> str:
    """The type of a parameter in words."""
    word = {int: "whole number", float: "number", bool: "yes or no", str: "text"}[parameter.scalar]
    if parameter.choices:
        word = " \\| ".join(parameter.choices)
    if parameter.length is not None:
        word = {0: f"list of {word}s", 2: "range low:high"}.get(
            parameter.length, f"{parameter.length} {word}s"
        )
    return word


def value(parameter: Parameter) -> str:
    """The default of a parameter as one types it."""
    default = parameter.default
    if default is None or default is MISSING:
        return "-"
    if isinstance(default, bool):
        return "yes" if default else "no"
    return ":".join(map(str, default)) if isinstance(default, tuple) else str(default)


def section(name: str) -> list[str]:
    """The part of one mode."""
    module = MODES.load(name)
    lines = [f"## {name}", "", (module.__doc__ or "").split("\n")[0], "", f"![{name}](modes/{name}.png)"]
    lines += as_markdown(module.__doc__ or "")
    lines += ["", "| option | value | default | meaning |", "|---|---|---|---|"]
    for p in parameters(module.Params):
        lines.append(f"| `{p.flag}` | {kind(p)} | {value(p)} | {p.help} |")
    return [*lines, ""]


INTRODUCTION = f"""# Modes of corruption

Made by `python docs/make_modes.py` from the modules in `noisylabels/corruptions/`; a new file there appears
here.

Every picture shows the same phantom: on the left the image with its clean outlines (shaft green, wrist
yellow, clasper blue, {SIZE[0]} x {SIZE[1]} px), then the noisy labels for several options, with the clean
outlines in black.

All modes work in 2-D and 3-D, leave pixels of value 255 (ignore) alone, and give no class that was not
declared. What is drawn does not depend on the strength, so a stronger setting contains the weaker one.
Objects are connected components, whose pixels may touch at corners.
"""


def main() -> None:
    """Write everything."""
    case = next(c for k, c in enumerate(cases(SCENE + 1, SIZE, seed=SEED, frames=1)) if k == SCENE)
    (FOLDER / "modes").mkdir(exist_ok=True)
    for name in MODES.names():
        picture(name, case).save(FOLDER / "modes" / f"{name}.png", optimize=True)
    text = [INTRODUCTION, *chain.from_iterable(section(name) for name in MODES.names())]
    (FOLDER / "modes.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
