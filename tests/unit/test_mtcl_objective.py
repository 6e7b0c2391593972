"""MTCL's objective written out, its disturbances drawn in the same order, against what its optimiser is handed."""

import math

import pytest
import torch
from toy_training import toy_batch, toy_task, two_headed

from noisylabels.case import IGNORE
from noisylabels_plugins.api import Progress
from noisylabels_plugins.methods import mtcl
from noisylabels_plugins.parts.confident import probably_wrong
from noisylabels_plugins.parts.labelled import one_hot

AT = Progress(epoch=2, step=60, steps=100, schedule=lambda fraction: 0.001)
VALUES = {"consistency": 0.3, "correction": 2.0, "disturbance": 0.3, "aux_weight": 0.2, "correct_from": 0.6}


def make(batch, **values):
    """A student of two heads whose teacher has gone another way; the first case is trusted."""
    torch.manual_seed(0)
    method = mtcl.Method(mtcl.Params(**VALUES | values), two_headed(toy_task(batch)))
    with torch.no_grad():
        for weight in method.teacher.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return method


def objective_of(method, batch, at=AT):
    """What ``step`` asks the optimiser to lower, before it does."""
    asked = []
    method.update = lambda loss, stage, *optimizers: asked.append((loss, stage, optimizers))
    torch.manual_seed(3)
    method.step(batch, at)
    (found,) = asked
    return found


def half_and_half(log_probs, targets):
    """Half cross-entropy, half Dice with squares, over the labelled pixels and the classes they hold."""
    used = targets.sum(1) > 0
    log_probs, targets = log_probs.movedim(1, -1)[used], targets.movedim(1, -1)[used]
    probs, held = log_probs.exp(), targets.sum(0) > 0
    above = 2 * (probs * targets).sum(0) + 1e-5
    below = (probs**2).sum(0) + (targets**2).sum(0) + 1e-5
    return 0.5 * (-(targets * log_probs).sum(1).mean() + (1 - above / below)[held].mean())


@torch.no_grad()
def taught(method, image, labels, passes):
    """The teacher's disturbed probabilities, and the given labels as far as it changes them."""

    def probs(size):
        noise = (size * torch.randn_like(image)).clamp(-2 * size, 2 * size) if size else 0
        return method.teacher(image + noise).logits.softmax(1)

    agreed, plain, used = probs(0.3), probs(0), labels != IGNORE
    flagged = torch.zeros_like(used)
    flagged[used] = probably_wrong(plain.movedim(1, -1)[used], labels[used])
    assert 0.05 < flagged.float().mean() < 0.95
    mean = torch.stack([probs(0.3) for _ in range(passes)]).mean(0)
    sure = 1 + (mean * mean.log()).sum(1) / math.log(4)
    far = (sure * flagged)[:, None]
    return agreed, (1 - far) * one_hot(labels, 4) + far * one_hot(plain.argmax(1), 4)


def written_out(method, batch, weight, correction, passes=4):
    torch.manual_seed(3)
    agreed, corrected = taught(method, batch.image[1:], batch.labels[1:], passes)
    main = method.net(batch.image)
    total = torch.zeros(())
    for share, output in zip((1.0, 0.2), (main, *main.aux), strict=True):
        log_probs = output.logits.log_softmax(1)
        own = half_and_half(log_probs[:1], one_hot(batch.labels[:1], 4))
        others = (log_probs[1:].exp() - agreed).square().mean()
        if correction:
            others = others + correction * half_and_half(log_probs[1:], corrected)
        total = total + share * (own + weight * others)
    return total


@pytest.mark.parametrize("passes", [None, 3])
@pytest.mark.parametrize("step", [59, 60])
def test_the_objective_is_the_formula_written_out(step, passes):
    """Corrected labels are learned from the sixtieth of a hundred updates on."""
    batch = toy_batch(1, missing=(2,))
    method = make(batch, passes=passes)
    at = Progress(epoch=2, step=step, steps=100, schedule=lambda fraction: 0.001)
    weight = 0.3 * math.exp(-5 * (1 - step / 100) ** 2)
    wanted = written_out(method, batch, weight, 2.0 if step == 60 else 0.0, passes or 4)
    found, seen, optimizers = objective_of(method, batch, at)  # after which the teacher is another
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    learnt = [*method.net.body.parameters(), *method.net.heads.parameters()]
    slopes = [torch.autograd.grad(loss, learnt) for loss in (found, wanted)]
    for one, other in zip(*slopes, strict=True):
        assert (one - other).norm() <= 1e-3 * other.norm() + 1e-6
    assert seen is at
    assert optimizers == (method.optimizer,)


def test_the_teacher_starts_as_the_student_and_learns_nothing_by_itself():
    batch = toy_batch(1)
    method = mtcl.Method(mtcl.Params(), two_headed(toy_task(batch)))
    weights = [weight for group in method.optimizer.param_groups for weight in group["params"]]
    for own, new in zip(method.teacher.parameters(), method.net.parameters(), strict=True):
        assert torch.equal(own, new)
        assert not any(own is weight for weight in weights)


@pytest.mark.parametrize(("step", "decay"), [(0, 0.0), (4, 0.8), (60, 0.9)])
def test_the_teacher_follows_the_student_as_it_is_after_the_update(step, decay):
    batch = toy_batch(1)
    method = make(batch, decay=0.9, lr=0.1)
    before = [weight.clone() for weight in method.teacher.parameters()]
    method.step(batch, Progress(epoch=1, step=step, steps=100, schedule=lambda fraction: 1.0))
    students = [weight.detach() for weight in method.net.parameters()]
    for own, old, new in zip(method.teacher.parameters(), before, students, strict=True):
        torch.testing.assert_close(own, decay * old + (1 - decay) * new)


@pytest.mark.parametrize(("smoothing", "far"), [("fixed", 0.3), ("hard", 1.0)])
def test_without_uncertainty_all_flagged_labels_move_as_far(smoothing, far):
    batch = toy_batch(1)
    assert make(batch, smoothing=smoothing, smooth=0.3)._how_far(batch.image) == far


def test_of_volumes_six_looks_are_taken():
    batch = toy_batch(size=(4, 8, 8))
    torch.manual_seed(0)
    method = mtcl.Method(mtcl.Params(), toy_task(batch))
    looks, say = [], method.teacher.forward
    method.teacher.forward = lambda image: looks.append(image) or say(image)
    method._how_far(batch.image)
    assert len(looks) == 6


def test_the_flagged_share_is_that_of_the_labelled_pixels():
    """Half of the pixels have a label, a quarter of these one that a sure teacher denies."""
    batch = toy_batch(batch=2)
    method = make(batch, disturbance=0.0)
    truth = torch.arange(20).remainder(4).expand(24, 20)
    batch.labels[1] = (truth + (torch.arange(24) % 4 == 0)[:, None]) % 4
    batch.labels[1, 12:] = IGNORE
    sure = 10 * one_hot(truth[None], 4)
    method._probs = lambda image: sure.softmax(1)
    assert method.step(batch, AT)["flagged"] == pytest.approx(0.25)
