"""Label as an annotator with a style of mistakes: one per case, or several whose mistakes are correlated.

    style          what the annotator does to the objects (connected components, corners touch) of a case

    good           nothing wrong
    over, under    draws all outlines too far outside (inside): by offset (1 + spread Z), Z ~ N(0, 1) per object
    wrong_class    takes objects for another class, as a confusion matrix says: here by default for the next
                   class with probability wrong
    omitter        misses each object with probability omit
    polygonal      clicks along the outlines every length x offset, misses them by spread x offset (sd), and
                   joins the clicks by straight lines
    careless       lets the outlines stray by offset (sd), with a correlation of one half at a distance of
                   length x offset, and misses each object with probability omit / 3

    . . . . . .        over             under            wrong_class
    . 1 1 1 2 .        1 1 1 2 2 2      . . . . . .      . 2 2 2 2 .
    . 1 1 1 2 .   ->   1 1 1 2 2 2      . . 1 . . .      . 2 2 2 2 .
    . 1 1 1 2 .        1 1 1 2 2 2      . . . . . .      . 2 2 2 2 .

A single label map gets an annotator by chance, case by case. Of several annotators the k-th is the same
person in every case, who has the k-th style (in turn). All annotators of a case decide with numbers that are
correlated by exactly ``correlation``, see :mod:`noisylabels.parts.styles`. Missed objects become what most of
their sides touch, classes are layers, and no object vanishes but those that are missed.

Source: Zhang et al., Disentangling human error from the ground truth in segmentation of medical images,
NeurIPS 2020: annotators who over- and under-segment, confuse classes, or leave out, without parameters or
chance; the parameters and their defaults are ours.
"""

