"""Settings of a suite's training checked against what there is, and written as the flags of ``noisylabels train``."""

from collections.abc import Mapping
from dataclasses import make_dataclass
from functools import cache
from typing import Any, get_type_hints

from noisylabels.errors import UsageError, unknown
from noisylabels.params import NONE, Parameter, build, parameters
from noisylabels.suite import DICTS
from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS
from noisylabels_plugins.spec import RunSpec

_NOT_SETTINGS = ("method", "data", "labels", "seed")
"""Fields of a run's specification that a suite says by other means."""

_KINDS: dict[type, tuple[tuple[type, ...], str, str]] = {
    bool: ((bool,), "true or false", "true or false"),
    int: ((int,), "a whole number", "whole numbers"),
    float: ((int, float), "a number", "numbers"),
    str: ((str,), "a text", "texts"),
}


def check_settings(method: str, settings: Mapping[str, Any], what: str, clean: bool = False) -> None:
    """Refuse, before anything runs, what training would refuse.

    Args:
        method: name of the method.
        settings: fields of :class:`noisylabels_plugins.spec.RunSpec` as plain values.
        what: whose they are, as in "row jcas", for messages.
        clean: whether it is trained on clean data, of which no noise is known.

    Raises:
        UsageError: an unknown method, network, loss, setting or parameter, a value of the wrong kind or outside its
            range, or settings that do not go together.
    """
    known = [name for name in RunSpec.__dataclass_fields__ if name not in _NOT_SETTINGS]
    for name in settings:
        if name not in known:
            raise unknown(f"setting for {what}:", name, known)
    try:
        for name, parameter in _plain_settings().items():
            if name in settings:
                _check_kind(parameter, settings[name])
        kinds = kinds_of(method, settings)
        for table, (kind, _, owner) in kinds.items():
            build(kind, settings.get(table, {}), owner)
        values = {name: value for name, value in settings.items() if name != "augment"}
        spec = RunSpec(method=method, data="", augment=tuple(settings.get("augment", ())), **values)
        _check_together(spec, clean)
    except UsageError as error:
        raise UsageError(f"In {what}: {error}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"In {what}: a setting is of the wrong kind ({error}).") from error


@cache
def _plain_settings() -> dict[str, Parameter]:
    """The settings that are no tables, by name."""
    hints = get_type_hints(RunSpec)
    names = [name for name in RunSpec.__dataclass_fields__ if name not in (*_NOT_SETTINGS, *DICTS)]
    return {p.name: p for p in parameters(make_dataclass("Plain", [(name, hints[name]) for name in names]))}


def _check_kind(parameter: Parameter, value: Any) -> None:
    """Refuse a value that is not of a setting's own kind; a flag would make another of it, or of its text."""
    name, (kinds, one, many) = parameter.name, _KINDS[parameter.scalar]
    if name == "trusted":  # a count too
        kinds = (str, int)
    listed = parameter.length is not None
    if listed and not isinstance(value, list | tuple):
        raise UsageError(f"{name} is a list of {many}, not {value!r}.")
    for item in value if listed else [value]:
        if not isinstance(item, kinds) or (isinstance(item, bool) and bool not in kinds):
            raise UsageError(f"{name} takes {f'a list of {many}' if listed else one}, not {value!r}.")
        if parameter.choices and item not in parameter.choices:
            raise unknown(f"value for {name}:", item, parameter.choices)


def _check_together(spec: RunSpec, clean: bool) -> None:
    method = METHODS.load(spec.method).Method
    net = spec.net or method.DEFAULT_NET
    least = NETS.load(net).MIN_BATCH
    if spec.loss and method.OWN_LOSS:
        raise UsageError(f"method '{spec.method}' has a loss of its own; leave out the loss.")
    if spec.batch_size < least:
        raise UsageError(
            f"network '{net}' needs {least} cases in a batch, and batch_size is {spec.batch_size}."
        )
    if "transition" in method.needs and clean:
        raise UsageError(
            f"method '{spec.method}' needs the transition matrix of a noise; clean labels have none."
        )
    if "trusted" in method.needs and not spec.trusted:
        raise UsageError(
            f"method '{spec.method}' needs training cases whose labels are known to be clean; say which by trusted."
        )


def train_flags(method: str, settings: Mapping[str, Any]) -> list[str]:
    """The flags that mean these settings, in the order of the settings."""
    kinds = kinds_of(method, settings)
    flags: list[str] = []
    for name, value in settings.items():
        if name in kinds:
            kind, prefix, _ = kinds[name]
            flags += _of_table(kind, prefix, value)
        elif isinstance(value, bool):
            flags += [f"--{name.replace('_', '-')}"] if value else []
        else:
            flags += [f"--{name.replace('_', '-')}", _text(value, ",")]
    return flags


def kinds_of(method: str, settings: Mapping[str, Any]) -> dict[str, tuple[type, str, str]]:
    """Table of parameters -> its dataclass, the prefix of its flags, and whose it is."""
    module = METHODS.load(method)
    net = settings.get("net") or module.Method.DEFAULT_NET
    found = {
        "params": (module.Params, "", f"method '{method}'"),
        "net_params": (NETS.load(net).Params, "net-", f"network '{net}'"),
    }
    loss = settings.get("loss") or "ce"
    return {**found, "loss_params": (LOSSES.load(loss).Params, "loss-", f"loss '{loss}'")}


def _of_table(kind: type, prefix: str, values: Mapping[str, Any]) -> list[str]:
    known = {parameter.name: parameter for parameter in parameters(kind)}
    flags: list[str] = []
    for name, value in values.items():
        word, parameter = f"{prefix}{name.replace('_', '-')}", known[name]
        if parameter.scalar is bool and not parameter.optional and parameter.length is None:
            flags.append(f"--{word}" if parameter.coerce(value) else f"--no-{word}")
        else:
            flags += [f"--{word}", _text(value, ":" if parameter.length == 2 else ",")]
    return flags


def _text(value: Any, between: str) -> str:
    if isinstance(value, list | tuple):
        return between.join(map(str, value)) or NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NONE if value is None else str(value)
