"""Networks of the catalogue, small."""

from importlib.util import find_spec

import torch

from noisylabels.params import build
from noisylabels_plugins.catalogue import NETS

OF_MONAI = ("dynunet", "segresnet")
"""Networks that come with an extra."""

SMALL = {
    "deeplab": {"layers": 18},
    "dynunet": {"width": 4},
    "ocrnet": {"layers": 18, "width": 32, "key": 16},
    "segresnet": {"width": 8},
    "unet": {"width": 4, "depth": 3},
}
"""Parameters that make a network small; none for those that are."""

PRESENT = [name for name in NETS.names() if name not in OF_MONAI or find_spec("monai")]
CASES = [(name, dims) for name in PRESENT for dims in sorted(NETS.load(name).DIMS)]
SIZES = {2: [(64, 48), (33, 41)], 3: [(16, 32, 16), (19, 33, 17)]}


def new(name, dims=2, channels=3, classes=4, seed=0, **values):
    torch.manual_seed(seed)
    module = NETS.load(name)
    params = build(module.Params, SMALL.get(name, {}) | values, f"network '{name}'")
    return module.Net(params, channels, classes, dims)


def outputs(network, image):
    out = network(image)
    return (out, *out.aux)


def weights(module):
    return sum(p.numel() for p in module.parameters())
