"""A trained model from its run folder alone: the data that it learned from may be elsewhere, or gone."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from noisylabels.errors import InvalidData, Mismatch
from noisylabels.params import build
from noisylabels.store.dataset import Dataset
from noisylabels_plugins import checkpoint
from noisylabels_plugins.api import Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS
from noisylabels_plugins.parts.weights import files_left_alone
from noisylabels_plugins.record import refuse_other_data, sees
from noisylabels_plugins.spec import read_spec


class Trained:
    """A method with its trained networks, ready to predict.

    Args:
        folder: the run.
        device: where to compute.

    Attributes:
        folder: the run.
        spec: what was trained.
        record: ``run.json``.
        channels: name of every image channel.
        least: fewest cases in a batch of a training.
        mean: of every channel over the training images, (C,); likewise ``sd``.
        task: what was learned.
        method: with its weights, in evaluation mode.

    Raises:
        InvalidData: the folder is no run, was never trained, or its record lacks what only its data could tell,
            and they are not there.
        Mismatch: in that case, its data are not those that it was trained on.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        spec = read_spec(folder)
        module = METHODS.load(spec.method)
        self.folder, self.device = folder, device
        self.spec = spec = replace(spec, net=spec.net or module.Method.DEFAULT_NET)
        self.record: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        seen = self.record.get("sees") or _from_data(folder, device, self.record)
        self.channels = tuple(seen["channels"])
        self.mean, self.sd = (np.array(seen[name], np.float32) for name in ("mean", "sd"))
        self.task = self._task(seen)
        self.least = NETS.load(spec.net).MIN_BATCH
        params = build(module.Params, spec.params, f"method '{spec.method}'")
        with files_left_alone():  # the checkpoint has all weights
            self.method: Base = module.Method(params, self.task)
        self.method.to(device)
        checkpoint.load_model(self, folder)
        self.method.train(False)

    def _task(self, seen: dict[str, Any]) -> Task:
        spec, (classes, shape) = self.spec, (tuple(seen["classes"]), tuple(seen["shape"]))
        net, loss = NETS.load(spec.net), LOSSES.load(spec.loss or "ce")
        net_params = build(net.Params, spec.net_params, f"network '{spec.net}'")
        loss_params = build(loss.Params, spec.loss_params, f"loss '{spec.loss or 'ce'}'")
        return Task(
            classes=classes,
            channels=len(self.channels),
            shape=shape,
            class_counts=tuple(seen["class_counts"]),
            build_net=lambda: net.Net(net_params, len(self.channels), len(classes), len(shape)),
            build_loss=lambda: loss.Loss(loss_params, len(classes)),
        )

    def own_dataset(self) -> Dataset:
        """The dataset that it was trained on.

        Raises:
            InvalidData: it is no longer there.
            Mismatch: its images, labels or split are no longer those.
        """
        if not Path(self.spec.data).exists():
            raise InvalidData(
                f"{self.folder} was trained on {self.spec.data}, which is not there; put it back, or label "
                f"another dataset with: noisylabels predict {self.folder} --data FOLDER"
            )
        dataset = Dataset.open(self.spec.data)
        refuse_other_data(self.folder, dataset)
        return dataset

    def scores(self, image: NDArray[np.float32]) -> torch.Tensor:
        """Probability of every class, (K, *S) float32, for one normalised image (C, *S)."""
        batch = torch.from_numpy(image)[None].to(self.device)
        with torch.inference_mode():
            found = self.method.predict(batch)[0].float()
            return found / found.sum(0, keepdim=True)


def _from_data(folder: Path, device: torch.device, record: dict[str, Any]) -> dict[str, Any]:
    """What a record without it would say of the data, from the data themselves."""
    from noisylabels_plugins.run import Run

    run = Run(read_spec(folder), device, to_train=False)
    there, now = record.get("data_digest"), run.dataset.digest
    if there is None:
        raise InvalidData(f"{folder / 'run.json'} does not say on which data it was trained; train it again.")
    if there != now:
        raise Mismatch(
            f"{folder} was trained on a dataset with the digest {there[:12]}, but {run.dataset.path} has {now[:12]}; "
            "put the right one back."
        )
    return sees(run)
