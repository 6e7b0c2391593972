"""Snap labels to superpixels of the image, as if one had clicked on patches instead of drawing outlines.

The image is cut into patches of similar intensity and size (in 3-D supervoxels), and each patch that an outline
cuts goes to one class as a whole::

    patches        labels         majority       threshold 0.2
    a a a b b      1 1 . . .      1 1 1 . .      1 1 1 1 1
    a a b b b      1 1 1 1 .      1 1 . . .      1 1 1 1 1
    a a b b b      1 1 . . .      1 1 . . .      1 1 1 1 1

    majority    the class with most pixels in the patch; a patch that is evenly split stays as it is
    threshold   an object as soon as objects have the given share of the patch (of them the one with most
                pixels, of equal ones the higher class), else background
    flip        as majority, but the runner-up with probability rate * its pixels / those of the first:
                what is hard to tell goes wrong; the one rule that draws, one number for each patch

Patches are those of SLIC in whole numbers, so that they are the same with every version of everything:
intensities are stretched to 0 .. 25600 from the darkest to the brightest of the image (or of ``window``), by one
subtraction, division and multiplication in float64, and then rounded down; places are scaled so that the side
of a patch counts as much as ``compactness`` percent of that range. Colours are compared as they are, not in a
colour space of their own; with a spacing, patches are as wide in mm along every axis. They cover the grid cells
that hold an object and two cells around; the rest of the image keeps its labels.

``IGNORE`` and classes that were not chosen neither vote nor change.

Source: Achanta et al., SLIC superpixels, TPAMI 2012; Li et al., Superpixel-guided iterative learning from noisy
labels for medical image segmentation, MICCAI 2021 (SLIC with 100 to 1200 segments and compactness 10).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.geometry import Ints, bounding_box, steps_mm, steps_px
from noisylabels.kernels import philox, slic
from noisylabels.kernels.tables import look_up
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1
NEEDS = frozenset({"image"})

_MOST = 2**31 - 1
_MARGIN = 2
_NO_VOTE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How large patches are, and who wins one.

    Attributes:
        segments: about how many patches the image has; 0 for one for each pixel, which changes nothing.
        compactness: how much place counts beside intensity, above 0 and at most 1000: low follows the image,
            high gives a grid.
        rule: majority, threshold or flip.
        share: with threshold, the share of a patch that objects must have, 0 (one pixel is enough) to 1.
        rate: with flip, probability that an evenly split patch goes to the runner-up, 0 to 1.
        window: darkest and brightest intensity that count, as in -200:300; by default those of the image.
        classes: the classes that are snapped; by default every one but the background.
    """

    segments: int = 800
    compactness: float = 10.0
    rule: Literal["majority", "threshold", "flip"] = "majority"
    share: float = 0.5
    rate: float = 0.5
    window: tuple[float, float] | None = None
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.segments <= _MOST:
            raise UsageError(f"An image has between 0 and {_MOST} superpixels, not {self.segments}.")
        if not 0 < self.compactness <= 1000:
            raise UsageError(f"Compactness lies above 0 and is at most 1000, not {self.compactness}.")
        if self.rule not in ("majority", "threshold", "flip"):
            raise UsageError(f"There is no rule '{self.rule}'; known: majority, threshold, flip.")
        for name, value in (("share", self.share), ("rate", self.rate)):
            if not 0 <= value <= 1:
                raise UsageError(f"The {name} lies between 0 and 1, not {value}.")
        if self.window is not None and not (
            len(self.window) == 2 and 0 < self.window[1] - self.window[0] < np.inf
        ):
            raise UsageError(f"A window is two intensities, the lower one first, not {self.window}.")
        check_classes(self.classes)


EXAMPLE = Params(segments=24, rule="flip", rate=0.8)


