"""From one dataset folder to another that holds a part of it: a relative path and the digest of what is there."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from noisylabels.errors import InvalidData, Mismatch


class _Opened(Protocol):
    digest: str


_Found = TypeVar("_Found", bound=_Opened)


def link_to(name: str, place: Path, digest: str, start: Path) -> dict[str, str]:
    """How the folder ``start`` refers to the dataset ``name`` with this digest at ``place``."""
    return {"name": name, "path": relative(place, start), "digest": digest}


def relative(path: Path, start: Path) -> str:
    """The way from the folder ``start`` to ``path``, with forward slashes."""
    return Path(os.path.relpath(path.resolve(), start.resolve())).as_posix()


def follow(start: Path, link: Mapping[str, str], opened: Callable[[Path], _Found]) -> _Found:
    """Open what :func:`link_to` wrote into the folder ``start``.

    Args:
        start: the folder that holds the link.
        link: what was written.
        opened: opens a dataset folder.

    Raises:
        InvalidData: there is nothing at that place.
        Mismatch: there is another dataset at that place.
    """
    place = Path(os.path.normpath(start / link["path"]))
    if not place.is_dir():
        raise InvalidData(
            f"{start} was made from the dataset {link['name']}, which is no longer at {place}; put it back."
        )
    found = opened(place)
    if found.digest != link["digest"]:
        raise Mismatch(
            f"{start} was made from a dataset with the digest {link['digest'][:12]}, but {place} has "
            f"{found.digest[:12]}."
        )
    return found
