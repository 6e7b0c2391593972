"""Every loss against its definition written down slowly, and against the loss it becomes at the end of its range."""

import math

import numpy as np
import pytest
import torch
from loss_examples import example, make, pixels, value
from torch.autograd import gradcheck

from noisylabels.case import IGNORE
from noisylabels_plugins.losses import ce, cel_dice, dice_ce, lovasz, mae, nr_dice, t_loss


def test_gce_is_between_cross_entropy_and_mean_absolute_error():
    logits, labels = example()
    cross_entropy = value(ce.Loss(ce.Params(), 4), logits, labels).item()
    assert value(make("gce", q=1e-9), logits, labels).item() == pytest.approx(cross_entropy, rel=1e-6)
    absolute = value(mae.Loss(mae.Params(), 4), logits, labels).item()
    assert value(make("gce", q=1.0), logits, labels).item() == pytest.approx(absolute / 2)
    probs, given = pixels(logits, labels)
    assert absolute == pytest.approx(np.abs(probs - np.eye(4)[given]).sum(1).mean())
    by_hand = np.mean([(1 - p[y] ** 0.7) / 0.7 for p, y in zip(probs, given, strict=True)])
    assert value(make("gce"), logits, labels).item() == pytest.approx(by_hand)


def test_gce_near_cross_entropy_keeps_its_digits():
    """1 - p ** q of single precision has two digits left at this q."""
    logits, labels = example(size=(1, 1))
    loss = make("gce", q=1e-6).float()
    cross_entropy = value(make("ce"), logits, labels).item()
    assert value(loss, logits.float(), labels).item() == pytest.approx(cross_entropy, rel=1e-4)


def test_sce_without_its_reverse_part_is_cross_entropy():
    logits, labels = example()
    cross_entropy = value(ce.Loss(ce.Params(), 4), logits, labels).item()
    assert value(make("sce", a=0.3, b=0.0), logits, labels).item() == pytest.approx(0.3 * cross_entropy)
    assert value(make("sce", a=0.0, b=1.0), logits, labels).item() == pytest.approx(
        2 * value(make("mae"), logits, labels).item()
    )


@pytest.mark.parametrize("name", ["sce", "nce-rce"])
def test_the_reverse_part_grows_with_the_logarithm_of_0(name):
    logits, labels = example()
    absolute = value(make("mae"), logits, labels).item()
    found = value(make(name, a=0.0, b=1.0, log_zero=-7.0), logits, labels).item()
    assert found == pytest.approx(3.5 * absolute)


def test_nce_rce_by_its_definition():
    logits, labels = example()
    probs, given = pixels(logits, labels)
    logs, target = np.log(probs), np.where(np.eye(4)[given] > 0, 0.0, -4.0)
    normalised = np.array([row[y] / row.sum() for row, y in zip(logs, given, strict=True)])
    expected = 10 * normalised.mean() + 0.1 * -(probs * target).sum(1).mean()
    assert value(make("nce-rce", a=10, b=0.1), logits, labels).item() == pytest.approx(expected)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_active_part_of_nce_sums_to_1_over_all_labels(classes):
    logits, _ = example(classes=classes)
    loss = make("nce-rce", classes, b=0.0)
    total = sum(value(loss, logits, torch.full((2, 5, 6), code)).item() for code in range(classes))
    assert total == pytest.approx(1)


@pytest.mark.parametrize("constant", [False, True])
def test_focal_without_gamma_is_cross_entropy(constant):
    logits, labels = example()
    logits.requires_grad_()
    one, other = ce.Loss(ce.Params(), 4), make("focal", gamma=0.0, constant=constant)
    for x in (value(one, logits, labels), value(other, logits, labels)):
        assert x.item() == pytest.approx(value(one, logits, labels).item())
        x.backward()
    gradients = logits.grad
    assert gradients.abs().sum() > 0
    (single,) = torch.autograd.grad(value(one, logits, labels), logits)
    torch.testing.assert_close(gradients, 2 * single)


def test_a_constant_focal_weight_scales_the_gradient_of_cross_entropy():
    logits, labels = example(size=(1, 1))
    labels[0], logits = IGNORE, logits.requires_grad_()
    plain, weighted = (
        torch.autograd.grad(value(loss, logits, labels), logits)[0]
        for loss in (make("ce"), make("focal", gamma=6.0, constant=True))
    )
    left = 1 - logits[1].softmax(0)[labels[1, 0, 0], 0, 0].item()
    torch.testing.assert_close(weighted, plain * left**6)


