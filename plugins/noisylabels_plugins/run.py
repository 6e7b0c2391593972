"""A run folder: what was trained, how it went, and everything needed to go on or to predict.

<run>/  run.json            the specification, and where it was trained
        log.jsonl           one line for every epoch
        state.pt            method, optimisers and step, for going on: read with weights_only, dropped at the end
        model.safetensors   the networks, for predicting; written when training ends or stops
        broken-batch.json   the step and cases at which a loss or gradient was not finite
"""

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, NoisyLabelsError, UsageError, unknown
from noisylabels.params import build
from noisylabels.store.dataset import Dataset
from noisylabels.store.files import write_bytes
from noisylabels_plugins import checkpoint, memory, selection
from noisylabels_plugins import log as logs
from noisylabels_plugins.api import Progress, Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.batches import TrainingSet
from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS
from noisylabels_plugins.checkpoint import STATE
from noisylabels_plugins.device import choose_device
from noisylabels_plugins.distributed import ALONE, Group, OtherFailed, silent
from noisylabels_plugins.feed import parts
from noisylabels_plugins.guards import BrokenBatch, explained
from noisylabels_plugins.loop import Place, train
from noisylabels_plugins.parts.weights import files_left_alone
from noisylabels_plugins.precision import choose_precision
from noisylabels_plugins.record import write_record
from noisylabels_plugins.settings import torch_settings
from noisylabels_plugins.spec import Engine, RunSpec, read_spec
from noisylabels_plugins.trusted import choose
from noisylabels_plugins.update import Updates

__all__ = ["Engine", "Run", "RunSpec", "choose_device", "finished", "read_spec", "write_record"]

BROKEN = "broken-batch.json"


