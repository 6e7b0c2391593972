"""What is not to be touched is shown to a mode as ``IGNORE``, and put back afterwards.

No mode may write to a pixel without a label, so every mode, whoever wrote it, can be kept to some classes or
some objects without knowing of it::

    labels              shown, object b chosen        the mode's            put back
    . a a . b b .       . x x . b b .                 . x x b b b b         . a a b b b b

To the mode a hidden object is a place that cannot be reached: nothing grows into it, and what is moved or
painted there stays as it was. A mode that draws for one object after another counts those that it sees, so
what happens to an object may change with what is hidden; which objects are touched does not.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.draws import Draws
from noisylabels.geometry import Components, Mask
from noisylabels.kernels.components import components
from noisylabels.kernels.tables import look_up


def by_object(found: Components, draw: Callable[[int, int], NDArray[Any]]) -> NDArray[Any]:
    """A number for every object; what an object of a class gets does not depend on the other classes.

    Args:
        found: objects, numbered within their class by their first pixel in C order.
        draw: class and number of objects -> their numbers, (n,).

    Returns:
        (n,), in the order of the components.
    """
    numbers = np.zeros(len(found.classes))
    for c in np.unique(found.classes).tolist():
        of_class = found.classes == c
        numbers[of_class] = draw(c, int(np.count_nonzero(of_class)))
    return numbers


def untouched(
    labels: LabelMap, num_classes: int, classes: tuple[int, ...] | None, share: float, draws: Draws
) -> tuple[Mask | None, bool]:
    """The pixels of classes and objects that a recipe leaves alone in a touched case.

    Args:
        labels: clean labels, (Y, X) or (Z, Y, X).
        num_classes: K.
        classes: the foreground classes that are touched; None for all.
        share: probability that an object of one of them is touched.
        draws: of the case; every object has a draw of its own, so a smaller share lies inside a larger.

    Returns:
        The mask, None for nothing; and whether that is every object of the case.
    """
    if classes is None and share == 1:
        return None, False
    foreground = set(range(1, num_classes))
    touched = foreground if classes is None else set(classes)
    left = _where(labels, foreground - touched)
    if share < 1:
        found = components(labels, sorted(touched))
        chances = by_object(found, lambda c, n: draws.at(c).uniform(n))
        table = np.concatenate([[False], chances >= share]).view(np.uint8)
        left |= look_up(table, found.ids).view(np.bool_)
    objects = _where(labels, foreground)
    return left, bool(objects.any()) and np.array_equal(left, objects)


def _where(labels: LabelMap, classes: set[int]) -> Mask:
    table = np.zeros(256, dtype=np.uint8)
    table[sorted(classes)] = 1
    return look_up(table, labels).view(np.bool_)


def show(labels: LabelMap, hidden: Mask) -> LabelMap:
    """The labels with ``IGNORE`` where they are hidden."""
    return np.where(hidden, np.uint8(IGNORE), labels)


def owners(
    labels: LabelMap, num_classes: int, per: str, weights: tuple[float, ...], draws: Draws
) -> LabelMap:
    """Which of several options every pixel of an object belongs to.

    Args:
        labels: (Y, X) or (Z, Y, X).
        num_classes: K.
        per: "class": all pixels of a class share a choice; "object": all of a connected component (corners
            touch).
        weights: of the options.
        draws: of the case; every class or object has a draw of its own.

    Returns:
        Number of the option, from 1 on; 0 for background and ``IGNORE``. uint8, the shape of the labels.
    """
    if per == "class":
        table = np.zeros(256, dtype=np.uint8)
        for c in range(1, num_classes):
            table[c] = 1 + draws.at(c).choice((), weights)
        return look_up(table, labels)
    found = components(labels, range(1, num_classes))
    choice = by_object(found, lambda c, n: 1 + draws.at(c).choice(n, weights))
    return look_up(np.concatenate([[0], choice]).astype(np.uint8), found.ids)


def joined(shown: LabelMap, results: dict[int, LabelMap], owner: LabelMap) -> LabelMap:
    """What several options made of the same labels, each of its own objects, in one map.

    An option decides the pixels of its own objects. Where several wrote to the background, the highest class
    wins, as everywhere that objects are painted in ascending order of class.

    Args:
        shown: the labels that all of them started from.
        results: number of an option, and what it gave.
        owner: from :func:`owners`.
    """
    labels = shown.copy()
    free = shown == 0
    for number, result in results.items():
        np.copyto(labels, result, where=owner == number)
        np.maximum(labels, result, out=labels, where=free)
    return labels
