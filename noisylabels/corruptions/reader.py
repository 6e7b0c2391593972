"""Take the labels of another reader of the same image, by name or by chance.

    labels           reader 1         reader 2         per object: left from 1, right from 2
    . 1 1 . 2        . 1 . . .        . 1 1 . 2        . 1 . . 2
    . 1 1 . 2        1 1 . . .        . . . 2 2        1 1 . 2 2

Real disagreement: each map is what somebody drew. An object here is a region in which the labels or a reader
see anything (a component of the union, corners touching), so that no outline of one reader is cut by another.
Where the reader has no label (IGNORE) the labels stay.

Source: Armato et al., The LIDC and IDRI, Medical Physics 38 (2011): four readers of every scan. A reader
drawn at random for every image is how the Probabilistic U-Net is trained: Kohl et al., NeurIPS 2018.
"""

from dataclasses import dataclass
from typing import Literal

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.parts.given import overlaid, patched, readers_of, regions
from noisylabels.parts.scope import check_classes, chosen_foreground

VERSION = 1
NEEDS = frozenset({"readers"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose labels.

    Attributes:
        reader: name of the reader; by default one is drawn, all alike.
        per: what has a draw of its own: the case, or each object.
        reference: name of the reader that the clean labels come from: it is never taken.
        missing: what happens to a case that lacks the reader (or has none to draw from): refuse, keep its
            labels, or draw among the other readers (and keep the labels if there are none).
        classes: the classes that are taken over; by default every one but the background.
    """

    reader: str | None = None
    per: Literal["case", "object"] = "case"
    reference: str | None = None
    missing: Literal["refuse", "keep", "other"] = "refuse"
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.per not in ("case", "object"):
            raise UsageError(f"A reader is drawn per case or per object, not per '{self.per}'.")
        if self.missing not in ("refuse", "keep", "other"):
            raise UsageError(f"For a missing reader there is refuse, keep and other, not '{self.missing}'.")
        if self.reader is not None and self.reader == self.reference:
            raise UsageError(f"Reader {self.reader} is the reference, so nothing would change; name another.")
        check_classes(self.classes)


EXAMPLE = Params(per="object")


def corrupt(case: Case, params: Params, draws: Draws) -> LabelMap:
    """The labels of a case as another reader drew them.

    Args:
        case: the case, with its readers.
        params: whose labels.
        draws: the stream of this case and step.

    Returns:
        New labels.

    Raises:
        UsageError: the reader is missing and this is to be refused, or the background or an undeclared class
            was chosen.
    """
    classes = chosen_foreground(case, params.classes)
    maps = _candidates(case, params)
    if not maps:
        return case.labels.copy(order="C")
    if params.per == "case" or len(maps) == 1:
        which = int(draws.at("reader").integers((), 0, len(maps) - 1))
        return overlaid(case.labels, maps[which], classes)
    places = regions([case.labels, *maps], classes)
    drawn = draws.at("reader").integers(len(places.classes), 0, len(maps) - 1)
    return overlaid(case.labels, patched(case.labels, maps, places, drawn), classes)


def _candidates(case: Case, params: Params) -> list[LabelMap]:
    """The maps to take or to draw from; none where the labels are to be kept."""
    others = {name: one for name, one in sorted(case.readers.items()) if name != params.reference}
    if params.reader in others:
        return [others[params.reader]]
    if others and (params.reader is None or params.missing == "other"):
        return list(others.values())
    if params.missing != "refuse":
        return []
    if not case.readers or params.reader is not None:
        return list(readers_of(case, None if params.reader is None else [params.reader]).values())
    raise UsageError(
        f"Case {case.case_id} has no reader but the reference {params.reference}; let such cases keep their "
        "labels (missing keep) or leave them out."
    )