class Run:
    """A method with its data, ready to train, to go on or to predict.

    Args:
        spec: what to train.
        device: where.
        group: the processes that share the training.
        to_train: whether it is to be trained here; what only a training needs is not asked for otherwise.

    Raises:
        UsageError: an unknown name or parameter, or a need of the method that the data cannot meet.
        InvalidData: the dataset is damaged or has nothing to train on.
    """

    def __init__(
        self, spec: RunSpec, device: torch.device, group: Group = ALONE, *, to_train: bool = True
    ) -> None:
        module = METHODS.load(spec.method)
        spec = replace(spec, net=spec.net or module.Method.DEFAULT_NET)
        net = NETS.load(spec.net)
        if to_train:
            _check(spec, module, net, device, group)
        else:
            spec = replace(spec, precision="fp32", compile=None, sync_batchnorm=False, select="last")
        self.spec, self.device, self.group = spec, device, group
        self.place = Place(
            choose_precision(spec.precision, device), group, spec.memory_format == "channels-last"
        )
        params = build(module.Params, spec.params, f"method '{spec.method}'")
        net_params = build(net.Params, spec.net_params, f"network '{spec.net}'")
        loss = LOSSES.load(spec.loss or "ce")
        loss_params = build(loss.Params, spec.loss_params, f"loss '{spec.loss or 'ce'}'")
        self.dataset = Dataset.open(spec.data)
        selection.check(spec.select, self.dataset)
        transition = self._transition(module)
        self.data = self._training_set(module, net)
        self.mean, self.sd = self.data.mean, self.data.sd
        info, dims = self.dataset.info, len(self.data.shape)
        if dims not in net.DIMS:
            raise UsageError(f"{self.dataset.path} is {dims}-D, but the network '{spec.net}' is not.")

        def build_net() -> nn.Module:
            made = net.Net(net_params, len(info.channels), len(info.classes), dims)
            if spec.compile:
                made.compile(backend=spec.compile)  # in place: names of weights stay
            return made

        # Of the initial weights; the loop seeds torch anew before every update.
        torch.manual_seed(int(Draws(spec.seed, "init").words(1)[0] >> 1))
        self.task = Task(
            classes=info.classes,
            channels=len(info.channels),
            shape=self.data.shape,
            class_counts=self.data.class_counts,
            build_net=build_net,
            build_loss=lambda: loss.Loss(loss_params, len(info.classes)),
            trusted=self.data.trusted,
            transition=transition,
        )
        with nullcontext() if to_train else files_left_alone():
            self.method: Base = module.Method(params, self.task)
        if spec.sync_batchnorm and group.size > 1:
            for name, own in self.method.modules().items():
                setattr(self.method, name, nn.SyncBatchNorm.convert_sync_batchnorm(own))
        self.method.to(device, self.place.channels_last)
        self.method.updates = Updates(self.place.precision.scaler(), spec.clip_norm, group)
        self.selection = selection.Selection(spec.select)
        self.step = 0
        self.epoch = logs.Epoch()

    def _transition(self, module: ModuleType) -> tuple[tuple[float, ...], ...] | None:
        measured = (self.dataset.measured or {}) if self.spec.labels == "noisy" else {}
        if "transition" in module.Method.needs and "transition" not in measured:
            raise UsageError(
                f"Method '{self.spec.method}' needs the transition matrix of the noise, which is known for labels "
                "that noisylabels corrupt made."
            )
        return tuple(map(tuple, measured["transition"])) if "transition" in measured else None

    def _training_set(self, module: ModuleType, net: ModuleType) -> TrainingSet:
        spec = self.spec
        labels = self.dataset.clean if spec.labels == "clean" else self.dataset
        trusted = choose(self.dataset, spec.trusted, spec.seed)
        if "trusted" in module.Method.needs and not trusted.ids:
            raise UsageError(
                f"Method '{spec.method}' needs training cases whose labels are known to be clean; "
                "say which with --trusted."
            )
        return TrainingSet(
            self.dataset, labels, spec.seed, spec.augment, module.Method.SAMPLER, trusted,
            min_batch=net.MIN_BATCH, cache=spec.cache,
        )  # fmt: skip

    @property
    def steps(self) -> int:
        """Updates in the whole training."""
        return self.spec.epochs * self.data.steps_per_epoch(self.spec.batch_size)

    def train(self, folder: Path, stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """Train to the end or until ``stop()``; the folder holds a usable run whenever this ends.

        Yields:
            The record of every update, see :func:`loop.train`.

        Raises:
            NoisyLabelsError: a loss or gradient was not finite, or memory did not suffice. The state is that after
                the last finished update.
        """
        self.group.share(self.method.modules().values())
        log = logs.Log(folder, self.spec.tensorboard, self.step) if self.group.first else None
        try:
            with torch_settings(self.spec.deterministic, self.device):
                updates = train(
                    self.method, self.data, self.spec.plan, self.place, start=self.step, stop=stop
                )
                for record in updates:
                    self.step = record["step"]
                    self.epoch.add(record)
                    if "epoch_done" in record:
                        self._end_epoch(record, folder, log)
                    yield record
        except Exception as error:
            self._rescue(error, folder)
            told = self._told(error)
            if told is error:
                raise
            raise told from error
        finally:
            if log:
                log.close()
        if self.group.first:
            self._finish(folder)

    def _finish(self, folder: Path) -> None:
        keep = self.step < self.steps or self.spec.keep_state
        if keep:
            self.save_state(folder)
        self.save_model(folder)
        if not keep:
            (folder / STATE).unlink(missing_ok=True)
        (folder / BROKEN).unlink(missing_ok=True)

    def _end_epoch(self, record: dict[str, Any], folder: Path, log: logs.Log | None) -> None:
        self.method.updates.settled = False  # what follows belongs together
        line = self.epoch.line(record)
        every, done = self.spec.validate_every, record["epoch"] + 1
        if every and (done % every == 0 or done == self.spec.epochs):
            line |= selection.looks(self)
            self.selection.see(line, selection.weights_of(self.method.modules()))
        self.epoch = logs.Epoch()
        if log:
            log.write(line)
            self.save_state(folder)
        self.method.updates.settled = True

    def _rescue(self, error: Exception, folder: Path) -> None:
        """Save what there is after the last finished update, and the note of a broken batch."""
        if not self.group.first or not self.method.updates.settled:
            return
        with suppress(
            NoisyLabelsError
        ):  # a full disk must not hide the first error; the last epoch's state is there
            self.save_state(folder)
            if isinstance(error, BrokenBatch):
                write_bytes(folder / BROKEN, json.dumps(error.note, indent=2).encode() + b"\n")

    def _told(self, error: Exception) -> BaseException:
        """What to raise: one sentence, in the one process that has something to say."""
        if isinstance(error, OtherFailed | BrokenBatch) and not self.group.first:
            return silent(error)
        if not memory.is_out_of_memory(error):
            return explained(error)
        traceback.clear_frames(error.__traceback__)  # they hold what the failed update had computed
        per_epoch, size = self.data.steps_per_epoch(self.spec.batch_size), self.spec.batch_size
        epoch, index = divmod(self.step, per_epoch)
        own = parts(self.data, epoch, index, size, self.spec.accumulate, self.group).own[0][0]
        at = Progress(
            epoch=epoch,
            step=self.step,
            steps=self.steps,
            per_epoch=per_epoch,
            schedule=self.spec.plan.lr_factor,
        )
        return NoisyLabelsError(
            memory.sentence(self.method, own, at, self.place, self.spec.accumulate, self.data.min_batch)
        )

    def save_state(self, folder: Path) -> None:
        """Write ``state.pt``: all that a later ``load_state`` needs to go on bit for bit."""
        checkpoint.save_state(self, folder)

    def load_state(self, folder: Path) -> None:
        """Go back to what ``save_state`` wrote; the log keeps what belongs to it."""
        checkpoint.load_state(self, folder)
        if self.group.first:
            logs.cut(folder, self.step)

    def save_model(self, folder: Path) -> None:
        """Write the networks' weights: the last ones, or those that were selected."""
        checkpoint.save_model(self, folder)

    def load_model(self, folder: Path) -> None:
        """Read the networks' weights."""
        checkpoint.load_model(self, folder)


def finished(folder: Path, run: Run) -> bool:
    """Whether a run is trained to the end.

    Raises:
        InvalidData: it is not, and there is nothing to go on from.
    """
    done = checkpoint.done(folder)
    if done is not None and done == logs.last_step(folder) == run.steps:
        return True
    if not (folder / STATE).exists():
        raise InvalidData(f"{folder} has no state to go on from; remove it and start the run anew.")
    return False


def _check(spec: RunSpec, module: ModuleType, net: ModuleType, device: torch.device, group: Group) -> None:
    """Refuse what cannot be trained together, before any data is read."""
    if spec.loss and module.Method.OWN_LOSS:
        raise UsageError(f"Method '{spec.method}' has a loss of its own; leave out --loss.")
    if spec.batch_size < net.MIN_BATCH:
        raise UsageError(
            f"The network '{spec.net}' needs {net.MIN_BATCH} cases in a batch, and --batch-size is "
            f"{spec.batch_size}."
        )
    if group.size > 1 and not module.Method.DISTRIBUTED:
        raise UsageError(
            f"Method '{spec.method}' cannot share its training between {group.size} processes; "
            "start it without torchrun."
        )
    if spec.tensorboard:
        logs.summary_writer()
    if spec.compile and spec.compile not in torch.compiler.list_backends(()):
        raise unknown(
            "backend of torch.compile", spec.compile, [*torch.compiler.list_backends(), "aot_eager", "eager"]
        )
    if spec.sync_batchnorm and device.type != "cuda":
        raise UsageError(
            "--sync-batchnorm works on GPUs only; on a CPU use a network without batch normalisation, "
            "as with --net-norm group."
        )
