"""What the tests of the affinity share."""

import torch

from noisylabels.case import IGNORE

MATRIX = [[0.9, 0.1], [0.3, 0.7]]
IDENTITY = [[1.0, 0.0], [0.0, 1.0]]
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def unit_rows(batch, count, channels, seed=0, dtype=torch.float64):
    """Rectified rows of length 1, one of them without any feature."""
    rows = torch.randn(batch, count, channels, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    rows = rows.relu()
    rows[:, 0] = 0
    return rows / (rows.norm(dim=-1, keepdim=True) + 1e-9)


def some_labels(batch, count, seed=0, ignore=True):
    labels = torch.randint(0, 3, (batch, count), generator=torch.Generator().manual_seed(seed + 100))
    if ignore:
        labels[:, 1::5] = IGNORE
    return labels


def value_and_gradients(loss, unit, matrix, *rest, **options):
    unit, matrix = unit.detach().clone().requires_grad_(), matrix.detach().clone().requires_grad_()
    value = loss(unit, *rest, matrix, **options)
    (3 * value).backward()  # a factor that the gradient must pass on
    return value.detach(), unit.grad, matrix.grad


def agree_within(found, expected, tolerance):
    for got, wanted in zip(found, expected, strict=True):
        assert (got.cpu().double() - wanted).norm() <= tolerance * wanted.norm()
