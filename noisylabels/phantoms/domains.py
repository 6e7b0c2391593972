"""How scenes look, apart from what is in them: the same anatomy and tools in two operating rooms.

A model trained on one domain loses on the other, as it does between hospitals, optics and instrument sets; the
classes and what they mean are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from noisylabels.errors import unknown

Colour = tuple[float, float, float]

_WHITE = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A look. Numbers that multiply are 1 and those that are added 0 where nothing is changed.

    Attributes:
        name: its name; scenes of another domain than ``source`` are other scenes, too.
        fascia: colour of the ground, red, green, blue in 0 to 1.
        muscle: of muscle.
        fat: of fat.
        blood: of vessels.
        relief: factor of the height of the folds.
        gain: of red, green and blue: the white balance.
        haze: light that is added everywhere before the gain: a veil on the lens.
        vignette: how much darker the corners are, 0 to 1.
        falloff: how fast light fades with the distance from the lamp.
        blur: defocus in frame heights that is added.
        noise: factor of the sensor noise.
        coat: colour of the shaft's coating.
        metal: colour of wrist and clasper.
        steel: what is added to the share of bare metal on a shaft, which stays below 1.
        brightness: factor of the brightness of all metal.
        scale: factor of the size of instruments.
    """

    name: str = "source"
    fascia: Colour = (0.80, 0.46, 0.45)
    muscle: Colour = (0.52, 0.14, 0.14)
    fat: Colour = (0.88, 0.58, 0.46)
    blood: Colour = (0.50, 0.07, 0.09)
    relief: float = 1.0
    gain: Colour = _WHITE
    haze: float = 0.0
    vignette: float = 0.45
    falloff: float = 0.8
    blur: float = 0.0
    noise: float = 1.0
    coat: Colour = _WHITE
    metal: Colour = _WHITE
    steel: float = 0.0
    brightness: float = 1.0
    scale: float = 1.0


SOURCE = Domain()

TARGET = Domain(
    name="target",
    fascia=(0.74, 0.56, 0.42),
    muscle=(0.46, 0.22, 0.20),
    fat=(0.88, 0.74, 0.44),
    blood=(0.36, 0.08, 0.16),
    relief=1.3,
    gain=(0.92, 1.0, 1.04),
    haze=0.02,
    vignette=0.7,
    falloff=1.1,
    blur=0.002,
    noise=1.5,
    coat=(0.88, 0.96, 1.12),
    metal=(1.05, 0.98, 0.85),
    steel=0.3,
    brightness=0.85,
    scale=0.92,
)

DOMAINS: Mapping[str, Domain] = MappingProxyType({domain.name: domain for domain in (SOURCE, TARGET)})
"""Every domain by name."""


def domain_of(name: str) -> Domain:
    """The domain with this name.

    Raises:
        UsageError: there is none.
    """
    if name not in DOMAINS:
        raise unknown("domain", name, DOMAINS)
    return DOMAINS[name]
