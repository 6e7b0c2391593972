"""Draw labels at a lower resolution, as when someone labels a small picture and the labels are blown up.

The frame is divided into blocks, and every block gets one class::

    . . 1 1 1 .        . . 1 1 1 1
    . 1 1 1 1 1        . . 1 1 1 1
    . 1 1 1 1 .   ->   1 1 1 1 . .        blocks of 2 x 2 pixels from the corner on
    1 1 1 1 . .        1 1 1 1 . .

    majority   the class of most of its pixels; of equally many by turns the lowest and the highest, as on a
               chessboard, or always one of these
    nearest    the class of the pixel at its middle; of two in the middle, the lower or the upper one by chance

Where the blocks lie is drawn: with blocks of b pixels, place i along an axis lies in block
floor((i + u b) / b), 0 <= u < 1, in steps of 1/256 pixel; b need not be whole. Only the background and the
chosen classes vote and change: a pixel of another class and ``IGNORE`` stay as they are.

In 3-D blocks extend within the slices (axis 0), or along all axes. A length in millimetres gives blocks as
many pixels long along an axis as its spacing makes it, and one pixel at least.

Source: labels at a quarter of the image's size are what JCAS ships as "SFDA noise" (Guo and Yuan, MICCAI
2022: 256 x 320 for images of 1024 x 1280).
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints
from noisylabels.kernels.choice import plain
from noisylabels.kernels.coarse import majorities, nearest
from noisylabels.parts.lengths import check_length, in_thousandths, stretched
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1

_FINE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How coarse, and what a block becomes.

    Attributes:
        block_px: side of a block in pixels, 0 to 1000, up to 1 for no change; 4 when neither this nor
            block_mm is given.
        block_mm: the same in millimetres, for a case with a spacing.
        rule: majority or nearest.
        ties: with majority, which of several classes with equally many pixels wins: lowest, highest, or by
            turns (objects then neither grow nor shrink on average).
        axes: in 3-D, along which axes there are blocks: in_plane (all but axis 0), or all.
        aligned: let the first block begin at the corner of the frame instead of a drawn place.
        classes: the classes that are drawn coarsely; by default every one but the background.
    """

    block_px: float | None = None
    block_mm: float | None = None
    rule: Literal["majority", "nearest"] = "majority"
    ties: Literal["turns", "lowest", "highest"] = "turns"
    axes: Literal["in_plane", "all"] = "in_plane"
    aligned: bool = False
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "block_px", check_length("block", self.block_px, self.block_mm, 4.0, 1000))
        for name, value, known in (
            ("rule", self.rule, ("majority", "nearest")),
            ("ties", self.ties, ("turns", "lowest", "highest")),
            ("axes", self.axes, ("in_plane", "all")),
        ):
            if value not in known:
                raise UsageError(f"There is no value '{value}' for {name}; known: {', '.join(known)}.")
        check_classes(self.classes)


EXAMPLE = Params(block_px=3.0)


def scaled(params: Params, factor: float) -> Params:
    """The same blocks at a multiple of their side, 1000 at most."""
    px, mm = (stretched(length, factor, 1000) for length in (params.block_px, params.block_mm))
    return replace(params, block_px=px, block_mm=mm)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case in blocks.

    Args:
        case: the case; its image is not looked at.
        params: how coarse, and what a block becomes.
        draws: the stream of this case and step.

    Returns:
        New labels.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    p = params
    length, steps = in_thousandths(case, "block", p.block_px, p.block_mm)
    voting = np.zeros(256, dtype=bool)
    voting[[0, *chosen_foreground(case, p.classes)]] = True
    shift, coin = draws.at("offset").uniform(3), draws.at("middle").uniform(3) < 0.5
    volume = plain(case.labels).reshape((-1, *case.labels.shape[-2:]))
    sides = [max(_FINE, int(np.rint(_FINE * length / step))) for step in ((1,) * (3 - len(steps)) + steps)]
    if len(steps) == 2 or p.axes == "in_plane":
        sides[0] = _FINE
    blocks = [
        (_FINE * np.arange(size) + (0 if p.aligned else int(u * side))) // side
        for size, side, u in zip(volume.shape, sides, shift.tolist(), strict=True)
    ]
    if p.rule == "majority":
        z, y, x = blocks
        even = p.ties == "highest" or (p.ties == "turns" and bool(coin[0]))
        found = majorities(
            volume, voting, (z, y, x), even, p.ties == "highest" or (p.ties == "turns" and not even)
        )
    else:
        z, y, x = (_middles(block, bool(upper)) for block, upper in zip(blocks, coin, strict=True))
        found = nearest(volume, voting, (z, y, x))
    return found.reshape(case.labels.shape)


def _middles(blocks: Ints, upper: bool) -> Ints:
    """The place in the middle of the block of every place; the lower or the upper one of two."""
    _, first, of, size = np.unique(blocks, return_index=True, return_inverse=True, return_counts=True)
    middle = first + (size if upper else size - 1) // 2
    return np.asarray(middle[of])
