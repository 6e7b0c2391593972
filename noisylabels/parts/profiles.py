"""The profile of a reader: how far outlines stray, how often objects are missed. As text, to be drawn again.

In one line, as a recipe holds it; lengths in the unit at the beginning::

    mm; nodule: bias 0.21, object 0.4, outline 0.55, length 3.1, omission 0.3<6 0.05

means: on average the outlines of nodules lie 0.21 mm outside the reference; the mean of an object strays from
that with a standard deviation of 0.4 mm, and along the outline the displacement strays by 0.55 mm, with a
correlation of one half at a distance of 3.1 mm; 30 % of the objects below 6 mm are missed, and 5 % of the
larger ones. The size of an object is the diameter of the disc (3-D: ball) with as many pixels. A single
class, whatever its name, or the name ``*``, is meant for all classes.

The same as TOML, which ``noisylabels profile`` writes: docs/profiles.md says what each key means.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any, Literal

from noisylabels.errors import UsageError, unknown

ANY = "*"
"""Name of a class that stands for all."""

_FIELDS = {"bias": "bias", "object": "object_sd", "outline": "outline_sd", "length": "length"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProfile:
    """How readers treat the objects of one class; lengths in the unit of the profile.

    Attributes:
        name: of the class.
        bias: mean displacement of an object's outline, positive outwards.
        object_sd: standard deviation of that between objects.
        outline_sd: standard deviation along the outline, about the object's mean.
        length: distance of two places of an outline at which their displacements are correlated by one half.
        omission: probability that an object is missed, one for each range of sizes.
        sizes: where the next range begins, ascending, one fewer than ``omission``.
    """

    name: str
    bias: float = 0.0
    object_sd: float = 0.0
    outline_sd: float = 0.0
    length: float = 1.0
    omission: tuple[float, ...] = (0.0,)
    sizes: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        self._check(
            bool(self.name) and not re.search("[;:,]", self.name), "a class needs a name without ; : ,"
        )
        self._check(abs(self.bias) < inf, "the bias is a number")
        self._check(
            0 <= self.object_sd < inf and 0 <= self.outline_sd < inf, "a spread is a number from 0 on"
        )
        self._check(0.01 <= self.length < inf, "the length is a number from 0.01 on")
        self._check(all(0 <= rate <= 1 for rate in self.omission), "an omission is a probability from 0 to 1")
        self._check(
            len(self.sizes) == len(self.omission) - 1, "there is one omission for each range of sizes"
        )
        edges = (0.0, *self.sizes, inf)
        self._check(all(a < b for a, b in pairwise(edges)), "sizes rise, from above 0 on")

    def _check(self, right: bool, rule: str) -> None:
        if not right:
            raise UsageError(f"The profile of class '{self.name}' is wrong: {rule}.")

    @property
    def text(self) -> str:
        """As in a profile's line."""
        rates = [f"{rate:g}<{size:g}" for rate, size in zip(self.omission, self.sizes, strict=False)]
        parts = [f"{short} {getattr(self, name):g}" for short, name in _FIELDS.items()]
        return f"{self.name}: {', '.join(parts)}, omission {' '.join([*rates, f'{self.omission[-1]:g}'])}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The profiles of classes.

    Attributes:
        unit: of all lengths.
        classes: at least one, with different names.
    """

    unit: Literal["px", "mm"]
    classes: tuple[ClassProfile, ...]

    def __post_init__(self) -> None:
        names = [one.name for one in self.classes]
        if self.unit not in ("px", "mm"):
            raise UsageError(f"The lengths of a profile are in px or mm, not '{self.unit}'.")
        if not names or len(set(names)) < len(names):
            raise UsageError(
                f"A profile describes at least one class, each once; not {', '.join(names) or 'none'}."
            )

    @property
    def text(self) -> str:
        """In one line; numbers with six digits."""
        return "; ".join([self.unit, *(one.text for one in self.classes)])

    def of(self, name: str) -> ClassProfile:
        """The profile of a class: its own, else that of ``*``, else the only one there is.

        Raises:
            UsageError: there are several, and none is of this name.
        """
        known = {one.name: one for one in self.classes}
        if len(known) == 1:
            return self.classes[0]
        if name not in known and ANY not in known:
            raise unknown("class in the profile:", name, known)
        return known.get(name, known.get(ANY, self.classes[0]))


def read(text: str) -> Profile:
    """A profile from its line or from TOML.

    Raises:
        UsageError: the text is neither, or a value is missing or outside its range.
    """
    return _from_toml(text) if "[profile]" in text else _from_line(text)


def _from_line(text: str) -> Profile:
    unit, *classes = [part.strip() for part in text.strip().rstrip(";").split(";")]
    if unit not in ("px", "mm"):
        raise UsageError(
            f"'{text.strip()[:80]}' is neither a profile nor a file that holds one; a profile begins with px; or mm;, "
            "and noisylabels profile writes its file."
        )
    return Profile(unit=unit, classes=tuple(_class_from(part) for part in classes))  # type: ignore[arg-type]


def _class_from(text: str) -> ClassProfile:
    name, _, rest = text.partition(":")
    values: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in rest.split(","))):
        key, *numbers = part.split()
        if key == "omission":
            pairs = [number.partition("<") for number in numbers]
            values["omission"] = tuple(_number(rate, name) for rate, _, _ in pairs)
            values["sizes"] = tuple(_number(size, name) for _, less, size in pairs if less)
        elif key in _FIELDS and len(numbers) == 1:
            values[_FIELDS[key]] = _number(numbers[0], name)
        else:
            raise unknown(f"value in the profile of class '{name.strip()}':", part, (*_FIELDS, "omission"))
    return ClassProfile(name=name.strip(), **values)


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(
            f"The profile of class '{name.strip()}' holds '{value}' in place of a number."
        ) from None


def _from_toml(text: str) -> Profile:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The profile is not TOML: {error}.") from error
    head, tables = document.get("profile", {}), document.get("classes", [])
    if not isinstance(head, Mapping) or not isinstance(tables, list):
        raise UsageError("A profile has a table [profile] and tables [[classes]].")
    return Profile(unit=head.get("unit", ""), classes=tuple(_class_of(one) for one in tables))


def _class_of(table: Mapping[str, Any]) -> ClassProfile:
    name = str(table.get("name", ""))
    missing = [key for key in (*_FIELDS.values(), "omission", "sizes") if key not in table]
    if missing:
        raise UsageError(f"The profile of class '{name}' lacks {missing[0]}.")
    return ClassProfile(
        name=name,
        **{key: _number(table[key], name) for key in _FIELDS.values()},
        omission=tuple(_number(rate, name) for rate in table["omission"]),
        sizes=tuple(_number(size, name) for size in table["sizes"]),
    )
