"""Settings of the literature as recipes: one TOML file each, or one for a family that differs in a few numbers.

    title     what it is, one line
    source    who made it, and where it is described
    states    what the source states
    reading   what is our reading, and what nobody outside can know
    data      for which data it was meant
    [recipe]  as in a recipe file, without versions: a preset means the modes that are installed

A family has a table ``[variants]``: the key is the end of the name, its values replace ``$word`` everywhere::

    [variants]                                   # coseg-type1.toml gives coseg-type1-10 and coseg-type1-20
    10 = { fraction = 0.1 }
    20 = { fraction = 0.2 }

    [recipe.selection]
    fraction = "$fraction"
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from string import Template
from typing import Any

from noisylabels import toml
from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError, unknown
from noisylabels.recipe import Recipe
from noisylabels.steps import NOTHING

TEXTS = ("title", "source", "states", "reading", "data")


@dataclass(frozen=True, slots=True)
class Preset:
    """A setting of the literature.

    Attributes:
        name: as one types it.
        family: name of its file, shared by the variants of a family.
        title: what it is, one line.
        source: who made it, and where it is described.
        states: what the source states.
        reading: what is our reading.
        data: for which data it was meant.
        document: the ``[recipe]`` table as plain values, without versions.
    """

    name: str
    family: str
    title: str
    source: str
    states: str
    reading: str
    data: str
    document: Mapping[str, Any]

    @property
    def recipe(self) -> Recipe:
        """The recipe, with the versions of the modes that are installed; classes may be names.

        Raises:
            UsageError: it holds a mode or a parameter that is not known.
        """
        steps = [with_version(step) for step in self.document["steps"]]
        return Recipe.from_toml(toml.dumps({"recipe": {"seed": 0, **self.document, "steps": steps}}))


def every() -> list[Preset]:
    """All presets, sorted by family, the variants in the order of their file."""
    return [preset for file in sorted(_texts()) for preset in _read(file, _texts()[file])]


def names() -> list[str]:
    """The names of all presets, sorted."""
    return sorted(preset.name for preset in every())


def load(name: str) -> Preset:
    """One preset by its name; hyphens and underscores are the same.

    Raises:
        UsageError: there is none of this name; the message suggests the nearest, those that begin so, or
            the families.
    """
    known = {preset.name: preset for preset in every()}
    name = name.replace("_", "-")
    if name in known:
        return known[name]
    longer = [one for one in known if one.startswith(f"{name}-")]
    if longer:
        raise UsageError(f"There is no preset '{name}' alone; say which: {', '.join(longer)}.")
    near = get_close_matches(name, known)
    raise unknown("preset", name, known if near else {preset.family for preset in known.values()})


def _texts() -> dict[str, str]:
    """The text of every file by its name without the ending."""
    return {
        file.name.removesuffix(".toml"): file.read_text(encoding="utf-8")
        for file in files(__name__).iterdir()
        if file.name.endswith(".toml")
    }


def _read(family: str, text: str) -> list[Preset]:
    document = tomllib.loads(text)
    variants = document.pop("variants", None)
    if variants is None:
        return [_preset(family, family, document)]
    return [_preset(f"{family}-{end}", family, _filled(document, values)) for end, values in variants.items()]


def _preset(name: str, family: str, document: Mapping[str, Any]) -> Preset:
    texts = {key: " ".join(document[key].split()) for key in TEXTS}
    return Preset(name=name, family=family, document=document["recipe"], **texts)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """``value`` with every ``$word`` replaced; a text that is nothing but one becomes the value itself."""
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if isinstance(value, str) and value.removeprefix("$") in values and value.startswith("$"):
        return values[value[1:]]
    return Template(value).substitute(values) if isinstance(value, str) else value


def with_version(step: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a recipe's step with the versions of the modes that are installed."""
    if "one_of" in step:
        return {**step, "one_of": [with_version(option) for option in step["one_of"]]}
    return dict(step) if step["mode"] == NOTHING else {**step, "version": MODES.load(step["mode"]).VERSION}
