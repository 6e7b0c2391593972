"""JCAS: what its stages and variants switch on, checked against simpler methods and against its parts."""

import pytest
import torch
from torch import nn
from toy_training import ToySet, same, toy_batch, toy_task, two_headed

from noisylabels.case import IGNORE
from noisylabels_plugins.api import Progress
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.losses import ce
from noisylabels_plugins.methods import baseline, jcas
from noisylabels_plugins.parts.affinity import pairwise_loss, unit_features
from noisylabels_plugins.parts.transition import log_given

CPU = torch.device("cpu")
AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)


def make(module, batch, two_heads=False, **values):
    torch.manual_seed(0)
    task = toy_task(batch)
    return module.Method(module.Params(**values), two_headed(task) if two_heads else task)


def drive(method, *batches, epochs):
    return list(train(method, ToySet(*batches), Plan(epochs=epochs, batch_size=3), CPU))


@pytest.mark.parametrize("two_heads", [False, True])
def test_without_its_affinity_branch_it_is_the_baseline(two_heads):
    batches = toy_batch(1), toy_batch(2)
    plain = make(baseline, batches[0], two_heads)
    method = make(jcas, batches[0], two_heads, parts="affinity", affinity_weight=0.0)
    logs = drive(plain, *batches, epochs=3), drive(method, *batches, epochs=3)
    assert [r["loss"] for r in logs[1]] == pytest.approx([r["loss"] for r in logs[0]], rel=1e-5)
    for one, other in zip(plain.net.parameters(), method.net.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", ["corrected", "published"])
@pytest.mark.parametrize("parts", ["all", "affinity", "dar", "calc"])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 0.5, 1.0])
def test_matrices_learn_only_after_the_warm_up_and_only_where_they_correct(parts, variant, warmup):
    """Two updates an epoch: a warm-up of 0.3 of eight updates ends with the second epoch, after the fourth."""
    ends = {0.0: 0, 0.3: 4, 0.5: 4, 1.0: 8}[warmup]
    batches = toy_batch(1), toy_batch(2)
    method = make(jcas, batches[0], parts=parts, variant=variant, warmup=warmup, transition_start="fixed")
    matrices = [method.class_transition, method.pair_transition]
    start = [m.weight.detach().clone() for m in matrices]
    moved = []
    for _ in train(method, ToySet(*batches), Plan(epochs=4, batch_size=3, schedule="constant"), CPU):
        moved.append(all(not torch.equal(m.weight, w) for m, w in zip(matrices, start, strict=True)))
    expected = [parts in ("all", "calc") and update > ends for update in range(1, 9)]
    assert moved == expected


@pytest.mark.parametrize("unlabelled", [0, 1])
def test_matrices_start_from_predictions_against_given_labels(unlabelled):
    """Counted pixel by pixel, and for every pair of pixels of one image."""
    batches = [toy_batch(s, size=(16, 16), batch=2, unlabelled=unlabelled) for s in (1, 2)]
    method = make(jcas, batches[0], warmup=1.0)
    records = drive(method, *batches, epochs=2)
    method.train(False)
    classes, pairs = torch.zeros(4, 4), torch.zeros(2, 2)
    for batch in batches:
        for true, given in zip(method.predict(batch.image).argmax(1), batch.labels, strict=True):
            true, given = true[given != IGNORE], given[given != IGNORE]
            for t, g in zip(true.tolist(), given.tolist(), strict=True):
                classes[t, g] += 1
            same_true = (true[:, None] == true[None]).long().flatten()
            same_given = (given[:, None] == given[None]).long().flatten()
            pairs += torch.bincount(2 * same_true + same_given, minlength=4).reshape(2, 2)
    for counts, found in ((classes, method.class_transition()), (pairs, method.pair_transition())):
        diagonal = counts.diagonal()[:, None].clamp(min=1e-12)
        raw = (counts / diagonal).clamp(1e-3, 0.99).fill_diagonal_(1)
        seen = counts.sum(1) > 0
        wanted = raw / raw.sum(1, keepdim=True)
        torch.testing.assert_close(found[seen], wanted[seen], rtol=1e-4, atol=1e-6)
    assert records[-1]["epoch_done"]["t_class"] == method.class_transition().tolist()


@pytest.mark.parametrize("variant", ["corrected", "published"])
def test_auxiliary_heads_have_their_weights(variant):
    """0.1 for their losses; the release has the weights of the pairwise losses the other way round."""
    batch = toy_batch(1)
    method = make(jcas, batch, two_heads=True, parts="affinity", variant=variant, stride=1)
    with torch.no_grad():
        main = method.net(batch.image)
        by_class, by_pair = [], []
        for output, head in zip((main, *main.aux), method.affinity, strict=True):
            by_class.append(ce.Loss(ce.Params(), 4)(log_given(output.logits, None), batch.labels))
            unit = unit_features(head(output.tap), (24, 20))
            options = {"self_pairs": True, "ignored_pairs": True, "floor": 1e-10}
            options = options if variant == "published" else {}
            by_pair.append(pairwise_loss(unit, batch.labels.flatten(1), **options))
    pair_weights = (1.0, 0.1) if variant == "corrected" else (0.1, 1.0)
    expected = (
        by_class[0] + 0.1 * by_class[1] + sum(w * p for w, p in zip(pair_weights, by_pair, strict=True))
    )
    assert method.step(batch, AT)["loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_only_reasoning_changes_the_prediction():
    batch = toy_batch(1)
    methods = {parts: make(jcas, batch, parts=parts) for parts in ("all", "affinity", "dar", "calc")}
    predictions = {}
    for parts, method in methods.items():
        method.train(False)
        predictions[parts] = method.predict(batch.image)
        torch.testing.assert_close(predictions[parts].sum(1), torch.ones(3, 24, 20))
    plain = methods["all"].net(batch.image).logits.softmax(1)
    assert torch.equal(predictions["calc"], plain)
    assert torch.equal(predictions["affinity"], plain)
    assert torch.equal(predictions["dar"], predictions["all"])
    assert not torch.allclose(predictions["all"], plain, rtol=0, atol=1e-6)


def test_affinity_that_tells_nothing_changes_no_decision_of_the_published_prediction():
    """All positions alike: A Q is the mean of Q, which the published reasoning takes away again."""
    batch = toy_batch(1)
    method = make(jcas, batch, variant="published", stride=1)
    nn.init.zeros_(method.affinity[0].weight)
    nn.init.ones_(method.affinity[0].bias)
    method.train(False)
    logits = method.net(batch.image).logits
    coarse = nn.functional.interpolate(logits, (12, 10), mode="bilinear", align_corners=True).softmax(1)
    expected = nn.functional.interpolate(coarse, (24, 20), mode="bilinear", align_corners=True)
    torch.testing.assert_close(method.predict(batch.image), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", ["corrected", "published"])
def test_mixed_precision_trains_the_same_matrices_closely(variant):
    """What is computed in bfloat16 are the convolutions, not the losses."""
    batches = toy_batch(1), toy_batch(2)
    methods = [make(jcas, batches[0], variant=variant, warmup=0.0, lr=1e-3) for _ in range(2)]
    logs = []
    for method, mixed in zip(methods, (False, True), strict=True):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logs.append([method.step(batch, AT)["loss"] for batch in batches])
    assert logs[1] == pytest.approx(logs[0], rel=0.02)
    assert not same(methods[0].state_dict(), methods[1].state_dict())
    for one, other in zip(methods[0].net.parameters(), methods[1].net.parameters(), strict=True):
        assert other.dtype == torch.float32
        assert torch.isfinite(other).all()
        assert (one - other).abs().max() < 0.01