@pytest.mark.parametrize("left", [0.9, 0.1, 1e-3, 1e-5])
def test_focal_by_its_definition_also_where_little_is_left_to_learn(left):
    log_probs = torch.tensor([1 - left, left], dtype=torch.float64).log()[None, :, None]
    found = make("focal", 2, gamma=3.0)(log_probs, torch.zeros(1, 1, dtype=torch.long)).item()
    assert found == pytest.approx(-(left**3) * math.log(1 - left))


def dice_by_hand(probs, given, code, eps):
    own = probs[:, code], (given == code).astype(float)
    return (2 * (own[0] * own[1]).sum() + eps) / (own[0].sum() + own[1].sum() + eps)


def test_dice_ce_leaves_out_background_and_absent_classes():
    logits, labels = example(missing=(2,))
    probs, given = pixels(logits, labels)
    cross_entropy = -np.log(probs[np.arange(len(given)), given]).mean()
    dice = np.mean([dice_by_hand(probs, given, code, 1e-5) for code in (1, 3)])
    loss = dice_ce.Loss(dice_ce.Params(), 4)
    assert value(loss, logits, labels).item() == pytest.approx(cross_entropy + 1 - dice)
    loss = dice_ce.Loss(dice_ce.Params(dice_weight=0.0), 4)
    assert value(loss, logits, labels).item() == pytest.approx(cross_entropy)


@pytest.mark.parametrize("classes", ["present", "all"])
def test_cel_dice_by_its_definition(classes):
    logits, labels = example(missing=(2,))
    probs, given = pixels(logits, labels)
    cross_entropy = -np.log(probs[np.arange(len(given)), given]).mean()
    everything = classes == "all"
    codes, eps = (range(4), 1e-15) if everything else ((0, 1, 3), 1e-7)
    logs = [math.log(dice_by_hand(probs, given, code, eps)) for code in codes]
    expected = 0.8 * cross_entropy - 0.2 * (sum(logs) if everything else np.mean(logs))
    assert value(make("cel-dice", classes=classes), logits, labels).item() == pytest.approx(expected)
    plain = cel_dice.Loss(cel_dice.Params(a=0.0, classes=classes), 4)
    assert value(plain, logits, labels).item() == pytest.approx(cross_entropy)
    if everything:
        assert -0.2 * logs[2] > 5, "an absent class costs more than all else together"


def test_what_a_class_that_is_missed_costs_in_cel_dice_has_a_bound():
    """All of a class taken for the other: its Dice is eps / (the pixels of it)."""
    log_probs = torch.tensor([0.0, -1000.0], dtype=torch.float64)[None, :, None].expand(1, 2, 50)
    labels = torch.ones(1, 50, dtype=torch.long)
    for classes, eps in (("present", 1e-7), ("all", 1e-15)):
        missed = [-math.log(eps / (50 + eps))]
        if classes == "all":
            missed *= 2  # the other class has 50 pixels that it should not have
        assert make("cel-dice", 2, a=1.0, classes=classes)(log_probs, labels).item() == pytest.approx(
            sum(missed)
        )


def test_noise_robust_dice_by_its_definition():
    logits, labels = example(missing=(2,))
    probs, given = pixels(logits, labels)
    target = np.eye(4)[given]

    def by_hand(gamma):
        above = (np.abs(probs - target) ** gamma).sum(0)
        return (above / ((probs**2).sum(0) + target.sum(0) + 1e-5))[[0, 1, 3]].mean()

    for gamma in (1.0, 1.5, 2.0):
        loss = nr_dice.Loss(nr_dice.Params(gamma=gamma), 4)
        assert value(loss, logits, labels).item() == pytest.approx(by_hand(gamma))
    dice = 2 * (probs * target).sum(0) / ((probs**2).sum(0) + target.sum(0))
    assert by_hand(2.0) == pytest.approx(1 - dice[[0, 1, 3]].mean(), abs=1e-5)


def student(nu, size, distance):
    gammas = math.lgamma(nu / 2) - math.lgamma((nu + size) / 2)
    return gammas + size / 2 * math.log(math.pi * nu) + (nu + size) / 2 * math.log(1 + distance / nu)


@pytest.mark.parametrize("nu", [0.5, 1.0, 7.0])
def test_the_t_loss_of_two_classes_is_the_published_one(nu):
    """One image, the probability of the foreground against its mask; by the pixels."""
    logits, labels = example(classes=2)
    expected = []
    for image, given in zip(logits, labels, strict=True):
        foreground, mask = pixels(image[None], given[None])
        distance = ((foreground[:, 1] - mask) ** 2).sum()
        expected.append(student(nu, len(mask), distance) / len(mask))
    assert value(make("t-loss", 2, nu=nu), logits, labels).item() == pytest.approx(np.mean(expected))


