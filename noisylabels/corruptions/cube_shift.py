"""Grow or shrink by cubes, in 2-D by squares, of a random edge.

With the edge e = 2 h + 1 an outline moves by h pixels along every axis, and by more across corners::

    . . . . . . .        . . . . . . .        1 1 1 1 1 1 1
    . . 1 1 1 . .        . . . . . . .        1 1 1 1 1 1 1
    . . 1 1 1 . .        . . . 1 . . .        1 1 1 1 1 1 1
    . . 1 1 1 . .        . . . . . . .        1 1 1 1 1 1 1
    . . . . . . .        . . . . . . .        1 1 1 1 1 1 1
                         e = 3, shrunk        e = 5, grown

A background pixel p becomes class c if the cube around p holds a pixel of an object of class c; of several
classes the highest lies on top. A pixel of an object is given up if the cube around it holds a pixel of another
class. The frame and ``IGNORE`` give nothing and eat nothing.

The edge is drawn uniformly, and one throw decides between growth (probability ``grow``) and shrinkage: once for
the case, or once for each object. An object thinner than the edge vanishes when it shrinks, as it does in the
source: half of an organ of 10 voxels with edges of 3 to 15. With ``keep`` it stays as it is instead.

Source: Xu et al. (MTCL), TMI 2022, noise of the LA volumes: cubes with an edge of 3 to 15 voxels, growth or
shrinkage by a fair coin for each case. There even edges occur too, and move the object by half a voxel:
``legacy``.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints, Mask, steps_mm
from noisylabels.kernels import bits
from noisylabels.parts import outlines
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1

_MOST = 2001


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How large the cubes are, and what varies.

    Attributes:
        edge_px: range of the edge in whole pixels, 1 to 2001; only its odd numbers are drawn; (3, 15) when
            neither this nor edge_mm is given.
        edge_mm: the same in millimetres, 0 to 2000, for a case with a spacing: along every axis the cube reaches
            as many whole pixels to either side as fit into half its edge.
        unit: what draws an edge and a direction: case, or object (each connected component).
        grow: probability to grow rather than shrink, 0 to 1.
        keep: an object that would vanish stays as it is.
        legacy: draw even edges as well. Such a cube reaches one pixel further towards lower indices when it
            grows an object, and towards higher ones when it shrinks it.
        classes: the classes that move; by default every one but the background.
    """

    edge_px: tuple[int, int] | None = None
    edge_mm: tuple[float, float] | None = None
    unit: Literal["case", "object"] = "case"
    grow: float = 0.5
    keep: bool = False
    legacy: bool = False
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.edge_px is not None and self.edge_mm is not None:
            raise UsageError("Give the edge in px or in mm, not both (edge_px, edge_mm).")
        if self.edge_px is None and self.edge_mm is None:
            object.__setattr__(self, "edge_px", (3, 15))
        px, mm = self.edge_px, self.edge_mm
        if px is not None and not 1 <= px[0] <= px[1] <= _MOST:
            raise UsageError(
                f"An edge range is two whole numbers with 1 <= low <= high <= {_MOST}, not {px}."
            )
        if px is not None and not self.legacy and px[0] == px[1] and px[0] % 2 == 0:
            raise UsageError(f"There is no odd edge from {px[0]} to {px[1]}; allow even ones with legacy.")
        if mm is not None and not 0 <= mm[0] <= mm[1] <= 2000:
            raise UsageError(f"An edge range in mm is two numbers with 0 <= low <= high <= 2000, not {mm}.")
        if mm is not None and self.legacy:
            raise UsageError("Even edges (legacy) are a matter of whole pixels; give edge_px.")
        if self.unit not in ("case", "object"):
            raise UsageError(f"There is no unit '{self.unit}'; known: case, object.")
        if not 0 <= self.grow <= 1:
            raise UsageError(f"The probability to grow lies between 0 and 1, not {self.grow}.")
        check_classes(self.classes)


EXAMPLE = Params(edge_px=(3, 5))


