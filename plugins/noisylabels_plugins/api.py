"""The method contract: read this before writing a method.

A method owns its networks, its optimisers and its update. The loop (``loop.py``) owns data, time, device, logging,
checkpoints and seeds. Between them stand four small things: what the task is, a batch, where training is, and the
method itself.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol

from torch import Tensor, nn


class Output(NamedTuple):
    """What a network returns.

    Attributes:
        logits: (B, K, *S), at the size of the image.
        tap: feature map (B, D, *s), usually coarser than the image; what affinity heads look at.
        aux: outputs of auxiliary heads, main head excluded.
    """

    logits: Tensor
    tap: Tensor
    aux: tuple["Output", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be learned, before any data is seen.

    Attributes:
        classes: name of every class; the index is the class, 0 the background.
        channels: image channels C.
        shape: size S of a training image, (Y, X) or (Z, Y, X).
        class_counts: pixels of every class in the labels as given (the noisy ones, if they are noisy).
        build_net: makes one freshly initialised network of K = len(classes) logits; it has an attribute
            ``tap_channels`` with the D of each of its outputs, main head first.
    """

    classes: tuple[str, ...]
    channels: int
    shape: tuple[int, ...]
    class_counts: tuple[int, ...]
    build_net: Callable[[], nn.Module]

    @property
    def num_classes(self) -> int:
        """How many classes there are, background included."""
        return len(self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A few training cases, on the device.

    Attributes:
        image: (B, C, *S) float32, normalised.
        labels: (B, *S) int64, classes or IGNORE.
        case_ids: B names.
    """

    image: Tensor
    labels: Tensor
    case_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where training is.

    Attributes:
        epoch: full passes done, from 0.
        step: updates done, from 0.
        steps: updates in the whole training.
        schedule: factor of every learning rate by the share of training that is done.
    """

    epoch: int
    step: int
    steps: int
    schedule: Callable[[float], float]

    @property
    def fraction(self) -> float:
        """Share of the training that is done, 0 .. 1."""
        return self.step / max(1, self.steps)

    @property
    def lr_factor(self) -> float:
        """What the schedule multiplies every learning rate with, 0 .. 1."""
        return self.schedule(self.fraction)

    def within(self, first: int, last: int) -> "Progress":
        """The same moment seen from a stage of steps ``first`` .. ``last`` that has the schedule to itself."""
        return replace(self, step=self.step - first, steps=last - first)


class Method(Protocol):
    """A way to train on labels that may be wrong; ``base.Base`` gives all but ``step``."""

    needs: ClassVar[frozenset[str]]

    def step(self, batch: Batch, at: Progress) -> Mapping[str, float]:
        """Learn from one batch, own backward and update included; returns ``loss`` and what else is worth a log."""
        ...

    def end_epoch(self, train: Iterable[Batch], at: Progress) -> Mapping[str, Any]:
        """Look at the training set once more (relabel, re-estimate); returns what is worth a log."""
        ...

    def predict(self, image: Tensor) -> Tensor:
        """Class scores (B, K, *S) of normalised images (B, C, *S); the arg-max is the prediction."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that ``__init__`` set, so that *stop, resume* equals *uninterrupted*."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` gave."""
        ...
