"""Which device to compute on."""

import torch

from noisylabels.errors import UsageError


def choose_device(name: str) -> torch.device:
    """``auto`` is the first GPU, or the CPU if there is none; a GPU that is named becomes the current one.

    What names no GPU, such as seeding, questions about the hardware and kernels, goes to the current one.

    Raises:
        UsageError: the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"There is no device '{name}' here; use auto, cpu or a CUDA device.") from error
    device = torch.device(name)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return device
