"""Fetch a file over HTTP: from several channels in turn, resumed where it was cut, checked before it gets its name.

What arrives is written to ``<name>.part`` beside the target; a note ``<name>.part.json`` keeps the channel and
the version that the server named, so that a later run asks for the rest only if it is the rest of the same file.
A web page that comes instead of the file (a login, a quota) is recognised and not kept.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisylabels.errors import InvalidData, NoisyLabelsError
from noisylabels.facts import SourceFile
from noisylabels.store.files import disk_errors

if TYPE_CHECKING:
    import requests

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes that there will be (None: not known)."""

TRIES = 5
"""So often a channel is tried when it fails for a reason that may pass."""

_TIMEOUT = (10.0, 30.0)
_BLOCK = 1 << 20
_PAUSE = 1.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_PAGES = (b"<!doctype html", b"<html", b"<?xml version", b"<head")


class _Abandon(Exception):
    """This channel cannot give the file; the next may."""


class _Again(Exception):
    """This try failed for a reason that may pass."""


def fetch(file: SourceFile, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch a file into a folder, unless it is there already.

    Args:
        file: with at least one channel; size and hashes are checked where they are known.
        folder: where it goes; made if need be.
        progress: called as bytes arrive.

    Returns:
        The path of the complete and checked file.

    Raises:
        NoisyLabelsError: no channel gave it; the message says why, channel by channel. What has arrived stays for
            another try.
        InvalidData: a file of this name is there, and it is another one.
    """
    target = folder / file.name
    if target.exists():
        wrong = difference(target, file)
        if wrong:
            raise InvalidData(f"{target} is there, but {wrong}; move it away to have it fetched again.")
        return target
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for channel in file.channels:
        try:
            return _from_channel(channel, file, target, progress)
        except _Abandon as error:
            failures.append(f"{channel}: {error}")
    raise NoisyLabelsError(
        f"{file.name} could not be fetched ({'; '.join(failures) or 'no channel is known'})."
    )


def difference(path: Path, file: SourceFile) -> str:
    """What distinguishes a file from what is known of it, in a few words; "" if nothing does."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"it has {size} bytes instead of {file.size}"
    for name, wanted in (("sha256", file.sha256), ("md5", file.md5)):
        if wanted:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, name).hexdigest()
            if found != wanted:
                return f"its {name.upper()} is {found[:12]}... instead of {wanted[:12]}..."
            return ""  # one hash is enough
    return ""


def _from_channel(channel: str, file: SourceFile, target: Path, progress: Progress | None) -> Path:
    part, reason = _Part(target, channel), ""
    for number in range(TRIES):
        if number:
            time.sleep(_PAUSE * 2 ** (number - 1))
        try:
            _receive(channel, file, part, progress)
        except _Again as error:
            reason = str(error)
            continue
        wrong = difference(part.path, file)
        if wrong:
            part.remove()
            raise _Abandon(f"the file is another one, {wrong}")
        with disk_errors(target):
            part.path.rename(target)
        part.remove()
        return target
    raise _Abandon(f"{reason}, {TRIES} times in a row")


@dataclass(frozen=True, slots=True)
class _Part:
    """What has arrived of a file."""

    target: Path
    channel: str

    @property
    def path(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def note(self) -> Path:
        return self.target.with_name(self.target.name + ".part.json")

    def version(self) -> str:
        """What the server called the version of which a part is here; "" if nothing can be resumed."""
        try:
            noted = json.loads(self.note.read_text(encoding="utf-8"))
            return str(noted["version"]) if noted["channel"] == self.channel and self.path.exists() else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def remove(self) -> None:
        for path in (self.path, self.note):
            path.unlink(missing_ok=True)


def _receive(channel: str, file: SourceFile, part: _Part, progress: Progress | None) -> None:
    """One request; at the end the part is complete as far as the server's own words go."""
    import requests

    version = part.version()
    start = part.path.stat().st_size if version else 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    try:
        with requests.get(channel, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            start, total = _opening(answer, start, part)
            if total is not None and file.size is not None and total != file.size:
                raise _Abandon(f"it offers {total} bytes, and the file has {file.size}")
            _write(answer, part, start, total, progress)
    except requests.RequestException as error:
        raise _Again(_words(error)) from error


def _opening(answer: "requests.Response", start: int, part: _Part) -> tuple[int, int | None]:
    """Where the bytes that follow belong, and how many there are in all."""
    code = answer.status_code
    if code == 416:  # there is nothing after what we have, or it is not of this file
        part.remove()
        raise _Again("it cannot resume")
    if code in _PASSING:
        _wait(answer)
        raise _Again(f"it answers {code}")
    if code not in (200, 206):
        raise _Abandon(f"it answers {code}" + (" (a login is needed)" if code in (401, 403) else ""))
    if code == 206:
        place, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if place.split("-")[0] != str(start):
            part.remove()
            raise _Again("it resumes at another place")
        return start, int(total) if total.isdigit() else None
    length = answer.headers.get("Content-Length", "")
    version = answer.headers.get("ETag", "") or answer.headers.get("Last-Modified", "")
    part.path.unlink(missing_ok=True)
    with disk_errors(part.note):
        part.note.write_text(json.dumps({"channel": part.channel, "version": version}), encoding="utf-8")
    return 0, int(length) if length.isdigit() else None


def _write(
    answer: "requests.Response", part: _Part, start: int, total: int | None, progress: Progress | None
) -> None:
    there = start
    with disk_errors(part.path), part.path.open("ab" if start else "wb") as stream:
        for block in _blocks(answer):
            if there == 0 and _is_page(block, part.target):
                stream.close()
                part.remove()
                raise _Abandon("it answers with a web page instead of the file (a login or a quota?)")
            stream.write(block)
            there += len(block)
            if progress:
                progress(there, total)


def _blocks(answer: "requests.Response") -> Iterator[bytes]:
    """The body in blocks; what arrived before a cut is given first."""
    import urllib3

    while True:
        try:
            block = answer.raw.read1(_BLOCK)  # what is there now, so that a cut loses nothing
        except urllib3.exceptions.HTTPError as error:
            raise _Again(_words(error)) from error
        if not block:
            return
        yield block


def _is_page(first: bytes, target: Path) -> bool:
    if target.suffix.lower() in (".html", ".htm", ".xml", ".svg"):
        return False
    return first[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES)


def _wait(answer: "requests.Response") -> None:
    with suppress(ValueError):
        time.sleep(min(60.0, float(answer.headers.get("Retry-After", "0"))))


def _words(error: Any) -> str:
    """What a library's error means to a person."""
    text = f"{type(error).__name__} {error}".lower()
    if "timeout" in text or "timed out" in text:
        return "it is silent"
    if "name or service" in text or "resolve" in text:
        return "it cannot be found"
    return "the connection broke"
