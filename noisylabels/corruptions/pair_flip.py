"""Flip units to the next class in one cycle, background included where it takes part.

A unit of class i (a pixel, a component, ...) becomes the next class that takes part with probability rate,
the last one becomes the first. At rate 0.4 with the background taking part::

    T[true, given] = 0.6  0.4  0    0
                     0    0.6  0.4  0
                     0    0    0.6  0.4
                     0.4  0    0    0.6

So the last class is lost to the background, and the background is taken for class 1: the pair flipping of the
classification literature, carried over as it is. Without the background it equals ``asymmetric``. At rate
0.5 two classes tie and nothing is identifiable, so the default is 0.4.

Source: Han et al., Co-teaching, NeurIPS 2018 ("pair flipping").
"""

from dataclasses import dataclass, replace

from noisylabels import transition
from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.parts import flips
from noisylabels.parts.scope import check_classes

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How often units flip, and what a unit is.

    Attributes:
        rate: probability that a unit flips, 0 to 1; from 0.5 on two classes tie and the true one is not
            identifiable.
        unit: what flips as one: pixel, component (corners touch), class_region (a class in the case), or
            case.
        background: whether the background is part of the cycle; by default yes for pixels, no for larger
            units, where it would be one region that turns into an object as a whole.
        classes: the classes that flip, in this ascending cycle; by default every one but the background.
    """

    rate: float = 0.4
    unit: flips.Unit = "component"
    background: bool | None = None
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        flips.check_rate(self.rate)
        flips.check_unit(self.unit)
        check_classes(self.classes)


EXAMPLE = Params(rate=0.8)


def scaled(params: Params, factor: float) -> Params:
    """The same flips at a multiple of the rate, 1 at most."""
    return replace(params, rate=min(1.0, params.rate * factor))


def requested_transition(case: Case, params: Params) -> transition.Matrix:
    """The matrix behind the mode.

    Args:
        case: gives the classes.
        params: how often, and which of them.

    Returns:
        T[true, given], (K, K); rows sum to 1.

    Raises:
        UsageError: fewer than two classes take part.
    """
    classes = flips.taking_part(case, params.classes, params.background, params.unit)
    return transition.pair(case.num_classes, params.rate, classes)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with some of its units flipped along the cycle.

    Args:
        case: the case; its image is not looked at.
        params: how often, and what flips as one.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a class that takes part comes back as it is.

    Raises:
        UsageError: fewer than two classes take part.
    """
    return flips.flip_units(case.labels, requested_transition(case, params), params.unit, draws)