def scaled(params: Params, factor: float) -> Params:
    """The parameters with the way that outlines move, half of the edge, times ``factor``; rounded to whole pixels."""
    if factor == 1:
        return params
    if params.edge_mm is not None:
        low, high = (min(edge * factor, 2000.0) for edge in params.edge_mm)
        return replace(params, edge_mm=(low, high))
    low, high = params.edge_px or (3, 15)
    if params.legacy:
        return replace(params, edge_px=(_wider(low - 1, factor), _wider(high - 1, factor)))
    return replace(params, edge_px=(_wider(low // 2, factor, 2), _wider((high - 1) // 2, factor, 2)))


def _wider(way: int, factor: float, sides: int = 1) -> int:
    """The edge whose half (both sides) or whole (one side) beside the middle pixel is the way times the factor."""
    return min(1 + sides * round(min(way * factor, _MOST)), _MOST)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with its objects grown or shrunk.

    Args:
        case: the case; its image is not looked at.
        params: how far, and what varies.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    p = params
    found = outlines.traced(case, chosen_foreground(case, p.classes), p.unit == "object" or p.keep)
    n = len(found.classes)
    drawn = (n,) if p.unit == "object" else (1,)
    reach = _reach(case, p, draws.at("edge").uniform(drawn))
    _, kinds = np.unique(reach.reshape(-1, 6), axis=0, return_inverse=True)
    reach, kinds = np.broadcast_to(reach, (n, 3, 2)), np.broadcast_to(kinds.reshape(-1), (n,))
    outwards = np.broadcast_to(draws.at("outwards").uniform(drawn) < p.grow, (n,))
    out = found.volume.copy()
    inner = _groups(found, ~outwards, reach[:, :, ::-1], None if p.keep else kinds)
    bits.shrink(out, found.volume, found.table, inner, p.keep)
    own = outlines.own_classes(found.picked, "background")
    bits.grow(out, found.volume, own, found.table, _groups(found, outwards, reach, kinds))
    return out.reshape(case.labels.shape)


def _reach(case: Case, p: Params, share: outlines.Floats) -> Ints:
    """How far cubes reach towards lower and higher z, y and x, in pixels, (n, 3, 2).

    Args:
        case: the case; a plane has no z.
        p: the range of the edge.
        share: where in the range, 0 to 1, (n,).

    Raises:
        UsageError: the edge is in mm, and the case has no spacing.
    """
    reach = np.zeros((len(share), 3, 2), dtype=np.int64)
    if p.edge_mm is not None:
        if case.spacing is None:
            raise UsageError(
                f"Case {case.case_id} has no spacing, so an edge in mm has no meaning here; give edge_px."
            )
        low, high = (float(round(1000 * edge)) for edge in p.edge_mm)
        edge = np.floor(low + (high - low) * share).astype(np.int64)
        for axis, step in enumerate(steps_mm(case.spacing), start=3 - case.labels.ndim):
            reach[:, axis] = (edge // (2 * step))[:, None]
        return reach
    first, last = p.edge_px or (3, 15)
    if not p.legacy:
        first, last = first | 1, last - 1 + last % 2
    step = 1 if p.legacy else 2
    count = (last - first) // step + 1
    edge = first + step * np.minimum(np.floor(share * count), count - 1).astype(np.int64)
    reach[:, 3 - case.labels.ndim :, 0] = (edge // 2)[:, None]
    reach[:, 3 - case.labels.ndim :, 1] = ((edge - 1) // 2)[:, None]
    return reach


def _groups(found: outlines.Traced, moving: Mask, reach: Ints, kinds: Ints | None) -> bits.Groups:
    """The objects that move, by class and kind of cube, or each alone."""
    of, first = outlines.groups_of(found, found.chosen & moving & reach.any(axis=(1, 2)), kinds)
    elements = np.column_stack([np.full(len(first), -1), reach[first].reshape(-1, 6)])
    return bits.Groups(of, found.classes[first], elements, np.ones(3, dtype=np.int64))
