"""How the commands talk: data on stdout, everything else on stderr, and nothing but data with ``--quiet``."""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

Advance = Callable[[int, int | None, str], None]
"""Called with how many are done, of how many (None: not known), and a few words on the present one."""

_SECONDS_BETWEEN_LINES = 10.0


def quiet() -> bool:
    """Whether ``--quiet`` was given."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx and getattr(ctx.obj, "quiet", False))


def say(text: str) -> None:
    """One line for people, on stderr."""
    if not quiet():
        click.echo(text, err=True)


def brief(text: str) -> str:
    """At most some two lines of a text that may hold a long list."""
    return textwrap.shorten(text, 200, placeholder=" ...")


def data(text: str) -> None:
    """What the command was asked for, on stdout."""
    click.echo(text)


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """Show how far a loop is: a bar with the time left on a terminal, else a line now and then.

    Args:
        what: a few words, as "corrupting".

    Yields:
        A function to call after every step.

    >>> with progress("writing") as advance:
    ...     for done in range(3):
    ...         advance(done + 1, 3, f"case_{done}")
    """
    if quiet():
        yield lambda done, total, note: None
    elif sys.stderr.isatty():
        with _bar(what) as advance:
            yield advance
    else:
        yield _lines(what)


@contextmanager
def bytes_progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show how a file arrives: a bar with rate and time left on a terminal, else a line now and then.

    Args:
        what: a few words, as the file's name.

    Yields:
        A function to call with the bytes that are there and those that there will be (None: not known).
    """
    if not quiet() and sys.stderr.isatty():
        with _bytes_bar(what) as advance:
            yield advance
        return
    with progress(what) as lines:
        yield lambda there, total: lines(there >> 20, total >> 20 if total else None, "MiB")


def columns(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Rows as aligned text; numbers go to the right, and the last column is wrapped on a terminal.

    Args:
        rows: texts, all rows of one length.
        head: names of the columns, or none.

    Returns:
        The lines, without a line feed at the end; "" for no rows.
    """
    if not rows:
        return ""
    table = [list(head), *rows] if head else list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    right = [all(_is_number(row[i]) for row in rows) for i in range(len(widths))]
    start = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = shutil.get_terminal_size().columns - start if sys.stdout.isatty() else 0
    lines = []
    for row in table:
        cells = [cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)]
        last = textwrap.wrap(row[-1], room) if room >= 20 and not right[-1] else [cells[-1]]
        lines.append("  ".join([*cells[:-1], (last or [""])[0]]).rstrip())
        lines += [" " * start + line for line in last[1:]]
    return "\n".join(lines)


def _is_number(text: str) -> bool:
    return (
        text in ("", "-")
        or text.replace(".", "", 1).replace("-", "", 1).replace("%", "", 1).strip().isdigit()
    )


@contextmanager
def _bar(what: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, note="")
        yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)


@contextmanager
def _bytes_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda there, total: bar.update(task, completed=there, total=total)


def _lines(what: str) -> Advance:
    start = last = time.monotonic()

    def advance(done: int, total: int | None, note: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            of = f" of {total}" if total else ""
            click.echo(f"{what}: {done}{of} after {now - start:.0f} s ({note})", err=True)

    return advance
