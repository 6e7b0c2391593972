"""An annotator with a constant bias, who overlooks parts: outlines all too wide, or all too tight.

Every outline is drawn at the same distance from where it should be, outwards or inwards, with a spread from
object to object and, if asked for, a slow wobble along it. Of some objects a part on one side is missing::

    . . . . . . . .        . . 1 1 1 . . .        . . . . . . . .
    . . . 1 1 . . .        . 1 1 1 1 1 . .        . . . . . . . .
    . . 1 1 1 1 . .   ->   . 1 1 1 1 1 1 .        . . . 1 . . . .
    . . 1 1 1 1 . .        . 1 1 1 1 1 1 .        . . 1 1 . . . .
    . . . 1 1 . . .        . 1 1 1 1 1 . .        . . . . . . . .
    . . . . . . . .        . . 1 1 1 . . .        . . . . . . . .
                           offset +1              missed: the upper right

With offset d, spread s, a standard normal number z_A of each object A and a field w of standard deviation
``wobble`` at its control points, the outline of A moves by d + s z_A + w(place), outwards if that is positive. The
bias belongs to the annotator: where this has another sign than d, the outline stays. (Without a bias, d = 0, it goes
either way.) Growth and shrinkage are by exact Euclidean balls, as in ``dilate`` and ``erode``; background alone is
covered, of several classes the highest lies on top, and what is left becomes background.

The missed part is what lies nearest to one end of the object: the pixel of it that is farthest in a drawn direction,
and around it the share of its pixels that was drawn. So a person misses things: the tip of an instrument, an apex,
a lobe that is hidden by another shadow, in one piece and up to a rounded edge, and not all tips of a forked object at
once, as a straight cut would take them. It is missed first; then the outline of the rest is drawn.

Source: Huang et al. (Co-Seg), ISBI 2021, noise type II: an inexperienced annotator, systematically over- or
under-segmenting; a figure shows a large missed region. Numbers are not stated there; the defaults are our reading.
"""

from dataclasses import dataclass, replace

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels.bites import Bites, bite, farthest
from noisylabels.parts import outlines, radii
from noisylabels.parts.reaches import Field, Floats, PerObject, Radii
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1

