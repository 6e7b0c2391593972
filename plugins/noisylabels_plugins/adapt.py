"""Fit a trained network to other images without their labels and without its own training data.

Source: Li, Wang, Shi, Hou, Liu, Adaptive Batch Normalization for practical domain adaptation, Pattern Recognition
2018 (arXiv 1603.04779, 2016): the statistics of batch normalisation are those of the target, all weights stay.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from noisylabels.errors import UsageError
from noisylabels.store.dataset import Dataset
from noisylabels_plugins.base import Base

Image = NDArray[np.float32]

ADAPTATIONS = ("none", "batchnorm")
"""How a trained network may be fitted to a target."""


def images_of(dataset: Dataset) -> Iterator[NDArray]:
    """The training images of a dataset one after the other, (C, *S) each.

    Raises:
        UsageError: it has none.
    """
    ids = dataset.ids("train")
    if not ids:
        raise UsageError(f"{dataset.path} has no training case, so there is nothing to adapt to.")
    for case_id in ids:
        yield dataset.load(case_id, readers=False).image


def moments(images: Iterable[NDArray]) -> tuple[Image, Image]:
    """Mean and standard deviation (C,) of every channel over all pixels of all images; a deviation of 0 counts as 1.

    One image is held at a time; means and sums of squares are joined as Chan, Golub and LeVeque do.
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for image in images:
        flat = image.reshape(len(image), -1).astype(np.float64)
        own, n = flat.mean(1), flat.shape[1]
        gap, total = own - mean, count + n
        squares = squares + np.square(flat - own[:, None]).sum(1) + gap * gap * (count * n / total)
        mean, count = mean + gap * (n / total), total
    sd = np.sqrt(squares / count)
    return mean.astype(np.float32), np.where(sd > 0, sd, 1).astype(np.float32)


def adapt_batchnorm(
    method: Base, images: Iterable[Image], batch_size: int, device: torch.device, least: int = 1
) -> int:
    """Put the mean over batches of the target's batch statistics in the place of the running ones.

    Every batch is normalised by its own statistics on the way, as in training. Dropout stays off, no weight changes,
    nothing is drawn. Networks that the method does not predict with keep what they have.

    Args:
        method: trained; it is changed in place and left in evaluation mode.
        images: normalised, (C, *S) each; neighbours of the same size share a batch.
        batch_size: images in a batch at most.
        device: where the networks are.
        least: fewest images that the networks take in training mode.

    Returns:
        How many layers were adapted.

    Raises:
        UsageError: the networks have no batch normalisation with running statistics, or an image has too few
            neighbours of its size to make a batch.
    """
    layers = _layers(method)
    if not layers:
        raise UsageError(
            "The networks of this run have no batch normalisation to adapt; predict with --adapt none."
        )
    method.train(False)
    kept = [{name: value.clone() for name, value in layer.named_buffers()} for layer in layers]
    rates = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over batches
        layer.train(True)
    with torch.inference_mode():
        for batch in _batches(images, batch_size, least):
            method.predict(torch.from_numpy(batch).to(device))
    for layer, rate in zip(layers, rates, strict=True):
        layer.momentum = rate
    method.train(False)
    return sum(_keep_if_unused(layer, old) for layer, old in zip(layers, kept, strict=True))


def _layers(method: Base) -> list[_BatchNorm]:
    return [
        layer
        for network in method.modules().values()
        for layer in network.modules()
        if isinstance(layer, _BatchNorm) and layer.track_running_stats
    ]


def _keep_if_unused(layer: nn.Module, old: dict[str, torch.Tensor]) -> bool:
    if int(layer.num_batches_tracked):
        return True
    for name, value in old.items():
        getattr(layer, name).copy_(value)
    return False


def _batches(images: Iterable[Image], size: int, least: int) -> Iterator[NDArray]:
    """Stacks (B, C, *S) of neighbours of one shape; a rest of fewer than ``least`` joins the stack before it."""
    for shape, alike in groupby(images, np.shape):
        waiting: list[Image] = []
        for image in alike:
            waiting.append(image)
            if len(waiting) == size + least:
                yield np.stack(waiting[:size])
                del waiting[:size]
        if len(waiting) < least:
            raise UsageError(
                f"The network needs {least} neighbouring images of one size to be adapted, and there is only "
                f"{len(waiting)} of {'x'.join(map(str, shape[1:]))}; predict with --adapt none, or bring the images "
                "to one size."
            )
        yield np.stack(waiting)