def scaled(params: Params, factor: float) -> Params:
    """Patches that are wider by a factor (in a plane), so fewer of them.

    Args:
        params: at factor 1.
        factor: 0 (a patch for each pixel) or more.
    """
    if factor <= 0 or params.segments == 0:
        return replace(params, segments=0)
    return replace(params, segments=int(min(max(round(params.segments / factor / factor), 1), _MOST)))


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case snapped to superpixels of its image.

    Args:
        case: with an image.
        params: how large they are, and who wins one.
        draws: the stream of this case and step.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: there is no image, or the background or an undeclared class was chosen.
        InvalidData: the image holds something else than finite numbers.
    """
    classes = chosen_foreground(case, params.classes)
    if case.image is None:
        raise UsageError(
            f"Case {case.case_id} has no image, and superpixels are cut from one; choose a mode without it."
        )
    key = int(draws.at("flip").words(1)[0])
    shape = (1,) * (3 - case.labels.ndim) + case.labels.shape
    out = case.labels.reshape(shape).copy()
    counts, side = _cells(shape, _steps(case), params.segments)
    place = _around(np.isin(out, classes), counts)
    if place is None or tuple(counts) == shape:
        return out.reshape(case.labels.shape)
    image = case.image.reshape(-1, *shape)
    features = _features(image, place, _limits(case.case_id, image, params.window))
    grid = _grid(shape, place, counts, _steps(case), params.compactness * np.sqrt(len(image)) / side)
    segments, first = slic.superpixels(features, grid)
    words = philox.words(key, _in_frame(first, place, shape), 0, 0)[:, 0]
    out[place] = _snapped(out[place], segments, classes, words, params)
    return out.reshape(case.labels.shape)


def _steps(case: Case) -> tuple[int, ...]:
    """Size of a pixel along z, y and x in thousandths, of a millimetre where the spacing is known."""
    steps = steps_px(case.labels.ndim) if case.spacing is None else steps_mm(case.spacing)
    return (1,) * (3 - len(steps)) + steps


def _cells(shape: Sequence[int], steps: Sequence[int], segments: int) -> tuple[Ints, float]:
    """How many grid cells lie along z, y and x, and the side of one in thousandths.

    An axis shorter than a cell takes no part in the count.
    """
    counts = np.array(shape)
    long = [axis for axis in range(3) if shape[axis] > 1]
    side = 1.0
    while long and segments > 0:
        side = _root_of([shape[axis] * steps[axis] for axis in long], segments)
        short = [axis for axis in long if shape[axis] * steps[axis] < side]
        if not short or len(short) == len(long):
            break
        long = [axis for axis in long if axis not in short]
    if segments > 0:
        for axis in range(3):
            wanted = int(shape[axis] * steps[axis] / side + 0.5) if axis in long else 1
            counts[axis] = min(max(wanted, 1), shape[axis])
    return counts, side


def _root_of(lengths: Sequence[int], segments: int) -> float:
    """Side of one of so many cubes (squares) that fill a box: the root of its volume over their number."""
    volume = 1.0
    for length in lengths:
        volume = volume * length
    volume = volume / segments
    if len(lengths) < 3:
        return float(np.sqrt(volume)) if len(lengths) == 2 else volume
    root = max(volume, 1.0)
    for _ in range(200):  # Newton from above, by exactly rounded steps; it falls until it is there
        closer = (2.0 * root + volume / (root * root)) / 3.0
        if closer >= root:
            break
        root = closer
    return root


def _around(mask: NDArray[np.bool_], counts: Ints) -> tuple[slice, ...] | None:
    """The pixels of all grid cells that hold an object, and of two cells around; None without an object."""
    box = bounding_box(mask)
    if box is None:
        return None
    place = []
    for along, size, count in zip(box, mask.shape, counts.tolist(), strict=True):
        first = max(along.start * count // size - _MARGIN, 0)
        last = min((along.stop - 1) * count // size + _MARGIN, count - 1)
        place.append(slice(-(-first * size // count), -(-(last + 1) * size // count)))
    return tuple(place)


def _limits(case_id: str, image: NDArray[Any], window: tuple[float, float] | None) -> tuple[float, float]:
    """The intensities that become 0 and the highest number."""
    low, high = image.min(), image.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InvalidData(
            f"Case {case_id}: the image holds values that are no finite numbers; repair it first."
        )
    return (float(low), float(high)) if window is None else window


def _features(
    image: NDArray[Any], place: tuple[slice, ...], limits: tuple[float, float]
) -> NDArray[np.uint16]:
    """Intensities as whole numbers, (C, *box), made slice by slice."""
    low, high = limits
    box = image[(slice(None), *place)]
    out = np.zeros(box.shape, dtype=np.uint16)
    if high <= low:
        return out
    for c in range(len(box)):
        for z in range(box.shape[1]):
            values = np.clip(box[c, z].astype(np.float64), low, high)
            out[c, z] = ((values - low) / (high - low) * slic.RANGE).astype(np.uint16)
    return out


def _grid(
    shape: Sequence[int], place: tuple[slice, ...], counts: Ints, steps: Sequence[int], weight: float
) -> slic.Grid:
    """The grid cells of a box of pixels, numbered from its first one."""
    cells, places = [], []
    for along, size, count, step in zip(place, shape, counts.tolist(), steps, strict=True):
        pixel = np.arange(along.start, along.stop)
        cell = pixel * count // size
        cells.append(cell - cell[0])
        places.append(np.floor(pixel * (step * weight * slic.RANGE / 100) + 0.5).astype(np.int64))
    inside = np.array([cell[-1] + 1 for cell in cells])
    smallest = int(np.prod(shape)) // int(4 * np.prod(counts))
    return slic.Grid(inside, (cells[0], cells[1], cells[2]), (places[0], places[1], places[2]), smallest)


def _in_frame(flat: Ints, place: tuple[slice, ...], shape: tuple[int, ...]) -> Ints:
    """Flat indices in a box as flat indices in the frame."""
    inside = np.unravel_index(flat, tuple(along.stop - along.start for along in place))
    moved = tuple(axis + along.start for axis, along in zip(inside, place, strict=True))
    return np.asarray(np.ravel_multi_index(moved, shape))


def _snapped(
    labels: LabelMap, segments: NDArray[np.int32], classes: Sequence[int], words: philox.Words, p: Params
) -> LabelMap:
    """The labels with every superpixel given to one class; the deterministic half."""
    options = np.array([0, *classes], dtype=np.uint8)
    column = np.full(256, _NO_VOTE, dtype=np.uint8)
    column[options] = np.arange(len(options))
    columns = look_up(column, labels)
    votes = slic.votes(segments, columns, (len(words), len(options)))
    winner, decided = _winners(votes, words, p)
    new = options[winner][segments]
    return np.where(decided[segments] & (columns != _NO_VOTE), new, labels)


def _winners(votes: Ints, words: philox.Words, p: Params) -> tuple[Ints, NDArray[np.bool_]]:
    """The column that wins each superpixel, and whether one does."""
    if p.rule == "threshold":
        objects, total = votes[:, 1:].sum(axis=1), votes.sum(axis=1)
        best = votes.shape[1] - 1 - np.argmax(votes[:, :0:-1], axis=1)  # of equal ones the last
        return np.where((objects > 0) & (objects >= p.share * total), best, 0), total > 0
    order = np.argsort(votes, axis=1, kind="stable")
    first, second = order[:, -1], order[:, -2]
    rows = np.arange(len(votes))
    most, next_most = votes[rows, first], votes[rows, second]
    if p.rule == "majority":
        return first, most > next_most
    flipped = words.astype(np.float64) * most < p.rate * 4294967296.0 * next_most
    return np.where(flipped, second, first), flipped | (most > next_most)
