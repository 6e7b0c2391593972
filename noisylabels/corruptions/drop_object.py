"""Leave objects out, as an annotator who overlooks them.

Each object (connected component, corners touch) is missed with probability rate, whatever the others do; at
rate 0 none is. A missed object becomes background, or what lies around it, as a missed lesion becomes
organ::

    . 1 1 1 1 . 1 .        . 1 1 1 1 . . .
    . 1 2 2 1 . 1 .   ->   . 1 1 1 1 . . .        the 2 and the right 1 missed, fill neighbour
    . 1 1 1 1 . . .        . 1 1 1 1 . . .

With a size bias b, small objects are missed more often (b > 0) or less often (b < 0). Object i, of a_i
pixels, is missed with probability

    p_i = min(1, t a_i**-b),  where t is such that the mean of p_i over the chosen objects of a case is rate

or, where a typical size a is given, p_i = min(1, rate (a_i / a)**-b): then cases of one object differ too.
The power is computed from multiplications and square roots, with b rounded to 1/64. What is missed at one
rate is missed at every higher one.

Source: Vadineanu et al., An analysis of the impact of annotation errors on the accuracy of deep learning for
cell segmentation, MIDL 2022 (omission); rate and size bias are ours.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.object_runs import Runs, fill
from noisylabels.parts.flips import check_rate
from noisylabels.parts.instances import Floats, check_fill, objects_of, stronger, surroundings
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How often objects are missed, and which of them rather.

    Attributes:
        rate: probability that an object is missed, 0 to 1; with a size bias the mean over the objects of a
            case.
        size_bias: exponent b, -2 to 2: 0 for none; at 1 an object of half the pixels is missed twice as often.
        typical_px: pixels of an object that is missed with probability rate, above 0; by default the rate is
            that of the average object of the case.
        fill: what a missed object becomes: background, or neighbour (the class that most of its faces touch,
            of equal ones the lowest; missed neighbours count as background).
        classes: the classes whose objects may be missed; by default every one but the background.
    """

    rate: float = 0.2
    size_bias: float = 0.0
    typical_px: float | None = None
    fill: Literal["background", "neighbour"] = "background"
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_rate(self.rate)
        if not -2 <= self.size_bias <= 2:
            raise UsageError(f"A size bias is an exponent between -2 and 2, not {self.size_bias}.")
        if self.typical_px is not None and not 0 < self.typical_px <= 1e9:
            raise UsageError(
                f"A typical size is a number of pixels above 0 and up to 1e9, not {self.typical_px}."
            )
        check_fill(self.fill)
        check_classes(self.classes)


EXAMPLE = Params(rate=0.5)


def scaled(params: Params, factor: float) -> Params:
    """The same with another strength: the rate times ``factor``, at most 1."""
    return replace(params, rate=stronger(params.rate, factor))


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case without some of its objects.

    Args:
        case: the case; its image is not looked at.
        params: how often, and which rather.
        draws: the stream of this case and step; one number is drawn for every object.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the background or an undeclared class was chosen.
    """
    found = objects_of(case, chosen_foreground(case, params.classes))
    drawn = draws.at("missed").uniform(len(found.chosen))
    missed = np.zeros(len(found.chosen), dtype=bool)
    sizes = found.runs.sizes()[found.chosen]
    likely = chances(sizes, params.rate, params.size_bias, params.typical_px)
    missed[found.chosen] = drawn[found.chosen] < likely
    out = _without(found.volume, found.runs, missed, params.fill, case.num_classes)
    return out.reshape(case.labels.shape)


def chances(sizes: Ints, rate: float, bias: float, typical: float | None) -> Floats:
    """Probability of every object to be missed.

    Args:
        sizes: pixels of the objects of one case, (n,).
        rate: what their mean is to be, or, with ``typical``, the probability at that size.
        bias: exponent b.
        typical: pixels, or None.

    Returns:
        (n,), each 0 to 1.
    """
    if bias == 0 or len(sizes) == 0:
        return np.full(len(sizes), rate)
    weights = _power(sizes / (typical or 1.0), -bias)
    if typical is not None:
        return np.asarray(np.minimum(1.0, rate * weights))
    if rate == 1:
        return np.ones(len(sizes))
    # The heaviest k are certain, the others share what is left; the first k that leaves none above 1 is it.
    falling = weights[np.argsort(-weights, kind="stable")]
    rest = np.cumsum(falling[::-1])[::-1]
    scale = (rate * len(sizes) - np.arange(len(sizes))) / rest
    return np.asarray(np.minimum(1.0, scale[np.argmax(scale * falling <= 1)] * weights))


def _power(base: Floats, exponent: float) -> Floats:
    """base**exponent for positive numbers; the exponent is rounded to 1/64 and taken bit by bit."""
    sixtyfourths = int(np.rint(abs(exponent) * 64))
    total = np.ones_like(base)
    for _ in range(sixtyfourths // 64):
        total = total * base
    root = base
    for bit in (32, 16, 8, 4, 2, 1):
        root = np.sqrt(root)
        if sixtyfourths & bit:
            total = total * root
    return 1.0 / total if exponent < 0 else total


def _without(volume: LabelMap, runs: Runs, missed: Mask, how: str, classes: int) -> LabelMap:
    """A copy of the labels, (Z, Y, X), in which the missed objects are gone."""
    out = volume.copy()
    mine = missed[runs.owner]
    spans = runs.spans.taken(mine)
    fill(out, spans, np.zeros(len(spans.row), dtype=np.uint8))
    if how == "neighbour":
        number = (np.cumsum(missed) - 1).astype(np.int32)  # of the missed ones alone
        owner = number[runs.owner[mine]]
        fill(out, spans, surroundings(volume, out, spans, owner, classes))
    return out
