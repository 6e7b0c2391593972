"""What a run is, as data: read from ``run.json`` and from the command line."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from noisylabels.errors import InvalidData, UsageError
from noisylabels_plugins.batches import AUGMENTATIONS
from noisylabels_plugins.loop import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How a training computes; everything that does not belong to its method, network, loss or data.

    Attributes:
        precision: of the network: fp32, bf16 or fp16 mixed with fp32; auto is bf16 on a GPU that has it, else fp32.
            Losses and transition matrices are always computed in fp32.
        accumulate: parts that every batch is cut into, one after the other, to save memory; losses
            and statistics over a whole batch are then over its parts.
        clip_norm: longest gradient, over all parameters of an update; none for any.
        memory_format: of images and weights; channels-last is faster for convolutions.
        compile: backend of torch.compile for the networks, as in inductor; none to leave them as they are.
        deterministic: only algorithms that give the same bits again on a GPU; on a CPU all do.
        sync_batchnorm: batch normalisation over the whole batch where several GPUs share it, not over each one's part.
        workers: threads that prepare batches ahead; 0 prepares them in line. The batches are the same.
        cache: where decoded cases are kept that do not fit into memory: auto (the user's cache folder), a folder (kept
            there even when they fit), or none (always in memory).
        select: weights that are kept: last, best-val (of the validated epochs the best on clean validation cases),
            best-noisy-val (on their noisy labels), best-test (on the test cases, as some released code; not honest).
        track_train: at every validation, also Dice of some training cases with the labels given and the clean ones.
        tensorboard: write the log for TensorBoard too.
        keep_state: keep optimiser and momenta at the end; else only the weights stay.
    """

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    accumulate: int = 1
    clip_norm: float | None = None
    memory_format: Literal["channels-last", "contiguous"] = "channels-last"
    compile: str | None = None
    deterministic: bool = False
    sync_batchnorm: bool = False
    workers: int = 2
    cache: str | None = "auto"
    select: Literal["last", "best-val", "best-noisy-val", "best-test"] = "last"
    track_train: bool = False
    tensorboard: bool = False
    keep_state: bool = False

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.accumulate < 1 or self.workers < 0:
            raise UsageError("accumulate must be at least 1, workers at least 0.")
        if self.clip_norm is not None and not 0 < self.clip_norm < math.inf:
            raise UsageError(f"clip-norm must be above 0, not {self.clip_norm}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec(Engine):
    """What a run is, as data.

    Attributes:
        method: name of the method.
        data: folder of the dataset, noisy or clean.
        labels: noisy for the labels of ``data``, clean for those of its parent (the upper bound).
        params: parameters of the method that differ from its defaults.
        net: name of the network; "" for the method's own.
        net_params: parameters of the network that differ from its defaults.
        loss: name of the loss; "" for the method's own, or cross-entropy where it has none.
        loss_params: parameters of the loss that differ from its defaults.
        trusted: which training cases are known to have clean labels, see :func:`trusted.choose`; "" for none.
        seed: seed of initial weights, order and augmentation.
        epochs: passes over the training cases.
        batch_size: cases in one update, over all processes and parts.
        schedule: of the learning rate.
        augment: names of ``AUGMENTATIONS``.
        validate_every: epochs between two validations on clean labels; 0 for none.
    """

    method: str
    data: str
    labels: Literal["noisy", "clean"] = "noisy"
    params: Mapping[str, Any] = field(default_factory=dict)
    net: str = ""
    net_params: Mapping[str, Any] = field(default_factory=dict)
    loss: str = ""
    loss_params: Mapping[str, Any] = field(default_factory=dict)
    trusted: str = ""
    seed: int = 0
    epochs: int = 40
    batch_size: int = 4
    schedule: Literal["cosine", "poly", "constant"] = "cosine"
    augment: tuple[str, ...] = ("flip",)
    validate_every: int = 5

    def __post_init__(self) -> None:
        """Refuse values that mean nothing, before any work starts."""
        Engine.__post_init__(self)
        if min(self.epochs, self.batch_size) < 1 or self.validate_every < 0:
            raise UsageError("epochs and batch-size must be at least 1, validate-every at least 0.")
        if self.accumulate > self.batch_size:
            raise UsageError(
                f"A batch of {self.batch_size} cannot be cut into {self.accumulate} parts; "
                "lower --accumulate or raise --batch-size."
            )
        for name in self.augment:
            if name not in AUGMENTATIONS:
                raise UsageError(f"There is no augmentation '{name}'; known: {', '.join(AUGMENTATIONS)}.")
        if self.select != "last" and not self.validate_every:
            raise UsageError(f"--select {self.select} looks at validations; --validate-every 0 has none.")

    @property
    def plan(self) -> Plan:
        """Length and schedule."""
        return Plan(
            epochs=self.epochs,
            batch_size=self.batch_size,
            schedule=self.schedule,
            accumulate=self.accumulate,
            workers=self.workers,
            seed=self.seed,
        )


def read_spec(folder: Path) -> RunSpec:
    """The specification in a run folder; its dataset is looked for relative to the folder.

    Raises:
        InvalidData: there is no readable ``run.json``.
    """
    path = folder / "run.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        known = {name: values[name] for name in RunSpec.__dataclass_fields__ if name in values}
        places = {"data": known["data"]}
        if known.get("cache") not in (None, "auto"):
            places["cache"] = known["cache"]
        if (folder / known.get("trusted", "")).is_file():
            places["trusted"] = known["trusted"]
        places = {name: os.path.normpath(folder / place) for name, place in places.items()}
        return RunSpec(**known | {"augment": tuple(known["augment"])} | places)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidData(f"{path} cannot be read; {folder} is not a run of noisylabels.") from error
