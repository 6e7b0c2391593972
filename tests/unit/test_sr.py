"""SR: bounded confidence, a growing weight, and what is left when both are switched off."""

import math
from dataclasses import replace

import pytest
import torch
from torch.autograd import gradcheck
from toy_training import ToySet, same, toy_batch, toy_task, two_headed

from noisylabels.case import IGNORE
from noisylabels.errors import UsageError
from noisylabels_plugins.api import Progress
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.methods import baseline, sr

CPU = torch.device("cpu")
AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)


def make(module, batch, two_heads=False, **values):
    torch.manual_seed(0)
    task = toy_task(batch)
    return module.Method(module.Params(**values), two_headed(task) if two_heads else task)


@pytest.mark.parametrize("two_heads", [False, True])
def test_without_normalisation_and_sparseness_it_is_the_baseline(two_heads):
    batches = toy_batch(1), toy_batch(2)
    plan = Plan(epochs=3, batch_size=3)
    methods = [
        make(baseline, batches[0], two_heads),
        make(sr, batches[0], two_heads, temperature=0.0, sparse_weight=0.0),
    ]
    logs = [[r["loss"] for r in train(m, ToySet(*batches), plan, CPU)] for m in methods]
    assert logs[0] == logs[1]
    assert same(methods[0].net.state_dict(), methods[1].net.state_dict())


def test_confidence_is_bounded():
    """Four classes, temperature 0.5: the best unit vector of logits gives 0.770; centred ones have length 1 too."""
    method = make(sr, toy_batch())
    best = torch.tensor([3.0, -1.0, -1.0, -1.0])[None, :, None, None]
    for size in (1e-3, 1.0, 1e6):
        assert method._log_probs(best * size).exp().max().item() == pytest.approx(0.770, abs=5e-4)
    wild = 100 * torch.randn(1, 4, 50, 50)
    assert method._log_probs(wild).exp().max() < 0.7705
    assert method.predict(toy_batch().image).max() < 0.7705


def test_the_sum_of_powers_counts_classes():
    method = make(sr, toy_batch(), temperature=0.0, power=1e-4, sparse_weight=1.0)
    labels = torch.zeros(1, 3, 4, dtype=torch.long)
    logits = torch.zeros(1, 4, 3, 4)
    everything = method._objective(logits, labels, AT).item() - math.log(4)
    logits[:, 2:] = -14.0  # a probability just above what counts as 0
    assert everything == pytest.approx(4, abs=1e-2)
    assert method._objective(logits, labels, AT).item() - math.log(2) == pytest.approx(4, abs=1e-2)
    method = make(sr, toy_batch(), temperature=0.0, power=2.0, sparse_weight=3.0)
    assert method._objective(logits, labels, AT).item() == pytest.approx(math.log(2) + 3 * 0.5, abs=1e-4)


def test_short_logits_are_not_stretched_to_length_1():
    method = make(sr, toy_batch())
    short = torch.tensor([3e-4, -1e-4, -1e-4, -1e-4])[None, :, None, None]
    torch.testing.assert_close(method._log_probs(short), (short / 1e-3 / 0.5).log_softmax(1))


@pytest.mark.parametrize(("logit", "counted"), [(-13.0, math.exp(-13)), (-30.0, 1e-7)])
def test_small_probabilities_count_down_to_1e_7(logit, counted):
    method = make(sr, toy_batch(), temperature=0.0, power=0.5)
    logits = torch.tensor([0.0, logit, logit, logit], dtype=torch.float64)[None, :, None, None]
    powers = method._objective(logits, torch.full((1, 1, 1), IGNORE), AT)
    assert powers.item() == pytest.approx(1 + 3 * counted**0.5, rel=1e-5)


def test_logits_of_few_digits_are_normalised_in_float32():
    """The length of logits this large overflows in 16 bits."""
    method = make(sr, toy_batch())
    logits = torch.tensor([300.0, -100.0, 200.0, 0.0])[None, :, None, None]
    found = method._log_probs(logits.half())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, method._log_probs(logits))


def test_the_weight_grows_with_every_epoch():
    batch = toy_batch()
    method = make(sr, batch, sparse_weight=2.0, growth=1.5)
    logits = torch.randn(3, 4, 24, 20)
    losses = [method._objective(logits, batch.labels, replace(AT, epoch=epoch)).item() for epoch in range(3)]
    assert (losses[2] - losses[1]) / (losses[1] - losses[0]) == pytest.approx(1.5, rel=1e-4)


@pytest.mark.parametrize("values", [{}, {"power": 0.1, "temperature": 0.1}, {"temperature": 0.0}])
def test_gradients_against_finite_differences(values):
    method = make(sr, toy_batch(), **values)
    labels = torch.randint(0, 4, (2, 3, 3))
    logits = torch.randn(2, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: method._objective(x, labels, AT), logits, fast_mode=True)


def test_vanishing_probabilities_have_finite_gradients():
    method = make(sr, toy_batch(), temperature=0.0)
    logits = torch.zeros(1, 4, 3, 3)
    logits[:, 1] = 1000.0
    logits.requires_grad_()
    method._objective(logits, torch.ones(1, 3, 3, dtype=torch.long), AT).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    "values", [{"power": 0.0}, {"growth": 0.0}, {"temperature": -1.0}, {"sparse_weight": -1.0}]
)
def test_values_that_mean_nothing_are_refused(values):
    with pytest.raises(UsageError, match=next(iter(values)).replace("_", "-")):
        sr.Params(**values)
