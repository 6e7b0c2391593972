"""Training on toy tensors: batches with every legal oddity, small networks, and what two runs are compared by."""

import json
from dataclasses import replace

import torch
from torch import nn

from noisylabels.case import IGNORE
from noisylabels_plugins.api import Batch, Output, Task
from noisylabels_plugins.losses import ce
from noisylabels_plugins.nets import unet

ODDITIES = {
    "square": {"size": (16, 16)},
    "odd sizes": {"size": (19, 21)},
    "one image": {"batch": 1},
    "two classes": {"classes": 2},
    "two classes, one image, odd": {"classes": 2, "batch": 1, "size": (17, 16)},
    "a missing class": {"missing": (2,)},
    "only background": {"missing": (1, 2, 3)},
    "an image without labels": {"unlabelled": 1},
    "no labels at all": {"unlabelled": 3},
}
"""Name -> what is special about the batches."""


def toy_batch(seed=0, size=(24, 20), batch=3, classes=4, missing=(), unlabelled=0, channels=3):
    """Stripes of classes under noise, in 2-D or 3-D; a corner of every image is IGNORE."""
    generator = torch.Generator().manual_seed(seed)
    line = (batch, *[1] * (len(size) - 1), size[-1])
    labels = torch.randint(0, classes, line, generator=generator).repeat(1, *size[:-1], 1)
    flipped = torch.rand(labels.shape, generator=generator) < 0.2
    noisy = torch.where(flipped, torch.randint(0, classes, labels.shape, generator=generator), labels)
    for code in missing:
        noisy[noisy == code] = 0
    noisy[..., :3, :4] = IGNORE
    noisy[:unlabelled] = IGNORE
    image = labels[:, None] + 0.3 * torch.randn(batch, channels, *size, generator=generator)
    return Batch(image=image.float(), labels=noisy, case_ids=tuple(f"case_{i}" for i in range(batch)))


def toy_task(batch, classes=4, width=4, net=unet, loss=ce, **net_params):
    """The task that ``batch`` belongs to, with the smallest network; its first case is trusted."""
    used = batch.labels[batch.labels != IGNORE]
    values = {"width": width, "depth": 1, "tap": 1} if net is unet else {}
    params = net.Params(**values | net_params)
    dims = batch.labels.ndim - 1
    return Task(
        classes=("background", "shaft", "wrist", "clasper")[:classes],
        channels=batch.image.shape[1],
        shape=tuple(batch.labels.shape[1:]),
        class_counts=tuple(torch.bincount(used, minlength=classes).tolist()),
        build_net=lambda: net.Net(params, batch.image.shape[1], classes, dims),
        build_loss=lambda: loss.Loss(loss.Params(), classes),
        trusted=frozenset(batch.case_ids[:1]),
        transition=tuple(
            tuple(0.7 if i == j else 0.3 / (classes - 1) for j in range(classes)) for i in range(classes)
        ),
    )


class TwoHeads(nn.Module):
    """A network with an auxiliary head on a tap of its own, and nothing that looks at other cases of a batch."""

    tap_channels = (6, 5)

    def __init__(self, classes=4):
        super().__init__()
        self.body = nn.Conv2d(3, 6, 3, padding=1)
        self.heads = nn.ModuleList([nn.Conv2d(6, classes, 1), nn.Conv2d(6, classes, 1)])
        self.more = nn.Conv2d(6, 5, 1)

    def forward(self, image):
        x = self.body(image)
        aux = Output(logits=self.heads[1](x), tap=self.more(x))
        return Output(logits=self.heads[0](x), tap=x, aux=(aux,))

    def tap_head(self, index, channels):
        return nn.Conv2d(self.tap_channels[index], channels, 1)


def two_headed(task):
    """The same task with a network of two heads."""
    return replace(task, build_net=lambda: TwoHeads(task.num_classes))


def objective_of(method, batch, at):
    """What ``step`` asks the optimisers to lower, before they do; and which they are."""
    asked = []
    method.update = lambda loss, stage, *optimizers: asked.append((loss, stage, optimizers))
    method.step(batch, at)
    (found,) = asked
    return found


class ToySet:
    """What the loop asks of a training set, from batches at hand."""

    def __init__(self, *batches):
        self.batches = batches

    def steps_per_epoch(self, batch_size):
        return len(self.batches)

    def batch(self, epoch, index, batch_size):
        return self.batches[index]

    def plain_batches(self, batch_size):
        return iter(self.batches)


def same(one, other):
    """Whether two states are equal, bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def log_of(folder):
    """The lines of a run's log without what only the clock decides."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [untimed(line) for line in lines]


def untimed(record):
    """A record without its times."""
    return {key: value for key, value in record.items() if key not in ("seconds", "waited")}
