"""Cut objects in two, as an annotator who takes one for two.

Each object (connected component, corners touch) is cut with probability rate by a straight gap through its
centre, in a volume by a flat one; the gap becomes background, or what lies around the object::

    . . . . . . . . . .        . . . . . . . . . .
    . 1 1 1 1 1 1 1 . .        . 1 1 1 . 1 1 1 . .
    . 1 1 1 1 1 1 1 1 .   ->   . 1 1 1 . 1 1 1 1 .        gap 1
    . . 1 1 1 1 1 1 1 .        . . 1 1 . 1 1 1 1 .
    . . . . . . . . . .        . . . . . . . . . .

The gap lies between the planes (p - centre) . v = -w / 2 and w / 2, v of length 1 and w the width. It is at
least so wide that the two parts do not touch, corners included: w = max(gap, sum of |v_i| pixel sizes).
Across, the default, takes v along the longest axis: v = C**64 u, with C the covariance of the object's pixels
and u a direction drawn at random. So a long object is cut across, and a round one, which has no longest axis,
in any direction; drawn takes v = u. An object is left whole if a side would keep fewer pixels than least_px,
and a concave one may fall into more than two parts.

Source: splits as a kind of error of their own: Caicedo et al., Evaluation of deep learning strategies for
nucleus segmentation in fluorescence images, Cytometry A 95 (2019). The cut is ours.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Mask
from noisylabels.kernels.cuts import Cuts, cut, sides
from noisylabels.kernels.object_runs import Runs, fill
from noisylabels.parts.flips import check_rate
from noisylabels.parts.instances import (
    Floats,
    check_fill,
    check_length,
    in_order,
    objects_of,
    stronger,
    surroundings,
    thousandths,
)
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How often objects are cut, and how.

    Attributes:
        rate: probability that an object is cut, 0 to 1.
        gap_px: width of the gap in pixels, 0 to 50, never so small that the parts touch; 2 when neither this
            nor gap_mm is given.
        gap_mm: the same in millimetres, for a case with a spacing (rounded to whole micrometres).
        direction: of the gap: across (the longest axis), or drawn.
        fill: what the gap becomes: background, or neighbour (the class that most faces of the object touch, of
            equal ones the lowest), for lesions in an organ.
        least_px: pixels that each side keeps at least, or the object is left whole, from 1 on.
        classes: the classes whose objects may be cut; by default every one but the background.
    """

    rate: float = 0.2
    gap_px: float | None = None
    gap_mm: float | None = None
    direction: Literal["across", "drawn"] = "across"
    fill: Literal["background", "neighbour"] = "background"
    least_px: int = 4
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_rate(self.rate)
        object.__setattr__(self, "gap_px", check_length(self.gap_px, self.gap_mm, 2.0, "gap"))
        if self.direction not in ("across", "drawn"):
            raise UsageError(f"A cut runs across or in a drawn direction, not '{self.direction}'.")
        check_fill(self.fill)
        if self.least_px < 1:
            raise UsageError(f"A part of an object has at least 1 pixel, not {self.least_px}.")
        check_classes(self.classes)


EXAMPLE = Params(rate=0.8, gap_px=1.0)