def test_in_the_t_loss_of_four_classes_a_pixel_counts_three_numbers():
    logits, labels = example()
    expected = []
    for image, given in zip(logits, labels, strict=True):
        probs, codes = pixels(image[None], given[None])
        distance = ((probs - np.eye(4)[codes]) ** 2).sum() / 2
        expected.append(student(2.0, 3 * len(codes), distance) / (3 * len(codes)))
    assert value(make("t-loss", nu=2.0), logits, labels).item() == pytest.approx(np.mean(expected))


def test_an_image_without_labels_changes_nothing_in_the_t_loss():
    logits, labels = example()
    alone = value(make("t-loss"), logits[:1], labels[:1]).item()
    labels[1] = IGNORE
    assert value(make("t-loss"), logits, labels).item() == pytest.approx(alone)


def test_the_t_loss_is_minus_the_logarithm_of_a_density():
    """Over all differences between prediction and mask of one pixel it integrates to 1."""
    grid = np.linspace(-2000, 2000, 400_001)
    density = np.exp([-student(3.0, 1, x * x) for x in grid])
    assert density.sum() * (grid[1] - grid[0]) == pytest.approx(1, abs=1e-4)


def test_the_t_loss_learns_its_tail():
    logits, labels = example()
    loss = t_loss.Loss(t_loss.Params(), 4).double()
    assert [name for name, _ in loss.named_parameters()] == ["log_nu"]

    def of_nu(log_nu):
        return torch.func.functional_call(loss, {"log_nu": log_nu}, (logits.log_softmax(1), labels))

    assert gradcheck(of_nu, torch.tensor(0.7, dtype=torch.float64, requires_grad=True))


def test_with_a_heavy_tail_a_mask_far_off_pulls_less_than_others():
    pulls = {}
    for nu in (0.1, 1e6):
        for sign in (1, -1):
            logits = torch.zeros(1, 2, 20, 20, dtype=torch.float64)
            logits[:, 1] = 2.0 * sign
            logits.requires_grad_()
            value(make("t-loss", 2, nu=nu), logits, torch.ones(1, 20, 20, dtype=torch.long)).backward()
            pulls[nu, sign] = logits.grad.abs().sum().item()
    far, near = pulls[0.1, -1] / pulls[1e6, -1], pulls[0.1, 1] / pulls[1e6, 1]
    assert far < 0.05 * near


def lovasz_by_hand(probs, given):
    """The definition: thresholds from large to small, the Jaccard loss of all pixels with at least this error."""
    losses = []
    for code in np.unique(given):
        target = given == code
        errors = np.abs(target - probs[:, code])
        total, before = 0.0, 0.0
        wrong = np.zeros(len(given), bool)
        for index in np.argsort(-errors, kind="stable"):
            wrong[index] = True
            predicted = target ^ wrong
            jaccard = 1 - (target & predicted).sum() / (target | predicted).sum()
            total += errors[index] * (jaccard - before)
            before = jaccard
        losses.append(total)
    return np.mean(losses)


def test_lovasz_counts_more_pixels_than_a_number_of_its_kind_can():
    """In bfloat16 a running sum of ones stops at 256."""
    steps = lovasz._jaccard_steps(torch.ones(1, 2000, dtype=torch.bfloat16))
    torch.testing.assert_close(steps.float(), torch.full((1, 2000), 1 / 2000), rtol=0.01, atol=0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("missing", [(), (2,), (1, 2, 3)])
def test_lovasz_by_its_definition(seed, missing):
    logits, labels = example(seed, missing=missing)
    assert value(make("lovasz"), logits, labels).item() == pytest.approx(
        lovasz_by_hand(*pixels(logits, labels)), rel=1e-12
    )


def test_lovasz_of_sure_predictions_is_1_minus_jaccard():
    logits, labels = example(size=(20, 30))
    predicted = logits.argmax(1)
    sure = 200.0 * torch.nn.functional.one_hot(predicted, 4).movedim(-1, 1).double()
    used = labels != IGNORE
    jaccard = [
        ((predicted == c) & (labels == c)).sum() / (((predicted == c) | (labels == c)) & used).sum()
        for c in range(4)
    ]
    expected = 1 - np.mean([j.item() for j in jaccard])
    assert value(make("lovasz"), sure, labels).item() == pytest.approx(expected, rel=1e-6)


def test_lovasz_does_not_depend_on_the_order_of_pixels():
    logits, labels = example()
    order = torch.randperm(30)
    moved = (
        logits.flatten(2)[..., order].unflatten(2, (5, 6)),
        labels.flatten(1)[:, order].unflatten(1, (5, 6)),
    )
    loss = lovasz.Loss(lovasz.Params(), 4)
    assert value(loss, *moved).item() == pytest.approx(value(loss, logits, labels).item(), rel=1e-12)
