"""Which points of closed outlines a polygon within a tolerance needs (Ramer, Douglas and Peucker).

A ring is cut at two of its points that lie far apart, and at the point of either half that is farthest from
the line between them, whatever the tolerance; so no ring collapses, and the four sides of one pixel stay.
Between these, a point stays if it is the farthest from the line between its neighbours that stay, and
farther than the tolerance; distances are to the piece of line, in floats of + - * / in a fixed order.

Source: Douglas and Peucker, Cartographica 10 (1973); Ramer, Computer Graphics and Image Processing 1 (1972).
"""

import numpy as np
from numpy.typing import NDArray

from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled

Floats = NDArray[np.float64]


def kept_points(points: Floats, begin: Ints, tolerance: float) -> Mask:
    """The points that stay.

    Args:
        points: of all rings, (m, 2) float64, at least one a ring.
        begin: where every ring begins, (r + 1,) int64.
        tolerance: largest distance of a point from the polygon, in the unit of the points, 0 or more.

    Returns:
        (m,), at least one a ring.
    """
    keep = np.zeros(len(points), dtype=bool)
    fast = compiled("simplify")
    if fast is not None:
        fast.choose(points, begin, tolerance * tolerance, keep)
    else:
        _choose(points, begin, tolerance * tolerance, keep)
    return keep


def _choose(points: Floats, begin: Ints, limit: float, keep: Mask) -> None:
    """The twin: all pieces of all rings at once, halved round by round."""
    size = np.diff(begin)
    ring = np.repeat(np.arange(len(size)), size)
    start, home = begin[:-1], np.repeat(begin[:-1], size)
    for _ in range(2):  # the point farthest from the first, then the one farthest from that
        away = points - np.repeat(points[start], size, axis=0)
        start, before = _farthest(away[:, 0] * away[:, 0] + away[:, 1] * away[:, 1], ring, len(size)), start
    keep[start] = keep[before] = True
    # Turned so that every ring begins at the last of these two and ends where it began.
    index = (home + (np.arange(len(ring)) - home + np.repeat(start - begin[:-1], size)) % size[ring]).tolist()
    turned: list[int] = []
    for k in range(len(size)):
        turned += [*index[begin[k] : begin[k + 1]], int(start[k])]
    at = np.array(turned, dtype=np.int64)
    ends = begin[1:] + np.arange(1, len(size) + 1) - 1
    split = (before - start) % size + begin[:-1] + np.arange(len(size))
    first = np.stack([ends - size, split], axis=1).reshape(-1)
    last = np.stack([split, ends], axis=1).reshape(-1)
    forced = True
    while len(first):
        inner = np.maximum(last - first - 1, 0)
        piece = np.repeat(np.arange(len(first)), inner)
        place = first[piece] + 1 + np.arange(len(piece)) - np.repeat(np.cumsum(inner) - inner, inner)
        squared = distances(points[at[place]], points[at[first]][piece], points[at[last]][piece])
        some = np.flatnonzero(inner)
        far = _farthest(squared, np.repeat(np.arange(len(some)), inner[some]), len(some))
        more = squared[far] > (0.0 if forced else limit)
        middle, some = place[far[more]], some[more]
        keep[at[middle]] = True
        first, last = np.concatenate([first[some], middle]), np.concatenate([middle, last[some]])
        forced = False


def _farthest(squared: Floats, group: Ints, count: int) -> Ints:
    """Index of the first largest value of every group; groups are numbered and lie together."""
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    begin = np.searchsorted(group, np.arange(count))
    largest = np.maximum.reduceat(squared, begin)
    places = np.flatnonzero(squared == largest[group])
    return places[np.searchsorted(group[places], np.arange(count))]


def distances(p: Floats, a: Floats, b: Floats) -> Floats:
    """Squared distances of points to pieces of line, all (n, 2)."""
    ay, ax, by, bx = p[:, 0] - a[:, 0], p[:, 1] - a[:, 1], b[:, 0] - a[:, 0], b[:, 1] - a[:, 1]
    long = by * by + bx * bx
    along = ay * by + ax * bx
    across = ay * bx - ax * by
    cy, cx = p[:, 0] - b[:, 0], p[:, 1] - b[:, 1]
    with np.errstate(all="ignore"):
        line = across * across / long
    beyond = np.where(along <= 0.0, ay * ay + ax * ax, cy * cy + cx * cx)
    return np.asarray(np.where((along <= 0.0) | (along >= long), beyond, line))