from dataclasses import dataclass, replace
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from noisylabels import transition
from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.geometry import Ints
from noisylabels.kernels.contours import Rings
from noisylabels.kernels.object_runs import as_volume, fill
from noisylabels.parts import polygons
from noisylabels.parts.displacement import Shift, left_out
from noisylabels.parts.flips import check_rate
from noisylabels.parts.imitation import Seen, made, see, wave_over
from noisylabels.parts.lengths import check_length
from noisylabels.parts.scope import check_classes, chosen_foreground
from noisylabels.parts.styles import STYLES, Latent, Style, confused, quantile, stronger
from noisylabels.parts.traced import Walk, scene_of
from noisylabels.parts.waves import Wave

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Who annotates, and how badly.

    Attributes:
        styles: of annotator 0, 1, ..., in turn; a single label map has one of them by chance.
        strength: factor on the mistakes of each style, one for all or one for each, 0 to 100: on lengths, and
            on probabilities (which end at 1); polygons end at 1 with straight lines.
        weights: how often a single label map has each style; by default all alike.
        correlation: between the mistakes of the annotators of a case, 0 (each for himself) to 1 (those of one
            style draw the same map).
        offset_px: how far outlines are off, pixels; 3 when neither this nor offset_mm is given.
        offset_mm: the same in millimetres, for a case with a spacing.
        spread: standard deviation between objects or clicks, as a share of the offset, 0 to 10.
        length: how far along an outline a mistake lasts, in multiples of the offset, 1 to 1000.
        omit: probability that an omitter misses an object, 0 to 1.
        wrong: probability that an object is taken for the next class, 0 to 1.
        confusion: instead, the matrix T[true, given] of wrong_class, row by row, K x K numbers with the
            background first; column 0 is for objects that are taken for none.
        classes: the classes in which mistakes are made; by default every one but the background.
    """

    styles: tuple[Style, ...] = ("over", "under", "wrong_class", "omitter", "polygonal", "careless")
    strength: tuple[float, ...] = (1.0,)
    weights: tuple[float, ...] | None = None
    correlation: float = 0.0
    offset_px: float | None = None
    offset_mm: float | None = None
    spread: float = 0.3
    length: float = 5.0
    omit: float = 0.3
    wrong: float = 0.3
    confusion: tuple[float, ...] | None = None
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.styles or not set(self.styles) <= set(STYLES):
            raise UsageError(f"Styles are one or more of {', '.join(STYLES)}; not {', '.join(self.styles)}.")
        count = len(self.styles)
        if len(self.strength) not in (1, count) or not all(0 <= s <= 100 for s in self.strength):
            raise UsageError(
                f"There is one strength between 0 and 100, or one for each of {count} styles; not {self.strength}."
            )
        if self.weights is not None and (
            len(self.weights) != count
            or not all(0 <= w < float("inf") for w in self.weights)
            or not any(self.weights)
        ):
            raise UsageError(f"Weights are numbers from 0 on, not all 0, one for each of {count} styles.")
        px = check_length("offset", self.offset_px, self.offset_mm, 3.0, 50.0)
        object.__setattr__(self, "offset_px", px)
        for name, low, high in (("correlation", 0, 1), ("spread", 0, 10), ("length", 1, 1000)):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"The {name} lies between {low} and {high}, not {getattr(self, name)}.")
        check_rate(self.omit)
        check_rate(self.wrong)
        if self.confusion is not None:
            _square(self.confusion)
        check_classes(self.classes)


EXAMPLE = Params(styles=("careless",), offset_px=1.0, length=3.0)


def scaled(params: Params, factor: float) -> Params:
    """The same with other strengths: each times ``factor``."""
    return replace(params, strength=tuple(min(100.0, s * factor) for s in params.strength))


def confusion_of(case: Case, params: Params, style: Style, strength: float = 1.0) -> transition.Matrix | None:
    """The confusion matrix that a style asks for, T[true, given] by object.

    Args:
        case: gives the classes.
        params: how badly.
        style: of which annotator.
        strength: factor on the mistakes.

    Returns:
        (K, K), rows sum to 1; None for the styles that move outlines, whose matrix depends on the shapes.

    Raises:
        UsageError: the matrix of the parameters is not one of the case's K classes.
    """
    chosen = chosen_foreground(case, params.classes)
    matrix = np.eye(case.num_classes)
    if style == "omitter":
        for c in chosen:
            matrix[c, c], matrix[c, 0] = 1.0 - params.omit, params.omit
    elif style == "wrong_class" and params.confusion is None:
        matrix = transition.pair(case.num_classes, params.wrong, chosen)
    elif style == "wrong_class" and params.confusion is not None:
        given = _square(params.confusion)
        if len(given) != case.num_classes:
            raise UsageError(
                f"Case {case.case_id} has {case.num_classes} classes, and the confusion matrix {len(given)}."
            )
        matrix[list(chosen)] = given[list(chosen)]
    elif style != "good":
        return None
    return stronger(matrix, strength)


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case as an annotator gives them.

    Args:
        case: the case; its image is not looked at.
        params: who annotates, and how badly.
        draws: the stream of this case and step, and of this annotator where there are several.

    Returns:
        New labels; a map without a chosen class comes back as it is.

    Raises:
        UsageError: mm for a case without a spacing, a matrix of other classes, or the background or an
            undeclared class was chosen.
    """
    chosen = chosen_foreground(case, params.classes)
    who = draws.annotator
    if who is None:
        who = int(draws.at("style").choice((), params.weights or (1.0,) * len(params.styles)))
    style = params.styles[who % len(params.styles)]
    strength = params.strength[who % len(params.styles) % len(params.strength)]
    seen = see(case, chosen, "px" if params.offset_mm is None else "mm")
    offset = params.offset_px if params.offset_mm is None else params.offset_mm
    assert offset is not None
    latent = Latent(draws, params.correlation)
    matrix = confusion_of(case, params, style, strength)
    if matrix is not None:
        return _taken_for(case, seen, matrix, latent)
    if style == "polygonal":
        return _clicked(case, chosen, seen, params, strength, 1000.0 * offset, latent)
    return _displaced(case, seen, params, style, strength, 1000.0 * offset, latent)


