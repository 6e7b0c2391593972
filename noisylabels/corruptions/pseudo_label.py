"""Take the labels from predictions of a model, given as readers of the dataset.

    labels           prediction       result
    . . 1 1 .        . 1 1 . .        . 1 1 . .        class of the prediction where both have one;
    . 2 2 1 .   +    . 2 1 1 .   ->   . 2 1 1 .        IGNORE in the labels stays
    . 2 2 x .        . 2 2 2 .        . 2 2 x .

One prediction is taken as it is. Several (checkpoints, members of an ensemble, augmented views) vote: the
class with the most votes wins, of equal ones the lowest, and its confidence is its share of the votes,
sharpened or flattened by the temperature T ::

    n_best**(1/T) / sum over c of n_c**(1/T)

Where predictions come with scores (how sure the model is of every class, in steps of 1/255), confidence may be
theirs: the mean of the scores takes the place of the votes.

Pixels below the threshold are not trusted. With a size, labels are made at the resolution at which the model
worked. No number is drawn.

Source: Guo and Yuan, Joint class-affinity loss correction (JCAS), MICCAI 2022, "SFDA noise": labels of a
source-free adapted model at 256 x 320, without a threshold; its producer is not published. Confidence
thresholds: Lee, Pseudo-label, ICML workshop 2013; Sohn et al., FixMatch, NeurIPS 2020 (0.95).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.parts import scores
from noisylabels.parts.given import overlaid, readers_of, scores_of
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1
NEEDS = frozenset({"readers", "scores"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose predictions, and which of them are trusted.

    Attributes:
        readers: names of the readers that are predictions: one, or several that vote; by default every one
            that the case has.
        confidence: votes of the predictions, or their scores.
        threshold: confidence from which on a prediction is trusted, 0 to 1; 0 trusts all.
        temperature: above 1 flattens confidence, below 1 sharpens it; 0.01 to 100.
        below: what a pixel below the threshold gets: clean (its label stays), or background.
        size: pixels along every axis (or along the last two) at which the model worked, as in 256:320; by
            default the labels' own. The result is brought there and back by nearest.
        classes: the classes that are taken over; by default every one but the background.
    """

    readers: tuple[str, ...] | None = None
    confidence: Literal["votes", "scores"] = "votes"
    threshold: float = 0.0
    temperature: float = 1.0
    below: Literal["clean", "background"] = "clean"
    size: tuple[int, ...] | None = None
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.readers is not None and not 0 < len(self.readers) < 256:
            raise UsageError("Name at least one reader, and at most 255.")
        if self.confidence not in ("votes", "scores"):
            raise UsageError(f"Confidence comes from votes or scores, not from '{self.confidence}'.")
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"The threshold is a confidence between 0 and 1, not {self.threshold}.")
        if not 0.01 <= self.temperature <= 100:
            raise UsageError(f"The temperature lies between 0.01 and 100, not {self.temperature}.")
        if self.below not in ("clean", "background"):
            raise UsageError(f"Pixels below the threshold become clean or background, not '{self.below}'.")
        if self.size is not None and (len(self.size) not in (2, 3) or min(self.size) < 1):
            raise UsageError(
                f"A size is two or three whole numbers from 1 on, as in 256:320, not {self.size}."
            )
        check_classes(self.classes)


EXAMPLE = Params()


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case as a model gives them.

    Args:
        case: the case, with its readers.
        params: whose predictions, and which are trusted.
        draws: not used: the mode is deterministic.

    Returns:
        New labels.

    Raises:
        UsageError: the case lacks a reader or its scores, has more axes than the size, or the background or
            an undeclared class was chosen.
    """
    p = params
    classes = chosen_foreground(case, p.classes)
    found = readers_of(case, p.readers)
    if p.confidence == "scores":
        found = scores_of(case, list(found))
    maps = list(found.values())
    if p.size is not None and len(p.size) > case.labels.ndim:
        raise UsageError(
            f"Case {case.case_id} has {case.labels.ndim} axes, and the size {p.size} has {len(p.size)}."
        )
    given = np.empty(case.labels.shape, dtype=np.uint8)
    rest = np.zeros_like(case.labels) if p.below == "background" else case.labels
    for part in [...] if given.ndim == 2 else range(len(given)):  # a slice at a time takes little memory
        if p.confidence == "scores":
            shares = scores.mean([one[:, part] for one in maps])
        else:
            shares = scores.votes([one[part] for one in maps], case.num_classes)
        best, sure = scores.decide(shares, p.temperature, p.threshold)
        given[part] = np.where(sure, best, rest[part])
    if p.size is not None:
        given = scores.at_resolution(given, (*given.shape[: given.ndim - len(p.size)], *p.size))
    return overlaid(case.labels, given, classes)
