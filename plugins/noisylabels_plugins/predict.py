"""A trained method -> label maps, and their scores against the clean labels."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.metrics.overlap import confusion, dice, structure_counts
from noisylabels.scoring import CaseScore, score_case
from noisylabels.store.dataset import Dataset
from noisylabels.store.files import disk_errors, write_labels
from noisylabels.store.runs import beside
from noisylabels_plugins.batches import normalise
from noisylabels_plugins.run import Run
from noisylabels_plugins.trained import Trained


def predictions(model: Run | Trained, clean: Dataset, ids: Iterable[str]) -> Iterator[tuple[Case, LabelMap]]:
    """Predict cases one after the other.

    Yields:
        The case with its clean labels, and the predicted label map of the same shape.
    """
    model.method.train(False)
    for case_id in ids:
        case = clean.load(case_id)
        image = torch.from_numpy(normalise(case.image, model.mean, model.sd))[None].to(model.device)
        with torch.inference_mode():
            predicted = model.method.predict(image)[0].argmax(0)
        yield case, predicted.to(torch.uint8).cpu().numpy()


def evaluate(trained: Trained, dataset: Dataset, part: str) -> Iterator[list[CaseScore]]:
    """Predict one part of the split, write ``predictions/`` (``predictions-val/``) and give the scores of every case.

    Yields:
        The scores of one case, see :func:`noisylabels.scoring.score_case`.
    """
    info = dataset.info
    out = trained.folder / beside("predictions", part)
    with disk_errors(out):
        out.mkdir(exist_ok=True)
    for case, predicted in predictions(trained, dataset.clean, dataset.ids(part)):
        write_labels(out / f"{case.case_id}{info.ending}", predicted, case.spacing)
        yield score_case(case.case_id, predicted, case.labels, info.structures, case.spacing)


def validate(run: Run) -> dict[str, Any] | None:
    """Dice on the clean validation cases, over all their pixels; None when there is no such case."""
    return score_part(run, run.dataset.ids("val"), run.dataset.clean)


def score_part(run: Run, ids: Sequence[str], labels: Dataset) -> dict[str, Any] | None:
    """Dice of some cases with the labels of a dataset, over all their pixels; None for no case.

    The processes of a training share the cases.
    """
    own = ids[run.group.rank :: run.group.size]
    total = _confusion(run)
    for case, predicted in predictions(run, run.dataset.clean, own):
        found = case.labels
        if labels is not run.dataset.clean:
            found = labels.load(case.case_id, image=False, readers=False).labels
        total += confusion(found, predicted, len(total))
    return _scores(run, total) if ids else None


def score_training(run: Run, ids: Sequence[str]) -> dict[str, Any]:
    """Dice of some training cases with the labels that are trained on and with the clean ones.

    A network that is near to the given labels where they are wrong has memorised the noise.
    """
    given, clean = _confusion(run), _confusion(run)
    for case, predicted in predictions(run, run.dataset.clean, ids[run.group.rank :: run.group.size]):
        given += confusion(np.asarray(run.data.labels[case.case_id]), predicted, len(given))
        clean += confusion(case.labels, predicted, len(clean))
    return {"train_given": _scores(run, given), "train_clean": _scores(run, clean)}


def _confusion(run: Run) -> NDArray[np.int64]:
    return np.zeros((run.task.num_classes, run.task.num_classes), np.int64)


def _scores(run: Run, total: NDArray[np.int64]) -> dict[str, Any]:
    """Dice of every structure, from pixels counted in all processes."""
    matrix = np.array(run.group.added(total.ravel().tolist())).reshape(total.shape).astype(np.int64)
    scores = {
        name: float(dice(*structure_counts(matrix, codes)))
        for name, codes in run.dataset.info.structures.items()
    }
    return {"dice": scores, "mean_dice": sum(scores.values()) / len(scores)}
