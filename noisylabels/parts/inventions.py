"""Objects that are not there: copies of others, or blobs of their size, and places to put them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, steps_mm
from noisylabels.kernels.object_runs import spans_of
from noisylabels.kernels.stamps import Balloons, Stamps, inflate
from noisylabels.normal import normal_quantile
from noisylabels.parts.instances import Floats, Found, Words, in_order, joint, shares

TRIES = 16
"""Places that are tried for an invention."""

SWING = (0.3, 0.15, 0.1)
"""Largest swing of the waves of a blob, of its radius."""

_PI = 3.141592653589793


def _more(words: Words, count: int) -> Words:
    """Several words from each, (n, count)."""
    return joint(words[:, None], np.arange(count, dtype=np.uint64)[None, :])


def places(volume: LabelMap, on: int, words: Words) -> Ints:
    """Anchors to try: pixels of a class, each as likely as any other.

    Args:
        volume: classes, (Z, Y, X).
        on: the class.
        words: one word for every invention, (n,).

    Returns:
        Flat indices, (n, TRIES); (0, TRIES) where no pixel is of that class.
    """
    spans = spans_of(volume, on)
    end = np.cumsum(spans.lengths())
    if len(end) == 0 or len(words) == 0:
        return np.zeros((0, TRIES), dtype=np.int64)
    rank = ((_more(words, TRIES) >> np.uint64(32)) * np.uint64(end[-1]) >> np.uint64(32)).astype(np.int64)
    run = np.searchsorted(end, rank, side="right")
    back = end[run] - rank  # 1 for the last pixel of the run
    return np.asarray(spans.row.astype(np.int64)[run] * volume.shape[2] + spans.last[run] + 1 - back)


def copies(
    found: Found, like: Ints, given: NDArray[np.uint8], words: Words, spacing: Sequence[float] | None
) -> Stamps:
    """Copies of objects, mirrored and turned: every one of the 8 (in a volume 16) ways is as likely.

    Where rows and columns are spaced differently, nothing is turned, only mirrored.

    Args:
        found: the objects of the case.
        like: the object that each is a copy of, (n,).
        given: class of each, (n,).
        words: one for each, (n,).
        spacing: of the case.
    """
    owner, spans, height = found.runs.owner, found.runs.spans, found.volume.shape[1]
    order, begin = in_order(owner, len(found.chosen))
    count = (begin[1:] - begin[:-1])[like]
    ends = np.concatenate([[0], np.cumsum(count)])
    copy = np.repeat(np.arange(len(like)), count)
    run = order[begin[:-1][like][copy] + np.arange(len(copy)) - ends[copy]]
    row = spans.row.astype(np.int64)[run]
    low = [row // height, row % height, spans.first.astype(np.int64)[run]]
    high = [low[0], low[1], spans.last.astype(np.int64)[run]]
    bits = [(words >> np.uint64(63 - k) & np.uint64(1)).astype(bool)[copy] for k in range(4)]
    for axis in range(3) if len(copy) else ():
        corner = np.minimum.reduceat(low[axis], ends[:-1])
        middle = (corner + np.maximum.reduceat(high[axis], ends[:-1])) // 2
        low[axis], high[axis] = low[axis] - middle[copy], high[axis] - middle[copy]
        mirrored = bits[axis]
        low[axis], high[axis] = (
            np.where(mirrored, -high[axis], low[axis]),
            np.where(mirrored, -low[axis], high[axis]),
        )
    turned = bits[3] & (spacing is None or spacing[-1] == spacing[-2])
    first = [low[0], np.where(turned, low[2], low[1]), np.where(turned, low[1], low[2])]
    along = np.where(turned, 1, 2)
    segments = np.column_stack([*first, along, high[2] - low[2] + 1]).astype(np.int32)
    return Stamps(segments, ends.astype(np.int64), given)


def blobs(
    found: Found, like: Ints, given: NDArray[np.uint8], words: Words, spacing: Sequence[float] | None
) -> Stamps:
    """Smooth blobs of about as many pixels as objects have; round in millimetres where there is a spacing.

    A volume of one slice is a plane.

    Args:
        found: the objects of the case.
        like: the object whose size each takes, (n,).
        given: class of each, (n,).
        words: one for each, (n,).
        spacing: of the case.
    """
    ndim = 2 if found.volume.shape[0] == 1 else 3
    sy, sx = steps_mm(spacing)[-2:] if spacing is not None else (1000, 1000)
    sz = steps_mm(spacing)[0] if spacing is not None and ndim == 3 else 1000
    steps = (sz, sy, sx)
    drawn = _more(words, 12)
    swing = (2.0 * shares(drawn[:, :3]) - 1.0) * np.array(SWING)
    axes = normal_quantile(((drawn[:, 3:] >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)
    axes = axes.reshape(-1, 3, 3)
    axes[:, :, : 3 - ndim] = 0.0
    z, y, x = (axes[:, :, k] for k in range(3))
    length = np.sqrt(z * z + y * y + x * x)
    axes = axes / length[:, :, None]
    radius = _radius(found.runs.sizes()[like], swing, steps, ndim)
    a, b, c = np.abs(swing).T
    reach = (radius * (1.0 + a + b + c))[:, None] / np.array(steps, dtype=np.float64)
    reach = reach.astype(np.int64)
    reach[:, : 3 - ndim] = 0
    segments, begin = inflate(Balloons(radius, swing, axes, reach), steps, ndim)
    return Stamps(segments, begin, given)


def _radius(pixels: Ints, swing: Floats, steps: tuple[int, int, int], ndim: int) -> Floats:
    """Mean radius of blobs of so many pixels; the waves add the mean of their squares (3-D: three times)."""
    a, b, c = (swing * swing).T
    sz, sy, sx = (float(step) for step in steps)
    if ndim == 2:
        return np.asarray(np.sqrt(pixels * (sy * sx) / (_PI * (1.0 + (a + b + c) / 2.0))))
    cube = 3.0 * pixels * (sz * sy * sx) / (4.0 * _PI * (1.0 + 3.0 * (a / 5.0 + b / 7.0 + c / 9.0)))
    _, exponent = np.frexp(cube)
    root = np.ldexp(1.0, exponent // 3 + 1)
    for _ in range(8):  # Newton from above: twice as many digits each time
        root = (2.0 * root + cube / (root * root)) / 3.0
    return np.asarray(root)
