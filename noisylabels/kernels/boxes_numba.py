"""Compiled loop of :mod:`noisylabels.kernels.boxes`."""

from noisylabels.kernels import boxes
from noisylabels.kernels.jit import kernel

search = kernel(boxes.search)