def scaled(params: Params, factor: float) -> Params:
    """The same with another strength: the rate times ``factor``, at most 1."""
    return replace(params, rate=stronger(params.rate, factor))


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with some of its objects cut in two.

    Args:
        case: the case; its image is not looked at.
        params: how often, and how.
        draws: the stream of this case and step; a number and a direction are drawn for every object.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen, or mm for a case without a spacing.
    """
    found = objects_of(case, chosen_foreground(case, params.classes))
    gap, steps = thousandths(case, params.gap_px, params.gap_mm, "gap")
    count = len(found.chosen)
    hit = found.chosen & (draws.at("cut").uniform(count) < params.rate)
    directions = draws.at("direction").normal((count, 3))[hit]
    if case.labels.ndim == 2:
        directions[:, 0] = 0.0
    part = _only(found.runs, hit)
    out = found.volume.copy()
    if len(part.classes):
        cuts = _cuts(part, directions, gap, steps, out.shape[1], params.direction == "across")
        whole = (sides(part.spans, part.owner, cuts, out.shape) < params.least_px).any(axis=1)
        cut(out, part.spans, part.owner, cuts._replace(half=np.where(whole, 0.0, cuts.half)))
        if params.fill == "neighbour":
            around = surroundings(found.volume, found.volume, part.spans, part.owner, case.num_classes)
            fill(out, part.spans, around, empty=True)
    return out.reshape(case.labels.shape)


def _only(runs: Runs, kept: Mask) -> Runs:
    """Some of the objects, numbered anew."""
    mine = kept[runs.owner]
    number = (np.cumsum(kept) - 1).astype(np.int32)
    return Runs(runs.spans.taken(mine), number[runs.owner[mine]], runs.classes[kept])


def _cuts(
    runs: Runs, directions: Floats, gap: int, steps: tuple[int, int, int], height: int, across: bool
) -> Cuts:
    """Where every object would be cut."""
    centre, spread = _moments(runs, height)
    size = np.array(steps, dtype=np.float64)
    v = _axis(spread * (size[:, None] * size[None, :]), directions) if across else directions
    length = np.sqrt(v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1] + v[:, 2] * v[:, 2])
    slope = _coarse(v / length[:, None] * size)
    a, b, c = np.abs(slope).T  # the parts do not touch where no step to a neighbour passes the gap
    return Cuts(_coarse(centre), np.ascontiguousarray(slope), np.maximum(float(gap), a + b + c) / 2.0)


def _coarse(values: Floats) -> Floats:
    """Values rounded to 1/1024: products and sums of such centres and slopes are exact, so that no cut leaks."""
    return np.rint(values * 1024.0) / 1024.0


def _moments(runs: Runs, height: int) -> tuple[Floats, Floats]:
    """Centre (n, 3) and covariance (n, 3, 3) of the pixels of every object, in pixels; sums are integers."""
    order, begin = in_order(runs.owner, len(runs.classes))
    spans = runs.spans.taken(order)
    row, pixels = spans.row.astype(np.int64), spans.lengths()
    home = np.repeat(begin[:-1], np.diff(begin))  # places about the first run of the object: small numbers
    z, y = row // height, row % height
    x = spans.first.astype(np.int64)
    origin = np.stack([z, y, x], axis=1)[begin[:-1]]
    z, y, x = z - z[home], y - y[home], x - x[home]
    sum_x = pixels * x + pixels * (pixels - 1) // 2
    sum_xx = pixels * x * x + x * pixels * (pixels - 1) + (pixels - 1) * pixels * (2 * pixels - 1) // 6

    def total(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
        return np.add.reduceat(values, begin[:-1]).astype(np.float64)

    count = total(pixels)
    mean = np.stack([total(pixels * z), total(pixels * y), total(sum_x)], axis=1) / count[:, None]
    zz, zy, zx, yy, yx = (
        total(v) for v in (pixels * z * z, pixels * z * y, z * sum_x, pixels * y * y, y * sum_x)
    )
    second = np.stack([zz, zy, zx, zy, yy, yx, zx, yx, total(sum_xx)], axis=1) / count[:, None]
    return origin + mean, second.reshape(-1, 3, 3) - mean[:, :, None] * mean[:, None, :]


def _axis(spread: Floats, directions: Floats) -> Floats:
    """C**64 u for every object, up to length; u itself for a single pixel."""
    c = spread
    for _ in range(6):
        trace = c[:, 0, 0] + c[:, 1, 1] + c[:, 2, 2]
        c = c / np.where(trace > 0, trace, 1.0)[:, None, None]
        c = (
            c[:, :, 0, None] * c[:, None, 0, :]
            + c[:, :, 1, None] * c[:, None, 1, :]
            + c[:, :, 2, None] * c[:, None, 2, :]
        )
    top = np.max(c, axis=(1, 2), keepdims=True)
    c = c / np.where(top > 0, top, 1.0)
    v = c[:, :, 0] * directions[:, 0, None] + c[:, :, 1] * directions[:, 1, None]
    v = v + c[:, :, 2] * directions[:, 2, None]
    nothing = (v == 0).all(axis=1)
    return np.where(nothing[:, None], directions, v)
