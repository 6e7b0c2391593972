"""A trained run as a reader of a dataset: the same one, or one from elsewhere that the run never saw."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.errors import UsageError
from noisylabels.store.dataset import Dataset
from noisylabels.store.links import relative
from noisylabels_plugins.adapt import ADAPTATIONS, adapt_batchnorm, images_of, moments
from noisylabels_plugins.batches import normalise
from noisylabels_plugins.checkpoint import MODEL
from noisylabels_plugins.trained import Trained

MOMENTS = ("source", "target")
"""Whose mean and deviation bring an image to the network's scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a run is fitted to a target, without any label of it.

    Attributes:
        adapt: one of ``ADAPTATIONS``: nothing, or the statistics of batch normalisation.
        normalise: one of ``MOMENTS``: images are normalised by mean and deviation of the run's own training images,
            as everything it ever saw was, or by those of the target's training images.
    """

    adapt: str = "none"
    normalise: str = "source"

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        for name, known in (("adapt", ADAPTATIONS), ("normalise", MOMENTS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} is {' or '.join(known)}, not '{getattr(self, name)}'.")


class Reader:
    """A trained run that labels the cases of a target.

    Args:
        folder: the run.
        target: the dataset whose images it is to see; its classes and channels are the run's.
        device: where to compute.
        fit: how the run is fitted to the target.

    Raises:
        InvalidData: the run was never trained.
        UsageError: run and target do not speak of the same classes, channels or number of axes.
    """

    def __init__(self, folder: Path, target: Dataset, device: torch.device, fit: Fit = Fit()) -> None:
        self.fit = fit
        self.trained = trained = Trained(folder, device)
        check_target(trained, target)
        source = (trained.mean, trained.sd)
        self.mean, self.sd = moments(images_of(target)) if fit.normalise == "target" else source
        if fit.adapt == "batchnorm":
            images = (normalise(image, self.mean, self.sd) for image in images_of(target))
            adapt_batchnorm(trained.method, images, trained.spec.batch_size, device, trained.least)

    @property
    def name(self) -> str:
        """What the reader is called where nobody says otherwise: method and seed."""
        return f"{self.trained.spec.method}-{self.trained.spec.seed}"

    def read(self, case: Case) -> tuple[LabelMap, NDArray[np.uint8]]:
        """Label a case.

        Args:
            case: of the target, with its image.

        Returns:
            The labels (*S), and how sure the run is of every class, (K, *S) in steps of 1/255.
        """
        shares = self.trained.scores(normalise(case.image, self.mean, self.sd))
        scores = (shares * 255 + 0.5).clamp(0, 255).to(torch.uint8)
        return shares.argmax(0).to(torch.uint8).cpu().numpy(), scores.cpu().numpy()

    def facts(self, start: Path) -> dict[str, Any]:
        """What a provenance record says of it.

        Args:
            start: the folder that the run's place is told from.
        """
        folder, spec, record = self.trained.folder, self.trained.spec, self.trained.record
        weights = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
        return {
            "run": relative(folder, start),
            "method": spec.method,
            "net": spec.net,
            "seed": spec.seed,
            "trained_on": {
                "name": record["dataset"], "digest": record["data_digest"], "labels": record["labels"]
            },
            MODEL: f"sha256:{weights}",
            "adapt": self.fit.adapt,
            "normalise": self.fit.normalise,
        }  # fmt: skip


def check_target(trained: Trained, target: Dataset) -> None:
    """Refuse a target whose cases a run cannot label.

    Raises:
        UsageError: axes, classes or channels differ.
    """
    folder, info, dims = trained.folder, target.info, trained.task.dims
    axes = {len(entry.shape) for entry in target.entries.values()}
    if axes != {dims}:
        raise UsageError(
            f"{folder} was trained on {dims}-D images, but those of {target.path} are "
            f"{' and '.join(f'{n}-D' for n in sorted(axes))}."
        )
    for what, ours, theirs in (
        ("classes", trained.task.classes, info.classes),
        ("channels", trained.channels, info.channels),
    ):
        if ours != theirs:
            raise UsageError(
                f"{folder} was trained on the {what} {', '.join(ours)}, but {target.path} has {', '.join(theirs)}; "
                f"a prediction needs the same {what} in the same order."
            )


def with_predictions(case: Case, readers: Sequence[tuple[str, Reader]], scores: bool) -> Case:
    """The case with the labels of further readers, and their scores where they are wanted."""
    found = {name: reader.read(case) for name, reader in readers}
    return replace(
        case,
        readers={**case.readers, **{name: labels for name, (labels, _) in found.items()}},
        scores={**case.scores, **({name: sure for name, (_, sure) in found.items()} if scores else {})},
    )
