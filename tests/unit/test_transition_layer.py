"""The learned transition matrix, the loss through it, and what it says about pairs."""

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from noisylabels.case import IGNORE
from noisylabels_plugins.losses import ce
from noisylabels_plugins.parts.transition import (
    Transition,
    class_to_affinity,
    log_given,
    log_volume,
    true_proportions,
)


def loss_through(logits, labels, matrix):
    return ce.Loss(ce.Params(), logits.shape[1])(log_given(logits, matrix), labels)


def random_matrix(size, seed):
    """Rows that sum to 1, the diagonal the largest, float64."""
    raw = torch.rand(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    raw = raw * (1 - torch.eye(size)) + torch.eye(size) * 1.5
    return raw / raw.sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("size", "diagonal", "off", "volume"),
    [(4, 0.736589, 0.087804, -1.297959), (2, 0.893493, 0.106507, -0.239545)],
)
def test_where_a_matrix_starts(size, diagonal, off, volume):
    matrix = Transition(size)().detach()
    expected = torch.full((size, size), off).fill_diagonal_(diagonal)
    torch.testing.assert_close(matrix, expected, rtol=0, atol=1e-6)
    assert log_volume(matrix).item() == pytest.approx(volume, abs=2e-6)


@given(size=st.integers(2, 7), seed=st.integers(0, 99), spread=st.floats(0, 30))
@settings(max_examples=40, deadline=None)
def test_rows_sum_to_one_and_the_diagonal_is_the_largest(size, seed, spread):
    layer = Transition(size)
    torch.nn.init.normal_(layer.weight, 0, spread, generator=torch.Generator().manual_seed(seed))
    matrix = layer()
    torch.testing.assert_close(matrix.sum(1), torch.ones(size))
    assert (matrix >= 0).all()
    assert (matrix.diagonal()[:, None] >= matrix).all()
    (gradient,) = torch.autograd.grad(matrix.square().sum(), layer.weight)
    assert torch.isfinite(gradient).all()
    assert not gradient.diagonal().any(), "the diagonal follows from the rest"


def test_starts_from_what_was_counted():
    """Row 0 can be expressed; row 1 confuses more than it keeps; row 2 was never seen; row 3 is pure."""
    counts = torch.tensor([[80, 10, 6, 4], [60, 30, 10, 0], [0, 0, 0, 0], [0, 0, 0, 7]], dtype=torch.float64)
    layer = Transition(4)
    before = layer().detach().double()
    layer.start_from(counts)
    found = layer().detach().double()
    kept, lost, rare = found[1, 1].item(), found[1, 0].item(), found[1, 3].item()
    torch.testing.assert_close(found[0], counts[0] / 100, rtol=1e-5, atol=1e-6)
    assert found[1].argmax() == 1
    assert lost == pytest.approx(0.99 * kept, rel=1e-5)
    assert rare == pytest.approx(0.001 * kept, rel=1e-4)
    assert torch.equal(found[2], before[2])
    torch.testing.assert_close(found[3], torch.tensor([1, 1, 1, 1000], dtype=torch.float64) / 1003)
    assert layer.weight.requires_grad


@pytest.mark.parametrize("size", [2, 3, 5])
def test_starts_from_a_matrix_and_gives_it_back(size):
    wanted = random_matrix(size, size)
    layer = Transition(size)
    layer.start_from(wanted * 12345)
    torch.testing.assert_close(layer().detach().double(), wanted, rtol=1e-5, atol=1e-6)


def some_pixels(seed=0, classes=4, shape=(2, 5, 7), dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape[0], classes, *shape[1:], generator=generator, dtype=dtype)
    labels = torch.randint(0, classes, shape, generator=generator)
    labels[0, 0] = IGNORE
    return logits, labels


@pytest.mark.parametrize("shape", [(2, 5, 7), (1, 1, 1), (2, 3, 4, 5)])
def test_the_identity_gives_cross_entropy(shape):
    logits, labels = some_pixels(shape=shape)
    labels[-1, ..., -1] = 2
    expected = F.cross_entropy(logits, labels, ignore_index=IGNORE)
    torch.testing.assert_close(loss_through(logits, labels, None), expected)
    torch.testing.assert_close(loss_through(logits, labels, torch.eye(4)), expected)


