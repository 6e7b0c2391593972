"""Displace the outlines of objects by signed lengths that may differ from place to place.

    displacement of the right side: +1, 0, 0, -1 (px)

    1 1 1 1 . .        1 1 1 1 1 .
    1 1 1 1 . .   ->   1 1 1 1 . .        classes are layers, as in :mod:`noisylabels.parts.outlines`:
    1 1 1 1 . .        1 1 1 1 . .        where two touch, the outline is that of the higher class, and what
    1 1 1 1 . .        1 1 1 . . .        it leaves goes to the nearest of what lies below

An outline runs between an object's last pixels and the first beyond. Displaced by d > 0, an object takes
every pixel beyond whose distance to its last one is at most d + 7/16 pixel; displaced by d < 0 it loses every
pixel whose distance to the first one beyond is at most -d + 7/16. Along an axis 1/2 would land the outline at
the nearest position that pixels allow, along a diagonal 0.35; with 7/16 it lands right on average, outwards
and inwards alike. A displacement below 9/16 pixel does nothing; above 64 pixels it is cut. ``IGNORE``, the
frame, and the outlines towards classes that were not chosen stay.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from noisylabels.case import IGNORE, LabelMap
from noisylabels.geometry import FAR, Ints, Mask, integer_root
from noisylabels.kernels import balls
from noisylabels.kernels.object_runs import Runs, as_volume, fill, touched
from noisylabels.kernels.runs import single
from noisylabels.kernels.tables import look_up
from noisylabels.parts.outlines import Floats, Objects, Traced
from noisylabels.parts.waves import MOST, Wave

_SOME = 2**16
"""Places at which a wave is evaluated at once: bounds the memory."""

LIMIT = 64
"""The largest displacement, in pixels (their smallest side); what lies beyond is cut to it."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far outlines are displaced, in thousandths, outwards if positive.

    Attributes:
        objects: of each object, (n + 1,); entry 0 belongs to none.
        waves: by class, what is added to it along the outline: a standard normal field, and its factor.
    """

    objects: Floats
    waves: Mapping[int, tuple[Wave, float]]

    def longest(self) -> float:
        """No displacement is longer."""
        waves = (factor * MOST for _, factor in self.waves.values())
        return float(np.abs(self.objects).max(initial=0)) + max(waves, default=0.0)

    def at(self, sources: balls.Sources, classes: LabelMap, steps: tuple[int, ...]) -> Floats:
        """The displacement at sources, of one pixel each where there are waves.

        Args:
            sources: as in :mod:`noisylabels.kernels.balls`.
            classes: of every object, (n + 1,).
            steps: size of a pixel along z, y and x, thousandths.
        """
        owner = sources[:, balls.OWNER]
        total = self.objects[owner]
        for c, (wave, factor) in self.waves.items():
            every = np.flatnonzero(classes[owner] == c)
            for start in range(0, len(every), _SOME):
                mine = every[start : start + _SOME]
                z, y, x = (sources[mine, k].astype(np.int64) for k in (balls.Z, balls.Y, balls.FIRST))
                total[mine] += factor * wave.at((z, y, x), steps)
        return total


class _Slab(NamedTuple):
    """A part of a map: what is changed, and what has to be looked at for it; z and y."""

    core: tuple[slice, slice]
    seen: tuple[slice, slice]


class Displaced(NamedTuple):
    """What came out.

    Attributes:
        labels: (Z, Y, X), new.
        kept: pixels of every object that kept their class, (n + 1,).
    """

    labels: LabelMap
    kept: Ints


def displaced(found: Traced, shift: Shift, steps: tuple[int, ...]) -> Displaced:
    """The labels with the outlines of their chosen objects displaced.

    Outwards and inwards both start from the outlines as they are. Slab by slab, so that what is kept of it
    stays small.

    Args:
        found: the objects.
        shift: how far.
        steps: size of a pixel along z, y and x, thousandths; a volume of one slice is a plane.
    """
    volume = found.volume
    out = volume.copy()
    kept = np.zeros(len(found.classes), dtype=np.int64)
    picked = np.array(found.picked, dtype=np.intp)
    blocked = np.zeros((256, 256), dtype=bool)
    blocked[:, 1:] = True  # an object recedes from the background and from the chosen classes below it
    blocked[np.ix_(picked, picked)] = picked[:, None] <= picked[None, :]
    plain = not shift.waves
    alone = plain and len(np.unique(found.classes[1:])) < 2 and not (volume == IGNORE).any()
    used = steps if volume.shape[0] > 1 else steps[1:]
    longest = min(shift.longest(), float(LIMIT * min(used)))
    for slab in _slabs(volume.shape, longest, steps):
        here, on = found.part(slab.seen), out[slab.core]
        sources = balls.shrink_sources(volume[slab.seen], here.ids, blocked, alone)
        _recede(
            on, volume[slab.seen], here, *_reaching(sources, found, shift, slab, steps, -1.0), slab, steps
        )
        sources = balls.grow_sources(volume[slab.seen], here.ids, plain)
        _advance(on, volume[slab.core], found, *_reaching(sources, found, shift, slab, steps, 1.0), slab)
        ids = here.ids[_core_in_seen(slab)]
        kept += np.bincount(ids[(on == volume[slab.core]) & (ids > 0)], minlength=len(kept))
    return Displaced(out, kept)


def _slabs(shape: tuple[int, ...], longest: float, steps: tuple[int, ...]) -> Iterator[_Slab]:
    """Cut a map along z, or y in a plane, so that one part takes little memory beside the whole."""
    axis = 0 if shape[0] > 1 else 1
    size = shape[axis]
    margin = int(min(longest // steps[axis] + 2, size))
    row = shape[2] * (shape[1] if axis == 0 else 1)
    thick = max(2**18 // row, size // 40, margin, 1)
    for start in range(0, size, thick):
        core = slice(start, min(start + thick, size))
        seen = slice(max(0, core.start - margin), min(core.stop + margin, size))
        whole = slice(0, shape[1])
        yield (
            _Slab((core, whole), (seen, whole))
            if axis == 0
            else _Slab((slice(0, 1), core), (slice(0, 1), seen))
        )


def _core_in_seen(slab: _Slab) -> tuple[slice, slice]:
    z, y = (
        slice(core.start - seen.start, core.stop - seen.start)
        for core, seen in zip(slab.core, slab.seen, strict=True)
    )
    return z, y


def _recede(
    on: LabelMap,
    volume: LabelMap,
    here: Objects,
    sources: balls.Sources,
    reaches: balls.Reaches,
    slab: _Slab,
    steps: tuple[int, ...],
) -> None:
    """Give every pixel of the core that a source of its object reaches the class of the nearest one."""
    if not len(sources):
        return
    sources[:, [balls.Z, balls.Y]] -= np.array([part.start for part in slab.seen], dtype=np.int32)
    best = balls.shrink(
        volume, here.ids, sources, reaches, (steps[0], steps[1], steps[2]), _core_in_seen(slab)
    )
    np.copyto(on, (best & 255).astype(np.uint8), where=best != FAR)


def _advance(
    on: LabelMap,
    clean: LabelMap,
    found: Traced,
    sources: balls.Sources,
    reaches: balls.Reaches,
    slab: _Slab,
) -> None:
    """Paint every pixel of the core that a source reaches, where nothing of its class or a higher one lies."""
    if not len(sources):
        return
    sources[:, [balls.Z, balls.Y]] -= np.array([part.start for part in slab.core], dtype=np.int32)
    rank, shut = np.zeros(256, dtype=np.uint8), np.ones(256, dtype=np.uint8)
    picked = list(found.picked)
    rank[picked], shut[picked], shut[0] = picked, 0, 0
    start = look_up(rank, clean)
    top = start.copy()
    balls.grow(top, look_up(shut, clean), sources, found.classes[sources[:, balls.OWNER]], reaches)
    np.copyto(on, top, where=top != start)


def _reaching(
    sources: balls.Sources, found: Traced, shift: Shift, slab: _Slab, steps: tuple[int, ...], sign: float
) -> tuple[balls.Sources, balls.Reaches]:
    """The sources of a slab that reach anywhere with displacements of a sign, in the frame, and how far."""
    sources[:, [balls.Z, balls.Y]] += np.array([part.start for part in slab.seen], dtype=np.int32)
    sources = sources[found.chosen[sources[:, balls.OWNER]]]
    if shift.waves:
        sources = single(sources)
    shape = found.volume.shape
    used = steps if shape[0] > 1 else steps[1:]
    far = few_kinds(sign * shift.at(sources, found.classes, steps), min(used))
    moving = 16 * far >= 9 * min(used)
    kinds, table = np.unique(far[moving], return_inverse=True)
    half = element(kinds, used, (shape[0] - 1, shape[1] - 1))
    return sources[moving], balls.Reaches(table.astype(np.int64), half, half)


def few_kinds(far: Floats, least: int) -> Ints:
    """Displacements of which there are at most 768 different ones but 0: each needs an element of its own.

    Args:
        far: thousandths, (n,); negative ones count as 0.
        least: size of the smallest side of a pixel, thousandths.

    Returns:
        Rounded down to 1/64 px below 4 px and to eight significant bits above; cut at 64 px.
    """
    parts = np.clip(far * (64.0 / least), 0.0, 64.0 * LIMIT)
    _, exponent = np.frexp(parts)
    dropped = np.maximum(exponent - 8, 0)
    whole = np.ldexp(np.floor(np.ldexp(parts, -dropped)), dropped)
    return np.asarray(whole.astype(np.int64) * least // 64)


def element(far: Ints, steps: tuple[int, ...], most: tuple[int, int] = (2**31, 2**31)) -> Ints:
    """Which pixels a displacement reaches, as runs along the last axis.

    With s the size of a pixel and m the least of them, an offset of k pixels counts as a length of
    ``|k_i| s_i - 7/16 (s_i - m)`` along an axis where k_i is not 0, and is reached if the whole is at most
    far + 7/16 m. So a pixel straight ahead is reached from k - 7/16 of its size on, and where pixels are square
    it is the ball of radius far + 7/16 pixel. In sixteenths there is no rounding.

    Args:
        far: displacements, thousandths, (B,).
        steps: (sz, sy, sx), or (sy, sx) for a plane.
        most: rows along z and y beyond which none is wanted.

    Returns:
        How far the run reaches on both sides, (B, 2 Rz + 1, 2 Ry + 1), pixels; -1 where there is none.
    """
    sz, sy, sx = (1, *steps)[-3:]
    least = min(steps)
    radius = 16 * far + 7 * least
    longest = int(radius.max(initial=0))

    def rows(step: int, most: int) -> Ints:
        most = min((longest + 7 * (step - least)) // (16 * step), most)
        k = np.arange(-most, most + 1)
        length = np.where(k == 0, 0, 16 * np.abs(k) * step - 7 * (step - least))
        return length * length

    z = rows(sz, most[0]) if len(steps) == 3 else np.zeros(1, dtype=np.int64)
    y = rows(sy, most[1])
    room = (radius * radius)[:, None, None] - (z[:, None] + y[None, :])
    reach = (integer_root(np.maximum(room, 0)) + 7 * (sx - least)) // (16 * sx)
    return np.where(room < 0, -1, reach)


def left_out(labels: LabelMap, runs: Runs, gone: Mask, num_classes: int) -> LabelMap:
    """A copy of the labels without some objects; each becomes the class that most of its faces touch.

    Args:
        labels: (Y, X) or (Z, Y, X).
        runs: their objects.
        gone: which of them are left out, (objects,); touching one another, they count as background.
        num_classes: K.
    """
    volume = as_volume(labels)
    out = volume.copy()
    mine = gone[runs.owner]
    spans = runs.spans.taken(mine)
    fill(out, spans, np.zeros(len(spans.row), dtype=np.uint8))
    number = (np.cumsum(gone) - 1).astype(np.int32)[runs.owner[mine]]
    faces = touched(volume, out, spans, number, (int(gone.sum()), num_classes))
    fill(out, spans, faces.argmax(axis=1).astype(np.uint8)[number])
    return out.reshape(labels.shape)
