"""Hulls and boxes around objects, as rows of pixels.

A piece is what is connected (corners touch) of an object within a slice: an outer ring with what is inside.
Everything here is a range of x in each of several rows, in integers; only margins need a square root.
"""

from collections.abc import Callable, Iterator

import numpy as np

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints
from noisylabels.kernels import spans
from noisylabels.kernels.boxes import smallest_boxes
from noisylabels.kernels.contours import Rings
from noisylabels.kernels.hulls import RowEnds, bends, hull_rows, row_ends
from noisylabels.parts.traced import Scene

_FAR = np.int64(2**40)

_ROWS = 2**21
"""Rows that are worked on at once: bounds the memory, not the result."""


def corner_rows(pieces: Rings) -> RowEnds:
    """The lowest and highest corner in every row of corners; of outer rings."""
    y, x = pieces.corners.T.astype(np.int64)
    return row_ends(_ring(pieces), y, x, x, len(pieces.slices))


def pixel_rows(pieces: Rings) -> RowEnds:
    """The lowest and highest pixel in every row; of outer rings."""
    corner = pieces.corners.astype(np.int64)
    after = np.arange(1, len(corner) + 1)
    after[pieces.begin[1:] - 1] = pieces.begin[:-1]
    down = corner[after, 0] - corner[:, 0]  # on a right side 1, on a left side -1
    sides = np.flatnonzero(down)
    y, x = corner[sides].T
    right = down[sides] > 0
    y, x = y - ~right, x - right
    return row_ends(_ring(pieces)[sides], y, x, x, len(pieces.slices))


def _ring(pieces: Rings) -> Ints:
    return np.repeat(np.arange(len(pieces.slices)), np.diff(pieces.begin))


def hulls(ends: RowEnds, margin: int, steps: tuple[int, ...], height: int) -> RowEnds:
    """The pixels whose centre is within a margin of the convex hull of an object's pixel centres.

    Args:
        ends: rows of the objects.
        margin: in thousandths.
        steps: size of a pixel in thousandths, (sy, sx) last.
        height: of the frame; rows beyond it are left out.
    """
    inner = hull_rows(ends)
    sy, sx = steps[-2:]
    if margin < min(sy, sx):
        return inner
    more = min(margin // sy, height)
    top = np.maximum(ends.top - more, 0)
    bottom = np.minimum(ends.top + np.diff(ends.begin) + more, height)
    begin = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(bottom - top)])
    wide = RowEnds(top, begin, np.full(begin[-1], _FAR), np.full(begin[-1], -_FAR))
    owner, y = inner.rows()
    at = begin[owner] + y - top[owner]
    wide.low[at], wide.high[at] = inner.low, inner.high
    low = _reach(ends.low, ends, wide, margin, (sy, sx))
    high = -_reach(-ends.high, ends, wide, margin, (sy, sx))
    return wide._replace(low=np.minimum(low, wide.low), high=np.maximum(high, wide.high))


def _reach(values: Ints, ends: RowEnds, wide: RowEnds, margin: int, steps: tuple[int, int]) -> Ints:
    """The lowest pixel of every row within a margin of the lower envelope: round its bends, beside its sides."""
    sy, sx = steps
    lowest = np.full(len(wide.low), float(_FAR))
    owner, y = ends.rows()
    bend = np.flatnonzero(bends(values, ends.begin))
    more = margin // sy
    bend_of, row = _between(y[bend] - more, y[bend] + more, owner[bend], wide)
    away = (row - y[bend][bend_of]) * sy
    across = np.sqrt((margin * margin - away * away).astype(np.float64)) / sx
    of = owner[bend][bend_of]
    np.minimum.at(lowest, wide.begin[of] + row - wide.top[of], values[bend][bend_of] - across)
    a, b = bend[:-1], bend[1:]
    same = owner[a] == owner[b]
    a, b = a[same], b[same]
    dy, dx = ((b - a) * sy).astype(np.float64), ((values[b] - values[a]) * sx).astype(np.float64)
    long = np.sqrt(dy * dy + dx * dx)
    out_y, out_x = margin * dx / long / sy, -margin * dy / long / sx  # across the side, towards lower x
    first, last = np.ceil(y[a] + out_y).astype(np.int64), np.floor(y[b] + out_y).astype(np.int64)
    side, row = _between(first, last, owner[a], wide)
    of = owner[a][side]
    x = (values[a] + out_x)[side] + (row - (y[a] + out_y)[side]) * ((values[b] - values[a]) / (b - a))[side]
    np.minimum.at(lowest, wide.begin[of] + row - wide.top[of], x)
    return np.asarray(np.ceil(lowest).astype(np.int64))


def _between(first: Ints, last: Ints, owner: Ints, wide: RowEnds) -> tuple[Ints, Ints]:
    """All rows from first to last among those that the owner has: which pair each is of, and the row."""
    first = np.maximum(first, wide.top[owner])
    last = np.minimum(last, wide.top[owner] + np.diff(wide.begin)[owner] - 1)
    rows = np.maximum(last - first + 1, 0)
    of = np.repeat(np.arange(len(rows)), rows)
    return of, first[of] + np.arange(len(of)) - np.repeat(np.cumsum(rows) - rows, rows)