def test_the_loss_through_a_matrix_pixel_by_pixel():
    logits, labels = some_pixels()
    matrix = random_matrix(4, 1).float()
    losses = []
    for b, y, x in product(*map(range, labels.shape)):
        given_label = int(labels[b, y, x])
        if given_label != IGNORE:
            true = torch.softmax(logits[b, :, y, x], 0)
            losses.append(-torch.log(sum(true[k] * matrix[k, given_label] for k in range(4))))
    assert len(losses) == labels.numel() - 7
    torch.testing.assert_close(loss_through(logits, labels, matrix), torch.stack(losses).mean())


@pytest.mark.parametrize("matrix", [None, torch.eye(4), random_matrix(4, 1).float()])
def test_no_labelled_pixel_gives_nothing(matrix):
    logits = torch.randn(1, 4, 3, 3, requires_grad=True)
    loss = loss_through(logits, torch.full((1, 3, 3), IGNORE), matrix)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_its_gradient_is_that_of_finite_differences():
    """In float32, as it runs: central differences of a step that keeps five digits."""
    logits, labels = some_pixels()
    layer = Transition(4)
    torch.nn.init.normal_(layer.weight, -1, 1, generator=torch.Generator().manual_seed(2))
    logits.requires_grad_()
    loss_through(logits, labels, layer()).backward()

    def slope(tensor, index, step=1e-2):
        values = []
        with torch.no_grad():
            for sign in (1, -1):
                tensor[index] += sign * step
                values.append(loss_through(logits, labels, layer()).item())
                tensor[index] -= sign * step
        return (values[0] - values[1]) / (2 * step)

    for index in product(range(4), range(4)):
        assert slope(layer.weight, index) == pytest.approx(
            layer.weight.grad[index].item(), rel=1e-2, abs=5e-5
        )
    for index in [(0, 1, 1, 2), (1, 3, 4, 6), (0, 0, 0, 0)]:
        assert slope(logits, index, 0.1) == pytest.approx(logits.grad[index].item(), rel=2e-2, abs=5e-5)


def by_enumeration(matrix, counts):
    """Every ordered pair of pixels, a pixel's pair with itself too, and every outcome of both flips."""
    pixels = [k for k, count in enumerate(counts) for _ in range(count)]
    joint = torch.zeros(2, 2, dtype=torch.float64)
    for one, other in product(pixels, pixels):
        agree = (matrix[one] * matrix[other]).sum()
        joint[int(one == other)] += torch.stack([1 - agree, agree])
    return joint / joint.sum(1, keepdim=True)