_MOST = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The annotator.

    Lengths are all in px or all in mm. In mm, what is not given is 0.

    Attributes:
        offset_px: how far outlines lie outside (above 0) or inside (below 0) of where they should be, in pixels,
            -1000 to 1000; 4 by default.
        offset_mm: the same in millimetres, for a case with a spacing.
        spread_px: standard deviation of the offset from object to object, in pixels, 0 to 1000; 1 by default.
        spread_mm: the same in millimetres.
        wobble_px: standard deviation of a slow variation along the outline, in pixels, 0 to 1000; 0 by default.
        wobble_mm: the same in millimetres.
        nodes: control points of the wobble along the longest side of the frame, 2 to 64.
        miss: probability that a part of an object is missed, 0 to 1.
        miss_share: range of the share of the object's pixels that is missed then, 0 to 1; pixels at the same
            distance are missed together, and at most that share.
        classes: the classes that move; by default every one but the background.
    """

    offset_px: float | None = None
    offset_mm: float | None = None
    spread_px: float | None = None
    spread_mm: float | None = None
    wobble_px: float | None = None
    wobble_mm: float | None = None
    nodes: int = 12
    miss: float = 0.1
    miss_share: tuple[float, float] = (0.1, 0.3)
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        px = (self.offset_px, self.spread_px, self.wobble_px)
        mm = (self.offset_mm, self.spread_mm, self.wobble_mm)
        given_mm = any(length is not None for length in mm)
        if given_mm and any(length is not None for length in px):
            raise UsageError("Give offset, spread and wobble all in px or all in mm.")
        names, defaults = ("offset_mm", "spread_mm", "wobble_mm"), (0.0, 0.0, 0.0)
        if not given_mm:
            names, defaults = ("offset_px", "spread_px", "wobble_px"), (4.0, 1.0, 0.0)
        for name, default in zip(names, defaults, strict=True):
            value = getattr(self, name)
            object.__setattr__(self, name, default if value is None else value)
            low = -_MOST if name.startswith("offset") else 0.0
            if not low <= getattr(self, name) <= _MOST:
                raise UsageError(f"The {name} lies between {low:g} and {_MOST:g}, not {value}.")
        radii.check_shape("local", self.nodes)
        if not 0 <= self.miss <= 1:
            raise UsageError(f"The probability of a missed part lies between 0 and 1, not {self.miss}.")
        if not (len(self.miss_share) == 2 and 0 <= self.miss_share[0] <= self.miss_share[1] <= 1):
            raise UsageError(
                f"The missed share is a range with 0 <= low <= high <= 1, not {self.miss_share}."
            )
        check_classes(self.classes)


EXAMPLE = Params(offset_px=2.0, spread_px=0.5, miss=0.5)


def scaled(params: Params, factor: float) -> Params:
    """The parameters with all lengths and the missed share times ``factor``, within their limits."""

    def times(length: float | None) -> float | None:
        return None if length is None else max(-_MOST, min(length * factor, _MOST))

    low, high = params.miss_share
    return replace(
        params,
        offset_px=times(params.offset_px),
        offset_mm=times(params.offset_mm),
        spread_px=times(params.spread_px),
        spread_mm=times(params.spread_mm),
        wobble_px=times(params.wobble_px),
        wobble_mm=times(params.wobble_mm),
        miss_share=(min(low * factor, 1.0), min(high * factor, 1.0)),
    )


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case as this annotator draws them.

    Args:
        case: the case; its image is not looked at.
        params: the annotator.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    p = params
    px = None if p.offset_px is None else (p.offset_px, p.offset_px)
    mm = None if p.offset_mm is None else (p.offset_mm, p.offset_mm)
    (offset, _), steps = radii.in_thousandths(case, px, mm)
    found = outlines.traced(case, chosen_foreground(case, p.classes), apart=True)
    offsets = offset + 1000.0 * (p.spread_px or p.spread_mm or 0.0) * draws.at("spread").normal(
        len(found.classes)
    )
    offsets = _one_sided(np.rint(np.clip(offsets, -1000.0 * _MOST, 1000.0 * _MOST)), offset)
    seen = _without_missed(found, p, steps, draws)
    wobble = 1000.0 * (p.wobble_px or p.wobble_mm or 0.0)
    nodes, gap = radii.control_points(case.labels.shape, steps, p.nodes)
    waves = wobble * draws.at("wobble").normal(nodes) if wobble > 0 else None

    def moved(sign: float) -> Radii:
        if waves is None:
            return PerObject((sign * offsets).astype(np.int64))
        return Field(sign * waves, None, gap, sign * offsets)

    out = outlines.shrunk(seen, moved(-1.0), steps, "background") if offset <= 0 else seen.volume.copy()
    if offset >= 0:
        outlines.grown(out, seen, moved(1.0), steps, "background")
    return out.reshape(case.labels.shape)


def _one_sided(offsets: Floats, bias: float) -> Floats:
    """Offsets on the side of the bias; all where there is none."""
    if bias == 0:
        return offsets
    return np.asarray(np.maximum(offsets, 0.0) if bias > 0 else np.minimum(offsets, 0.0))


def _without_missed(
    found: outlines.Traced, p: Params, steps: tuple[int, ...], draws: Draws
) -> outlines.Traced:
    """The objects without the parts that are missed; each keeps its number."""
    n = len(found.classes)
    missed = found.chosen & (draws.at("miss").uniform(n) < p.miss)
    share = draws.at("share").uniform(n, *p.miss_share)
    direction = np.rint(draws.at("direction").normal((n, 3)) * 1024.0).astype(np.int64)
    if found.table is None or not missed.any():
        return found
    sz, sy, sx = (1, *steps)[-3:]
    places, pixels = farthest(found.table, found.volume.shape[1], direction * np.array([sz, sy, sx]))
    bites = Bites(places, np.where(missed, np.floor(share * pixels), 0.0).astype(np.int64))
    volume = found.volume.copy()
    table = bite(volume, found.table, bites, (sz, sy, sx))
    return replace(found, volume=volume, table=table)
