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


class Net(Protocol):
    """A network: a module ``nets/<name>.py`` with ``Params``, ``DIMS``, ``MIN_BATCH`` and this class as ``Net``.

    It is made by ``Net(params, channels, num_classes, dims)``. It may have ``groups()``: parameter groups
    ``{"params": [...], "factor": f}`` whose learning rate is ``f`` times the method's; without it there is one.

    Attributes:
        tap_channels: D of the tap of each of its outputs, main head first.
    """

    tap_channels: tuple[int, ...]

    def __call__(self, image: Tensor) -> Output:
        """Outputs for images (B, C, *S) of any size."""
        ...

    def tap_head(self, index: int, channels: int) -> nn.Module:
        """A new head of the network's own kind on tap ``index``: (B, D, *s) -> (B, channels, *s)."""
        ...


class Loss(Protocol):
    """A loss: a module ``losses/<name>.py`` with ``Params`` and this class as ``Loss``.

    It is made by ``Loss(params, num_classes)``; what it learns itself is trained with the network.
    """

    def __call__(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Scalar for log-probabilities of the given label (B, K, *S) and labels (B, *S); IGNORE is left out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be learned, before any data is seen.

    Attributes:
        classes: name of every class; the index is the class, 0 the background.
        channels: image channels C.
        shape: size S of a training image, (Y, X) or (Z, Y, X).
        class_counts: pixels of every class in the labels as given (the noisy ones, if they are noisy).
        build_net: makes one freshly initialised network of K = len(classes) logits, see :class:`Net`.
        build_loss: makes the loss of a head's log-probabilities, see :class:`Loss`.
        trusted: ids of the training cases whose labels are known to be clean; empty where nobody knows.
        transition: T[true, given] of the training labels as measured when the noise was made; None where nobody
            measured.
    """

    classes: tuple[str, ...]
    channels: int
    shape: tuple[int, ...]
    class_counts: tuple[int, ...]
    build_net: Callable[[], "Net"]
    build_loss: Callable[[], "Loss"]
    trusted: frozenset[str] = frozenset()
    transition: tuple[tuple[float, ...], ...] | None = None

    @property
    def num_classes(self) -> int:
        """How many classes there are, background included."""
        return len(self.classes)

    @property
    def dims(self) -> int:
        """Axes of an image: 2 or 3."""
        return len(self.shape)


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
        per_epoch: updates in every epoch.
        schedule: factor of every learning rate by the share of training that is done.
    """

    epoch: int
    step: int
    steps: int
    per_epoch: int = 1
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
    """A way to train on labels that may be wrong; ``base.Base`` gives all but ``step``.

    Attributes:
        needs: what the data must offer: "trusted" (ids of cases with clean labels), "transition" (the measured
            matrix of the noise). It is asked for before any work.
        DEFAULT_NET: the network where none is named.
        OWN_LOSS: the loss belongs to the method; another one is refused.
        SAMPLER: how batches are put together, a name of ``samplers.SAMPLERS``.
        DISTRIBUTED: several processes may share the training.
    """

    needs: ClassVar[frozenset[str]]
    DEFAULT_NET: ClassVar[str]
    OWN_LOSS: ClassVar[bool]
    SAMPLER: ClassVar[str]
    DISTRIBUTED: ClassVar[bool]

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
