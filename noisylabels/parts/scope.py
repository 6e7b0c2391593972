"""What a corruption acts on: the classes that a user chose, checked against the case."""

from collections.abc import Sequence

from noisylabels.case import Case
from noisylabels.errors import UsageError


def check_classes(classes: Sequence[int] | None) -> None:
    """Refuse an empty or repeated choice of classes.

    Raises:
        UsageError: the choice is empty, repeats a class, or holds a negative number.
    """
    if classes is not None and (not classes or len(set(classes)) < len(classes) or min(classes) < 0):
        raise UsageError(f"Classes are different numbers from 0 on, at least one; not {tuple(classes)}.")


def chosen_classes(case: Case, classes: Sequence[int] | None) -> tuple[int, ...]:
    """The chosen classes in ascending order; every class but the background for None.

    Raises:
        UsageError: the case does not declare one of them.
    """
    if classes is None:
        return tuple(range(1, case.num_classes))
    if max(classes) >= case.num_classes:
        raise UsageError(
            f"Case {case.case_id} has no class {max(classes)}; its classes are 0 to {case.num_classes - 1} "
            f"({', '.join(case.classes)})."
        )
    return tuple(sorted(classes))


def chosen_foreground(case: Case, classes: Sequence[int] | None) -> tuple[int, ...]:
    """The chosen classes, none of which may be the background: it has no outline of its own.

    Raises:
        UsageError: the background or an undeclared class was chosen.
    """
    chosen = chosen_classes(case, classes)
    if 0 in chosen:
        raise UsageError("Class 0 is the background, which is no object; choose classes from 1 on.")
    return chosen
