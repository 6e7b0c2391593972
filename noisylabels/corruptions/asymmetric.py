"""Flip units to the next class: 1 becomes 2, 2 becomes 3, the last becomes 1.

A unit of foreground class i (a pixel, a component, ...) becomes the next foreground class with probability
rate. Where the background takes part, it becomes each foreground class with probability rate / (K - 1). At
rate 0.4 with three foreground classes and the background taking part::

    T[true, given] = 0.6   0.133 0.133 0.133
                     0     0.6   0.4   0
                     0     0     0.6   0.4
                     0     0.4   0     0.6

At rate 0.5 two classes tie and nothing is identifiable: no method can know which of them is true, so the
default is 0.4. JCAS calls its setting 50 %; its flip map is not published, but the class counts of its
label files show a background that flips to all three classes alike, and exclude a cycle through all classes.

Source: Patrini et al., CVPR 2017 (class-dependent noise); Guo and Yuan, Joint class-affinity loss correction
(JCAS), MICCAI 2022, "asymmetric noise".
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
        background: whether the background flips (to all foreground classes alike); by default yes for
            pixels, no for larger units, where it would be one region that turns into an object as a whole.
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
    return transition.asymmetric(case.num_classes, params.rate, classes)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with some of its units flipped to the next class.

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
