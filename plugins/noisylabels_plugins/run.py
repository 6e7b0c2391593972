"""A run folder: what was trained, how it went, and everything needed to go on or to predict.

<run>/  run.json            the specification, and where it was trained
        log.jsonl           one line for every epoch
        state.pt            method, optimisers and step: read with weights_only, for going on
        model.safetensors   the networks, for predicting; written when training ends or stops
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file

import noisylabels
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.params import build
from noisylabels.store.dataset import Dataset
from noisylabels_plugins.api import Task
from noisylabels_plugins.base import Base
from noisylabels_plugins.batches import AUGMENTATIONS, TrainingSet
from noisylabels_plugins.catalogue import METHODS, NETS
from noisylabels_plugins.loop import Plan, train


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What a run is, as data.

    Attributes:
        method: name of the method.
        data: folder of the dataset, noisy or clean.
        labels: noisy for the labels of ``data``, clean for those of its parent (the upper bound).
        params: parameters of the method that differ from its defaults.
        net: name of the network.
        net_params: parameters of the network that differ from its defaults.
        seed: seed of initial weights, order and augmentation.
        epochs: passes over the training cases.
        batch_size: cases in one update.
        schedule: of the learning rate.
        augment: names of ``AUGMENTATIONS``.
        validate_every: epochs between two validations on clean labels; 0 for none.
    """

    method: str
    data: str
    labels: Literal["noisy", "clean"] = "noisy"
    params: Mapping[str, Any] = field(default_factory=dict)
    net: str = "unet"
    net_params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    epochs: int = 40
    batch_size: int = 4
    schedule: Literal["cosine", "poly", "constant"] = "cosine"
    augment: tuple[str, ...] = ("flip",)
    validate_every: int = 5

    def __post_init__(self) -> None:
        """Refuse values that mean nothing, before any work starts."""
        if min(self.epochs, self.batch_size) < 1 or self.validate_every < 0:
            raise UsageError("epochs and batch-size must be at least 1, validate-every at least 0.")
        for name in self.augment:
            if name not in AUGMENTATIONS:
                raise UsageError(f"There is no augmentation '{name}'; known: {', '.join(AUGMENTATIONS)}.")

    @property
    def plan(self) -> Plan:
        """Length and schedule."""
        return Plan(epochs=self.epochs, batch_size=self.batch_size, schedule=self.schedule)


