"""Dab discs onto the edges of objects, or bite discs out of them.

A share of the edge pixels of each class carries a disc (in 3-D a ball) with a radius from the range. A disc that
adds is centred on the object's pixel and pushes the outline out by its radius; one that removes is centred on
the pixel outside that touches it and pushes it in by as much::

    . . . . . . . . .        . . . 1 . . . . .
    . . . . . . . . .        . . 1 1 1 . . . .
    . 1 1 1 1 1 1 1 .        . 1 1 1 1 1 1 1 .
    . 1 1 1 1 1 1 1 .   ->   . 1 1 1 1 1 . 1 .       r = 2: one disc adds, one removes
    . 1 1 1 1 1 1 1 .        . 1 1 1 1 . . . .
    . . . . . . . . .        . . . . . . . . .

With ``coin`` (and ``add`` or ``remove`` alone) all discs start from the clean outlines: additions lie outside the
object and removals inside, so they never meet and neither has the last word: on a disc of radius 60 the area
stays within 1 %. With ``add_then_remove``, as in PyMIC, a share of the edge gets discs that add, and then a
share of the new edge gets discs that remove, which take away much of what was added too (there it loses 4 %).

Classes are layers: of two whose discs reach a pixel the higher lies on top. The frame and ``IGNORE`` are unknown
ground and make no edge. Whether a pixel carries a disc, which radius, and the coin are the words at the place
of that pixel and class: a larger share keeps all discs of a smaller one.

Source: Wang et al., PyMIC: a deep learning toolkit for annotation-efficient medical image segmentation, 2023,
JSRT example (discs of 6 to 12 px at 10 % of the edge, added then removed); Zhang et al., Characterizing label
errors: confident learning for noisy-labeled image segmentation, MICCAI 2020 (about half of the edge, by coin).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import ball
from noisylabels.kernels import balls, philox, runs
from noisylabels.kernels.choice import plain
from noisylabels.kernels.tables import look_up
from noisylabels.parts import radii
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1

_RADII = 32
_TABLE = 2**20
_FACES = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How many discs, how large, and what they do.

    Attributes:
        share: probability that an edge pixel carries a disc, 0 to 1; in 3-D a tenth of it covers as much.
        radius_px: range of the radius in pixels, 0 to 1000, one of 32 evenly spread values each; (6, 12) when
            neither this nor radius_mm is given.
        radius_mm: the same in millimetres, for a case with a spacing (rounded to whole micrometres).
        sequence: what discs do: add, remove, coin (each one or the other, evenly), or add_then_remove (add
            first, then remove at the edge that this gives).
        over: what an added disc may cover: background, or all (other chosen classes too).
        classes: the classes whose edges change; by default every one but the background.
    """

    share: float = 0.1
    radius_px: radii.Range | None = None
    radius_mm: radii.Range | None = None
    sequence: Literal["add", "remove", "coin", "add_then_remove"] = "coin"
    over: Literal["background", "all"] = "background"
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UsageError(f"The share of edge pixels with a disc lies between 0 and 1, not {self.share}.")
        px = radii.check_radius(self.radius_px, self.radius_mm, (6.0, 12.0))
        object.__setattr__(self, "radius_px", px)
        if self.sequence not in ("add", "remove", "coin", "add_then_remove"):
            raise UsageError(
                f"There is no sequence '{self.sequence}'; known: add, remove, coin, add_then_remove."
            )
        if self.over not in ("background", "all"):
            raise UsageError(f"Discs may cover background or all, not '{self.over}'.")
        check_classes(self.classes)


EXAMPLE = Params(radius_px=(1.0, 3.0), share=0.15)


def scaled(params: Params, factor: float) -> Params:
    """Fewer discs below factor 1, larger ones above: at a share of a tenth more discs hardly reach further.

    Args:
        params: at factor 1.
        factor: 0 (no disc) or more; radii grow up to 1000.
    """
    larger = max(factor, 1.0)
    px, mm = (
        None if given is None else (min(given[0] * larger, 1000.0), min(given[1] * larger, 1000.0))
        for given in (params.radius_px, params.radius_mm)
    )
    return replace(params, share=params.share * min(factor, 1.0), radius_px=px, radius_mm=mm)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with discs added to and removed from its edges.

    Args:
        case: the case; its image is not looked at.
        params: how many discs, how large.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    p = params
    classes = chosen_foreground(case, p.classes)
    limits, steps = radii.in_thousandths(case, p.radius_px, p.radius_mm)
    key = int(draws.at("discs").words(1)[0])
    clean = plain(case.labels).reshape((-1, *case.labels.shape[-2:]))
    out = clean.copy()
    if p.sequence in ("remove", "coin"):
        discs = _chosen(_outer(clean, classes), clean.shape, key, 1, p)
        _remove(out, clean, discs, limits, steps)
    if p.sequence != "remove":
        discs = _chosen(_inner(clean, classes), clean.shape, key, 0, p)
        out = _added(clean, out, discs, limits, steps, classes, p.over)
    if p.sequence == "add_then_remove":
        grown = out.copy()
        discs = _chosen(_outer(grown, classes), clean.shape, key, 1, p)
        _remove(out, grown, discs, limits, steps)
    return out.reshape(case.labels.shape)


