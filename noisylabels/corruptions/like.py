"""Make the mistakes that real readers make, by a profile that was measured on them.

``noisylabels profile`` measures how far the outlines of readers stray from a reference and which objects
they miss; this mode draws mistakes with the same statistics. Every object of class c is missed with the
probability of its size. The outline of any other is displaced along its normal by ::

    d(p) = strength (bias_c + object_c Z + outline_c W(p))        Z ~ N(0, 1) for the object
                                                                  W(p) ~ N(0, 1), smooth along the outline
    . . . . . . . .        . . . . 1 1 . .
    . . 1 1 1 1 . .        . . 1 1 1 1 1 .        correlation of W at two places p, q:
    . . 1 1 1 1 . .   ->   . 1 1 1 1 1 1 .        one half at |p - q| = length_c, about 2**-(|p - q| / length_c)**2
    . . 1 1 1 1 . .        . . 1 1 1 . . .
    . . . . . . . .        . . . 1 . . . .

A missed object becomes what most of its sides touch. Classes are layers: where two touch, the outline is that
of the higher class. No object vanishes but those that are missed. No displacement exceeds 64 pixels.

Source: ours. What it imitates: outlines of several readers lie millimetres apart (Joskowicz et al.,
Inter-observer variability of manual contour delineation, European Radiology 29, 2019), and many lung nodules
are marked by some of four readers only (Armato et al., The LIDC and IDRI, Medical Physics 38, 2011).
"""

from dataclasses import dataclass, replace

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.parts import profiles
from noisylabels.parts.displacement import Shift
from noisylabels.parts.imitation import Seen, made, see, wave_over
from noisylabels.parts.scope import check_classes, chosen_foreground
from noisylabels.parts.waves import Floats, Wave

VERSION = 1
FROM_FILE = frozenset({"profile"})
"""Parameters that may be given as a file, whose text is then their value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose mistakes.

    Attributes:
        profile: a profile as ``noisylabels profile`` writes it (on the command line, its file), or in one
            line: the unit, then for each class its mean displacement, the spread between objects and along
            the outline, the distance of half correlation, and the probability of omission by size. The
            default is an example, not a measurement.
        strength: factor on displacements and omissions, 0 to 100; probabilities end at 1.
        classes: the classes in which mistakes are made; by default every one but the background.
    """

    profile: str = "px; *: bias 0, object 1, outline 1, length 8, omission 0.1<10 0.02"
    strength: float = 1.0
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "profile", profiles.read(self.profile).text)
        if not 0 <= self.strength <= 100:
            raise UsageError(f"The strength is a factor between 0 and 100, not {self.strength}.")
        check_classes(self.classes)


EXAMPLE = Params(profile="px; *: bias 0, object 1, outline 1, length 4, omission 0.3<4 0.1")


def scaled(params: Params, factor: float) -> Params:
    """The same with another strength."""
    return replace(params, strength=min(100.0, params.strength * factor))


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case with the mistakes of a reader.

    Args:
        case: the case; its image is not looked at.
        params: whose mistakes.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: the profile knows several classes but not one that was chosen, is in mm and the case has no
            spacing, or the background or an undeclared class was chosen.
    """
    chosen = chosen_foreground(case, params.classes)
    profile = profiles.read(params.profile)
    of_class = {c: profile.of(case.classes[c]) for c in chosen}
    seen = see(case, chosen, profile.unit)
    gone = draws.at("omission").uniform(len(seen.chosen)) < params.strength * _omission(seen, of_class)
    unit = draws.at("object").normal(len(seen.chosen) + 1)
    bias, spread = np.zeros(len(unit)), np.zeros(len(unit))
    classes = np.concatenate([[0], seen.runs.classes])
    for c, one in of_class.items():
        bias[classes == c], spread[classes == c] = one.bias, one.object_sd
    waves = _waves(case, seen, of_class, params.strength, draws)
    return made(case, seen, gone, Shift(1000.0 * params.strength * (bias + spread * unit), waves))


def _omission(seen: Seen, of_class: dict[int, profiles.ClassProfile]) -> Floats:
    """Probability of every object to be missed, (objects,)."""
    rate = np.zeros(len(seen.chosen))
    for c, one in of_class.items():
        mine = seen.runs.classes == c
        rate[mine] = one.omission[-1]
        for size, share in zip(one.sizes[::-1], one.omission[-2::-1], strict=True):
            rate[mine & seen.below(size)] = share
    return rate


def _waves(
    case: Case, seen: Seen, of_class: dict[int, profiles.ClassProfile], strength: float, draws: Draws
) -> dict[int, tuple[Wave, float]]:
    """By class, the field along its outlines and its factor; for classes that are there and stray."""
    waves = {}
    for c, one in of_class.items():
        if one.outline_sd * strength > 0 and (seen.runs.classes == c).any():
            normals, grid = draws.at("outline", c).normal, draws.at("grid", c).uniform(3)
            waves[c] = (
                wave_over(case, seen, 1000.0 * one.length, normals, grid),
                1000.0 * strength * one.outline_sd,
            )
    return waves
