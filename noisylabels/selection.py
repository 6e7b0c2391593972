"""Which cases and classes a recipe touches.

Every case (or group) has a draw of its own, and those with the smallest draws are touched: a choice of 25 %
lies inside one of 50 %, and what else is in the dataset moves a case only by its rank::

    draws       a .12   b .80   c .31   d .55
    25 %        a
    50 %        a               c
    clean 1     a               c       d
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from noisylabels.draws import Draws
from noisylabels.errors import UsageError, unknown
from noisylabels.params import plain


@dataclass(frozen=True, slots=True)
class Selection:
    """How much of a dataset is touched; at most one of fraction, count and clean is given.

    Attributes:
        fraction: share of the cases (or groups) that are touched, 0 to 1; the smaller choice lies inside the
            larger.
        count: instead of a fraction, how many of them are touched.
        clean: instead of a fraction, how many of them are left clean.
        by: what is chosen as a whole: case, or group (patient, sequence).
        per_class: choose anew for every foreground class.
        objects: share of the objects of a touched case that are touched, each with this probability, 0 to 1.
        rounding: of fraction times their number: nearest (half to even), or floor.

    Raises:
        UsageError: a value is outside its range, or two ways to say how many are mixed.
    """

    fraction: float = 1.0
    count: int | None = None
    clean: int | None = None
    by: Literal["case", "group"] = "case"
    per_class: bool = False
    objects: float = 1.0
    rounding: Literal["nearest", "floor"] = "nearest"

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"The fraction of cases is a number from 0 to 1, not {self.fraction}.")
        if not 0 <= self.objects <= 1:
            raise UsageError(f"The share of objects is a number from 0 to 1, not {self.objects}.")
        if (self.fraction != 1) + (self.count is not None) + (self.clean is not None) > 1:
            raise UsageError("Give one of fraction, count and clean, not several: each says how many cases.")
        for what, number in (("touched", self.count), ("clean", self.clean)):
            if number is not None and number < 0:
                raise UsageError(f"The number of {what} cases is a whole number from 0 on, not {number}.")
        if self.by not in ("case", "group"):
            raise unknown("unit of selection:", str(self.by), ("case", "group"))
        if self.rounding not in ("nearest", "floor"):
            raise unknown("rounding:", str(self.rounding), ("nearest", "floor"))

    @property
    def text(self) -> str:
        """In a few words, as in "fraction 0.5 by group"; empty when everything is touched."""
        words = []
        if self.count is not None:
            words.append(f"{self.count} touched")
        elif self.clean is not None:
            words.append(f"{self.clean} left clean")
        elif self.fraction != 1:
            words.append(f"fraction {self.fraction:g}")
        if words:
            words += ["by group"] * (self.by == "group") + ["per class"] * self.per_class
        many = f"{self.objects:g} of the objects" if self.objects != 1 else ""
        return ", ".join(filter(None, [" ".join(words), many]))

    def document(self) -> dict[str, Any]:
        """As a table of a recipe file: how many, and what is not as it is by default."""
        default, given = plain(Selection()), plain(self)
        table = {name: value for name, value in given.items() if value != default.get(name)}
        if self.count is None and self.clean is None:
            table = {"fraction": float(self.fraction), **table}
        return {k: float(v) if k in ("fraction", "objects") else v for k, v in table.items()}

    def number(self, total: int) -> int:
        """How many of ``total`` cases or groups are touched.

        Raises:
            UsageError: there are fewer than ``count`` or ``clean`` asks for.
        """
        asked = self.clean if self.count is None else self.count
        if asked is None:
            share = total * self.fraction
            return int(share) if self.rounding == "floor" else round(share)
        if asked > total:
            what = "touched" if self.clean is None else "clean"
            raise UsageError(f"{asked} {what} {self.by}s are asked for, but there are only {total}.")
        return asked if self.clean is None else total - asked


def choose(names: Iterable[str], selection: Selection, seed: int, dataset: str, *more: str) -> set[str]:
    """The cases or groups that are touched: those with the smallest draws.

    Args:
        names: of all of them; the order does not matter.
        selection: how many.
        seed: the recipe's.
        dataset: its name, part of the draws' address.
        more: the end of the address, after the name.

    Raises:
        UsageError: more are asked for than there are.
    """

    def rank(name: str) -> tuple[int, str]:
        return int(Draws(seed, "choose", dataset, name, *more).words(1)[0]), name

    ranked = sorted(names, key=rank)
    return set(ranked[: selection.number(len(ranked))])


def choose_classes(
    groups: Mapping[str, str], num_classes: int, selection: Selection, seed: int, dataset: str
) -> dict[str, tuple[int, ...] | None]:
    """What is touched of every touched case.

    Args:
        groups: group of every case, by case id.
        num_classes: K, background included.
        selection: how much.
        seed: the recipe's.
        dataset: its name, part of the draws' address.

    Returns:
        By id of a touched case: its foreground classes that are touched, or None for all of them. The cases
        come in sorted order.

    Raises:
        UsageError: more cases or groups are asked for than there are.
    """
    unit = groups if selection.by == "group" else {case_id: case_id for case_id in groups}
    names = set(unit.values())
    if not selection.per_class:
        chosen = choose(names, selection, seed, dataset)
        return {case_id: None for case_id in sorted(groups) if unit[case_id] in chosen}
    touched = {c: choose(names, selection, seed, dataset, str(c)) for c in range(1, num_classes)}
    found = {i: tuple(c for c, some in touched.items() if unit[i] in some) for i in sorted(groups)}
    return {case_id: classes for case_id, classes in found.items() if classes}
