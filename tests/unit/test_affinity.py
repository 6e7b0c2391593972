"""Affinity without the affinity matrix, against the formulas written out with the matrix; on a GPU too where one is."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from toy_affinity import DEVICES, MATRIX, agree_within, some_labels, unit_rows, value_and_gradients

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.affinity import (
    differentiated_reasoning,
    grid_for,
    labels_at,
    pairwise_loss,
    unit_features,
)


def dense_reasoning(logits, unit, published):
    """DAR with both maps written out; row-normalised, then averaged."""
    affinity = unit @ unit.transpose(1, 2)
    if published:
        affinity = affinity.clamp(1e-10, 1)
    row_sum = affinity.sum(2, keepdim=True)
    alike = torch.full_like(affinity, 1 / affinity.shape[2])
    to_same = torch.where(row_sum > 0, affinity / row_sum.clamp(min=1e-300), alike)
    reverse = 1 - (to_same if published else affinity)
    to_other = reverse / reverse.sum(2, keepdim=True)
    return ((logits + to_same @ logits) + (logits - to_other @ logits)) / 2 - logits


@pytest.mark.parametrize("published", [False, True])
def test_nothing_is_added_where_there_are_no_features(published):
    """Else a pixel that hesitates is pushed away from the class that most of the image has."""
    unit, logits = unit_rows(1, 100, 8).float(), torch.zeros(1, 100, 4)
    logits[:, :90, 0] = logits[:, 90:, 1] = 5
    unit[:, 7] = 0
    added = differentiated_reasoning(logits, unit, published=published)
    torch.testing.assert_close(added[:, 7], torch.zeros(1, 4), rtol=0, atol=1e-6)
    assert added[:, 8].abs().max() > 1e-3
    nowhere = differentiated_reasoning(logits, torch.zeros_like(unit), published=published)
    torch.testing.assert_close(nowhere, torch.zeros_like(logits), rtol=0, atol=1e-6)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize(("batch", "count", "channels"), [(2, 30, 5), (1, 2, 1), (3, 77, 16)])
def test_reasoning_equals_the_dense_formula(published, batch, count, channels):
    unit = unit_rows(batch, count, channels)
    logits = torch.randn(batch, count, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def results(function):
        inputs = logits.clone().requires_grad_(), unit.clone().requires_grad_()
        found = function(*inputs)
        found.square().sum().backward()
        return found, inputs[0].grad, inputs[1].grad

    got = results(lambda q, u: differentiated_reasoning(q, u, published=published))
    wanted = results(lambda q, u: dense_reasoning(q, u, published))
    # The clamp to 1e-10 of the dense published form is left out, except where a whole row is 0.
    tolerance = 1e-7 if published else 1e-12
    for index in range(2):
        torch.testing.assert_close(got[index], wanted[index], rtol=tolerance, atol=tolerance)
    active = unit > 0  # nothing else passes the rectifier; where it is 0 the clamp has no slope either
    torch.testing.assert_close(got[2][active], wanted[2][active], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("published", [False, True])
def test_reasoning_in_float32_keeps_its_digits(device, published):
    """Features nearly alike and logits far from 0: both directions are almost the same mean."""
    unit = unit_rows(1, 500, 16, dtype=torch.float32)[:, 1:] * 0.1 + 1
    unit = unit / unit.norm(dim=-1, keepdim=True)
    logits, weights = torch.randn(2, 1, 499, 4, generator=torch.Generator().manual_seed(6)) + 5

    def without_clamps(q, rows, published):
        """The published one by its identity, see below: a clamp at 1 takes the slope of half of all self-pairs."""
        if not published:
            return dense_reasoning(q, rows, published)
        affinity = rows @ rows.transpose(1, 2)
        attended = affinity / affinity.sum(2, keepdim=True) @ q
        return 499 / (2 * 498) * (attended - q.mean(1, keepdim=True))

    def results(function, *inputs):
        inputs = [one.clone().requires_grad_() for one in inputs]
        found = function(*inputs, published=published)
        (found * weights.to(found)).sum().backward()
        return found.detach(), inputs[0].grad, inputs[1].grad

    wanted = results(without_clamps, logits.double(), unit.double())
    found = results(differentiated_reasoning, logits.to(device), unit.to(device))
    assert all(one.dtype == torch.float32 for one in found)
    agree_within(found, wanted, 1e-6)


def test_the_published_reasoning_only_takes_the_mean_away():
    """P = Q + N / (2 (N - 1)) (A Q - mean Q): its reverse affinity is uniform but for 1 / N."""
    unit, count = unit_rows(2, 40, 16)[:, 1:], 39
    logits = torch.randn(2, count, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    affinity = unit @ unit.transpose(1, 2)
    attended = affinity / affinity.sum(2, keepdim=True) @ logits
    identity = count / (2 * (count - 1)) * (attended - logits.mean(1, keepdim=True))
    found = differentiated_reasoning(logits, unit, published=True)
    torch.testing.assert_close(found, identity, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(found, differentiated_reasoning(logits, unit))


def test_reasoning_moves_towards_the_own_group_and_away_from_the_other():
    """Two groups without affinity, one position of the first is undecided: it joins its group."""
    unit = torch.eye(2, dtype=torch.float64)[[0, 0, 0, 1, 1]][None]
    logits = torch.tensor([[[2.0, 0], [2, 0], [0, 0], [0, 2], [0, 2]]], dtype=torch.float64)
    added = differentiated_reasoning(logits, unit)[0]
    torch.testing.assert_close(added[2], torch.tensor([4 / 3, -2.0], dtype=torch.float64) / 2)
    torch.testing.assert_close(added[2], added[0])


@pytest.mark.parametrize(
    ("count", "spread", "published"),
    [
        (1024, 0.0, False),
        (1024, 0.0, True),
        (1024, 1e-4, False),
        (1024, 1e-4, True),
        (2, 0.0, False),
        (1, 0.0, False),
    ],
)
def test_positions_that_are_all_alike_move_nowhere(count, spread, published):
    """A blank image: nothing is another class, and no rounding of 1 - affinity may decide otherwise."""
    generator = torch.Generator().manual_seed(1)
    unit = 1 + spread * torch.rand(1, count, 16, generator=generator)
    unit = (unit / unit.norm(dim=2, keepdim=True)).requires_grad_()
    logits = 5 + torch.randn(1, count, 4, generator=generator)
    added = differentiated_reasoning(logits, unit, published=published)
    added.square().sum().backward()
    assert added.abs().max() < 1e-3
    assert unit.grad.abs().max() < 1e-2


class Sizes(TorchDispatchMode):
    """The largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(value, torch.Tensor):
                self.largest = max(self.largest, value.numel())
        return out


