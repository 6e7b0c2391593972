"""Affinity without the affinity matrix, against the formulas written out with the matrix."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from noisylabels.case import IGNORE
from noisylabels_plugins.parts.affinity import differentiated_reasoning, pairwise_loss, unit_features

MATRIX = [[0.9, 0.1], [0.3, 0.7]]


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


def dense_loss(unit, labels, matrix, self_pairs=False, ignored_pairs=False, floor=1e-6):
    """The same with every pair in memory; the mean runs over the pairs of all images."""
    affinity = unit @ unit.transpose(1, 2)
    probability = (1 - affinity) * matrix[0, 1] + affinity * matrix[1, 1]
    agree = labels[:, :, None] == labels[:, None, :]
    counted = (
        torch.ones_like(agree)
        if ignored_pairs
        else (labels != IGNORE)[:, :, None] & (labels != IGNORE)[:, None, :]
    )
    if not self_pairs:
        counted = counted & ~torch.eye(labels.shape[1], dtype=torch.bool)
    losses = -torch.where(agree, probability, 1 - probability).clamp(min=floor).log()
    return (losses * counted).sum() / counted.sum().clamp(min=1)


def value_and_gradients(loss, unit, matrix, *rest, **options):
    unit, matrix = unit.detach().clone().requires_grad_(), matrix.detach().clone().requires_grad_()
    value = loss(unit, *rest, matrix, **options)
    (3 * value).backward()  # a factor that the gradient must pass on
    return value.detach(), unit.grad, matrix.grad


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("tile", [1, 7, 24, 512])
@pytest.mark.parametrize("self_pairs", [False, True])
@pytest.mark.parametrize("ignored_pairs", [False, True])
def test_pairwise_loss_equals_the_dense_one(dtype, tolerance, tile, self_pairs, ignored_pairs):
    unit, labels, matrix = unit_rows(2, 24, 5), some_labels(2, 24), torch.tensor(MATRIX, dtype=torch.float64)
    options = {"self_pairs": self_pairs, "ignored_pairs": ignored_pairs}
    expected = value_and_gradients(dense_loss, unit, matrix, labels, **options)
    found = value_and_gradients(pairwise_loss, unit.to(dtype), matrix.to(dtype), labels, tile=tile, **options)
    for got, wanted in zip(found, expected, strict=True):
        assert got.dtype == dtype
        assert (got.double() - wanted).norm() <= tolerance * wanted.norm()


def test_without_a_matrix_it_is_plain_cross_entropy():
    """Down to the floor: affinity 0 of equal labels, affinity 1 of different ones."""
    unit, labels = unit_rows(1, 20, 4), some_labels(1, 20)
    unit[0, 6] = unit[0, 7]
    labels[0, 7] = 1 - labels[0, 5].clamp(max=1)
    expected = value_and_gradients(dense_loss, unit, torch.eye(2, dtype=torch.float64), labels)
    found = value_and_gradients(pairwise_loss, unit, torch.eye(2, dtype=torch.float64), labels)
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(pairwise_loss(unit, labels), expected[0], rtol=1e-12, atol=0)


def test_the_floor_bounds_loss_and_gradient():
    unit = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]]).requires_grad_()
    labels = torch.tensor([[0, 0, 1]])  # equal labels at affinity 0, different ones at affinity 0 and at 1
    for floor in (1e-6, 1e-10):
        loss = pairwise_loss(unit, labels, floor=floor)
        assert loss.item() == pytest.approx(-torch.tensor(floor).log().item() * 4 / 6, rel=1e-6)
        (gradient,) = torch.autograd.grad(loss, unit)
        assert torch.isfinite(gradient).all()
        assert gradient[0, 0].tolist() == pytest.approx([0, 1 / 3]), "only the pair above the floor pulls"


@pytest.mark.parametrize("self_pairs", [False, True])
def test_gradcheck(self_pairs):
    unit = unit_rows(2, 9, 3).clamp(min=0.1)
    unit = (unit / unit.norm(dim=-1, keepdim=True) * 0.98).requires_grad_()
    matrix = torch.tensor(MATRIX, dtype=torch.float64, requires_grad=True)
    labels = some_labels(2, 9)
    assert torch.autograd.gradcheck(
        lambda u, t: pairwise_loss(u, labels, t, self_pairs=self_pairs, tile=4), (unit, matrix)
    )


@pytest.mark.parametrize("labels", [torch.full((2, 6), IGNORE), torch.tensor([[IGNORE] * 5 + [1]] * 2)])
def test_no_pair_gives_nothing(labels):
    unit = unit_rows(2, 6, 3).requires_grad_()
    loss = pairwise_loss(unit, labels)
    loss.backward()
    assert loss.item() == 0
    assert not unit.grad.any()


def test_ignored_positions_have_no_influence():
    unit, labels = unit_rows(1, 12, 4), some_labels(1, 12)
    used = labels[0] != IGNORE
    whole = pairwise_loss(unit, labels)
    assert used.sum() < 12
    torch.testing.assert_close(whole, pairwise_loss(unit[:, used], labels[:, used]), rtol=1e-12, atol=0)


def dense_reasoning(logits, unit, published):
    """DAR with both maps written out; row-normalised, then averaged."""
    affinity = unit @ unit.transpose(1, 2)
    if published:
        affinity = affinity.clamp(1e-10, 1)
    to_same = affinity / affinity.sum(2, keepdim=True).clamp(min=1e-6 if not published else 0)
    reverse = 1 - (to_same if published else affinity)
    to_other = reverse / reverse.sum(2, keepdim=True)
    return ((logits + to_same @ logits) + (logits - to_other @ logits)) / 2 - logits


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
    count, channels, tile = 640, 8, 32
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
