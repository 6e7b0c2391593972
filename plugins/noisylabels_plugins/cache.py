"""Decoded training cases: in memory where they fit, else in a mapped file that every process on the machine shares.

A cache folder holds the raw arrays one after the other; its name is a digest of what was decoded. It is written under
another name and renamed, so that two processes that make it at once do not meet. It is never part of a dataset.

<cache>/<digest>/   images.bin  labels.bin  index.json
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.errors import InvalidData
from noisylabels.store.files import disk_errors

SHARE = 0.3
"""Part of the memory that is free at the start which decoded cases may take, on all processes of a machine together."""
VERSION = "1"
Load = Callable[[str], tuple[NDArray[Any], LabelMap]]


class Decoded(NamedTuple):
    """Training cases by id.

    Attributes:
        images: (C, *S), as they are on disk.
        labels: (*S).
    """

    images: Mapping[str, NDArray[Any]]
    labels: Mapping[str, LabelMap]


def decoded(load: Load, ids: list[str], facts: Iterable[str], where: str | None) -> Decoded:
    """All cases, decoded once.

    Args:
        load: image and labels of a case.
        ids: which.
        facts: what decides their content: digests.
        where: None for memory; auto for memory where they fit and else the user's cache folder; or a folder to map.
    """
    if where is None:
        return _in_memory(load, ids)
    if where != "auto":
        return _mapped(load, ids, Path(where) / _key(ids, facts))
    first = load(ids[0])
    if sum(array.nbytes for array in first) * len(ids) <= room():
        return _in_memory(load, ids)
    return _mapped(load, ids, user_cache() / _key(ids, facts))


def room() -> float:
    """Bytes that decoded cases may take in this process."""
    free = float("inf")
    for path, name in (("/proc/meminfo", "MemAvailable:"), ("/sys/fs/cgroup/memory.max", "")):
        try:
            text = Path(path).read_text(encoding="ascii")
            line = next(line for line in text.splitlines() if line.startswith(name)).removeprefix(name)
            free = min(free, int(line.split()[0]) * (1024 if name else 1))
        except (OSError, StopIteration, ValueError):
            continue  # another system, or no limit
    if free == float("inf"):
        free = 8.0 * 2**30
    return SHARE * free / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def user_cache() -> Path:
    """The user's cache folder of this package: ``$XDG_CACHE_HOME/noisylabels``, or in ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "noisylabels"


def _key(ids: list[str], facts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join([VERSION, *facts, *ids]).encode()).hexdigest()[:32]


def _in_memory(load: Load, ids: list[str]) -> Decoded:
    pairs = {case_id: load(case_id) for case_id in ids}
    return Decoded(
        {k: image for k, (image, _) in pairs.items()}, {k: labels for k, (_, labels) in pairs.items()}
    )


def _mapped(load: Load, ids: list[str], folder: Path) -> Decoded:
    if not folder.is_dir():
        _write(load, ids, folder)
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        return Decoded(*(dict(_views(folder, name, index)) for name in ("images", "labels")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidData(f"The cache {folder} is damaged; remove that folder.") from error


def _views(folder: Path, name: str, index: dict[str, Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    whole = np.memmap(folder / f"{name}.bin", np.uint8, mode="r")
    for case_id, entry in index.items():
        kind, shape, start = entry[name]
        size = np.dtype(kind).itemsize * int(np.prod(shape))
        yield case_id, whole[start : start + size].view(kind).reshape(shape)


def _write(load: Load, ids: list[str], folder: Path) -> None:
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:8]}-", dir=folder.parent))
        try:
            index: dict[str, dict[str, Any]] = {}
            with (
                (temporary / "images.bin").open("wb") as images,
                (temporary / "labels.bin").open("wb") as labels,
            ):
                for case_id in ids:
                    pair = load(case_id)
                    index[case_id] = {
                        name: _append(file, array)
                        for name, file, array in zip(
                            ("images", "labels"), (images, labels), pair, strict=True
                        )
                    }
            (temporary / "index.json").write_text(json.dumps(index), encoding="utf-8")
            temporary.chmod(0o755)
            try:
                temporary.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _append(file: Any, array: NDArray[Any]) -> list[Any]:
    """Write an array at a multiple of 64 bytes; where it lies."""
    file.write(b"\0" * (-file.tell() % 64))
    start = file.tell()
    file.write(np.ascontiguousarray(array).data)
    return [array.dtype.str, list(array.shape), start]