def turned_boxes(corners: RowEnds, margin: int, steps: tuple[int, ...], height: int) -> RowEnds:
    """The pixels whose centre lies in the smallest rotated box around an object, or on its side.

    Args:
        corners: rows of the corners of the objects.
        margin: how far every side is moved outwards, in thousandths.
        steps: size of a pixel in thousandths, (sy, sx) last.
        height: of the frame; rows beyond it are left out.
    """
    side, extent = smallest_boxes(corners)
    sy, sx = steps[-2:]
    across = np.stack([-side[:, 1], side[:, 0]], axis=1)
    low, high = [], []
    for k, (v, w) in enumerate((side.T.astype(np.float64), across.T.astype(np.float64))):
        out = 2.0 * margin * np.sqrt((v / sy) * (v / sy) + (w / sx) * (w / sx))
        low.append(extent[:, k, 0] - np.floor(out).astype(np.int64))
        high.append(extent[:, k, 1] + np.floor(out).astype(np.int64))
    long = 2 * (side * side).sum(axis=1)
    one, two = (np.stack([low[0], high[0]]) * side[:, 0], np.stack([low[1], high[1]]) * across[:, 0])
    top = np.maximum(-(-(one.min(axis=0) + two.min(axis=0)) // long), 0)
    bottom = np.minimum((one.max(axis=0) + two.max(axis=0)) // long, height - 1)
    begin = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.maximum(bottom - top + 1, 0))])
    found = RowEnds(top, begin, np.full(begin[-1], -_FAR), np.full(begin[-1], _FAR))
    owner, y = found.rows()
    for k, direction in enumerate((side, across)):
        first, last = _strip(low[k][owner], high[k][owner], y, direction[owner])
        np.maximum(found.low, first, out=found.low)
        np.minimum(found.high, last, out=found.high)
    return found


def _strip(low: Ints, high: Ints, y: Ints, direction: Ints) -> tuple[Ints, Ints]:
    """First and last x with low <= 2 (y, x) . direction <= high."""
    slope = direction[:, 1]
    low, high = low - 2 * y * direction[:, 0], high - 2 * y * direction[:, 0]
    low, high = np.where(slope < 0, -high, low), np.where(slope < 0, -low, high)
    over = np.where(slope == 0, 1, 2 * np.abs(slope))
    flat = slope == 0
    return np.where(flat, -_FAR, -(-low // over)), np.where(flat, _FAR, high // over)


def painted(scene: Scene, pieces: Rings, ends: RowEnds, around: Callable[[RowEnds], RowEnds]) -> LabelMap:
    """What lies around pieces, painted over the background and the chosen classes, higher classes on top.

    Args:
        scene: the objects; its base is painted on.
        pieces: the outer rings.
        ends: their rows.
        around: makes other rows of rows, inside the frame from top to bottom.

    Returns:
        (Z, Y, X).
    """
    _, height, width = scene.base.shape
    for low, high in _groups(np.full(len(pieces.slices), height)):
        part = around(ends.part(low, high))
        owner, y = part.rows()
        first, last = np.clip(part.low, 0, width), np.clip(part.high, -1, width - 1)
        rows, value = (
            pieces.slices[low:high][owner] * height + y,
            scene.classes[pieces.owner[low:high][owner]],
        )
        spans.paint(scene.base, scene.labels, scene.fixed, rows, first, last, value)
    return scene.base


def _groups(sizes: Ints) -> Iterator[tuple[int, int]]:
    """First and last + 1 of what is handled together: a few million rows in all, at least one thing."""
    total = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    first = 0
    while first < len(sizes):
        last = max(first + 1, int(np.searchsorted(total, total[first] + _ROWS, side="right")) - 1)
        yield first, last
        first = last


def blocks(scene: Scene, pieces: Rings, margin: int, steps: tuple[int, ...], whole: bool) -> LabelMap:
    """Boxes along the axes, painted like :func:`painted`.

    Args:
        scene: the objects; its base is painted on.
        pieces: the outer rings.
        margin: how far every side is moved outwards, in thousandths.
        steps: size of a pixel in thousandths, (sz, sy, sx) or (sy, sx).
        whole: around whole objects instead of pieces.

    Returns:
        (Z, Y, X).
    """
    height, count = scene.base.shape[1], len(pieces.slices)
    owner = pieces.owner if whole else np.arange(count)
    first = pieces.begin[:-1]
    low, high = (np.zeros((len(scene.classes) if whole else count, 3), dtype=np.int64) for _ in range(2))
    low += np.iinfo(np.int64).max
    if count:
        corners = pieces.corners.astype(np.int64)
        lowest, highest = (f.reduceat(corners, first, axis=0) for f in (np.minimum, np.maximum))
        np.minimum.at(low, owner, np.column_stack([pieces.slices, lowest]))
        np.maximum.at(high, owner, np.column_stack([pieces.slices, highest - 1]))
    number = np.unique(owner)
    value = scene.classes[number] if whole else scene.classes[pieces.owner]
    sizes = np.array((0,) * (3 - len(steps)) + steps if whole else (0, *steps[-2:]))
    more = np.where(sizes > 0, (2 * margin + sizes) // np.maximum(2 * sizes, 1), 0)
    low, high = (
        np.maximum(low[number] - more, 0),
        np.minimum(high[number] + more, np.array(scene.base.shape) - 1),
    )
    size = high - low + 1
    rows = size[:, 0] * size[:, 1]
    for begin, end in _groups(rows):
        of = np.repeat(np.arange(begin, end), rows[begin:end])
        nth = np.arange(len(of)) - np.repeat(np.cumsum(rows[begin:end]) - rows[begin:end], rows[begin:end])
        row = (low[of, 0] + nth // size[of, 1]) * height + low[of, 1] + nth % size[of, 1]
        spans.paint(scene.base, scene.labels, scene.fixed, row, low[of, 2], high[of, 2], value[of])
    return scene.base
