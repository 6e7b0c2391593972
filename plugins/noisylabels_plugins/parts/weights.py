"""Weights of an encoder from a file: found, compared name by name, loaded; nothing is ever downloaded.

Names and shapes are torchvision's, so its ImageNet files fit as they are, and so do files of the same tensors under
"state_dict" or "model", or with "module." (several GPUs) or "Scale." (DeepLab-v2) before every name. Classifiers
of the file are passed over.
"""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from noisylabels.errors import UsageError

RANDOM = "random"
"""Where the weights of an encoder come from that no file was given for."""

_PREFIXES = ("module.", "Scale.")
_HEADS = ("fc.", "classifier.", "layer5.")
_SHOWN = 3
_read_files: ContextVar[bool] = ContextVar("read_files", default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """Parameters of every network whose encoder can start from a file.

    Attributes:
        encoder_weights: file of the encoder's weights with torchvision's names, safetensors or one that torch.load
            reads with weights_only, or a folder of such files named as by torchvision (resnet101-63fe2227.pth);
            the first convolution is averaged over colours if the image has not three; not given: random weights.
    """

    encoder_weights: str | None = None


@contextmanager
def files_left_alone() -> Iterator[None]:
    """Networks built within read no weight file: for those whose weights follow from a checkpoint anyway."""
    token = _read_files.set(False)
    try:
        yield
    finally:
        _read_files.reset(token)


def load_encoder(encoder: nn.Module, file: str | None) -> str:
    """Load an encoder's weights from a file; without one they stay as they are.

    Where the image has another number of channels C than the file, every channel of the first convolution gets the
    sum over the file's channels divided by C: an image of equal channels gives what a grey RGB image gave.

    Args:
        encoder: a ResNet or MobileNetV2; ``first_conv`` is the name of its first convolution, ``left_out`` the start
            of names that a file may have and this encoder does not need.
        file: path of the weights, or of a folder in which the name of one file starts with the encoder's.

    Returns:
        Where the weights are from, for the record of a run: "random", or the file's name and the first 12 digits of
        its SHA-256.

    Raises:
        UsageError: the file is missing, cannot be read, or does not fit; what does not fit is listed.
    """
    if file is None:
        return RANDOM
    path = Path(file)
    if not _read_files.get():
        return path.name
    if path.is_dir():
        path = in_folder(path, encoder.name)
    tensors = _read(path)
    state, heads = encoder.state_dict(), (*_HEADS, *encoder.left_out)
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(heads)}
    first = f"{encoder.first_conv}.weight"
    if first in tensors:
        tensors[first] = _for_channels(tensors[first], state[first].shape[1])
    # Files older than this count of batches are without it; nothing here uses it.
    tensors = {name: state[name] for name in state if name.endswith("num_batches_tracked")} | tensors
    findings = [
        _few("missing", [name for name in state if name not in tensors]),
        _few("unknown", [name for name in tensors if name not in state]),
        _few("of another shape", list(_misshapen(tensors, state))),
    ]
    if any(findings):
        raise UsageError(
            f"{path} does not fit the encoder: {'; '.join(filter(None, findings))}; "
            f"give torchvision's weights of {encoder.name}."
        )
    encoder.load_state_dict(tensors)
    with path.open("rb") as content:
        return f"{path.name} sha256:{hashlib.file_digest(content, 'sha256').hexdigest()[:12]}"


def in_folder(folder: Path, name: str) -> Path:
    """The one file of a folder whose name starts with that of an encoder.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = [file for file in sorted(folder.iterdir()) if file.is_file() and file.name.startswith(name)]
    if len(found) != 1:
        which = f"{len(found)} files" if found else "no file"
        raise UsageError(
            f"{folder} has {which} whose name starts with {name}; one is needed, of torchvision's weights."
        )
    return found[0]


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, without what is wrapped around them."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}; encoder-weights is the path of a weight file.")
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors, torch and pickle raise a dozen kinds for one finding
        raise UsageError(
            f"{path} cannot be read as weights ({type(error).__name__}); give a .safetensors file, or a state_dict "
            "saved by torch.save."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UsageError(f"{path} holds no state_dict, that is names with tensors; save model.state_dict().")
    for prefix in _PREFIXES:
        if content and all(name.startswith(prefix) for name in content):
            content = {name.removeprefix(prefix): value for name, value in content.items()}
    return content


def _for_channels(weight: Tensor, channels: int) -> Tensor:
    """The first convolution (D, C', h, w) for images of ``channels`` channels."""
    if weight.ndim != 4 or weight.shape[1] == channels:
        return weight
    return (weight.sum(1, keepdim=True) / channels).expand(-1, channels, -1, -1)


def _misshapen(tensors: dict[str, Tensor], state: dict[str, Tensor]) -> Iterator[str]:
    for name, tensor in tensors.items():
        if name in state and tensor.shape != state[name].shape:
            yield f"{name} is {_shape(tensor)}, not {_shape(state[name])}"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def _few(finding: str, names: Collection[str]) -> str:
    """As in "3 missing (conv1.weight, ...)"; "" for none."""
    shown = ", ".join([*list(names)[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])
    return f"{len(names)} {finding} ({shown})" if names else ""
