"""Weight files for the encoders of a suite's rows: put into their settings, and told apart by their content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from noisylabels.errors import UsageError
from noisylabels.params import NONE, build, parameters
from noisylabels.suite import Row, Suite, merged
from noisylabels_plugins.catalogue import METHODS, NETS
from noisylabels_plugins.cells import kinds_of
from noisylabels_plugins.parts.weights import files_left_alone, in_folder

_DIGEST = "sha256:"


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
    kind = kinds_of(row.method, settings)["net_params"][0]
    if not any(parameter.name == "encoder_weights" for parameter in parameters(kind)):
        return row
    own = {"net": settings["net"]} if "net" in settings else {}
    table = {"net_params": {**settings.get("net_params", {}), "encoder_weights": str(path)}}
    return replace(row, settings=merged(row.settings, own) | table)


def by_content(meaning: Mapping[str, Any], method: str = "") -> dict[str, Any]:
    """What a task depends on, with the digest of every weight file, and of a list of trusted cases, for its path.

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
    listed = Path(str(found.get("trusted", "")))
    if listed.is_file():
        found["trusted"] = _digest(listed)
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
