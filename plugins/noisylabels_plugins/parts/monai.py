"""Networks of MONAI as ours: imported when one is made, padded and cropped, with a layer's features tapped."""

from importlib import import_module
from typing import Any

from torch import Tensor, nn

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Output
from noisylabels_plugins.parts.sizes import cropped, padded


def monai_net(name: str, **arguments: Any) -> nn.Module:
    """A network of ``monai.networks.nets``.

    Raises:
        UsageError: MONAI is not installed; the sentence says what to install.
    """
    try:
        nets = import_module("monai.networks.nets")
    except ImportError as error:
        raise UsageError(
            "This network needs monai, which is not installed; install noisylabels[monai] "
            "(for a CPU: the CPU build of torch first)."
        ) from error
    return getattr(nets, name)(**arguments)


class Tapped(nn.Module):
    """A network that returns plain logits, with the output of one of its layers as the tap.

    Args:
        network: maps images (B, C, *S) to logits (B, K, *S).
        dims: axes of an image, 2 or 3.
        layer: name of the tapped layer, as in ``network.get_submodule``.
        tap_channels: D of its output.
        tap_stride: image pixels per position of its output.
        multiple: what the network wants every size of the image to divide by.
        least: what it wants no size to be below.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        dims: int,
        layer: str,
        tap_channels: int,
        tap_stride: int,
        multiple: int,
        least: int = 1,
    ) -> None:
        super().__init__()
        self.network, self.dims, self.layer = network, dims, layer
        self.tap_channels, self.tap_stride = (tap_channels,), tap_stride
        self.multiple, self.least = multiple, least

    def tap_head(self, index: int, channels: int) -> nn.Module:
        """A 3 x 3 (x 3) convolution on the tap."""
        conv = nn.Conv2d if self.dims == 2 else nn.Conv3d
        return conv(self.tap_channels[index], channels, 3, padding=1)

    def forward(self, image: Tensor) -> Output:
        """Logits (B, K, *S) and the tap (B, D, *S / stride, rounded up) of images (B, C, *S)."""
        taps: list[Tensor] = []
        # Put on and taken off every time: a lasting hook would follow a copy of the network to the original.
        hook = self.network.get_submodule(self.layer).register_forward_hook(
            lambda _module, _inputs, output: taps.append(output)
        )
        try:
            logits = self.network(padded(image, self.multiple, self.least))
        finally:
            hook.remove()
        return Output(logits=cropped(logits, image), tap=cropped(taps[0], image, self.tap_stride))
