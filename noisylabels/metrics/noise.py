"""What came out of a corruption: noisy labels measured against the clean ones, case by case and pooled.

Everything that can be an exact integer is one; rates are formed from pooled counts, never as means of rates.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.geometry import bounding_box
from noisylabels.metrics._boundary import BoolArray, boundary, distances
from noisylabels.metrics._pixels import confusion, dice
from noisylabels.metrics._pooled import PooledNoise as PooledNoise
from noisylabels.metrics._pooled import pool as pool

Matrix = tuple[tuple[int, ...], ...]

DEFINITIONS = {
    "wrong_share": "Share of the counted pixels whose noisy class is not the clean one; pixels that either "
    "map ignores are not counted.",
    "transition": "T[true, given]: share of the pixels of a true class that were given a class; rows sum to "
    "1, and a class that does not occur has 1 on the diagonal.",
    "affinity": "Share of the pixel pairs of one image (on a grid, nearest pixel; both orders, no pixel "
    "with itself) that are of different or of the same class in the clean labels and become different or "
    "the same in the noisy ones; index 0 = different, 1 = same.",
    "affinity_expected": "The affinity matrix that T would give if every pixel had flipped by itself; the "
    "distance to the measured one shows how much the flips go together.",
    "dice": "Dice of the noisy to the clean labels; a class that is in neither counts as 1 and is left out "
    "of the mean.",
    "displacement": "Distance from every boundary pixel of a noisy class to the boundary of the clean one, "
    "positive outside it: mean, standard deviation and mean of the absolute value; classes that one of the "
    "maps lacks are left out.",
    "vanished": "Connected components of a clean class (diagonals connect) in which no pixel kept the class.",
}
"""What each number means, in a sentence to be printed with it."""


@dataclass(frozen=True, slots=True)
class Displacement:
    """Signed distances of one class: number of boundary pixels, mean, sd (1/n) and mean absolute value.

    All are 0 where ``count`` is 0: the class is missing in one of the maps, and nothing was measured.
    """

    count: int = 0
    mean: float = 0.0
    sd: float = 0.0
    mean_abs: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseMeasure:
    """The noise of one case; K classes, background first.

    Attributes:
        classes: K names.
        pixels: pixels that count: neither map ignores them.
        wrong_pixels: those among them with another class.
        transitions: K x K pixel counts [true, given].
        grid: size of the grid on which pairs were counted.
        grid_classes: clean pixels of every class on that grid.
        affinity: 2 x 2 pair counts [true, given], 0 = different, 1 = same.
        dice: Dice to the clean labels of every class; 1 for a class in neither map.
        unit: of the displacements, "mm" or "px".
        displacement: of every class; nothing is measured for the background.
        objects: connected components of every clean class; none counted for the background.
        vanished: how many of them lost every pixel.
    """

    classes: tuple[str, ...]
    pixels: int
    wrong_pixels: int
    transitions: Matrix
    grid: tuple[int, ...]
    grid_classes: tuple[int, ...]
    affinity: Matrix
    dice: tuple[float, ...]
    unit: str
    displacement: tuple[Displacement, ...]
    objects: tuple[int, ...]
    vanished: tuple[int, ...]

    @property
    def wrong_share(self) -> float:
        """Wrong pixels over counted pixels, 0 .. 1; 0 when no pixel counts."""
        return self.wrong_pixels / self.pixels if self.pixels else 0.0

    @property
    def mean_dice(self) -> float:
        """Mean Dice over the classes but the background that are in one of the maps; 1 when none is."""
        counts = np.asarray(self.transitions)
        present = [c for c in range(1, len(self.classes)) if counts[c].sum() + counts[:, c].sum()]
        return sum(self.dice[c] for c in present) / len(present) if present else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "NoiseMeasure":
        """The inverse of :meth:`to_dict`, also after a round through JSON."""
        fields = {k: _tuples(v) for k, v in data.items() if k != "displacement"}
        return cls(displacement=tuple(Displacement(**d) for d in data["displacement"]), **fields)

    def columns(self) -> dict[str, str]:
        """The same as flat text columns for a table with one line per case."""
        row = {
            "wrong_pixels": str(self.wrong_pixels),
            "wrong_share": f"{self.wrong_share:.6f}",
            "mean_dice": f"{self.mean_dice:.6f}",
        }
        for c, name in enumerate(self.classes[1:], start=1):
            moved = self.displacement[c]
            row[f"dice_{name}"] = f"{self.dice[c]:.6f}"
            row[f"displacement_{self.unit}_{name}"] = f"{moved.mean:.4f}" if moved.count else ""
            row[f"displacement_sd_{self.unit}_{name}"] = f"{moved.sd:.4f}" if moved.count else ""
            row[f"objects_{name}"] = str(self.objects[c])
            row[f"vanished_{name}"] = str(self.vanished[c])
        row["transitions"] = ";".join(" ".join(map(str, line)) for line in self.transitions)
        row["affinity"] = ";".join(" ".join(map(str, line)) for line in self.affinity)
        return row


def measure(
    clean: LabelMap,
    noisy: LabelMap,
    classes: Sequence[str],
    spacing: tuple[float, ...] | None = None,
    grid: int = 64,
) -> NoiseMeasure:
    """Measure the noise of one case; :data:`DEFINITIONS` says what each number is.

    Args:
        clean: labels before, (Y, X) or (Z, Y, X).
        noisy: labels after, same shape.
        classes: K names, background first.
        spacing: size of a pixel in mm along every axis; None for displacements in pixels.
        grid: pixel pairs are counted on at most this many pixels along every axis, evenly spread.

    Returns:
        The measure; zeros where nothing counts.

    Raises:
        InvalidData: the shapes differ or a class is not declared.
    """
    ignored = (clean == IGNORE) | (noisy == IGNORE)
    if ignored.any():
        clean, noisy = (np.where(ignored, np.uint8(IGNORE), labels) for labels in (clean, noisy))
    counts = confusion(clean, noisy, len(classes))
    places = np.ix_(*[grid_points(n, grid) for n in clean.shape])
    on_grid = confusion(clean[places], noisy[places], len(classes))
    true, given = counts.sum(axis=1).tolist(), counts.sum(axis=0).tolist()
    right = counts.diagonal().tolist()
    moved, objects, vanished = [Displacement()], [0], [0]
    for c in range(1, len(classes)):
        moved.append(
            _displacement(clean == c, noisy == c, spacing) if true[c] and given[c] else Displacement()
        )
        found, lost = _vanished(clean == c, noisy == c) if true[c] else (0, 0)
        objects.append(found)
        vanished.append(lost)
    return NoiseMeasure(
        classes=tuple(classes),
        pixels=sum(true),
        wrong_pixels=sum(true) - sum(right),
        transitions=_tuples(counts.tolist()),
        grid=tuple(len(axis.ravel()) for axis in places),
        grid_classes=tuple(on_grid.sum(axis=1).tolist()),
        affinity=_tuples(pair_counts(on_grid).tolist()),
        dice=tuple(dice(r, g - r, t - r) for r, g, t in zip(right, given, true, strict=True)),
        unit="px" if spacing is None else "mm",
        displacement=tuple(moved),
        objects=tuple(objects),
        vanished=tuple(vanished),
    )


def grid_points(n: int, grid: int) -> NDArray[np.int64]:
    """At most ``grid`` evenly spread positions on an axis of n pixels, by integer arithmetic.

    >>> grid_points(8, 4).tolist(), grid_points(3, 64).tolist()
    ([1, 3, 5, 7], [0, 1, 2])
    """
    m = min(n, grid)
    return (2 * np.arange(m, dtype=np.int64) + 1) * n // (2 * m)


def pair_counts(joint: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of pixels by whether their classes differ or agree, before [row] and after [column].

    With n_mk pixels of true class m and given class k, the ordered pairs (self pairs included) that agree in
    both are sum n_mk^2, those that agree before sum (sum_k n_mk)^2, and so on: no matrix of pairs is needed.
    The N pairs of a pixel with itself are then taken off.

    Args:
        joint: (K, K) counts ``[true, given]`` of one image.

    Returns:
        (2, 2) int64 ordered pairs, index 0 = different, 1 = same; all 0 for fewer than two pixels.
    """
    n = int(joint.sum())
    same_same = int((joint * joint).sum())
    same_before = int((joint.sum(axis=1) ** 2).sum())
    same_after = int((joint.sum(axis=0) ** 2).sum())
    different = n * n - same_before - same_after + same_same
    return np.array([[different, same_after - same_same], [same_before - same_same, same_same - n]], np.int64)


def _displacement(clean: BoolArray, noisy: BoolArray, spacing: tuple[float, ...] | None) -> Displacement:
    box = bounding_box(clean | noisy)
    assert box is not None
    clean, noisy = clean[box], noisy[box]
    edge = boundary(noisy)
    far = distances(edge, boundary(clean), spacing)
    signed = np.where(clean[edge], -far, far)
    return Displacement(len(signed), float(signed.mean()), float(signed.std()), float(far.mean()))


def _vanished(clean: BoolArray, noisy: BoolArray) -> tuple[int, int]:
    from scipy.ndimage import label

    box = bounding_box(clean)
    assert box is not None
    labelled: tuple[NDArray[Any], int] = label(clean[box], structure=np.ones((3,) * clean.ndim, dtype=bool))
    components, found = labelled
    kept = np.bincount(components[noisy[box]], minlength=found + 1)[1:]
    return found, int(np.count_nonzero(kept == 0))


def _tuples(value: Any) -> Any:
    """Nested lists as nested tuples."""
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value
