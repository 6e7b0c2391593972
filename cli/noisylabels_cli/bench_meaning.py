"""What was made in the folder of a suite, beside what the suite means now: nothing is mixed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from noisylabels.errors import InvalidData, Mismatch, UsageError
from noisylabels_cli.bench_tasks import SPLIT, Place, Task


def refuse_other_meaning(tasks: Sequence[Task], place: Place, *, read_only: bool = False) -> None:
    """Refuse a folder in which something was made by other settings than the suite has now.

    Args:
        tasks: of the suite.
        place: where.
        read_only: whether nothing will be made, so that what has no record may stay.

    Raises:
        Mismatch: so it is; the message says what, where, and the way out.
        InvalidData: the record of a task is damaged.
    """
    for task in tasks:
        record = place.work(task.name) / "task.json"
        if not task.begun.exists():
            continue
        if not record.exists():
            if read_only:
                continue
            raise Mismatch(
                f"{task.begun} is there, but {record}, which says by what settings it was made, is not; put that back, "
                "or remove the former to have it made anew."
            )
        try:
            before = json.loads(record.read_text(encoding="utf-8"))["meaning"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidData(f"{record} is damaged; remove it and {task.begun}.") from error
        differs = _difference(_by_content(before), json.loads(json.dumps(task.meaning)))
        if differs:
            raise Mismatch(
                f"{task.begun} was made with other settings than the suite has now ({differs}); remove it to have "
                "it made anew, or choose another --out."
            )


def _by_content(before: Any) -> Any:
    """A record that may name weight files by their path, as far as they are still there."""
    from noisylabels_plugins.cell_weights import by_content

    try:
        return by_content(before) if isinstance(before, Mapping) else before
    except UsageError:
        return before


def _difference(before: Any, now: Any, path: str = "") -> str:
    """The first value in which two records differ, in words; "" if they agree."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            if key == SPLIT and key not in before:  # earlier records do not have it
                continue
            found = _difference(before.get(key), now.get(key), f"{path} {key}".strip())
            if found:
                return found
        return ""
    return "" if before == now else f"{path.replace('_', ' ')}: {_word(before)} then, {_word(now)} now"


def _word(value: Any) -> str:
    return "the default" if value is None else str(value)[:40]
