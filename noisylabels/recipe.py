"""What was done to the labels, as data: the same text on disk, on the command line and in a paper's appendix.

[recipe]
seed = 0
fraction = 1.0
splits = ["train"]

[[recipe.steps]]
mode = "asymmetric"
version = 1

[recipe.steps.params]
rate = 0.5
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from noisylabels import toml
from noisylabels.errors import Mismatch, UsageError, unknown
from noisylabels.params import NONE, build, plain

_TABLES = ("recipe", "parent", "measured", "made_with")


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


@dataclass(frozen=True, slots=True)
class Recipe:
    """How noisy labels are made from clean ones.

    Attributes:
        seed: the user's number.
        steps: corruptions, applied in this order.
        fraction: share of the cases that are touched, 0 to 1; the smaller choice lies inside the larger.
        splits: parts of the default split whose labels are made noisy.

    Raises:
        UsageError: the fraction is outside its range, or there is no step.
    """

    seed: int
    steps: tuple[Step, ...]
    fraction: float = 1.0
    splits: tuple[str, ...] = field(default=("train",))

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"The fraction of cases is a number from 0 to 1, not {self.fraction}.")
        if not self.steps:
            raise UsageError("A recipe needs at least one step.")
        if not self.splits:
            raise UsageError("A recipe needs at least one part of the split, such as train.")

    @property
    def digest(self) -> str:
        """SHA-256 over the recipe's values; the spelling of the TOML does not matter."""
        text = json.dumps(self._document(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def text(self) -> str:
        """In a few words, as in "ellipse fit moments, fraction 0.5"."""
        steps = ", then ".join(
            ", ".join(
                [s.mode, *(f"{k.replace('_', ' ')} {_word(v)}" for k, v in s.params.items() if v != NONE)]
            )
            for s in self.steps
        )
        return steps if self.fraction == 1 else f"{steps}, fraction {self.fraction:g}"

    def to_toml(self) -> str:
        """The text of the ``[recipe]`` table."""
        return toml.dumps({"recipe": self._document()})

    @classmethod
    def from_toml(cls, text: str) -> "Recipe":
        """Read a recipe; the other tables of a noisy dataset's ``recipe.toml`` may stand beside it.

        Raises:
            UsageError: it is no TOML, lacks a key, or holds one that is not known.
        """
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"The recipe is not TOML: {error}.") from error
        _known("table of a recipe:", document, _TABLES)
        table = document.get("recipe", {})
        _known("key of a recipe:", table, ("seed", "fraction", "splits", "steps"))
        try:
            steps = [_step(step) for step in table["steps"]]
            return cls(
                seed=int(table["seed"]),
                steps=tuple(steps),
                fraction=float(table.get("fraction", 1.0)),
                splits=tuple(table.get("splits", ("train",))),
            )
        except KeyError as error:
            raise UsageError(f"The recipe lacks {error}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"The recipe holds a value of the wrong kind ({error}).") from error

    def _document(self) -> dict[str, Any]:
        steps = [{"mode": s.mode, "version": s.version, "params": dict(s.params)} for s in self.steps]
        return {
            "seed": self.seed,
            "fraction": float(self.fraction),
            "splits": list(self.splits),
            "steps": steps,
        }


def _step(table: Mapping[str, Any]) -> Step:
    _known("key of a recipe's step:", table, ("mode", "version", "params"))
    return Step(str(table["mode"]), dict(table.get("params", {})), int(table["version"]))


def _known(kind: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise unknown(kind, name, known)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        ":".join(map(_word, value))
        if isinstance(value, list | tuple)
        else format(value, "g")
        if isinstance(value, float)
        else str(value)
    )
