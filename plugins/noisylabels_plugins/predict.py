"""A trained method -> label maps, and their scores against the clean labels."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noisylabels.case import Case, LabelMap
from noisylabels.metrics.overlap import confusion, dice, structure_counts
from noisylabels.scoring import CaseScore, score_case
from noisylabels.store.files import write_labels
from noisylabels_plugins.batches import normalise
from noisylabels_plugins.run import Run


def predictions(run: Run, ids: Iterable[str]) -> Iterator[tuple[Case, LabelMap]]:
    """Predict cases one after the other.

    Yields:
        The case with its clean labels, and the predicted label map of the same shape.
    """
    clean = run.dataset.clean
    run.method.train(False)
    for case_id in ids:
        case = clean.load(case_id)
        image = torch.from_numpy(normalise(case.image, run.data.mean, run.data.sd))[None].to(run.device)
        with torch.inference_mode():
            predicted = run.method.predict(image)[0].argmax(0)
        yield case, predicted.to(torch.uint8).cpu().numpy()


def evaluate(run: Run, folder: Path, part: str) -> Iterator[list[CaseScore]]:
    """Predict one part of the split, write ``predictions/`` (``predictions-val/``) and give the scores of every case.

    Yields:
        The scores of one case, see :func:`noisylabels.scoring.score_case`.
    """
    info = run.dataset.info
    out = folder / beside("predictions", part)
    out.mkdir(exist_ok=True)
    for case, predicted in predictions(run, run.dataset.ids(part)):
        write_labels(out / f"{case.case_id}{info.ending}", predicted, case.spacing)
        yield score_case(case.case_id, predicted, case.labels, info.structures, case.spacing)


def beside(name: str, part: str) -> str:
    """Name of what belongs to a part of the split: the test cases have the plain one."""
    return name if part == "test" else f"{name}-{part}"


def validate(run: Run) -> dict[str, Any] | None:
    """Dice on the clean validation cases, over all their pixels; None when there is no such case."""
    ids = run.dataset.ids("val")
    if not ids:
        return None
    size = max(run.task.num_classes, 1)
    total = np.zeros((size, size), np.int64)
    for case, predicted in predictions(run, ids):
        total += confusion(case.labels, predicted, size)
    scores = {
        name: float(dice(*structure_counts(total, codes)))
        for name, codes in run.dataset.info.structures.items()
    }
    return {"dice": scores, "mean_dice": sum(scores.values()) / len(scores)}
