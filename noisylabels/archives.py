"""Unpack an archive that somebody else made: nothing outside its folder, no links, no bombs.

A folder that was unpacked completely holds ``.unpacked.json`` with the SHA-256 of its archive and of every member;
until then it has a temporary name.
"""

import hashlib
import json
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from noisylabels.errors import InvalidData, NoisyLabelsError
from noisylabels.store.files import disk_errors

NOTE = ".unpacked.json"
"""Names what was unpacked here."""

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
"""The kinds that can be unpacked."""

_MOST_TIMES_LARGER = 200
_ALWAYS_ALLOWED = 1 << 26
_BLOCK = 1 << 20

Progress = Callable[[int, int | None], None]


def unpack(
    archive: Path, folder: Path, members: Mapping[str, str] | None = None, progress: Progress | None = None
) -> Path:
    """Unpack an archive into a folder of its own, unless that was done before.

    Args:
        archive: a ZIP or TAR file.
        folder: the folder to make.
        members: SHA-256 of members by name, as far as known.
        progress: called with the bytes written and the bytes in all (None: not known).

    Returns:
        The folder.

    Raises:
        InvalidData: the archive is damaged, holds a name that leads outside, a link or a device, the same name
            twice, far more than its size allows, or a member with another hash.
        NoisyLabelsError: the disk is too small or full.
    """
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if folder.exists():
        if _note(folder).get("archive") == digest:
            return folder
        raise NoisyLabelsError(f"{folder} is there, but was not unpacked from {archive.name}; move it away.")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        found = _write_members(archive, part, progress)
        for name, wanted in (members or {}).items():
            if found.get(name) != wanted:
                raise InvalidData(f"{archive} holds another {name} than is known, or none.")
        with disk_errors(part):
            text = json.dumps({"archive": digest, "members": found}, indent=1, sort_keys=True)
            (part / NOTE).write_text(text + "\n", encoding="utf-8")
            part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return folder


def changed(folder: Path) -> list[str]:
    """Names of the members of an unpacked folder that are missing or differ from what was unpacked."""
    wrong = []
    for name, wanted in _note(folder).get("members", {}).items():
        path = folder / name
        if not path.is_file():
            wrong.append(name)
            continue
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != wanted:
                wrong.append(name)
    return wrong


def _note(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_members(archive: Path, part: Path, progress: Progress | None) -> dict[str, str]:
    """Write every member; SHA-256 by name."""
    members = _zip if archive.name.lower().endswith(".zip") else _tar
    allowed = max(_ALWAYS_ALLOWED, _MOST_TIMES_LARGER * archive.stat().st_size)
    written, found = 0, dict[str, str]()
    try:
        for name, total, stream in members(archive, allowed):
            path = part / _safe(name, archive)
            if name in found:
                raise InvalidData(f"{archive} holds {name} twice.")
            digest = hashlib.sha256()
            for block in _blocks(stream, path):
                written += len(block)
                if written > allowed:
                    raise _bomb(archive)
                digest.update(block)
                if progress:
                    progress(written, total)
            found[name] = digest.hexdigest()
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        NotImplementedError,
        OSError,
    ) as error:
        raise InvalidData(f"{archive} is damaged or of an unknown kind ({error}).") from error
    if not found:
        raise InvalidData(f"{archive} is empty.")
    return found


def _blocks(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    """What comes from ``stream``, after it was written to ``path``."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        out = path.open("xb")
    with out:
        while block := stream.read(_BLOCK):
            with disk_errors(path):
                out.write(block)
            yield block


def _zip(archive: Path, allowed: int) -> Iterator[tuple[str, int | None, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        files = [info for info in opened.infolist() if not info.is_dir()]
        total = sum(info.file_size for info in files)
        if total > allowed:
            raise _bomb(archive)
        _room(archive, total)
        for info in files:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind and not stat.S_ISREG(kind):
                raise InvalidData(
                    f"{archive} holds {info.filename}, which is a link or a device; it is not unpacked."
                )
            with opened.open(info) as stream:
                yield info.filename, total, stream


def _tar(archive: Path, allowed: int) -> Iterator[tuple[str, int | None, IO[bytes]]]:
    with tarfile.open(archive) as opened:
        for info in opened:
            if info.isdir():
                continue
            stream = opened.extractfile(info) if info.isreg() else None
            if stream is None:
                raise InvalidData(
                    f"{archive} holds {info.name}, which is a link or a device; it is not unpacked."
                )
            _room(archive, info.size)
            yield info.name, None, stream


def _safe(name: str, archive: Path) -> PurePosixPath:
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or not place.parts or ":" in place.parts[0] or "\0" in name:
        raise InvalidData(f"{archive} holds '{name}', which leads out of its folder; it is not unpacked.")
    return place


def _room(archive: Path, size: int) -> None:
    free = shutil.disk_usage(archive.parent).free
    if size > free:
        raise NoisyLabelsError(f"Unpacking {archive} needs {size} bytes, and only {free} are free.")


def _bomb(archive: Path) -> InvalidData:
    return InvalidData(
        f"{archive} would become more than {_MOST_TIMES_LARGER} times as large as it is; it is not unpacked."
    )
