"""MTCL: what the teacher is, what it makes of the labels, and what each part of the loss sees."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from toy_training import ToySet, same, toy_batch, toy_task, two_headed

from noisylabels.case import IGNORE
from noisylabels.errors import UsageError
from noisylabels_plugins.api import Output, Progress
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.methods import mtcl
from noisylabels_plugins.parts.confident import probably_wrong
from noisylabels_plugins.parts.ema import early_decay, follow, teacher_of
from noisylabels_plugins.parts.labelled import one_hot

CPU = torch.device("cpu")


def make(batch, change=lambda task: task, net=None, **values):
    torch.manual_seed(0)
    task = change(toy_task(batch, **(net or {})))
    return mtcl.Method(mtcl.Params(**values), task)


def at(step, steps=100):
    return Progress(epoch=0, step=step, steps=steps, schedule=lambda fraction: 1.0)


def test_the_teacher_is_a_running_mean_of_weights_and_buffers():
    student = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    teacher = teacher_of(student)
    assert not any(weight.requires_grad for weight in teacher.parameters())
    first = [t.clone() for t in (*student.parameters(), student[1].running_mean)]
    student(torch.randn(5, 3, 4, 4))
    with torch.no_grad():
        student[0].weight.add_(1)
    follow(teacher, student, 0.75)
    pairs = zip(first, (*student.parameters(), student[1].running_mean), strict=True)
    for own, (old, new) in zip((*teacher.parameters(), teacher[1].running_mean), pairs, strict=True):
        torch.testing.assert_close(own, 0.75 * old + 0.25 * new)
    assert teacher[1].num_batches_tracked == 1
    follow(teacher, student, 0.0)
    assert same(teacher.state_dict(), student.state_dict())


def test_the_decay_starts_as_a_plain_mean():
    assert [early_decay(0.99, step) for step in (0, 1, 3)] == [0, 0.5, 0.75]
    assert early_decay(0.99, 1000) == 0.99
    batch = toy_batch()
    method = make(batch)
    records = train(method, ToySet(batch), Plan(epochs=3, batch_size=3), CPU)
    next(records)
    assert same(method.teacher.state_dict(), method.net.state_dict())
    next(records)
    assert not same(method.teacher.state_dict(), method.net.state_dict())


def test_the_teacher_evaluates_and_gets_no_gradient_and_the_student_predicts():
    batch = toy_batch()
    method = make(batch)
    list(train(method, ToySet(batch), Plan(epochs=4, batch_size=3), CPU))
    assert method.net.training
    assert not method.teacher.training
    assert all(weight.grad is None for weight in method.teacher.parameters())
    method.train(False)
    expected = method.net(batch.image).logits.softmax(1)
    torch.testing.assert_close(method.predict(batch.image), expected)
    assert not expected.allclose(method.teacher(batch.image).logits.softmax(1), atol=1e-4)


def test_weights_grow_over_shares_of_the_training():
    flat, volume = make(toy_batch()), make(toy_batch(size=(4, 8, 8)))
    assert flat.weight(at(0)) == pytest.approx(0.1 * math.exp(-5))
    assert flat.weight(at(50)) == pytest.approx(0.1 * math.exp(-5 / 4))
    assert [flat.weight(at(100)), volume.weight(at(75)), volume.weight(at(90))] == [0.1, 0.1, 0.1]
    assert flat.weight(at(5, 10)) == flat.weight(at(5000, 10_000))


GROUPS = {"norm": "group"}
"""No case sees another one, so that what one kind of case teaches can be told apart."""


@pytest.mark.parametrize("change", [lambda task: task, two_headed], ids=["one head", "two heads"])
def test_without_the_other_cases_it_is_supervised_on_the_trusted_ones(change):
    batch = toy_batch()
    garbage = replace(batch, labels=batch.labels.clone(), image=batch.image.clone())
    garbage.labels[1:] = 3
    garbage.image[1:] = torch.randn(garbage.image[1:].shape)
    methods = [make(batch, change, GROUPS, consistency=0.0) for _ in range(2)]
    plan = Plan(epochs=3, batch_size=3)
    for method, own in zip(methods, (batch, garbage), strict=True):
        list(train(method, ToySet(own), plan, CPU))
    for one, other in zip(*(m.net.parameters() for m in methods), strict=True):
        torch.testing.assert_close(one, other)

    method = make(batch, change, GROUPS, consistency=0.0)
    log_probs = [o.log_softmax(1)[:1] for o in heads(method.net(batch.image))]
    targets = one_hot(batch.labels[:1], 4)
    expected = [half_and_half(one, targets) for one in log_probs]
    loss = method.step(batch, at(50))["loss"]
    assert loss == pytest.approx(sum(w * x for w, x in zip((1, 0.1), expected, strict=False)), rel=1e-5)


def heads(output):
    return [output.logits, *(one.logits for one in output.aux)]


def half_and_half(log_probs, targets):
    """Half cross-entropy, half Dice with squares, written down pixel by pixel."""
    probs, used = log_probs.exp(), targets.sum(1) > 0
    entropy = -(targets * log_probs).sum(1)[used].mean()
    losses = []
    for code in range(targets.shape[1]):
        p, y = probs[:, code][used], targets[:, code][used]
        if y.sum() > 0:
            losses.append(1 - (2 * (p * y).sum() + 1e-5) / ((p * p).sum() + (y * y).sum() + 1e-5))
    return (0.5 * (entropy + sum(losses) / len(losses))).item()


def test_the_whole_loss_is_the_sum_of_its_parts():
    batch = toy_batch()
    method = make(batch, net=GROUPS, disturbance=0.0, smoothing="hard", consistency=0.3, correction=2.0)
    method.train()
    with torch.no_grad():
        for weight in method.teacher.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    student = method.net(batch.image).logits.log_softmax(1)
    teacher = method.teacher(batch.image[1:]).logits.softmax(1)
    _, corrected, _ = method._teach(batch.image[1:], batch.labels[1:], one_hot(batch.labels[1:], 4))
    own = half_and_half(student[:1], one_hot(batch.labels[:1], 4))
    agreement = (student[1:].exp() - teacher).square().mean().item()
    weight = method.weight(at(50))
    expected = own + weight * (agreement + 2 * half_and_half(student[1:], corrected))
    assert method.step(batch, at(50))["loss"] == pytest.approx(expected, rel=1e-5)
    early = make(batch, net=GROUPS, disturbance=0.0, correct_from=0.6)
    twice = make(batch, net=GROUPS, disturbance=0.0, correction=0.0)
    assert early.step(batch, at(50))["loss"] == twice.step(batch, at(50))["loss"]


class Says(nn.Module):
    """Predicts what its image says: channel c is the logit of class c."""

    tap_channels = (3,)

    def __init__(self, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(classes, 1, 1))

    def forward(self, image):
        return Output(logits=image[:, : len(self.weight)] * self.weight, tap=image)


def teach(classes, **values):
    """A good teacher and labels of which a fifth are flipped: (method, probabilities, labels, corrected, flagged)."""
    batch = toy_batch(size=(40, 40), classes=classes, channels=classes)
    method = make(
        batch,
        lambda task: replace(task, classes=task.classes[:classes], build_net=lambda: Says(classes)),
        **values,
    )
    generator = torch.Generator().manual_seed(0)
    true = torch.randint(0, classes, batch.labels.shape, generator=generator)
    image = 4.0 * one_hot(true, classes) + torch.randn(batch.image.shape, generator=generator)
    flips = torch.rand(true.shape, generator=generator) < 0.2
    given = torch.where(flips, (true + 1) % classes, true)
    given[:, :2] = IGNORE
    corrected = method._teach(image, given, one_hot(given, classes))[1]
    used = given != IGNORE
    flagged = torch.zeros_like(used)
    probs = image.softmax(1)
    flagged[used] = probably_wrong(probs.movedim(1, -1)[used], given[used])
    assert 0.1 < flagged.float().mean() < 0.2
    return method, image, probs, given, corrected, flagged


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("smoothing", ["hard", "fixed", "uncertainty"])
def test_flagged_labels_move_towards_the_teachers_class_and_no_others_do(classes, smoothing):
    *_, probs, given, corrected, flagged = teach(classes, smoothing=smoothing, disturbance=0.0)
    plain, taught = one_hot(given, classes), one_hot(probs.argmax(1), classes)
    entropy = -(probs * probs.log()).sum(1) / math.log(classes)
    far = {"hard": torch.ones(()), "fixed": torch.tensor(0.8), "uncertainty": 1 - entropy}[smoothing]
    far = (far * flagged)[:, None]
    torch.testing.assert_close(corrected, (1 - far) * plain + far * taught)
    assert (corrected.sum(1) - (given != IGNORE).float()).abs().max() < 1e-5
    whole = (corrected == corrected.round()).all()
    assert whole == (smoothing == "hard"), "soft labels stay soft"
    if classes == 2:  # the published flip, y + X (-1)^y s
        foreground = given + flagged * (1 - 2 * given) * far[:, 0]
        used = given != IGNORE
        torch.testing.assert_close(corrected[:, 1][used], foreground.float()[used])


def test_uncertainty_is_that_of_several_disturbed_predictions():
    method, image, *_ = teach(4, disturbance=0.5, passes=3)
    assert not method._how_far(image).equal(method._how_far(image)), "every look is disturbed anew"
    one, many = (teach(4, disturbance=0.5, passes=passes)[0]._how_far(image) for passes in (1, 50))
    assert one.mean() > many.mean(), "the mean of many is less sure"
    assert 0 <= many.min() <= many.max() <= 1
    noise = method._disturbed(torch.zeros(1, 4, 200, 200))
    assert noise.abs().max() <= 1.0
    assert noise.std().item() == pytest.approx(0.5 * 0.96, rel=0.03)  # cut at twice its deviation


@pytest.mark.parametrize("trusted", [0, 3])
def test_a_batch_of_one_kind_teaches_what_it_can(trusted):
    batch = toy_batch()
    method = make(batch, lambda task: replace(task, trusted=frozenset(batch.case_ids[:trusted])))
    weights = [weight.clone() for weight in method.net.parameters()]
    log = method.step(batch, at(50))
    assert math.isfinite(log["loss"])
    assert log["loss"] > 0
    assert any(not torch.equal(w, old) for w, old in zip(method.net.parameters(), weights, strict=True))


def test_where_a_batch_is_cut_the_teacher_follows_once():
    """And of two equal halves the update is that of one."""
    batch = toy_batch(batch=2)
    whole, cut = (make(batch, net=GROUPS, disturbance=0.0) for _ in range(2))
    for step in (60, 61):
        whole.step(batch, at(step))
        cut.updates.start()
        for part in (0, 1):
            cut.updates.part(0.5, part == 0, part == 1)
            before = [weight.clone() for weight in cut.teacher.parameters()]
            cut.step(batch, at(step))
            moved = not all(map(torch.equal, cut.teacher.parameters(), before))
            assert moved == (part == 1)
    for one, other in zip(whole.teacher.parameters(), cut.teacher.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_most_wrong_labels_are_found_while_training():
    """Eight trusted images, 24 others with 15 % wrong labels: what is flagged at the end holds most of these."""
    batches = [toy_batch(seed, size=(32, 32), batch=4) for seed in range(8)]
    truths = [batch.image.mean(1).round().clamp(0, 3).long() for batch in batches]
    for batch, truth in zip(batches, truths, strict=True):
        batch.labels[0] = torch.where(batch.labels[0] == IGNORE, IGNORE, truth[0])
    method = make(batches[0], decay=0.9, lr=0.01, smoothing="hard")
    list(train(method, ToySet(*batches), Plan(epochs=20, batch_size=4), CPU))
    found = np.zeros((2, 2))
    for batch, truth in zip(batches, truths, strict=True):
        corrected = method._teach(batch.image, batch.labels, one_hot(batch.labels, 4))[1].argmax(1)
        flagged, wrong = (corrected != batch.labels)[1:], (truth != batch.labels)[1:]
        for pair in ((0, 0), (0, 1), (1, 0), (1, 1)):
            found[pair] += ((flagged == pair[0]) & (wrong == pair[1]) & (batch.labels[1:] != IGNORE)).sum()
    assert found[1, 1] > 0.7 * found[:, 1].sum()
    assert found[1, 1] / found[1].sum() > 2.5 * found[:, 1].sum() / found.sum()


def test_gradients_against_finite_differences():
    torch.manual_seed(0)
    targets = torch.rand(2, 3, 3, 2, dtype=torch.float64).softmax(1)
    targets[0, :, 0] = 0
    logits = torch.randn(2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: mtcl._supervised(x.log_softmax(1), targets), logits)
    assert gradcheck(lambda x: mtcl._disagreement(x.log_softmax(1), targets), logits)


def test_soft_labels_are_what_the_loss_asks_for():
    """No prediction has a smaller loss than one that equals the soft label."""
    targets = (2 * torch.randn(2, 4, 6, 5, dtype=torch.float64)).softmax(1)
    logits = targets.log().clone().requires_grad_()
    mtcl._supervised(logits.log_softmax(1), targets).backward()
    assert logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize(
    "values",
    [
        {"smooth": 1.5},
        {"decay": -0.1},
        {"passes": 0},
        {"ramp": 0.0},
        {"consistency": -1.0},
        {"correct_from": 2.0},
    ],
)
def test_values_that_mean_nothing_are_refused(values):
    with pytest.raises(UsageError, match=next(iter(values)).replace("_", "-")):
        mtcl.Params(**values)