def _taken_for(case: Case, seen: Seen, matrix: transition.Matrix, latent: Latent) -> LabelMap:
    """Objects get the class that they are taken for; those that are taken for none are left out."""
    count = len(seen.chosen)
    given = confused(seen.runs.classes, matrix, latent.normals("leave")(count), latent.normals("pick")(count))
    given[~seen.chosen] = seen.runs.classes[~seen.chosen]
    labels = left_out(case.labels, seen.runs, given == 0, case.num_classes)
    volume = as_volume(labels)
    changed = (given != seen.runs.classes) & (given > 0)
    mine = changed[seen.runs.owner]
    fill(volume, seen.runs.spans.taken(mine), given[seen.runs.owner[mine]])
    return volume.reshape(labels.shape)


def _displaced(
    case: Case, seen: Seen, params: Params, style: str, strength: float, offset: float, latent: Latent
) -> LabelMap:
    """Over, under and careless; the offset in thousandths."""
    count = len(seen.chosen)
    gone = np.zeros(count, dtype=bool)
    objects, waves = np.zeros(count + 1), {}
    if style == "careless":
        gone = latent.normals("leave")(count) < quantile(strength * params.omit / 3.0)
        if strength * offset > 0:
            waves = _waves(case, seen, params.length * offset, strength * offset, latent)
    else:
        drawn = np.maximum(1.0 + params.spread * latent.normals("offset")(count + 1), 0.0)
        objects = (1.0 if style == "over" else -1.0) * strength * offset * drawn
    return made(case, seen, gone, Shift(objects, waves))


def _waves(case: Case, seen: Seen, length: float, sd: float, latent: Latent) -> dict[int, tuple[Wave, float]]:
    """By class, the field along its outlines; the grid lies alike for all annotators."""
    waves = {}
    for c in np.unique(seen.runs.classes[seen.chosen]).tolist():
        grid = latent.draws.common.at("grid", c).uniform(3)
        waves[c] = (wave_over(case, seen, length, latent.normals("outline", c), grid), sd)
    return waves


def _clicked(
    case: Case,
    chosen: tuple[int, ...],
    seen: Seen,
    params: Params,
    strength: float,
    offset: float,
    latent: Latent,
) -> LabelMap:
    """Polygonal; the offset in thousandths."""
    if strength == 0 or offset == 0 or not seen.chosen.any():
        return case.labels.copy(order="C")
    scene = scene_of(case, chosen)
    every, sd = int(np.rint(params.length * offset)), int(np.rint(strength * params.spread * offset))
    clicks = polygons.Clicks(every, sd, seen.steps)
    keys, alike = latent.keys("clicks"), latent.shared("clicks", len(scene.classes))

    def redraw(rings: Rings, along: Walk) -> tuple[Ints, Ints]:
        (common, far), (own, away) = (clicks.on(rings, along, key) for key in keys)
        same = alike[rings.owner][own.ring]
        mixed = own._replace(
            corner=np.where(same, common.corner, own.corner),
            share=np.where(same, common.share, own.share),
            place=np.where(same, common.place, own.place),
        )
        move = np.where(same[:, None], far, away)
        return polygons.joined(along, mixed, move, min(strength, 1.0), scene.base.shape)

    return polygons.drawn(scene, scene.rings, seen.steps, redraw).reshape(case.labels.shape)


def _square(numbers: tuple[float, ...]) -> NDArray[np.float64]:
    """A matrix from its rows in a line; refused if it is none."""
    size = isqrt(len(numbers))
    if size * size != len(numbers):
        raise UsageError(f"A confusion matrix of K classes has K x K numbers, not {len(numbers)}.")
    return transition.check(np.array(numbers, dtype=np.float64).reshape(size, size))
