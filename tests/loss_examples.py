"""Losses with something to measure: predictions, labels of which some are IGNORE, and both as plain arrays."""

import torch

from noisylabels.case import IGNORE
from noisylabels.params import build
from noisylabels_plugins.catalogue import LOSSES


def make(name, k=4, /, **values):
    module = LOSSES.load(name)
    return module.Loss(build(module.Params, values, name), k).double()


def example(seed=0, batch=2, classes=4, size=(5, 6), missing=()):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(batch, classes, *size, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, classes, (batch, *size), generator=generator)
    for code in missing:
        labels[labels == code] = 0
    labels[0, 0, :3] = IGNORE
    return logits, labels


def value(loss, logits, labels):
    return loss(logits.log_softmax(1), labels)


def pixels(logits, labels):
    """Probabilities (N, K) and labels (N,) of the labelled pixels, in numpy."""
    probs = logits.softmax(1).movedim(1, -1).reshape(-1, logits.shape[1]).numpy()
    flat = labels.reshape(-1).numpy()
    return probs[flat != IGNORE], flat[flat != IGNORE]
