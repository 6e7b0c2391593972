"""A run is taken up by its own settings: what is typed beside ``--resume`` must agree with them."""

import os
from collections.abc import Set as AbstractSet
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisylabels.errors import UsageError

if TYPE_CHECKING:
    from noisylabels_plugins.run import RunSpec

_PLACES = ("data", "trusted", "cache", "encoder_weights")
_PREFIXES = {"params": "", "net_params": "net_", "loss_params": "loss_"}


def refuse_other_settings(out: Path, stored: "RunSpec", asked: "RunSpec", typed: AbstractSet[str]) -> None:
    """Refuse a setting that was typed and is another one than that of the run.

    Args:
        out: folder of the run.
        stored: settings of the run.
        asked: what the command line says as a whole.
        typed: names of the flags that stood in it; of the others nothing is wanted.

    Raises:
        UsageError: they differ.
    """
    has, wants = _flat(stored), _flat(asked)
    for name in sorted(typed & (has.keys() | wants.keys()), key=lambda name: (name != "method", name)):
        if has.get(name) != wants.get(name):
            flag = "METHOD" if name == "method" else "--" + name.replace("_", "-")
            raise UsageError(
                f"{flag} is {_text(wants.get(name))} here and {_text(has.get(name))} in the run of {out}, which "
                "--resume goes on with by its own settings; leave it out, or start another run."
            )


def _flat(spec: "RunSpec") -> dict[str, Any]:
    """Every setting by the name of its flag; defaults of methods, networks and losses are not in it."""
    found: dict[str, Any] = {}
    for entry in fields(spec):
        value = getattr(spec, entry.name)
        if entry.name in _PREFIXES:
            found |= {_PREFIXES[entry.name] + key: _comparable(key, one) for key, one in value.items()}
        else:
            found[entry.name] = _comparable(entry.name, value)
    return found


def _comparable(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(value)
    return os.path.realpath(value) if name in _PLACES and value else value


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "the default" if value in (None, "") else str(value)