@pytest.mark.parametrize("counts", [(5, 5), (1, 9), (7, 2, 4), (20, 1, 3, 2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_pairs_that_follow_from_classes(counts, seed):
    matrix = random_matrix(len(counts), seed)
    expected = by_enumeration(matrix, counts)
    proportions = torch.tensor(counts, dtype=torch.float64)
    for scale in (1, 1 / sum(counts), 1000):
        found = class_to_affinity(matrix, proportions * scale)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_pairs_that_were_worked_out_by_hand():
    """One diagonal and one off-diagonal value: the proportions do not matter."""
    half = torch.full((4, 4), 0.5 / 3, dtype=torch.float64).fill_diagonal_(0.5)
    for counts in ([1, 1, 1, 1], [90, 5, 3, 2]):
        found = class_to_affinity(half, torch.tensor(counts, dtype=torch.float64))
        torch.testing.assert_close(found, torch.tensor([[7 / 9, 2 / 9], [2 / 3, 1 / 3]], dtype=torch.float64))
    same = class_to_affinity(torch.eye(3), torch.tensor([0.7, 0.3, 0]))
    torch.testing.assert_close(same, torch.eye(2))


def test_one_class_alone_has_no_different_pairs():
    found = class_to_affinity(random_matrix(3, 0), torch.tensor([1.0, 0, 0], dtype=torch.float64))
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[1, 1], random_matrix(3, 0)[0].square().sum())


def test_pairs_near_one_class_keep_their_digits():
    """1 - sum n^2 of single precision has none left where the other classes are a millionth."""
    matrix = random_matrix(4, 0).float()
    proportions = torch.tensor([1.0, 1e-6, 2e-7, 1e-8])
    found = class_to_affinity(matrix, proportions)
    wanted = class_to_affinity(matrix.double(), proportions.double())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wanted, rtol=1e-6, atol=1e-6)
    assert ((wanted > 0) & (wanted < 1)).all()


def test_pairs_of_a_class_that_is_hardly_there():
    """Two classes have one kind of unlike pairs, however few they are."""
    matrix = random_matrix(2, 0)
    found = class_to_affinity(matrix, torch.tensor([1.0, 1e-6], dtype=torch.float64))
    torch.testing.assert_close(found[0, 1], matrix[0] @ matrix[1], rtol=1e-5, atol=0)


def test_probabilities_of_given_labels_have_a_floor_and_all_their_digits():
    logits = torch.tensor([0.0, -18.0, -60.0])[None, :, None]
    found = log_given(logits, torch.eye(3))[0, :, 0]
    torch.testing.assert_close(found, torch.tensor([0.0, -18.0, -23.02585]), rtol=1e-5, atol=1e-6)
    for matrix in (None, torch.eye(3)):
        assert log_given(logits.half(), matrix).dtype == torch.float32


@pytest.mark.parametrize("size", [2, 4])
def test_proportions_before_the_noise(size):
    matrix = random_matrix(size, 3)
    true = torch.arange(1, size + 1, dtype=torch.float64) / (size * (size + 1) / 2)
    torch.testing.assert_close(true_proportions(true @ matrix, matrix), true)


def test_proportions_that_no_truth_explains_are_clipped_to_the_simplex():
    matrix = torch.tensor([[0.6, 0.4], [0.4, 0.6]], requires_grad=True)
    found = true_proportions(torch.tensor([0.9, 0.1]), matrix)
    assert found.tolist() == [1, 0]
    assert not found.requires_grad


def test_proportions_behind_a_matrix_that_mixes_all_classes_are_the_given_ones():
    given_proportions = torch.tensor([0.5, 0.3, 0.2])
    assert torch.equal(true_proportions(given_proportions, torch.full((3, 3), 0.25)), given_proportions)


def test_the_same_numbers_give_the_same_result_at_any_place_in_memory():
    """A solver that looks at memory it was not given makes two equal runs differ."""
    matrix = torch.tensor(
        [[0.31, 0.29, 0.2, 0.2], [0.3, 0.35, 0.15, 0.2], [0.2, 0.1, 0.4, 0.3], [0.25] * 4], requires_grad=True
    )
    proportions = torch.tensor([0.7, 0.1, 0.15, 0.05])
    results, kept = set(), []
    for number in range(300):
        kept.append(torch.full((1 + 7 * number % 40,), float(number)))
        place = torch.empty(40)[number % 16 :][:16].view(4, 4).copy_(matrix)
        volume = log_volume(place)
        (gradient,) = torch.autograd.grad(volume, matrix)
        parts = true_proportions(proportions, place), class_to_affinity(place, proportions), gradient, volume
        results.add(tuple(torch.cat([part.detach().flatten() for part in parts]).tolist()))
    assert len(results) == 1


def test_volume_is_bounded_and_its_gradient_finite():
    """As far as the parametrisation reaches: also with a matrix whose rows have become alike."""
    assert log_volume(torch.eye(3)).item() == 0
    for value in (-2.0, 5.0, 40.0):
        layer = Transition(3, value)
        volume = log_volume(layer())
        (gradient,) = torch.autograd.grad(volume, layer.weight)
        assert -27.7 < volume.item() < 0
        assert torch.isfinite(gradient).all()


def test_volume_is_exact_down_to_where_it_ends():
    for close, wanted in ((1e-11, math.log(2e-11)), (1e-13, -27.6)):
        half = torch.tensor([[0.5 + close, 0.5 - close], [0.5 - close, 0.5 + close]], dtype=torch.float64)
        assert log_volume(half).item() == pytest.approx(wanted, abs=1e-3)


def test_mixed_precision_around_it_changes_nothing():
    logits, labels = some_pixels()
    matrix, proportions = random_matrix(4, 1).float(), torch.tensor([0.8, 0.1, 0.06, 0.04])

    def results():
        return (
            loss_through(logits, labels, matrix),
            class_to_affinity(matrix, proportions),
            true_proportions(proportions, matrix),
            log_volume(matrix),
        )

    expected = results()
    with torch.autocast("cpu", torch.bfloat16):
        found = results()
    for got, wanted in zip(found, expected, strict=True):
        assert torch.equal(got, wanted)
