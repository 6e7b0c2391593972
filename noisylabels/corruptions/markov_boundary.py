"""Let outlines wander: pixel by pixel they grow or shrink, many small steps long.

In every step an object grows with probability ``grow`` and shrinks otherwise: each pixel that touches its
outline from outside (or inside) changes sides with probability ``rate``. At the end pixels flip one by one
with probability ``flips``, and the outline is smoothed::

    . . . . . .      . . # . . .      . . # # . .            . . # # . .
    . . # # . .      . . # # . .      . # # # . .            . # # # . .
    . # # # . .  ->  . # # # # .  ->  . # # # # .  -> ... -> # # # # # .
    . . # # . .      . . # # . .      . # # # . .            . # # # . .
    . . . . . .      . . . . . .      . . . . . .            . . . . . .

Growth and shrinkage do not cancel pixel by pixel: the outline gets rough, and smoothing leaves the slower of
its waves. On average it is displaced by about::

    shift = 2 rate (2 grow - 1) steps px             in 3-D 3 instead of 2; measured at grow 0.2 and 0.8

Where growth and shrinkage are even, it does not move but frays, and in 3-D falls to pieces in 100 steps or so.

With ``relative`` an object of radius r takes round(steps r / 100) steps, and the shift is so many percent of
its radius. Here r is 8/pi (in 3-D 9/2) times its pixels divided by the pixel sides of its outline that may
move, which is the radius of a disc (a ball); so a thin object counts as small, however long it is.

Every object walks on its own map, as if it were alone: it may grow over others. Classes are then painted
in ascending order, so a higher class lies on top; what no class covers any more is background. The frame and
``IGNORE`` are unknown ground: an outline moves neither because of them nor into them. So an empty map stays
empty, and a full one stays full (but for flips). Steps go from pixel to pixel also where spacings differ.

Smoothing takes the majority of the known pixels around, with the weights of a Gaussian in 1024ths (5 x 5,
sigma 2; in 3-D 7 x 7 x 7, sigma 1), at pixels that have a changed one in this window: what did not move is
not rounded either, and nothing happens at 0 steps. It erases what is thinner than three pixels there.

The number for step t of object n at pixel i is the word at (i, t, n) of a counter-based generator: no number
is made for a pixel far from the outline, and the first steps are the same whatever the number of steps.

Source: Yao et al., Learning to segment from noisy annotations: a spatial correction approach, ICLR 2023,
and its public generator (theta_1 is grow, theta_2 rate, theta_3 flips, T steps).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels import markov, smoothing
from noisylabels.kernels.philox import threshold
from noisylabels.parts.instances import Found, objects_of
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1

_LONGEST = 10_000
_SLAB = 32
_ALONE = np.array([1], dtype=np.int32)
_PLANE = np.array([156, 227, 258, 227, 156], dtype=np.int32)
_SPACE = np.array([5, 55, 248, 408, 248, 55, 5], dtype=np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How outlines walk.

    Attributes:
        steps: steps of the walk, 0 to 10000; for a radius of 100 px where relative.
        grow: probability that a step grows an object rather than shrinks it, 0 to 1.
        rate: probability that a pixel at the outline changes in a step, 0 to 1.
        flips: probability that a pixel of the frame flips after the walk, 0 to 0.5; most single pixels are
            smoothed away again.
        smooth: smooth the outlines that moved.
        relative: take more steps for larger objects, so that the shift is a share of their radius.
        unit: what walks on its own: object (each component) or class (all its objects in one map, as in the
            public generator: they grow or shrink in the same steps).
        over: what an object may grow over: all (other chosen classes too), or background.
        keep: leave an object at least one of its own pixels, in the walk and in smoothing; another class may
            still cover it.
        classes: the classes that walk; by default every one but the background.
    """

    steps: int = 180
    grow: float = 0.8
    rate: float = 0.05
    flips: float = 0.0
    smooth: bool = True
    relative: bool = False
    unit: Literal["object", "class"] = "object"
    over: Literal["all", "background"] = "all"
    keep: bool = True
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.steps <= _LONGEST:
            raise UsageError(f"An outline walks between 0 and {_LONGEST} steps, not {self.steps}.")
        for name, value, most in (("grow", self.grow, 1), ("rate", self.rate, 1), ("flips", self.flips, 0.5)):
            if not 0 <= value <= most:
                raise UsageError(f"The probability '{name}' lies between 0 and {most}, not {value}.")
        if self.unit not in ("object", "class"):
            raise UsageError(f"There is no unit '{self.unit}'; known: object, class.")
        if self.over not in ("all", "background"):
            raise UsageError(f"An object may grow over all or background, not '{self.over}'.")
        check_classes(self.classes)


EXAMPLE = Params(steps=8, grow=0.7, rate=0.25)


