"""What was done to the labels, as data: the same text on disk, on the command line and in a paper's appendix.

    [recipe]
    seed = 0
    splits = ["train"]
    annotators = 0          # n: n label maps a case, written as readers 1 to n; the labels are the first's
    share = "case"          # who shares one draw: "group" (all cases of a patient), "segment" (runs of them)
    segment = [3, 6]        # cases in such a run

    [recipe.selection]
    fraction = 0.5          # of the cases; or count = 8 (touched), or clean = 8 (the rest is touched)
    by = "case"             # or "group"
    per_class = false       # true: chosen anew for every foreground class
    objects = 1.0           # share of the objects of a touched case
    rounding = "nearest"    # or "floor"

    [recipe.target]         # strengths are solved for a measured result
    metric = "dice"         # jaccard, wrong_pixels, wrong_foreground, shift_px, shift_mm
    value = [0.7, 0.8]      # every case draws its own aim
    tolerance = 0.01

    [[recipe.steps]]
    mode = "asymmetric"
    version = 1
    params = { rate = 0.5, classes = ["wrist", "clasper"] }     # numbers or names

    [[recipe.steps]]
    per = "object"          # or "case", "class": for what the choice is made
    one_of = [
        { weight = 0.5, mode = "dilate", version = 1 },
        { weight = 0.5, mode = "none" },                        # the labels stay as they are
    ]

Only ``seed`` and ``steps`` must be there; what is left out has the value above (``fraction`` is 1, there is no
target).
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from noisylabels import toml
from noisylabels.errors import UsageError, unknown
from noisylabels.params import build, plain
from noisylabels.selection import Selection as Selection
from noisylabels.steps import OneOf as OneOf
from noisylabels.steps import Option as Option
from noisylabels.steps import Step as Step
from noisylabels.steps import Steps, read_step, refuse_unknown, word
from noisylabels.targets import Target as Target

Share: TypeAlias = Literal["case", "group", "segment"]

_TABLES = ("recipe", "parent", "measured", "made_with")
_KEYS = ("seed", "splits", "annotators", "share", "segment", "selection", "target", "steps")
_ALL = Selection()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How noisy labels are made from clean ones.

    Attributes:
        seed: the user's number.
        steps: corruptions and choices among some, applied in this order.
        selection: which cases, classes and objects are touched.
        splits: parts of the default split whose labels are made noisy.
        annotators: 0 for one label map per case; n for n annotators, who are written as readers 1 to n, the
            first as the labels too.
        share: which cases share one draw: case (none), group (same patient or sequence), or segment (runs of
            neighbouring cases of a group).
        segment: shortest and longest run, cases; drawn.
        target: what every touched case should measure; None for the strengths as they stand in the steps.

    Raises:
        UsageError: a value is outside its range, or there is no step.
    """

    seed: int
    steps: Steps
    selection: Selection = _ALL
    splits: tuple[str, ...] = ("train",)
    annotators: int = 0
    share: Share = "case"
    segment: tuple[int, int] = (3, 6)
    target: Target | None = None

    def __post_init__(self) -> None:
        if not self.steps:
            raise UsageError("A recipe needs at least one step.")
        if not self.splits:
            raise UsageError("A recipe needs at least one part of the split, such as train.")
        if self.annotators < 0:
            raise UsageError(f"The number of annotators is a whole number from 0 on, not {self.annotators}.")
        if self.share not in get_args(Share):
            raise unknown("way to share draws:", str(self.share), get_args(Share))
        if not 1 <= self.segment[0] <= self.segment[1]:
            raise UsageError(
                f"The length of a segment is a rising range of whole numbers from 1 on, not {word(self.segment)}."
            )

    @property
    def digest(self) -> str:
        """SHA-256 over the recipe's values; the spelling of the TOML does not matter."""
        text = json.dumps(self._document(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def text(self) -> str:
        """In a few words, as in "ellipse, fit moments, fraction 0.5"."""
        parts = [", then ".join(step.text for step in self.steps)]
        if self.target is not None:
            parts.append(f"target {self.target.text}")
        if self.selection.text:
            parts.append(self.selection.text)
        if self.share != "case":
            runs = f" of {word(self.segment)} cases" if self.share == "segment" else ""
            parts.append(f"draws shared by {self.share}{runs}")
        if self.annotators:
            parts.append(f"{self.annotators} annotator{'s' if self.annotators > 1 else ''}")
        return ", ".join(parts)

    def for_classes(self, classes: Sequence[str]) -> "Recipe":
        """The same recipe with numbers in place of class names.

        Args:
            classes: K names, background first; the number of a class is its place.

        Raises:
            UsageError: there is no class of a name; the message suggests the nearest.
        """
        return replace(self, steps=tuple(step.for_classes(classes) for step in self.steps))

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
        refuse_unknown("table of a recipe:", document, _TABLES)
        table = document.get("recipe", {})
        try:
            if "fraction" in table:
                raise UsageError("The fraction of cases stands in the table [recipe.selection] of a recipe.")
            refuse_unknown("key of a recipe:", table, _KEYS)
            return cls(**_values(table))
        except KeyError as error:
            raise UsageError(f"The recipe lacks {error}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"The recipe holds a value of the wrong kind ({error}).") from error

    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"seed": self.seed, "splits": list(self.splits)}
        if self.annotators:
            document["annotators"] = self.annotators
        if self.share != "case":
            document["share"] = self.share
        if self.share == "segment" or self.segment != (3, 6):
            document["segment"] = list(self.segment)
        document["selection"] = self.selection.document()
        if self.target is not None:
            document["target"] = plain(self.target)
        return {**document, "steps": [step.document() for step in self.steps]}


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a recipe from its table; what is left out keeps its default."""
    values: dict[str, Any] = {
        "seed": _whole(table["seed"]),
        "steps": tuple(read_step(step) for step in table["steps"]),
        "selection": build(Selection, table.get("selection", {}), "the recipe's selection"),
    }
    if "splits" in table:
        values["splits"] = tuple(_list(table["splits"]))
    if "annotators" in table:
        values["annotators"] = _whole(table["annotators"])
    if "share" in table:
        values["share"] = table["share"]
    if "segment" in table:
        low, high = _list(table["segment"])
        values["segment"] = (_whole(low), _whole(high))
    if "target" in table:
        values["target"] = build(Target, table["target"], "the recipe's target")
    return values


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value
