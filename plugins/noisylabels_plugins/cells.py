"""Settings of a suite's training checked against what there is, and written as the flags of ``noisylabels train``."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import make_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from noisylabels.errors import UsageError, unknown
from noisylabels.params import NONE, Parameter, build, parameters
from noisylabels.suite import DICTS, Row, Suite, merged
from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS
from noisylabels_plugins.parts.weights import files_left_alone, in_folder
from noisylabels_plugins.spec import RunSpec

_DIGEST = "sha256:"
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
        kinds = _kinds(method, settings)
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


def by_content(meaning: Mapping[str, Any], method: str = "") -> dict[str, Any]:
    """What a task depends on, with the digest of every weight file in place of its path.

    Paths differ between machines that share a folder, and another file may come to lie at the same path.

    Args:
        meaning: plain values with the method's name and the settings of its training, in tables within too.
        method: the method's name where it stands outside.

    Raises:
        UsageError: a weight file is missing, or it is not clear which file of a folder is meant.
    """
    method = meaning.get("method", method)
    found = {
        key: by_content(value, method) if isinstance(value, Mapping) else value
        for key, value in meaning.items()
    }
    path = str(found.get("net_params", {}).get("encoder_weights", NONE))
    if path == NONE or path.startswith(_DIGEST):
        return found
    file = Path(path)
    if file.is_dir():
        own = {key: value for key, value in found["net_params"].items() if key != "encoder_weights"}
        name = _encoder(found.get("net") or METHODS.load(method).Method.DEFAULT_NET, json.dumps(own))
        if not name:
            return found
        file = in_folder(file, name)
    return found | {"net_params": {**found["net_params"], "encoder_weights": _digest(file)}}


@cache
def _encoder(net: str, net_params: str) -> str:
    """Name of a network's encoder, of which no weight is made to find out; "" for a network without such a name."""
    import torch

    module = NETS.load(net)
    params = build(module.Params, {**json.loads(net_params), "encoder_weights": "any"}, f"network '{net}'")
    with files_left_alone(), torch.device("meta"):
        made = module.Net(params, 3, 2, min(module.DIMS))
    return str(getattr(getattr(made, "encoder", None), "name", ""))


@cache
def _digest(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return _DIGEST + hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"The weight file {file} cannot be read ({error.strerror}).") from error


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