def scaled(params: Params, factor: float) -> Params:
    """The same walk, longer or shorter: steps, and where whole steps do not reach, the rate; flips too.

    Args:
        params: at factor 1.
        factor: 0 (nothing moves) or more; the shift grows about in proportion.
    """
    wanted = params.steps * factor
    steps = max(round(min(wanted, _LONGEST)), 1) if wanted > 0 else 0
    rate = min(params.rate * (wanted / steps), 1.0) if steps else params.rate
    return replace(params, steps=steps, rate=rate, flips=min(params.flips * factor, 0.5))


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case after the walk of its outlines.

    Args:
        case: the case; its image is not looked at.
        params: how they walk.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen.
    """
    classes = chosen_foreground(case, params.classes)
    key = int(draws.at("walk").words(1)[0])
    law = markov.Law(key, threshold(params.grow), threshold(params.rate), params.keep)
    return _walked(case, classes, params, law)


def _walked(case: Case, classes: Sequence[int], p: Params, law: markov.Law) -> LabelMap:
    found = objects_of(case, classes)
    volume = found.volume
    per = 0.0 if not p.relative else 4.5 if len(volume) > 1 else 8 / 3.141592653589793
    out, state = volume.copy(), np.zeros_like(volume)
    flat, arrivals = out.reshape(-1), list[tuple[int, Ints]]()
    for c, units in _units(found, classes, p.unit):
        opens = _opens(classes, c, p.over)
        box = markov.run(volume, units, p.steps, per, opens, law, state)
        if p.flips > 0:
            markov.flip(volume, c, opens, law.key, threshold(p.flips), state)
            box = np.array([[0, size] for size in volume.shape])
        if not (box[:, 0] < box[:, 1]).all():
            continue
        came, gone = _settled(volume, c, opens, state, box, p.smooth)
        arrivals.append((c, came))
        flat[_final(gone, state, units) if p.keep else gone] = 0
        state[tuple(slice(first, last) for first, last in box.tolist())] = 0
    for c, pixels in arrivals:  # after every loss: of all that stay or come the highest class is on top
        flat[pixels] = np.maximum(flat[pixels], np.uint8(c))
    return out.reshape(case.labels.shape)


def _units(found: Found, classes: Sequence[int], unit: str) -> Iterator[tuple[int, markov.Units]]:
    """The objects of each chosen class that is there; they draw under their number among all objects."""
    spans, owner, of_class = found.runs
    number = owner if unit == "object" else of_class[owner]
    runs = np.column_stack([spans.row, spans.first, spans.last]).astype(np.int64)
    for c in classes:
        mine = np.flatnonzero(of_class[owner] == c)
        mine = mine[np.argsort(number[mine], kind="stable")]
        if len(mine):
            numbers, first = np.unique(number[mine].astype(np.int64), return_index=True)
            yield c, markov.Units(numbers, np.append(first, len(mine)), runs[mine])


def _opens(classes: Sequence[int], own: int, over: str) -> Mask:
    """Which classes an object may be on: the background and its own; the other chosen ones where it may."""
    opens = np.zeros(256, dtype=np.bool_)
    opens[[0, own]] = True
    if over == "all":
        opens[list(classes)] = True
    return opens


def _settled(
    volume: LabelMap, c: int, opens: Mask, state: LabelMap, box: Ints, smooth: bool
) -> tuple[Ints, Ints]:
    """Flat indices of the pixels that the class came to, and of those it lost, slab by slab."""
    weights = (_ALONE, _PLANE) if len(volume) == 1 else (_SPACE, _SPACE)
    if smooth:
        reach = np.array([len(weights[0]), len(weights[1]), len(weights[1])])[:, None] // 2
        box = np.clip(box + np.concatenate([-reach, reach], axis=1), 0, np.array(volume.shape)[:, None])
    came, gone = list[Ints](), list[Ints]()
    for z in range(box[0, 0], box[0, 1], _SLAB):
        part = np.array([[z, min(z + _SLAB, box[0, 1])], *box[1:]])
        place = tuple(slice(first, last) for first, last in part.tolist())
        if smooth:
            now = smoothing.smoothed(volume, c, opens, state, part, *weights)
        else:
            now = markov.inside(volume[place], c, state[place])
        own = volume[place] == c
        for found, which in ((came, now & ~own), (gone, own & ~now)):
            places = tuple(axis + first for axis, first in zip(np.nonzero(which), part[:, 0], strict=True))
            found.append(np.ravel_multi_index(places, volume.shape))
    return np.concatenate(came), np.concatenate(gone)


def _final(gone: Ints, state: LabelMap, units: markov.Units) -> Ints:
    """What is lost where objects are kept: of one that would be lost as a whole, what the walk took of it.

    If that is all of it too, because its last pixels flipped, nothing of it is lost.
    """
    width, count = state.shape[2], len(units.numbers)
    start = units.runs[:, 0] * width + units.runs[:, 1]
    order = np.argsort(start)
    of_run = np.repeat(np.arange(count), np.diff(units.first))
    owner = of_run[order[np.searchsorted(start[order], gone, side="right") - 1]]
    ends = np.cumsum(np.append(0, units.runs[:, 2] - units.runs[:, 1] + 1))[units.first]
    whole = np.bincount(owner, minlength=count) == np.diff(ends)
    walked = (state.reshape(-1)[gone] & markov.LOST) != 0
    some = np.bincount(owner[~walked], minlength=count) > 0
    return np.asarray(gone[~whole[owner] | (walked & some[owner])])
