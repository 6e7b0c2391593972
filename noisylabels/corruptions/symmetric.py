"""Flip units to any other class alike.

A unit of class i (a pixel, a component, ...) keeps its class with probability 1 - rate and becomes each
other class that takes part with probability rate / (m - 1). At rate 0.3 among three classes::

    T[true, given] = 0.7   0.15  0.15
                     0.15  0.7   0.15
                     0.15  0.15  0.7

Independent pixels hardly hurt a network, whole components do: the unit is the larger part of the strength.
The counts of the label files that come with JCAS exclude independent pixel flips by one uniform matrix;
they allow whole regions.

Source: Patrini et al., CVPR 2017 (the matrix); Guo and Yuan, Joint class-affinity loss correction (JCAS),
MICCAI 2022, "symmetric noise" at 0.5.
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
        rate: probability that a unit flips, 0 to 1; with m classes nothing is left to learn at (m - 1) / m.
        unit: what flips as one: pixel, component (corners touch), class_region (a class in the case), or
            case.
        background: whether the background flips and is flipped to; by default yes for pixels, no for larger
            units, where it would be one region that turns into an object as a whole.
        classes: the classes that flip among each other; by default every one but the background.
    """

    rate: float = 0.5
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
    return transition.symmetric(case.num_classes, params.rate, classes)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with some of its units flipped to another class.

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
