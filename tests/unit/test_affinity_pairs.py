"""The pairwise loss in tiles, against the formula written out with every pair in memory.

On a GPU too where there is one, and with the Triton kernel where there is a GPU or ``TRITON_INTERPRET=1`` is set.
"""

import importlib.util
import os
import sys
from types import SimpleNamespace

import pytest
import torch
from toy_affinity import DEVICES, IDENTITY, MATRIX, agree_within, some_labels, unit_rows, value_and_gradients

from noisylabels.case import IGNORE
from noisylabels_plugins import parts
from noisylabels_plugins.parts import affinity, pairwise
from noisylabels_plugins.parts.affinity import pairwise_loss


def implementations():
    """Ways to make the sums of pairs that run here, with the device of each."""
    found = [(pairwise.pair_sums, device) for device in DEVICES]
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if importlib.util.find_spec("triton") and (interpreted or "cuda" in DEVICES):
        from noisylabels_plugins.parts import pairwise_triton

        def kernel(*inputs, tile, **options):
            return pairwise_triton.pair_sums(*inputs, **options)

        found.append((kernel, "cpu" if interpreted else "cuda"))
    return found


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
        counted = counted & ~torch.eye(labels.shape[1], dtype=torch.bool, device=labels.device)
    losses = -torch.where(agree, probability, 1 - probability).clamp(min=floor).log()
    return (losses * counted).sum() / counted.sum().clamp(min=1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("tile", [1, 7, 512])
@pytest.mark.parametrize("self_pairs", [False, True])
@pytest.mark.parametrize("ignored_pairs", [False, True])
def test_pairwise_loss_equals_the_dense_one(device, dtype, tolerance, tile, self_pairs, ignored_pairs):
    unit, labels, matrix = unit_rows(2, 24, 5), some_labels(2, 24), torch.tensor(MATRIX, dtype=torch.float64)
    options = {"self_pairs": self_pairs, "ignored_pairs": ignored_pairs}
    expected = value_and_gradients(dense_loss, unit, matrix, labels, **options)
    found = value_and_gradients(
        pairwise_loss,
        unit.to(device, dtype),
        matrix.to(device, dtype),
        labels.to(device),
        tile=tile,
        **options,
    )
    assert all(got.dtype == dtype for got in found)
    agree_within(found, expected, tolerance)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("values", [MATRIX, IDENTITY])
def test_float32_keeps_six_digits_with_many_positions(device, values):
    """The dense formula in float64 on the same float32 numbers; features of some and of all classes alike."""
    unit, labels = unit_rows(1, 1100, 32, dtype=torch.float32), some_labels(1, 1100)
    unit[:, 1:] += 0.2
    unit = unit / (unit.norm(dim=-1, keepdim=True) + 1e-9)
    matrix = torch.tensor(values)
    expected = value_and_gradients(dense_loss, unit.double(), matrix.double(), labels)
    found = value_and_gradients(pairwise_loss, unit.to(device), matrix.to(device), labels.to(device))
    agree_within(found, expected, 1e-6)


@pytest.mark.parametrize(("implementation", "device"), implementations())
@pytest.mark.parametrize("count", [1, 33, 70])
@pytest.mark.parametrize("channels", [20, 40, 256])
@pytest.mark.parametrize("values", [MATRIX, IDENTITY])
@pytest.mark.parametrize(
    ("self_pairs", "ignored_pairs", "floor"), [(False, False, 1e-6), (True, True, 1e-10)]
)
def test_every_implementation_makes_the_same_sums(
    implementation, device, count, channels, values, self_pairs, ignored_pairs, floor
):
    unit, labels = unit_rows(2, count, channels, dtype=torch.float32), some_labels(2, count)
    matrix = torch.tensor(values)
    options = {"self_pairs": self_pairs, "ignored_pairs": ignored_pairs, "floor": floor}
    wide, given = unit.double().requires_grad_(), matrix.double().requires_grad_()
    used = torch.full((2,), count) if ignored_pairs else (labels != IGNORE).sum(1)
    pairs = (used * (used - (0 if self_pairs else 1))).sum().clamp(min=1)
    expected = pairs * dense_loss(wide, labels, given, **options)
    by_unit, by_matrix = torch.autograd.grad(expected, (wide, given))
    inputs = unit.to(device), labels.to(device), matrix.to(device)
    found = implementation(*inputs, tile=16, gradient=True, **options)
    agree_within(found, (expected.detach(), by_unit, by_matrix[:, 1]), 1e-6)
    value, *gradients = implementation(*inputs, tile=16, gradient=False, **options)
    assert value == found.loss
    assert gradients == [None, None]


@pytest.mark.parametrize(
    "labels", [[0] * 40, list(range(40)), [254, 256, IGNORE, 300] * 10, [7] * 39 + [3], [3] + [7] * 39]
)
def test_any_set_of_labels(labels):
    """One label, all different, IGNORE between others, one position alone, in tiles that no group fills."""
    unit, labels = unit_rows(1, 40, 6), torch.tensor([labels])
    matrix = torch.tensor(MATRIX, dtype=torch.float64)
    expected = value_and_gradients(dense_loss, unit, matrix, labels)
    agree_within(value_and_gradients(pairwise_loss, unit, matrix, labels, tile=9), expected, 1e-12)


def test_no_gradient_is_made_where_none_is_wanted(monkeypatch):
    made = []

    def watched(*inputs, **options):
        made.append(options["gradient"])
        return pairwise.pair_sums(*inputs, **options)

    monkeypatch.setattr(affinity, "_pair_sums", watched)
    unit, labels, matrix = unit_rows(1, 20, 4), some_labels(1, 20), torch.tensor(MATRIX, dtype=torch.float64)
    values = [pairwise_loss(unit, labels, matrix)]
    values.append(pairwise_loss(unit, labels, matrix.requires_grad_()))
    values[-1].backward()
    assert matrix.grad is not None
    with torch.no_grad():
        values.append(pairwise_loss(unit, labels, matrix))
    assert made == [False, True, False]
    assert values[0] == values[1].detach() == values[2]


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


@pytest.mark.parametrize("fault", ["raises", "is wrong"])
def test_a_kernel_that_does_not_work_here_is_left_out_with_a_warning(monkeypatch, fault):
    def pair_sums(unit, labels, matrix, **options):
        if fault == "raises":
            raise RuntimeError("out of shared memory")
        found = pairwise.pair_sums(unit, labels, matrix, tile=70, **options)
        return found._replace(loss=found.loss * 1.01)

    monkeypatch.setitem(
        sys.modules, f"{affinity.__package__}.pairwise_triton", SimpleNamespace(pair_sums=pair_sums)
    )
    monkeypatch.setattr(parts, "pairwise_triton", SimpleNamespace(pair_sums=pair_sums), raising=False)
    affinity._kernel.cache_clear()
    with pytest.warns(
        UserWarning, match=r"Triton kernel .* does not work on cpu .*plain torch does its work"
    ):
        assert affinity._kernel(torch.device("cpu"), 8) is None
    affinity._kernel.cache_clear()


def test_a_kernel_that_works_is_used(monkeypatch):
    def pair_sums(*inputs, **options):
        return pairwise.pair_sums(*inputs, tile=9, **options)

    kernel = SimpleNamespace(pair_sums=pair_sums)
    monkeypatch.setitem(sys.modules, f"{affinity.__package__}.pairwise_triton", kernel)
    monkeypatch.setattr(parts, "pairwise_triton", kernel, raising=False)
    affinity._kernel.cache_clear()
    assert affinity._kernel(torch.device("cpu"), 8) is kernel
    affinity._kernel.cache_clear()