@pytest.mark.parametrize("published", [False, True])
def test_memory_is_linear_in_the_positions(published):
    """Nothing of N x N numbers is saved for the backward pass, and no operation makes such a tensor."""
    count, channels, tile = 640, 8, 64
    saved = []
    unit = unit_rows(1, count, channels, dtype=torch.float32).requires_grad_()
    logits = torch.randn(1, count, 4, requires_grad=True)
    hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor.numel()) or tensor, lambda tensor: tensor
    )
    sizes = Sizes()
    with sizes, hooks:
        loss = pairwise_loss(
            unit, some_labels(1, count), torch.tensor(MATRIX), self_pairs=published, tile=tile
        )
        loss = loss + differentiated_reasoning(logits, unit, published=published).square().sum()
        loss.backward()
    assert saved
    assert max(saved) <= count * channels
    assert sizes.largest <= count * max(channels, tile)
    assert unit.grad.any()


def test_unit_features_are_rectified_rows_of_length_one():
    features = torch.randn(2, 24, 9, 7, generator=torch.Generator().manual_seed(1))
    features[0, :, 0, 0] = -1  # nothing is active here
    unit = unit_features(features, (9, 7))
    assert unit.shape == (2, 63, 24)
    assert (unit >= 0).all()
    lengths = unit.norm(dim=-1)
    assert lengths[0, 0] == 0
    torch.testing.assert_close(lengths.flatten()[1:], torch.ones(125), rtol=0, atol=1e-6)
    direction = features[1, :, 2, 3].relu()
    torch.testing.assert_close(unit[1, 2 * 7 + 3], direction / direction.norm())


@pytest.mark.parametrize(("size", "grid"), [((9, 7), (4, 3)), ((5, 6, 7), (3, 3, 4)), ((3, 3), (6, 5))])
def test_unit_features_at_another_grid_keep_the_corners(size, grid):
    features = torch.rand(1, 4, *size, dtype=torch.float64)
    unit = unit_features(features, grid)
    assert unit.dtype == torch.float32
    assert unit.shape == (1, torch.Size(grid).numel(), 4)
    same = unit_features(features, size)
    torch.testing.assert_close(unit[:, [0, -1]], same[:, [0, -1]])


