"""What a recipe does to a touched case: one corruption after another, or one of several by chance.

Step     mode, version, params
OneOf    per case, class or object one Option: weight, step
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal, TypeAlias, get_args

from noisylabels.catalogue import MODES
from noisylabels.errors import Mismatch, UsageError, unknown
from noisylabels.params import NONE, Parameter, build, parameters, plain

NOTHING = "none"
"""The mode of an option that leaves the labels as they are."""

Per: TypeAlias = Literal["case", "class", "object"]


@dataclass(frozen=True, slots=True)
class Step:
    """One corruption with its parameters.

    Attributes:
        mode: name of the corruption, with hyphens.
        params: plain values by parameter name; what is left out has the mode's default.
        version: version of the corruption that is meant.
    """

    mode: str
    params: Mapping[str, Any]
    version: int

    @classmethod
    def of(cls, mode: str, module: ModuleType, params: Any) -> "Step":
        """The step of a mode's module and an instance of its ``Params``; every parameter is written out."""
        return cls(mode.replace("_", "-"), plain(params), module.VERSION)

    @classmethod
    def nothing(cls) -> "Step":
        """The step of an option that leaves the labels as they are."""
        return cls(NOTHING, {}, 1)

    def params_for(self, module: ModuleType) -> Any:
        """The parameters as the module's ``Params``.

        Raises:
            UsageError: a parameter is unknown or outside its range.
            Mismatch: the recipe means another version of the corruption.
        """
        if self.version != module.VERSION:
            raise Mismatch(
                f"The recipe means version {self.version} of the mode '{self.mode}', and this is version "
                f"{module.VERSION}: the labels would differ."
            )
        return build(module.Params, self.params, f"mode '{self.mode}'")

    def for_classes(self, classes: Sequence[str]) -> "Step":
        """The same step with numbers in place of class names.

        A name may stand wherever the mode takes a list of whole numbers, or a single one.

        Args:
            classes: K names; the number of a class is its place.

        Raises:
            UsageError: there is no class of a name; the message suggests the nearest.
        """
        named = {k: v for k, v in self.params.items() if any(map(_is_word, _items(v)))}
        if not named:
            return self
        known = {parameter.name: parameter for parameter in parameters(MODES.load(self.mode).Params)}
        numbers = {k: _numbers(known[k], v, classes) for k, v in named.items() if k in known}
        return replace(self, params={**self.params, **numbers})

    @property
    def text(self) -> str:
        """In a few words, as in "ellipse, fit moments"."""
        values = [f"{k.replace('_', ' ')} {word(v)}" for k, v in self.params.items() if v != NONE]
        return ", ".join([self.mode, *values])

    def document(self) -> dict[str, Any]:
        """As the tables of a recipe file."""
        if self.mode == NOTHING:
            return {"mode": NOTHING}
        return {"mode": self.mode, "version": self.version, "params": dict(self.params)}


@dataclass(frozen=True, slots=True)
class Option:
    """What may be chosen.

    Attributes:
        weight: how often, in relation to the other options; 0 is never.
        step: the corruption, or ``Step.nothing()``.
    """

    weight: float
    step: Step

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise UsageError(f"The weight of an option is a number from 0 on, not {self.weight}.")


@dataclass(frozen=True, slots=True)
class OneOf:
    """A weighted choice among corruptions.

    Per class or object, every option starts from the same labels and sees the objects that fell to it, the others
    being hidden, and the whole background: a mode that flips background does so once for every option.

    Attributes:
        options: 2 to 255, not all of weight 0.
        per: for what the choice is made anew: the case, every foreground class, or every object (connected
            component of a foreground class, corners touching).

    Raises:
        UsageError: there is nothing to choose from, or ``per`` is another word.
    """

    options: tuple[Option, ...]
    per: Per = "case"

    def __post_init__(self) -> None:
        if self.per not in get_args(Per):
            raise unknown("unit of a choice:", str(self.per), get_args(Per))
        if not 2 <= len(self.options) <= 255:
            raise UsageError(f"A choice (one_of) has 2 to 255 options, not {len(self.options)}.")
        if not any(option.weight for option in self.options):
            raise UsageError("A choice (one_of) needs an option with a weight above 0.")

    @property
    def weights(self) -> tuple[float, ...]:
        """Of the options, as they are written; they need not add up to 1."""
        return tuple(float(option.weight) for option in self.options)

    def for_classes(self, classes: Sequence[str]) -> "OneOf":
        """The same choice with numbers in place of class names; see :meth:`Step.for_classes`."""
        return replace(
            self, options=tuple(replace(o, step=o.step.for_classes(classes)) for o in self.options)
        )

    @property
    def text(self) -> str:
        """In a few words, as in "one of (0.25 dilate, radius px 1:8; 0.75 none) per object"."""
        options = "; ".join(f"{o.weight:g} {o.step.text}" for o in self.options)
        return f"one of ({options}) per {self.per}"

    def document(self) -> dict[str, Any]:
        """As the tables of a recipe file."""
        options = [{"weight": float(o.weight), **o.step.document()} for o in self.options]
        return {"per": self.per, "one_of": options}


Steps: TypeAlias = tuple[Step | OneOf, ...]


def every_step(steps: Sequence[Step | OneOf]) -> Iterator[Step]:
    """Every corruption that a recipe may apply, with those of its choices."""
    for step in steps:
        for one in [step] if isinstance(step, Step) else [option.step for option in step.options]:
            if one.mode != NOTHING:
                yield one


def read_step(table: Mapping[str, Any]) -> Step | OneOf:
    """The inverse of ``document()``.

    Raises:
        UsageError: a key is not known.
        KeyError: one is missing.
    """
    if "one_of" not in table:
        return _read_one(table, ())
    refuse_unknown("key of a recipe's choice:", table, ("per", "one_of"))
    options = [Option(float(one["weight"]), _read_one(one, ("weight",))) for one in table["one_of"]]
    return OneOf(tuple(options), table.get("per", "case"))


def _read_one(table: Mapping[str, Any], more: tuple[str, ...]) -> Step:
    refuse_unknown("key of a recipe's step:", table, (*more, "mode", "version", "params"))
    if more and table["mode"] == NOTHING:
        return Step.nothing()
    return Step(str(table["mode"]), dict(table.get("params", {})), int(table["version"]))


def refuse_unknown(kind: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse a key that is not among the known ones, with the nearest of them."""
    for name in given:
        if name not in known:
            raise unknown(kind, name, known)


def word(value: Any) -> str:
    """A plain value as one says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ":".join(map(word, value))
    return format(value, "g") if isinstance(value, float) else str(value)


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [part.strip() for part in re.split("[:,]", value) if part.strip()]
    return value if isinstance(value, list | tuple) else [value]


def _is_word(item: Any) -> bool:
    return isinstance(item, str) and not item.lstrip("-").isdigit() and item != NONE


def _numbers(parameter: Parameter, value: Any, classes: Sequence[str]) -> Any:
    """The value with numbers for names, where the parameter holds whole numbers."""
    if parameter.scalar is not int:
        return value
    numbers = {name: number for number, name in enumerate(classes)}
    if parameter.length is None:
        return numbers.get(value, value)
    for item in _items(value):
        if _is_word(item) and item not in numbers:
            raise unknown("class", item, numbers)
    return [numbers.get(item, item) for item in _items(value)]
