"""Flip the class of whole units: pixels, components, class regions or the case.

The deterministic half of the class-flip modes is :func:`noisylabels.transition.flip`; this module says
which pixels share one draw.

    unit          one draw for                                      draws
    pixel         every pixel                                       Y X
    component     every connected component (corners touch), and    components + 1
                  the background as one region
    class_region  all pixels of a class in the case                 K
    case          the whole case: all its classes flip, or none     1
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.kernels import flips as pixels
from noisylabels.kernels.object_runs import as_volume, fill, runs_of
from noisylabels.kernels.tables import look_up
from noisylabels.parts.scope import chosen_classes
from noisylabels.transition import Matrix, flip

Unit: TypeAlias = Literal["pixel", "component", "class_region", "case"]


_BLOCK = 1 << 20
"""So many pixels are flipped at once."""


def check_rate(rate: float) -> None:
    """Refuse a rate outside 0 .. 1.

    Raises:
        UsageError: it is.
    """
    if not 0.0 <= rate <= 1.0:
        raise UsageError(f"A rate is a probability between 0 and 1, not {rate}.")


def check_unit(unit: str) -> None:
    """Refuse a unit that does not exist.

    Raises:
        UsageError: it does not.
    """
    if unit not in ("pixel", "component", "class_region", "case"):
        raise UsageError(f"There is no unit '{unit}'; known: pixel, component, class_region, case.")


def taking_part(
    case: Case, classes: Sequence[int] | None, background: bool | None, unit: Unit
) -> tuple[int, ...]:
    """The classes that flip among each other.

    Args:
        case: the case whose classes they are.
        classes: the user's choice; every foreground class for None.
        background: whether class 0 flips too; None: yes for pixels, no for the larger units.
        unit: what flips as one.

    Raises:
        UsageError: fewer than two classes take part, or one is not declared.
    """
    chosen = set(chosen_classes(case, classes))
    if background or (background is None and classes is None and unit == "pixel"):
        chosen.add(0)
    elif background is False:
        chosen.discard(0)
    if len(chosen) < 2:
        names = ", ".join(case.classes[c] for c in sorted(chosen)) or "none"
        raise UsageError(
            f"Case {case.case_id}: a class can only flip to another one, and only these take part: "
            f"{names}; choose more classes, or let the background flip too (background)."
        )
    return tuple(sorted(chosen))


def flip_units(labels: LabelMap, matrix: Matrix, unit: Unit, draws: Draws) -> LabelMap:
    """A label map in which every unit of a class has flipped as the matrix says.

    Args:
        labels: classes, (Y, X) or (Z, Y, X); ``IGNORE`` stays.
        matrix: T[true, given], (K, K).
        unit: what shares one draw.
        draws: where the draws come from; the stream ``flip`` is used.
    """
    stream = draws.at("flip")
    size = len(matrix)
    if unit == "pixel":
        flat = np.ascontiguousarray(labels).reshape(-1)
        out = np.empty_like(flat)
        for start in range(
            0, flat.size, _BLOCK
        ):  # eight bytes a word: a large volume has no room for all at once
            part = flat[start : start + _BLOCK]
            out[start : start + _BLOCK] = pixels.flip_pixels(part, matrix, stream.words(part.size))
        return out.reshape(labels.shape)
    if unit == "component":
        found = runs_of(labels, range(1, size))
        true = np.concatenate([np.zeros(1, dtype=np.uint8), found.classes])
        flipped = flip(true, matrix, stream.words(len(true)))
        background = np.arange(256).astype(np.uint8)
        background[0] = flipped[0]
        out = look_up(background, labels)
        fill(as_volume(out), found.spans, flipped[1:][found.owner])
        return out
    true = np.arange(256).astype(np.uint8)
    words = np.zeros(256, dtype=np.uint64)
    words[:size] = stream.words(size) if unit == "class_region" else stream.words(1)
    return look_up(flip(true, matrix, words), labels)
