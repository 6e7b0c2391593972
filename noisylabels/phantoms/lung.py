"""A synthetic chest in CT: lungs with vessels and nodules, and what four readers think of the nodules.

Readers differ as real ones do: each has a habit (outlines drawn tighter or wider), a hand that shakes from slice to
slice, and misses what is faint; ground-glass nodules more often than solid ones. Pixels measure 0.7 mm whatever the
size of the picture, so nodules have a natural size and the chest around them is a small one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noisylabels.draws import Draws
from noisylabels.phantoms.texture import Array, blur, cloud, clouds

Bool = NDArray[np.bool_]

PIXEL_MM, SLICE_MM = 0.7, 2.5
READERS = 4

_AIR, _LUNG, _SOFT, _FAT, _BONE = -1000.0, -850.0, 40.0, -90.0, 350.0
_KINDS = ((40.0, 5), (40.0, 4), (-300.0, 3), (-600.0, 2))
"""HU of a nodule, and how subtle it is: from 1 to 5, obvious."""

_TRIES, _ROOM_PX, _EDGE_PX = 60, 12, 4


@dataclass(frozen=True, slots=True)
class Nodule:
    """One nodule.

    Attributes:
        centre: slice, row and column, px.
        radius: px, in plane.
        shape: factors of the radius along the three axes.
        hounsfield: its density.
        subtlety: 1 to 5.
    """

    centre: tuple[float, float, float]
    radius: float
    shape: tuple[float, float, float]
    hounsfield: float
    subtlety: int


@dataclass(frozen=True, slots=True)
class Chest:
    """A scan.

    Attributes:
        image: HU, (Z, Y, X).
        nodules: what is in it.
        drawn: for every reader and every nodule that this reader saw the mask (Y, X) on each slice that has one.
    """

    image: NDArray[np.int16]
    nodules: tuple[Nodule, ...]
    drawn: tuple[dict[int, dict[int, Bool]], ...]


def chest(draws: Draws, size: tuple[int, int, int], nodules: int = 4) -> Chest:
    """Draw a scan.

    Args:
        draws: where it comes from.
        size: (Z, Y, X).
        nodules: how many at most; fewer where there is no room.
    """
    placed = _placed(draws.at("nodules"), size, nodules)
    vessels = _vessels(draws.at("vessels"))
    image = np.empty(size, dtype=np.int16)
    for number in range(size[0]):
        own = draws.at("slice", number)
        picture = _anatomy(own, draws.at("ribs"), size, number, vessels)
        for count, nodule in enumerate(placed):
            box, mask = _inside(nodule, draws.at("shape", count), size, number)
            picture[box][mask] = nodule.hounsfield
        soft = blur(picture, 0.8) + blur(own.at("noise").normal(size[1:], sd=45.0), 0.6)
        y, x = _frame(size)
        soft = np.where(x * x + y * y < 0.25, soft, -1024.0)
        image[number] = np.floor(np.clip(soft, -1024, 3071) + 0.5).astype(np.int16)
    drawn = tuple(_reader(draws, k, placed, size) for k in range(READERS))
    return Chest(image, placed, drawn)


def _frame(size: tuple[int, int, int]) -> tuple[Array, Array]:
    """Places of the pixels in frame heights, (Y, 1) and (1, X), 0 in the middle."""
    height, width = size[1:]
    y = ((np.arange(height, dtype=np.float64) + 0.5) / height - 0.5)[:, None]
    x = ((np.arange(width, dtype=np.float64) + 0.5) / height - 0.5 * width / height)[None, :]
    return y, x


def _level(size: tuple[int, int, int], number: float) -> float:
    """Height of a slice in frame heights."""
    return (number + 0.5 - size[0] / 2) * SLICE_MM / PIXEL_MM / size[1]


def _in_lungs(y: Array, x: Array, z: float) -> Array:
    """Below 1 in a lung."""
    across = (np.abs(x) - 0.2) / (0.145 - 0.08 * z * z)
    along = (y + 0.01) / (0.235 - 0.1 * z * z)
    return across * across + along * along


def _disc(y: Array, x: Array, centre: tuple[float, float], radius: float) -> Bool:
    dy, dx = y - centre[0], x - centre[1]
    return np.asarray(dy * dy + dx * dx < radius * radius)


def _anatomy(own: Draws, ribs: Draws, size: tuple[int, int, int], number: int, vessels: list[Array]) -> Array:
    """HU of a slice before blur and noise, nodules left out."""
    y, x = _frame(size)
    z = _level(size, number)
    grain = clouds(own.at("grain"), size[1:], 12, 3) - 0.5
    body = (x / 0.45) * (x / 0.45) + (y / 0.33) * (y / 0.33)
    lungs = _in_lungs(y, x, z)
    picture = np.full(size[1:], _AIR)
    picture = np.where(
        np.broadcast_to((np.abs(x) < 0.4) & (np.abs(y - 0.385) < 0.008), size[1:]), -200.0, picture
    )
    picture = np.where(body < 1, _FAT + 40 * grain, picture)
    picture = np.where(body < 0.84, _SOFT + 40 * grain, picture)
    stripe = y * 5 + z * 9 + 0.6 * cloud(ribs, size[1:], 3)
    picture = np.where(
        (lungs > 1.12) & (lungs < 1.4) & (np.abs(x) > 0.1) & (stripe % 1 < 0.35), _BONE, picture
    )
    picture = np.where(lungs < 1, _LUNG + 90 * grain, picture)
    for vessel in vessels:
        _add_vessel(picture, lungs, y, x, z, vessel)
    heart = _disc(y, x, (0.0 - 0.1 * z, 0.05), 0.1 - 0.12 * z)
    picture = np.where(heart, 60 + 40 * grain, picture)
    picture = np.where(_disc(y, x, (0.13, 0.04), 0.03), 180.0, picture)
    picture = np.where(_disc(y, x, (0.22, 0.0), 0.045), _BONE + 500 * grain, picture)
    return np.where(_disc(y, x, (-0.09 + 0.1 * z, 0.0), 0.024), _AIR, picture)


def _vessels(draws: Draws) -> list[Array]:
    """Branches from the hila outwards: start and end (z, y, x) and the radii there, eight numbers each."""
    found = []
    for side in (-1.0, 1.0):
        for stem in range(16):
            own = draws.at("left" if side > 0 else "right", stem).uniform(12, -1.0, 1.0)
            start = np.array([0.05 * own[0], 0.03 * own[1], side * 0.09])
            end = np.array([0.22 * own[2], 0.19 * own[3], side * (0.2 + 0.11 * own[4])])
            found.append(np.array([*start, *end, 0.012, 0.006]))
            for turn in (5, 8):
                tip = end + 0.09 * own[turn : turn + 3]
                found.append(np.array([*((start + end) / 2 if turn == 5 else end), *tip, 0.007, 0.003]))
    return found


def _add_vessel(picture: Array, lungs: Array, y: Array, x: Array, z: float, vessel: Array) -> None:
    ends, way, thick = (vessel[:3], vessel[3:6]), vessel[3:6] - vessel[:3], vessel[6]
    low, high = np.minimum(*ends) - thick, np.maximum(*ends) + thick
    if not low[0] < z < high[0]:
        return
    rows, columns = (
        slice(*np.searchsorted(axis.ravel(), (low[n], high[n])).tolist()) for n, axis in ((1, y), (2, x))
    )
    dz, dy, dx = z - ends[0][0], y[rows] - ends[0][1], x[:, columns] - ends[0][2]
    squared = way[0] * way[0] + way[1] * way[1] + way[2] * way[2]
    at = np.clip((dz * way[0] + dy * way[1] + dx * way[2]) / squared, 0, 1)
    dz, dy, dx = dz - at * way[0], dy - at * way[1], dx - at * way[2]
    radius = thick + (vessel[7] - thick) * at
    here = (dz * dz + dy * dy + dx * dx < radius * radius) & (lungs[rows, columns] < 1)
    picture[rows, columns][here] = _SOFT


def _placed(draws: Draws, size: tuple[int, int, int], wanted: int) -> tuple[Nodule, ...]:
    """Nodules in the lungs, none near another one."""
    found: list[Nodule] = []
    depth, height, width = size
    for number in range(_TRIES):
        own = draws.at(number).uniform(9)
        kind = _KINDS[int(own[0] * len(_KINDS))]
        radius = 3.0 + own[1] * own[1] * max(1.0, 0.05 * height - 2)
        shape = tuple(float(0.85 + 0.3 * n) for n in own[2:5])
        centre = (own[5] * (depth - 1), own[6] * height, own[7] * width)
        y, x = (
            np.array([[c / height - 0.5 * s / height]]) for c, s in ((centre[1], height), (centre[2], width))
        )
        margin = 1.3 * radius + _EDGE_PX + 2
        free = all(margin < c < n - margin for c, n in ((centre[1], height), (centre[2], width)))
        apart = all(_apart(centre, other.centre) > radius + other.radius + _ROOM_PX for other in found)
        if free and apart and _in_lungs(y, x, _level(size, centre[0]))[0, 0] < 0.8 and len(found) < wanted:
            place = (float(centre[0]), float(centre[1]), float(centre[2]))
            found.append(Nodule(place, float(radius), (shape[0], shape[1], shape[2]), *kind))
    return tuple(found)


def _apart(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    z, y, x = (a - b for a, b in zip(one, other, strict=True))
    z *= SLICE_MM / PIXEL_MM
    return float(np.sqrt(z * z + y * y + x * x))


def _inside(
    nodule: Nodule, shape: Draws, size: tuple[int, int, int], number: int, wider: float | Array = 0.0
) -> tuple[tuple[slice, slice], Bool]:
    """A box around a nodule, and its pixels on a slice in that box, grown by ``wider`` px."""
    box = _box(nodule, size)
    extent = (box[0].stop - box[0].start, box[1].stop - box[1].start)
    lumps = cloud(shape, extent, extent[0] / (0.8 * nodule.radius + 1)) - 0.5
    z = (number - nodule.centre[0]) * SLICE_MM / PIXEL_MM / nodule.shape[0]
    y = ((np.arange(box[0].start, box[0].stop) - nodule.centre[1]) / nodule.shape[1])[:, None]
    x = ((np.arange(box[1].start, box[1].stop) - nodule.centre[2]) / nodule.shape[2])[None, :]
    edge = nodule.radius * (1 + 0.5 * lumps) + wider
    return box, np.asarray((edge > 0) & (z * z + y * y + x * x < edge * edge))


def _box(nodule: Nodule, size: tuple[int, int, int]) -> tuple[slice, slice]:
    reach = int(1.6 * nodule.radius) + 5
    low = [max(_EDGE_PX, int(c) - reach) for c in nodule.centre[1:]]
    high = [min(n - _EDGE_PX, int(c) + reach + 1) for c, n in zip(nodule.centre[1:], size[1:], strict=True)]
    return slice(low[0], high[0]), slice(low[1], high[1])


def _reader(
    draws: Draws, reader: int, nodules: tuple[Nodule, ...], size: tuple[int, int, int]
) -> dict[int, dict[int, Bool]]:
    own = draws.at("reader", reader)
    habit, shake = own.at("habit").uniform((), -0.8, 1.3), own.at("shake").uniform((), 0.4, 1.4)
    found: dict[int, dict[int, Bool]] = {}
    for count, nodule in enumerate(nodules):
        sees = own.at("sees", count).uniform() < 0.55 + 0.08 * nodule.subtlety
        if sees or count % READERS == reader:  # at least one reader sees each
            masks = dict(
                _outlined(draws, own.at("hand", count), nodule, count, size, float(habit), float(shake))
            )
            found |= {count: masks} if masks else {}
    return found


def _outlined(
    draws: Draws,
    hand: Draws,
    nodule: Nodule,
    count: int,
    size: tuple[int, int, int],
    habit: float,
    shake: float,
) -> Iterator[tuple[int, Bool]]:
    box = _box(nodule, size)
    extent = (box[0].stop - box[0].start, box[1].stop - box[1].start)
    for number in range(size[0]):
        wobble = cloud(hand.at(number), extent, extent[0] / (0.7 * nodule.radius + 1)) - 0.5
        _, mask = _inside(nodule, draws.at("shape", count), size, number, habit + 2 * shake * wobble)
        if mask.sum() >= 4:
            whole = np.zeros(size[1:], dtype=bool)
            whole[box] = mask
            yield number, whole