def test_unit_features_equal_the_formula_in_any_order_of_memory():
    """Value and gradient: resampled, rectified, divided by the length."""
    for size, grid, mode in (((5, 4), (7, 6), "bilinear"), ((3, 4, 5), (4, 4, 3), "trilinear")):
        features = torch.randn(2, 6, *size, generator=torch.Generator().manual_seed(2))
        wide = features.double().requires_grad_()
        rows = torch.nn.functional.interpolate(wide, grid, mode=mode, align_corners=True)
        rows = rows.relu().flatten(2).transpose(1, 2)
        rows = rows / (rows.norm(dim=-1, keepdim=True) + 1e-9)
        (wanted,) = torch.autograd.grad(rows.pow(3).sum(), wide)
        last = torch.channels_last if len(size) == 2 else torch.channels_last_3d
        for given in (features, features.contiguous(memory_format=last)):
            given = given.clone(memory_format=torch.preserve_format).requires_grad_()
            unit = unit_features(given, grid)
            assert unit.is_contiguous()
            (got,) = torch.autograd.grad(unit.pow(3).sum(), given)
            agree_within((unit.detach(), got), (rows.detach(), wanted), 1e-5)


@pytest.mark.parametrize(
    ("shape", "stride", "positions", "grid"),
    [
        ((256, 320), 4, 6000, (64, 80)),
        ((256, 320), 4, 4096, (57, 71)),
        ((256, 256), 4, 4096, (64, 64)),
        ((96, 96, 96), 4, 4096, (16, 16, 16)),
        ((88, 180, 180), 4, 4096, (9, 20, 20)),
        ((5, 256, 256), 4, 4096, (4, 32, 32)),
        ((8, 512, 512), 4, 4096, (4, 32, 32)),
        ((1, 256, 256), 4, 4096, (1, 64, 64)),
        ((3, 2), 4, 4096, (3, 2)),
        ((9, 9, 9), 4, 10, (2, 2, 2)),
        ((1, 1000), 1, 10, (1, 10)),
        ((50, 50, 50), 1, 1, (1, 1, 1)),
    ],
)
def test_the_grid_keeps_its_shape_below_the_cap(shape, stride, positions, grid):
    assert grid_for(shape, stride, positions) == grid


def test_no_grid_is_above_the_cap():
    for size in range(1, 200, 7):
        for positions in (1, 2, 17, 1000):
            for shape in ((size, 3 * size), (size, 40, 2 * size), (1, size, size)):
                grid = grid_for(shape, 2, positions)
                assert torch.Size(grid).numel() <= positions
                assert all(1 <= g <= max(min(2, s), s // 2) for g, s in zip(grid, shape, strict=True))


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((128, 128), (32, 32)),
        ((256, 320), (57, 71)),
        ((5, 30, 31), (4, 7, 7)),
        ((1, 9), (1, 2)),
        ((6, 7), (6, 7)),
    ],
)
def test_a_label_is_taken_where_the_features_are(size, grid):
    """Coordinates as features: at each position they say which pixel it is, and the label is that of the nearest."""
    axes = torch.meshgrid(*[torch.arange(float(n)) for n in size], indexing="ij")
    mode = "bilinear" if len(size) == 2 else "trilinear"
    found = torch.nn.functional.interpolate(torch.stack(axes)[None], grid, mode=mode, align_corners=True)
    for axis, place in enumerate(found[0]):
        taken = labels_at(axes[axis][None].long(), grid)
        assert (taken[0] - place.flatten()).abs().max() <= 0.5001


@pytest.mark.parametrize(("stride", "positions"), [(0, 10), (4, 0)])
def test_a_grid_without_positions_is_refused(stride, positions):
    with pytest.raises(UsageError, match="at least 1"):
        grid_for((8, 8), stride, positions)


def test_mixed_precision_around_it_changes_nothing():
    """Under autocast 1 - affinity would lose all its digits where two positions are alike."""
    unit, labels = unit_rows(1, 30, 5, dtype=torch.float32), some_labels(1, 30)
    logits = torch.randn(1, 30, 4, generator=torch.Generator().manual_seed(5))
    matrix = torch.tensor(MATRIX)

    def results():
        return (
            *value_and_gradients(pairwise_loss, unit, matrix, labels),
            differentiated_reasoning(logits, unit),
            differentiated_reasoning(logits, unit, published=True),
        )

    expected = results()
    with torch.autocast("cpu", torch.bfloat16):
        found = results()
    for got, wanted in zip(found, expected, strict=True):
        assert got.dtype == torch.float32
        assert torch.equal(got, wanted)
