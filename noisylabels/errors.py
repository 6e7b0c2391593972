"""What can go wrong, as few kinds as there are exit codes.

Every message is one sentence that names the case, the finding and the way out. The command line prints it and
leaves with the class's ``exit_code``; a library user catches :class:`NoisyLabelsError`.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class NoisyLabelsError(Exception):
    """Something failed that the user can do something about."""

    exit_code = 1


class UsageError(NoisyLabelsError):
    """The request itself is wrong: an unknown name, a value outside its range, a folder that is already there."""

    exit_code = 2


class InvalidData(NoisyLabelsError):
    """The data are not what they should be: unreadable, of the wrong shape, with an undeclared class."""

    exit_code = 3


class Mismatch(NoisyLabelsError):
    """A digest or a recorded number differs from what is there."""

    exit_code = 4


class FetchByHand(NoisyLabelsError):
    """The owner of the data asks for a registration or an agreement: only the user can fetch them."""

    exit_code = 5


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """An error for a mistyped name, with the nearest known one.

    Args:
        kind: what was asked for, as in "mode".
        name: what the user typed.
        known: the names that exist.

    Returns:
        The error, to be raised by the caller.
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names) or 'none'}."
    return UsageError(f"There is no {kind} '{name}'; {hint}")