class Run:
    """A method with its data, ready to train, to go on or to predict.

    Args:
        spec: what to train.
        device: where.

    Raises:
        UsageError: an unknown name or parameter, or a need of the method that the data cannot meet.
        InvalidData: the dataset is damaged or has nothing to train on.
    """

    def __init__(self, spec: RunSpec, device: torch.device) -> None:
        self.spec, self.device = spec, device
        self.dataset = Dataset.open(spec.data)
        labels = self.dataset.clean if spec.labels == "clean" else self.dataset
        self.data = TrainingSet(self.dataset, labels, spec.seed, spec.augment)
        module, net = METHODS.load(spec.method), NETS.load(spec.net)
        params = build(module.Params, spec.params, f"method '{spec.method}'")
        net_params = build(net.Params, spec.net_params, f"network '{spec.net}'")
        info = self.dataset.info
        if len(self.data.shape) != 2:
            raise UsageError(f"{self.dataset.path} is 3-D, but the network '{spec.net}' is 2-D.")
        if module.Method.needs:
            raise UsageError(f"Method '{spec.method}' needs {', '.join(sorted(module.Method.needs))}.")
        # The one place where torch is seeded: initial weights, and whatever a method draws while it trains.
        torch.manual_seed(int(Draws(spec.seed, "init").words(1)[0] >> 1))
        self.task = Task(
            classes=info.classes,
            channels=len(info.channels),
            shape=self.data.shape,
            class_counts=self.data.class_counts,
            build_net=lambda: net.Net(net_params, len(info.channels), len(info.classes)),
        )
        self.method: Base = module.Method(params, self.task).to(device)
        self.step = 0
        self.losses: list[float] = []  # of the present epoch so far
        self.seconds = 0.0

    @property
    def steps(self) -> int:
        """Updates in the whole training."""
        return self.spec.epochs * self.data.steps_per_epoch(self.spec.batch_size)

    def record(self) -> dict[str, Any]:
        """What ``run.json`` holds."""
        noise = self.dataset.recipe.text if self.dataset.recipe else ""
        weights = sum(p.numel() for module in self.method.modules().values() for p in module.parameters())
        labels = self.spec.labels if self.dataset.noisy else "clean"
        return {
            **asdict(self.spec),
            "labels": labels,
            "noise": noise if labels == "noisy" else "",
            "dataset": self.dataset.clean.info.name,
            "data_digest": self.dataset.digest,
            "weights": weights,
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            "versions": {"noisylabels": _version(), "torch": torch.__version__},
        }

    def train(self, folder: Path, stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """Train to the end or until ``stop()``; the folder holds a usable run whenever this ends.

        Yields:
            The record of every update, see :func:`loop.train`.
        """
        from noisylabels_plugins.predict import validate

        for record in train(self.method, self.data, self.spec.plan, self.device, start=self.step, stop=stop):
            self.step = record["step"]
            self.losses.append(record["loss"])
            self.seconds += record["seconds"]
            if "epoch_done" in record:
                line = {k: v for k, v in record.items() if k != "epoch_done"} | record["epoch_done"]
                line |= {"loss": sum(self.losses) / len(self.losses), "seconds": round(self.seconds, 3)}
                every = self.spec.validate_every
                last = record["epoch"] + 1 == self.spec.epochs
                if every and ((record["epoch"] + 1) % every == 0 or last):
                    line["val"] = validate(self)
                with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(line) + "\n")
                self.losses, self.seconds = [], 0.0
                self.save_state(folder)
            yield record
        self.save_state(folder)
        self.save_model(folder)

    def save_state(self, folder: Path) -> None:
        """Write ``state.pt``: all that a later ``load_state`` needs to go on bit for bit."""
        state = {
            "step": self.step,
            "losses": self.losses,
            "seconds": self.seconds,
            "method": self.method.state_dict(),
            "random": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self.device)
        temporary = folder / ".state.pt"
        torch.save(state, temporary)
        temporary.replace(folder / "state.pt")

    def load_state(self, folder: Path) -> None:
        """Go back to what ``save_state`` wrote; the log keeps what belongs to it."""
        path = folder / "state.pt"
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.method.load_state_dict(state["method"])
            self.step, self.losses, self.seconds = state["step"], state["losses"], state["seconds"]
            torch.set_rng_state(state["random"].cpu())
            if "random_cuda" in state and self.device.type == "cuda":
                torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.device)
        except Exception as error:  # torch and pickle raise a dozen kinds for one finding
            raise InvalidData(
                f"{path} cannot be read ({type(error).__name__}); start the run anew."
            ) from error
        log = folder / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        kept = [line for line in lines if _step_of(line) <= self.step]
        log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def save_model(self, folder: Path) -> None:
        """Write the networks' weights."""
        tensors = {
            f"{name}/{key}": value.contiguous()
            for name, module in self.method.modules().items()
            for key, value in module.state_dict().items()
        }
        temporary = folder / ".model.safetensors"
        save_file(tensors, temporary, metadata={"step": str(self.step)})
        temporary.replace(folder / "model.safetensors")

    def load_model(self, folder: Path) -> None:
        """Read the networks' weights."""
        path = folder / "model.safetensors"
        if not path.exists():
            raise InvalidData(
                f"{folder} holds no trained model yet; let noisylabels train finish, or --resume it."
            )
        try:
            tensors = load_file(path, device=str(self.device))
            for name, module in self.method.modules().items():
                prefix = f"{name}/"
                module.load_state_dict(
                    {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
                )
        except Exception as error:  # safetensors and torch raise a dozen kinds for one finding
            raise InvalidData(f"{path} is damaged or belongs to another model.") from error


def read_spec(folder: Path) -> RunSpec:
    """The specification in a run folder; its dataset is looked for relative to the folder.

    Raises:
        InvalidData: there is no readable ``run.json``.
    """
    path = folder / "run.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        known = {name: values[name] for name in RunSpec.__dataclass_fields__}
        data = Path(os.path.normpath(folder / known["data"]))
        return RunSpec(**known | {"augment": tuple(known["augment"]), "data": str(data)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidData(f"{path} cannot be read; {folder} is not a run of noisylabels.") from error


def write_record(run: Run, folder: Path) -> None:
    """Write ``run.json``, with the dataset's place relative to the folder."""
    relative = os.path.relpath(Path(run.spec.data).resolve(), folder.resolve())
    text = json.dumps(run.record() | {"data": Path(relative).as_posix()}, indent=2)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8")


def choose_device(name: str) -> torch.device:
    """``auto`` is the first GPU, or the CPU if there is none.

    Raises:
        UsageError: the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"There is no device '{name}' here; use auto, cpu or a CUDA device.") from error
    return torch.device(name)


def _step_of(line: str) -> float:
    """The step of a line of the log; infinity for a line that was cut while it was written."""
    try:
        return int(json.loads(line)["step"])
    except ValueError:
        return float("inf")


def _version() -> str:
    from importlib.metadata import version

    return version(noisylabels.__name__)
