"""Settings of a suite's training checked against what there is, and written as the flags of ``noisylabels train``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from noisylabels.errors import UsageError, unknown
from noisylabels.params import NONE, build, parameters
from noisylabels.suite import Row, Suite, merged
from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS
from noisylabels_plugins.spec import RunSpec

_NOT_SETTINGS = ("method", "data", "labels", "seed")
"""Fields of a run's specification that a suite says by other means."""


def check_settings(method: str, settings: Mapping[str, Any], what: str) -> None:
    """Refuse, before anything runs, what training would refuse.

    Args:
        method: name of the method.
        settings: fields of :class:`noisylabels_plugins.spec.RunSpec` as plain values.
        what: whose they are, as in "row jcas", for messages.

    Raises:
        UsageError: an unknown method, network, loss, setting or parameter, or a value outside its range.
    """
    known = [name for name in RunSpec.__dataclass_fields__ if name not in _NOT_SETTINGS]
    for name in settings:
        if name not in known:
            raise unknown(f"setting for {what}:", name, known)
    try:
        kinds = _kinds(method, settings)
        for table, (kind, _, owner) in kinds.items():
            build(kind, settings.get(table, {}), owner)
        values = {name: value for name, value in settings.items() if name != "augment"}
        RunSpec(method=method, data="", augment=tuple(settings.get("augment", ())), **values)
    except UsageError as error:
        raise UsageError(f"In {what}: {error}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"In {what}: a setting is of the wrong kind ({error}).") from error
    if settings.get("loss") and METHODS.load(method).Method.OWN_LOSS:
        raise UsageError(f"In {what}: method '{method}' has a loss of its own; leave out the loss.")


def with_weights(suite: Suite, path: Path) -> Suite:
    """The same suite with encoders that start from weight files, in every row whose network has such an encoder.

    Args:
        suite: the grid.
        path: a file, or a folder with a file for every encoder, see :class:`parts.weights.Pretrained`.

    Raises:
        UsageError: no row has a network that takes weights.
    """
    rows = tuple(_row_with_weights(suite, row, path) for row in suite.rows)
    if rows == suite.rows:
        raise UsageError(
            f"No row of the suite {suite.name} has a network that takes weights; leave out --weights."
        )
    return replace(suite, rows=rows)


def _row_with_weights(suite: Suite, row: Row, path: Path) -> Row:
    settings = merged(suite.settings, row.settings)
    kind = _kinds(row.method, settings)["net_params"][0]
    if not any(parameter.name == "encoder_weights" for parameter in parameters(kind)):
        return row
    own = {"net": settings["net"]} if "net" in settings else {}
    table = {"net_params": {**settings.get("net_params", {}), "encoder_weights": str(path)}}
    return replace(row, settings=merged(row.settings, own) | table)


def train_flags(method: str, settings: Mapping[str, Any]) -> list[str]:
    """The flags that mean these settings, in the order of the settings."""
    kinds = _kinds(method, settings)
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


def _kinds(method: str, settings: Mapping[str, Any]) -> dict[str, tuple[type, str, str]]:
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