Discs = tuple[balls.Sources, NDArray[np.int64]]
"""Centres, each a run of one pixel whose owner is its class, and which of the 32 radii each has."""


def _inner(volume: LabelMap, classes: Sequence[int]) -> balls.Sources:
    """Pixels of chosen classes that touch another label."""
    found = runs.single(balls.grow_sources(volume, volume, False))
    found = found[np.isin(found[:, balls.OWNER], classes)]
    if not (volume == IGNORE).any():
        return found
    touches = np.zeros(len(found), dtype=bool)
    for face in _FACES:
        at = found[:, [balls.Z, balls.Y, balls.FIRST]] + np.array(face)
        inside = ((at >= 0) & (at < np.array(volume.shape))).all(axis=1)
        other = volume[tuple(np.where(inside[:, None], at, 0).T)]
        touches |= inside & (other != IGNORE) & (other != found[:, balls.OWNER])
    return found[touches]


def _outer(volume: LabelMap, classes: Sequence[int]) -> balls.Sources:
    """Pixels with a label that touch a chosen class from outside, once for each such class."""
    unknown = np.zeros((256, 256), dtype=bool)
    unknown[:, IGNORE] = True
    found = runs.single(balls.shrink_sources(volume, volume, unknown, False))
    return found[np.isin(found[:, balls.OWNER], classes)]


def _chosen(edge: balls.Sources, shape: tuple[int, ...], key: int, turn: int, p: Params) -> Discs:
    """The discs on an edge: which pixels carry one, and how large."""
    words = philox.words(key, runs.places(edge, shape), edge[:, balls.OWNER], turn)
    there = words[:, 0] < np.uint64(philox.threshold(p.share))
    if p.sequence == "coin":
        there &= words[:, 2] >> np.uint64(31) == 0
    return edge[there], (words[there, 1] >> np.uint64(27)).astype(np.int64)


def _reaches(
    discs: Discs, shape: tuple[int, ...], limits: radii.Range, steps: tuple[int, ...]
) -> list[tuple[balls.Sources, balls.Reaches]]:
    """The discs that reach another pixel, all at once, or so many that the tables of their runs stay small."""
    centres, size = discs
    everything = int(sum(side * step for side, step in zip(shape[-len(steps) :], steps, strict=True)))
    every = np.arange(_RADII) * (limits[1] - limits[0]) / (_RADII - 1) + limits[0]
    radius = np.minimum(every.astype(np.int64), everything)
    rows = int(np.prod([2 * (radius[-1] // step) + 1 for step in steps[:-1]]))
    found = []
    for kinds in np.array_split(np.arange(_RADII), min(_RADII, 1 + _RADII * rows // _TABLE)):
        mine = (size >= kinds[0]) & (size <= kinds[-1]) & (radius[size] >= min(steps))
        if mine.any():
            half = ball(radius[kinds] ** 2, steps)
            found.append((centres[mine], balls.Reaches(size[mine] - kinds[0], half, half)))
    return found


def _added(
    clean: LabelMap,
    below: LabelMap,
    discs: Discs,
    limits: radii.Range,
    steps: tuple[int, ...],
    classes: Sequence[int],
    over: str,
) -> LabelMap:
    """``below`` with discs laid over it; a disc covers what was of a lower class in the clean labels."""
    own = np.zeros(256, dtype=np.uint8)
    own[list(classes)] = classes
    top, closed = below, clean
    if over == "all":
        top = look_up(own, clean)
        closed = ((clean != 0) & (top == 0)).view(np.uint8)
    for centres, reaches in _reaches(discs, clean.shape, limits, steps):
        balls.grow(top, closed, centres, centres[:, balls.OWNER].astype(np.uint8), reaches)
    if over == "all":
        for z in range(len(top)):  # slice by slice, for the memory
            np.copyto(top[z], below[z], where=top[z] == own[clean[z]])
    return top


def _remove(
    out: LabelMap, objects: LabelMap, discs: Discs, limits: radii.Range, steps: tuple[int, ...]
) -> None:
    """Clear what discs bite out of ``objects``, each out of its own class; in place."""
    for centres, reaches in _reaches(discs, out.shape, limits, steps):
        balls.erase(out, objects, centres, reaches)
