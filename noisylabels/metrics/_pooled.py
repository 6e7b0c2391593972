"""The noise of a whole dataset: counts of all cases added up, then divided."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.errors import InvalidData

if TYPE_CHECKING:
    from noisylabels.metrics.noise import NoiseMeasure

FloatRows = tuple[tuple[float, ...], ...]
IntRows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledNoise:
    """The noise of many cases; K classes, background first. Definitions as for one case.

    Attributes:
        classes: K names.
        cases: how many cases.
        touched_cases: how many of them have a wrong pixel.
        pixels: counted pixels of all cases.
        wrong_pixels: wrong ones among them.
        wrong_share: wrong over counted, 0 .. 1.
        transition_counts: K x K pixels [true, given].
        transition: K x K shares; rows sum to 1, the row of a class that does not occur has 1 on the diagonal.
        grid: pixels along every axis of the largest grid that pairs were counted on.
        affinity_counts: 2 x 2 pixel pairs within images [true, given], 0 = different, 1 = same.
        affinity: 2 x 2 shares; a row without pairs has 1 on the diagonal.
        affinity_expected: the same for independent flips by ``transition`` of the clean classes of every
            image.
        affinity_noise: share of all pairs that changed, 0 .. 1.
        dice: mean over cases of the mean Dice to the clean labels.
        class_dice: Dice of every class over all pixels of all cases; 1 for a class that nowhere occurs.
        unit: of the displacements, "mm" or "px".
        displacement_count: boundary pixels measured, of every class.
        displacement_mean: signed, positive outside; 0 where nothing was measured.
        displacement_sd: standard deviation (1/n) over all boundary pixels.
        displacement_mean_abs: mean absolute value.
        objects: connected components of every clean class.
        vanished: how many of them lost every pixel.
    """

    classes: tuple[str, ...]
    cases: int
    touched_cases: int
    pixels: int
    wrong_pixels: int
    wrong_share: float
    transition_counts: IntRows
    transition: FloatRows
    grid: tuple[int, ...]
    affinity_counts: IntRows
    affinity: FloatRows
    affinity_expected: FloatRows
    affinity_noise: float
    dice: float
    class_dice: tuple[float, ...]
    unit: str
    displacement_count: tuple[int, ...]
    displacement_mean: tuple[float, ...]
    displacement_sd: tuple[float, ...]
    displacement_mean_abs: tuple[float, ...]
    objects: tuple[int, ...]
    vanished: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists, for TOML and JSON."""
        return {name: _lists(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "PooledNoise":
        """The inverse of :meth:`to_dict`, also after a round through TOML or JSON; other keys are ignored.

        Raises:
            InvalidData: a number is missing.
        """
        names = cls.__dataclass_fields__
        missing = [name for name in names if name not in data]
        if missing:
            raise InvalidData(f"The measured noise lacks '{missing[0]}'.")
        return cls(**{name: _tuples(data[name]) for name in names})


def pool(measures: "Iterable[NoiseMeasure]") -> PooledNoise:
    """Pool the noise of many cases.

    Args:
        measures: one per case, of one dataset: same classes, same unit.

    Returns:
        The pooled noise; the result does not depend on the order of the cases beyond the last bit of the real
        numbers.

    Raises:
        InvalidData: there is no case, or the classes or units differ.
    """
    cases = list(measures)
    if not cases:
        raise InvalidData("There is no case to pool the noise of.")
    classes, unit = cases[0].classes, cases[0].unit
    if any(case.classes != classes or case.unit != unit for case in cases):
        raise InvalidData(
            "Noise can be pooled over cases with the same classes and the same unit (mm or px) only; "
            "some cases have a spacing and some have none, or their classes differ."
        )
    transitions = _sum(case.transitions for case in cases)
    transition = row_shares(transitions)
    affinity = _sum(case.affinity for case in cases)
    right, true, given = transitions.diagonal(), transitions.sum(axis=1), transitions.sum(axis=0)
    pixels, wrong = int(transitions.sum()), int(transitions.sum() - right.sum())
    pairs = int(affinity.sum())
    moved = [_moments(case.displacement[c] for case in cases) for c in range(len(classes))]
    return PooledNoise(
        classes=classes,
        cases=len(cases),
        touched_cases=sum(case.wrong_pixels > 0 for case in cases),
        pixels=pixels,
        wrong_pixels=wrong,
        wrong_share=wrong / pixels if pixels else 0.0,
        transition_counts=_tuples(transitions.tolist()),
        transition=_tuples(transition.tolist()),
        grid=max(case.grid for case in cases),
        affinity_counts=_tuples(affinity.tolist()),
        affinity=_tuples(row_shares(affinity).tolist()),
        affinity_expected=_tuples(row_shares(_expected(cases, transition)).tolist()),
        affinity_noise=int(affinity[0, 1] + affinity[1, 0]) / pairs if pairs else 0.0,
        dice=sum(case.mean_dice for case in cases) / len(cases),
        class_dice=tuple(
            2 * int(r) / int(t + g) if t + g else 1.0 for r, t, g in zip(right, true, given, strict=True)
        ),
        unit=unit,
        displacement_count=tuple(int(m[0]) for m in moved),
        displacement_mean=tuple(m[1] for m in moved),
        displacement_sd=tuple(m[2] for m in moved),
        displacement_mean_abs=tuple(m[3] for m in moved),
        objects=tuple(map(sum, zip(*(case.objects for case in cases), strict=True))),
        vanished=tuple(map(sum, zip(*(case.vanished for case in cases), strict=True))),
    )


def row_shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Rows divided by their sums; an empty row becomes that of the identity matrix."""
    totals = counts.sum(axis=1, keepdims=True)
    identity = np.eye(len(counts))
    return np.where(totals > 0, counts / np.where(totals > 0, totals, 1), identity)


def _expected(cases: "list[NoiseMeasure]", transition: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pair counts to expect if every pixel flips by itself: closed form in the class counts n of every image.

    Two pixels of classes m and l agree afterwards with probability sum_k T_mk T_lk.
    """
    agree = (transition[:, None, :] * transition[None, :, :]).sum(axis=2)
    pairs = np.zeros((2, 2))
    for case in cases:
        n = np.asarray(case.grid_classes, dtype=np.float64)
        ordered = n[:, None] * n[None, :]
        same = (n * (n - 1) * agree.diagonal()).sum()
        different = (ordered * agree).sum() - (n * n * agree.diagonal()).sum()
        all_same = (n * (n - 1)).sum()
        all_different = ordered.sum() - (n * n).sum()
        pairs += [[all_different - different, different], [all_same - same, same]]
    return pairs


def _moments(parts: Iterable[Any]) -> tuple[int, float, float, float]:
    found = [p for p in parts if p.count]
    n = sum(p.count for p in found)
    if not n:
        return 0, 0.0, 0.0, 0.0
    mean = sum(p.count * p.mean for p in found) / n
    variance = sum(p.count * (p.sd**2 + (p.mean - mean) ** 2) for p in found) / n
    return n, mean, sqrt(variance), sum(p.count * p.mean_abs for p in found) / n


def _sum(matrices: Iterable[IntRows]) -> NDArray[np.int64]:
    return np.asarray(np.sum([np.asarray(m, dtype=np.int64) for m in matrices], axis=0))


def _lists(value: Any) -> Any:
    return [_lists(v) for v in value] if isinstance(value, list | tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value
