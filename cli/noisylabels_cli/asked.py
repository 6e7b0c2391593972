"""The recipe that a command line means: a mode, a file or a preset, with the flags that were typed over it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisylabels.errors import UsageError
from noisylabels_cli import flags

if TYPE_CHECKING:
    from noisylabels.recipe import Recipe, Step
    from noisylabels.selection import Selection
    from noisylabels.targets import Target

HOW_MANY = ("fraction", "count", "clean")
"""Ways to say how many cases are touched; one of them at most."""

_OURS = ("seed", "annotators", "share")


def asked(mode: str | None, file: Path | None, preset: str | None, given: Mapping[str, Any]) -> "Recipe":
    """What was asked for; classes may still be names.

    Args:
        mode: a corruption, whose parameters are in ``given``.
        file: a recipe file.
        preset: name of a preset.
        given: by flag, None for what was not typed: the parameters of the mode, and what is to replace the
            values of the recipe (seed, selection, target, annotators, ...).

    Raises:
        UsageError: none or several of mode, file and preset, flags that contradict each other, an unknown name,
            or a value outside its range.
    """
    if sum(source is not None for source in (mode, file, preset)) != 1:
        raise UsageError(
            "Say what to do with one of --mode NAME (noisylabels modes lists them), --preset NAME (noisylabels "
            "presets lists them) and --recipe FILE."
        )
    ways = [f"--{name}" for name in HOW_MANY if given.get(name) is not None]
    if len(ways) > 1:
        raise UsageError(f"Give one of {' and '.join(ways)}: each says how many cases are touched.")
    return _typed_over(_named(mode, file, preset, given), given)


def _named(mode: str | None, file: Path | None, preset: str | None, given: Mapping[str, Any]) -> "Recipe":
    if mode is not None:
        return _of_mode(mode, given)
    return _of_preset(str(preset)) if file is None else _of_file(file)


def _of_mode(mode: str, given: Mapping[str, Any]) -> "Recipe":
    from noisylabels.catalogue import MODES
    from noisylabels.recipe import Recipe

    return Recipe(0, (_step(mode, MODES.load(mode), given),))


def _step(mode: str, module: Any, given: Mapping[str, Any]) -> "Step":
    """The step of a mode; class names stay names until the dataset is known."""
    from noisylabels.params import parameters
    from noisylabels.steps import Step

    known = {parameter.name for parameter in parameters(module.Params)}
    values = {name: value for name, value in given.items() if name in known}
    values |= {name: _text_of(values[name]) for name in getattr(module, "FROM_FILE", ()) if values.get(name)}
    names = _class_names(values.get("classes"))
    params = flags.read(module.Params, {**values, "classes": None} if names else values, f"mode '{mode}'")
    step = Step.of(mode, module, params)
    return replace(step, params={**step.params, "classes": names}) if names else step


_LONGEST_NAME = 255


def _text_of(typed: str) -> str:
    """What a file says, for a parameter that may be given as one; anything else is meant as it stands."""
    file = Path(typed)
    if len(file.name) > _LONGEST_NAME:  # a text of its own, which the system would not even look for
        return typed
    try:
        return file.read_text(encoding="utf-8") if file.is_file() else typed
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read ({error}).") from error


def _class_names(typed: str | None) -> list[str]:
    """The items of ``--classes`` where one of them is a name; else nothing."""
    items = [item.strip() for item in (typed or "").replace(":", ",").split(",") if item.strip()]
    return [] if typed == "none" or all(item.lstrip("-").isdigit() for item in items) else items


def _of_file(file: Path) -> "Recipe":
    from noisylabels.recipe import Recipe

    try:
        return Recipe.from_toml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The recipe {file} cannot be read ({error}).") from error


def _of_preset(name: str) -> "Recipe":
    from noisylabels.presets import load

    return load(name).recipe


def _typed_over(recipe: "Recipe", given: Mapping[str, Any]) -> "Recipe":
    values = {name: given[name] for name in _OURS if given.get(name) is not None}
    if given.get("split_parts"):
        values["splits"] = tuple(part.strip() for part in given["split_parts"].split(","))
    return replace(
        recipe,
        **values,
        selection=_selection(recipe.selection, given),
        target=_target(recipe.target, given.get("target"), given.get("tolerance")),
    )


def _selection(asked_for: "Selection", given: Mapping[str, Any]) -> "Selection":
    """A typed way to say how many takes the place of the recipe's, whichever that was."""
    values = {
        name: given[name]
        for name in ("by", "per_class", "objects", "rounding")
        if given.get(name) is not None
    }
    if any(given.get(name) is not None for name in HOW_MANY):
        values |= {"fraction": 1.0, "count": None, "clean": None}
        values |= {name: given[name] for name in HOW_MANY if given.get(name) is not None}
    return replace(asked_for, **values)


def _target(asked_for: "Target | None", typed: str | None, tolerance: float | None) -> "Target | None":
    from noisylabels.params import build
    from noisylabels.targets import Target

    if typed is None and asked_for is None:
        if tolerance is not None:
            raise UsageError("A tolerance belongs to a target; give one, as in --target dice=0.75.")
        return None
    if typed is None:
        return replace(asked_for, tolerance=tolerance) if asked_for and tolerance is not None else asked_for
    metric, _, value = str(typed).partition("=")
    low, colon, high = value.partition(":")
    try:
        ends = (float(low), float(high if colon else low))
    except ValueError:
        raise UsageError(
            f"--target takes METRIC=VALUE or METRIC=LOW:HIGH, as in dice=0.75, not '{typed}'."
        ) from None
    values: dict[str, Any] = {"metric": metric.strip().replace("-", "_"), "value": list(ends)}
    if tolerance is not None:
        values["tolerance"] = tolerance
    target: Target = build(Target, values, "the target")
    return target
