"""Frozen dataclasses of parameters, from and to plain values: for recipes, run records and the command line.

A parameter is an int, float, bool, str, ``Literal`` of strings, ``tuple[float, float]`` (a range),
``tuple[T, ...]`` (a list), or one of these or None. None is the word ``none`` wherever there is no None, as
in TOML and in a shell.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from noisylabels.errors import UsageError, unknown

NONE = "none"
"""The word for None."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a dataclass of parameters.

    Attributes:
        name: of the field.
        scalar: int, float, bool or str: the type of the value or of the items of a tuple.
        length: None for a single value, 0 for a list of any length, else the number of items (2: a range).
        choices: what a string may be; empty for anything.
        optional: whether None is allowed.
        default: the default value, or ``dataclasses.MISSING``.
        help: its entry in the ``Attributes:`` section of the docstring.
    """

    name: str
    scalar: type
    length: int | None
    choices: tuple[str, ...]
    optional: bool
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """As written on a command line: ``--radius-px``."""
        return "--" + self.name.replace("_", "-")

    def coerce(self, value: Any) -> Any:
        """A plain value (as from TOML, JSON or a text) as the field's type.

        Raises:
            UsageError: it is of another kind; the message names the flag.
        """
        if value is None or (value == NONE and NONE not in self.choices):
            if self.optional:
                return None
            raise UsageError(f"{self.flag} needs a value.")
        if self.length is None:
            return self._one(value)
        items = re.split("[:,]", value) if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            items = [items]
        if self.length and len(items) == 1:
            items = [*items] * self.length
        if self.length and len(items) != self.length:
            raise UsageError(f"{self.flag} takes {self.length} numbers as in 1:8, not '{value}'.")
        return tuple(self._one(item) for item in items if item != "")

    def _one(self, value: Any) -> Any:
        if self.scalar is bool:
            truth = {"true": True, "yes": True, "false": False, "no": False}.get(str(value).lower())
            if truth is None:
                raise UsageError(f"{self.flag} is yes or no, not '{value}'.")
            return truth
        if self.choices and value not in self.choices:
            raise unknown(f"value for {self.flag}:", str(value), self.choices)
        try:
            converted = self.scalar(value)
        except (TypeError, ValueError):
            raise UsageError(f"{self.flag} takes {self._word()}, not '{value}'.") from None
        if isinstance(value, bool) or (
            self.scalar is int and isinstance(value, float) and value != converted
        ):
            raise UsageError(f"{self.flag} takes {self._word()}, not {value}.")
        return converted

    def _word(self) -> str:
        return {int: "a whole number", float: "a number"}.get(self.scalar, "a text")


def parameters(kind: type) -> tuple[Parameter, ...]:
    """The fields of a dataclass of parameters, in order.

    Raises:
        TypeError: a field has a type that is not listed above; this is a mistake in the module.
    """
    hints = get_type_hints(kind)
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        texts |= attribute_texts(one.__doc__ or "")
    found = []
    for field in fields(kind):
        scalar, length, choices, optional = _shape(hints[field.name], f"{kind.__module__}.{field.name}")
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        found.append(
            Parameter(field.name, scalar, length, choices, optional, default, texts.get(field.name, ""))
        )
    return tuple(found)


def build(kind: type, values: Mapping[str, Any], what: str) -> Any:
    """An instance of ``kind`` from plain values; what is left out keeps its default.

    Args:
        kind: a dataclass of parameters.
        values: by field name.
        what: whose parameters they are, as in "mode 'ellipse'", for messages.

    Raises:
        UsageError: an unknown name, a value of the wrong kind or outside its range.
    """
    known = {parameter.name: parameter for parameter in parameters(kind)}
    for name in values:
        if name not in known:
            raise unknown(f"parameter of {what}:", name, known)
    missing = [p.flag for p in known.values() if p.default is MISSING and p.name not in values]
    if missing:
        raise UsageError(f"{what[0].upper()}{what[1:]} needs {missing[0]}.")
    return kind(**{name: known[name].coerce(value) for name, value in values.items()})


def plain(params: Any) -> dict[str, Any]:
    """The values of an instance, as :func:`build` reads them.

    Tuples become lists; None is left out where it is the default, and written ``none`` where it is not.
    """
    values: dict[str, Any] = {}
    for parameter in parameters(type(params)):
        value = getattr(params, parameter.name)
        if value is None and parameter.default is None:
            continue
        values[parameter.name] = NONE if value is None else list(value) if isinstance(value, tuple) else value
    return values


def attribute_texts(docstring: str) -> dict[str, str]:
    """The entries of a docstring's ``Attributes:`` section, each joined to one line.

    >>> attribute_texts("How much.\\n\\n    Attributes:\\n        rate: share of\\n            pixels.\\n")
    {'rate': 'share of pixels.'}
    """
    _, _, section = docstring.partition("Attributes:\n")
    texts: dict[str, str] = {}
    indent, name = None, ""
    for line in section.splitlines():
        depth = len(line) - len(line.lstrip())
        indent = depth if indent is None else indent
        if not line.strip() or depth < indent:
            break
        if depth == indent:
            name, _, text = line.strip().partition(":")
            texts[name] = text.strip()
        else:
            texts[name] += f" {line.strip()}"
    return texts


def _shape(hint: Any, where: str) -> tuple[type, int | None, tuple[str, ...], bool]:
    """(scalar type, length, choices, optional) of a type hint."""
    optional = False
    if get_origin(hint) in (UnionType, Union):
        optional = NoneType in get_args(hint)
        (hint,) = [part for part in get_args(hint) if part is not NoneType]
    length: int | None = None
    if get_origin(hint) is tuple:
        items = get_args(hint)
        length = 0 if items[-1] is Ellipsis else len(items)
        hint = items[0]
    choices: tuple[str, ...] = ()
    if get_origin(hint) is Literal:
        choices, hint = get_args(hint), str
    if hint not in (int, float, bool, str):
        raise TypeError(f"{where} has the type {hint}, which has no text form")
    return hint, length, choices, optional
