"""The sections with pictures: noisy beside clean labels, and the best and worst predictions."""

from collections.abc import Sequence
from itertools import count

import numpy as np

from noisylabels.case import Case, LabelMap
from noisylabels.reports.cases import CaseMean, best_and_worst, case_means, spread_out
from noisylabels.reports.groups import Group
from noisylabels.reports.html_pieces import chips, escape, percent, section
from noisylabels.reports.pictures import (
    CHANGES,
    TONES,
    class_colour,
    difference_picture,
    image_picture,
    outline_picture,
    size_to_show,
    slice_to_show,
)
from noisylabels.store.dataset import Dataset
from noisylabels.store.files import read_labels


class Pictures:
    """Rows of tiles; every image is stored once in the page, however often it is shown."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def row(self, case: Case, layers: Sequence[tuple[str, str, bool]], at: int | None) -> str:
        """Tiles of one case.

        Args:
            case: with its image.
            layers: for every tile its caption, its overlay (a data address, "" for none), and whether to dim
                the image.
            at: slice of a volume.
        """
        name = f"image-{next(self._numbers)}"
        width, height = size_to_show(case.labels.shape)
        size = f'width="{width}" height="{height}"'
        source = f'<image id="{name}" {size} href="{image_picture(case, at)}"/>'
        tiles = []
        for number, (caption, overlay, dim) in enumerate(layers):
            kind = ' class="dim"' if dim else ""
            under = f'<use href="#{name}"{kind}/>' if number else source
            over = f'<image {size} href="{overlay}"/>' if overlay else ""
            alt = f"{case.case_id}: {caption}"
            tiles.append(
                f'<figure><svg class="tile" viewBox="0 0 {width} {height}" role="img" '
                f'aria-label="{escape(alt)}">{under}{over}</svg><figcaption>{escape(caption)}</figcaption></figure>'
            )
        return f'<div class="tiles">{"".join(tiles)}</div>'


def gallery(noisy: Dataset, pictures: Pictures, most: int = 6) -> str:
    """Cases from the most to the least wrong: image, clean outline, noisy outline, wrong pixels."""
    share = {
        i: float(e.measured["wrong_share"]) for i, e in noisy.entries.items() if e.measured.get("wrong_share")
    }
    touched = {i: v for i, v in share.items() if v > 0}
    parts = []
    for case_id in spread_out(touched or share, most):
        case = noisy.load(case_id)
        clean = noisy.clean.load(case_id, image=False).labels
        at = slice_to_show(clean, case.labels) if clean.ndim == 3 else None
        one, two = (labels if at is None else labels[at] for labels in (clean, case.labels))
        layers = [
            ("image" if at is None else f"image, slice {at}", "", False),
            ("clean labels", outline_picture(one, "clean"), False),
            ("noisy labels", outline_picture(two, "noisy"), False),
            ("wrong pixels", difference_picture(one, two), True),
        ]
        dice = float(noisy.entries[case_id].measured["mean_dice"])
        facts = f"{percent(share[case_id])} of the pixels wrong, mean Dice to clean {dice:.3f}"
        tiles = pictures.row(case, layers, at)
        parts.append(f'<div class="case"><h3>{escape(case_id)}<span>{facts}</span></h3>{tiles}</div>')
    about = (
        "<p>Cases at even steps from the most to the least wrong: typical ones beside extreme ones.</p>"
        + chips({"clean outline": TONES["clean"], "noisy outline": TONES["noisy"]})
        + _classes(noisy.info.classes)
        + _changes()
    )
    return section("Gallery", about, "".join(parts))


def extremes(groups: Sequence[Group], clean: Dataset, pictures: Pictures, most: int = 3) -> str:
    """The best and worst cases of the first method with predictions, beside the baseline's prediction."""
    seen = [g for g in groups if any(run.predictions and run.scores for run in g.runs)]
    focus = next((g for g in seen if g.role == "method"), seen[0] if seen else None)
    if focus is None:
        return ""
    rival = next(
        (g for g in seen if g.role == "baseline" and g.noise == focus.noise and g is not focus), None
    )
    means = case_means(run.scores for run in focus.runs if run.scores)
    others = case_means(run.scores for run in rival.runs if run.scores) if rival else {}
    known = {
        i: v for i, v in means.items() if i in clean.entries and _prediction(focus, i, clean) is not None
    }
    best, worst = best_and_worst(known, most)
    parts = []
    for title, found in (("Worst", worst), ("Best", best)):
        rows = "".join(_extreme(case, others, focus, rival, clean, pictures) for case in found)
        parts.append(rows and f'<div><p class="kicker">{title}</p>{rows}</div>')
    seeds = sorted(run.seed for run in focus.runs)
    tones = {"clean outline": TONES["clean"], focus.name: TONES["noisy"]}
    if rival:
        tones[rival.title] = TONES["other"]
    about = (
        f"<p>By mean Dice over structures and seeds of <b>{escape(focus.title)}</b>; the outlines are those "
        f"of seed {seeds[0]}.</p>{chips(tones)}{_classes(clean.info.classes)}{_changes()}"
    )
    return section("Best and worst cases", about, *parts)


def _extreme(
    case_mean: CaseMean,
    others: dict[str, float],
    focus: Group,
    rival: Group | None,
    clean: Dataset,
    pictures: Pictures,
) -> str:
    case_id, value = case_mean
    case = clean.load(case_id)
    predicted = _prediction(focus, case_id, clean)
    assert predicted is not None
    at = slice_to_show(case.labels, predicted) if case.labels.ndim == 3 else None
    true, given = (labels if at is None else labels[at] for labels in (case.labels, predicted))
    where = "" if at is None else f", slice {at}"
    layers = [(f"clean labels{where}", outline_picture(true, "clean"), False)]
    other = _prediction(rival, case_id, clean) if rival else None
    if rival and other is not None:
        layers.append((rival.title, outline_picture(other if at is None else other[at], "other"), False))
    layers.append((focus.name, outline_picture(given, "noisy"), False))
    layers.append((f"wrong pixels of {focus.name}", difference_picture(true, given), True))
    facts = f"mean Dice {value:.3f}"
    if case_id in others:
        facts += f", {value - others[case_id]:+.3f} to the baseline"
    tiles = pictures.row(case, layers, at)
    return f'<div class="case"><h3>{escape(case_id)}<span>{facts}</span></h3>{tiles}</div>'


def _prediction(group: Group | None, case_id: str, clean: Dataset) -> LabelMap | None:
    """The prediction of the group's first seed that has one of the right shape."""
    for run in group.runs if group else ():
        if case_id in run.predictions:
            labels, _ = read_labels(
                run.predictions[case_id], len(clean.entries[case_id].shape), clean.info.ignore
            )
            if labels.shape == clean.entries[case_id].shape:
                return np.asarray(labels)
    return None


def _changes() -> str:
    return chips({f"wrong pixel: {name}": colour for name, colour in CHANGES.items()})


def _classes(names: Sequence[str]) -> str:
    return chips({name: class_colour(c) for c, name in enumerate(names) if c})
