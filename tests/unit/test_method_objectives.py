"""What each method lowers, written out, against what it hands to its optimisers: values, gradients and rates."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from toy_training import objective_of, toy_batch, toy_task, two_headed

from noisylabels.case import IGNORE
from noisylabels_plugins.api import Progress
from noisylabels_plugins.losses import ce, t_loss
from noisylabels_plugins.losses import lovasz as lovasz_loss
from noisylabels_plugins.methods import baseline, css, forward, lwanet, mtcl, raunet, sr, volmin

AT = Progress(epoch=2, step=5, steps=10, per_epoch=2, schedule=lambda fraction: 0.25)
SKEWED = ((0.7, 0.3, 0.0, 0.0), (0.0, 0.6, 0.4, 0.0), (0.1, 0.0, 0.9, 0.0), (0.2, 0.0, 0.0, 0.8))
AUX = 0.3


def make(module, batch, loss=ce, **values):
    torch.manual_seed(0)
    task = replace(two_headed(toy_task(batch, loss=loss)), transition=SKEWED)
    return module.Method(module.Params(**{"aux_weight": AUX} | values), task)


def cross_entropy(probs, labels):
    probs, given = of_pixels(probs, labels)
    return -probs.gather(1, given[:, None]).log().mean()


def of_pixels(values, labels):
    """(N, K) and (N,) of the labelled pixels."""
    used = labels != IGNORE
    return values.movedim(1, -1)[used], labels[used]


def plain(method, logits, labels):
    return cross_entropy(logits.softmax(1), labels)


def through_the_measured(method, logits, labels):
    return cross_entropy(torch.einsum("bk...,kn->bn...", logits.softmax(1), torch.tensor(SKEWED)), labels)


def through_the_learned(method, logits, labels):
    raw = torch.eye(4) + method.transition.weight.sigmoid() * (1 - torch.eye(4))
    matrix = raw / raw.sum(1, keepdim=True)
    return cross_entropy(torch.einsum("bk...,kn->bn...", logits.softmax(1), matrix), labels)


def sparse(method, logits, labels):
    """Temperature 0.4, power 0.1, weight 0.7, which has grown by 1.5 twice."""
    probs = (logits / logits.norm(dim=1, keepdim=True) / 0.4).softmax(1)
    return cross_entropy(probs, labels) + 0.7 * 1.5**2 * (probs**0.1).sum(1).mean()


def lovasz(method, logits, labels):
    return lovasz_loss.Loss(lovasz_loss.Params(), 4)(logits.log_softmax(1), labels)


def cel_dice(absent, method, logits, labels):
    """0.6 of cross-entropy, 0.4 of the logarithm of Dice, of present classes or the sum over all."""
    probs, given = of_pixels(logits.softmax(1), labels)
    target, eps = F.one_hot(given, 4), 1e-15 if absent else 1e-7
    dice = (2 * (probs * target).sum(0) + eps) / (probs.sum(0) + target.sum(0) + eps)
    missed = -dice.log().sum() if absent else -dice.log()[[0, 1, 3]].mean()
    return 0.6 * cross_entropy(logits.softmax(1), labels) + 0.4 * missed


def focal(method, logits, labels):
    probs, given = of_pixels(logits.softmax(1), labels)
    own = probs.gather(1, given[:, None])
    return -((1 - own) ** 3 * own.log()).mean()


def authors_focal(method, logits, labels):
    probs, given = of_pixels(logits.softmax(1), lwanet.coarse(labels))
    own = probs.gather(1, given[:, None])
    return -((1 - own.detach()) ** 3 * own.log()).mean()


SR = {"temperature": 0.4, "power": 0.1, "sparse_weight": 0.7, "growth": 1.5}
METHODS = {
    "baseline": (baseline, {}, plain),
    "forward": (forward, {}, through_the_measured),
    "volmin": (volmin, {"volume_weight": 0.5, "initial": -1.0}, through_the_learned),
    "sr": (sr, SR, sparse),
    "css": (css, {}, lovasz),
    "raunet": (raunet, {"dice_weight": 0.4}, lambda *x: cel_dice(False, *x)),
    "raunet, author": (raunet, {"dice_weight": 0.4, "compat": "author"}, lambda *x: cel_dice(True, *x)),
    "lwanet": (lwanet, {"gamma": 3.0}, focal),
    "lwanet, author": (lwanet, {"gamma": 3.0, "compat": "author"}, authors_focal),
}


@pytest.mark.parametrize("name", METHODS)
def test_the_objective_is_the_formula_written_out(name):
    module, values, of_head = METHODS[name]
    batch = toy_batch(1, missing=(2,))
    method = make(module, batch, **values)
    found, at, optimizers = objective_of(method, batch, AT)
    main = method.net(batch.image)
    wanted = of_head(method, main.logits, batch.labels)
    wanted = wanted + AUX * of_head(method, main.aux[0].logits, batch.labels)
    learnt = [*method.net.body.parameters(), *method.net.heads.parameters()]
    if module is volmin:
        wanted = wanted + 0.5 * torch.linalg.det(method.transition()).abs().log()
        learnt += [*method.transition.parameters()]
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    slopes = [torch.autograd.grad(loss, learnt) for loss in (found, wanted)]
    for one, other in zip(*slopes, strict=True):
        assert (one - other).norm() <= 1e-3 * other.norm() + 1e-6
    assert at is AT
    own = [method.optimizer] + ([method.transition_optimizer] if module is volmin else [])
    assert list(optimizers) == own


@pytest.mark.parametrize("module", [baseline, forward, volmin, sr, css, raunet, lwanet, mtcl])
@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_the_optimiser_has_the_network_and_what_the_loss_learns(module, kind):
    values = {"lr": 0.02, "weight_decay": 0.003, "optimizer": kind, "momentum": 0.7}
    batch = toy_batch()
    method = make(module, batch, loss=ce if module.Method.OWN_LOSS else t_loss, **values)
    groups = method.optimizer.param_groups
    held = [id(weight) for group in groups for weight in group["params"]]
    learnt = [*method.net.parameters()]
    if not module.Method.OWN_LOSS:
        learnt += [*method.loss.parameters()]
    assert sorted(held) == sorted(map(id, learnt))
    assert type(method.optimizer) is {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind]
    assert {(g["lr"], g["weight_decay"], g.get("momentum", 0.7)) for g in groups} == {(0.02, 0.003, 0.7)}
    method.step(batch, AT)
    assert [id(weight) for weight in learnt if weight.grad is None] == [
        id(weight) for weight in method.net.more.parameters()
    ], "only the tap, which no affinity looks at, learns nothing"
    assert {group["lr"] for group in method.optimizer.param_groups} == {0.02 * 0.25}


def test_the_matrix_has_adam_without_decay_or_schedule():
    method = make(volmin, toy_batch(), transition_lr=0.07)
    (group,) = method.transition_optimizer.param_groups
    assert type(method.transition_optimizer) is torch.optim.Adam
    assert group["weight_decay"] == 0
    assert [id(weight) for weight in group["params"]] == [id(method.transition.weight)]
    method.step(toy_batch(), AT)
    assert group["lr"] == 0.07


DEFAULTS = [
    (baseline, {"lr": 3e-3, "weight_decay": 1e-4, "optimizer": "adamw", "aux_weight": 0.1}),
    (forward, {"lr": 3e-3, "weight_decay": 1e-4, "optimizer": "adamw", "aux_weight": 0.1}),
    (volmin, {"volume_weight": 1e-4, "transition_lr": 0.01, "initial": -2.0}),
    (sr, {"temperature": 0.5, "power": 0.01, "sparse_weight": 1.0, "growth": 1.0}),
    (css, {"lr": 1e-3, "weight_decay": 0.0, "aux_weight": 0.4}),
    (raunet, {"lr": 1e-3, "weight_decay": 0.0, "dice_weight": 0.2, "compat": "none"}),
    (lwanet, {"lr": 1e-3, "weight_decay": 0.0, "gamma": 6.0, "compat": "none"}),
    (mtcl, {"smoothing": "uncertainty", "smooth": 0.8, "passes": None, "decay": 0.99, "consistency": 0.1,
            "correction": 5.0, "ramp": None, "correct_from": 0.0067, "disturbance": 0.1}),
]  # fmt: skip


@pytest.mark.parametrize(("module", "values"), DEFAULTS)
def test_unless_told_otherwise_a_method_is_that_of_its_source(module, values):
    params = module.Params()
    assert {name: getattr(params, name) for name in values} == values


ASKED = {
    baseline: (frozenset(), "unet", False, "shuffle", True),
    forward: (frozenset({"transition"}), "unet", False, "shuffle", True),
    volmin: (frozenset(), "unet", False, "shuffle", True),
    sr: (frozenset(), "unet", False, "shuffle", True),
    css: (frozenset(), "ocrnet", True, "repeat-factor", True),
    raunet: (frozenset(), "raunet", True, "shuffle", True),
    lwanet: (frozenset(), "lwanet", True, "shuffle", True),
    mtcl: (frozenset({"trusted"}), "unet", True, "two-stream", False),
}


@pytest.mark.parametrize("module", ASKED)
def test_what_a_method_asks_of_data_network_loss_and_loop(module):
    own = module.Method
    assert (own.needs, own.DEFAULT_NET, own.OWN_LOSS, own.SAMPLER, own.DISTRIBUTED) == ASKED[module]
