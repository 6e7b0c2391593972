"""Numbers of several precisions, parts of a batch, clipping and compiling: what changes an update and what must not."""

import pytest
import torch
from toy_training import ToySet, same, toy_batch, toy_task

from noisylabels.errors import UsageError
from noisylabels_plugins.api import Progress
from noisylabels_plugins.feed import Parts
from noisylabels_plugins.guards import Before
from noisylabels_plugins.loop import Place, Plan, _update, train
from noisylabels_plugins.methods import baseline, jcas
from noisylabels_plugins.precision import BF16, FP16, FP32, Precision, choose_precision
from noisylabels_plugins.update import SMALLEST_SCALE, NotFinite, Updates

CPU = torch.device("cpu")
AT = Progress(epoch=0, step=0, steps=10, schedule=lambda fraction: 1.0)


def made(module=baseline, batch=None, **net):
    torch.manual_seed(0)
    params = {"warmup": 0.0} if module is jcas else {}
    return module.Method(module.Params(**params), toy_task(batch or toy_batch(batch=4), norm="group", **net))


def half(batch, part):
    from noisylabels_plugins.api import Batch

    return Batch(image=batch.image[part], labels=batch.labels[part], case_ids=batch.case_ids[part])


@pytest.mark.parametrize("module", [baseline, jcas])
def test_a_batch_in_parts_makes_the_same_update(module):
    batch = toy_batch(batch=5)
    whole, cut = made(module, batch), made(module, batch)
    logs = [
        _update(whole, Parts(batch.case_ids, [(batch, 1.0)]), AT, Place(Precision(FP32, CPU)), Before(whole))
    ]
    own = [(half(batch, slice(0, 2)), 0.4), (half(batch, slice(2, 5)), 0.6)]
    logs.append(_update(cut, Parts(batch.case_ids, own), AT, Place(Precision(FP32, CPU)), Before(cut)))
    assert logs[0].keys() == logs[1].keys()
    for name in ("loss", "grad_norm"):
        assert logs[0][name] == pytest.approx(logs[1][name], rel=1e-4)
    for one, other in zip(whole.net.parameters(), cut.net.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_a_method_that_updates_twice_in_a_batch_cannot_be_cut():
    class Twice(baseline.Method):
        def step(self, batch, at):
            super().step(batch, at)
            return super().step(batch, at)

    batch = toy_batch()
    torch.manual_seed(0)
    method = Twice(baseline.Params(), toy_task(batch))
    method.step(batch, AT)
    with pytest.raises(UsageError, match=r"updates its network twice in a batch.*leave out --accumulate"):
        _update(
            method,
            Parts(batch.case_ids, [(batch, 0.5), (batch, 0.5)]),
            AT,
            Place(Precision(FP32, CPU)),
            Before(method),
        )


@pytest.mark.parametrize(("name", "loosely"), [(BF16, 0.05), (FP16, 0.01)])
@pytest.mark.parametrize("module", [baseline, jcas])
def test_mixed_precision_learns_nearly_the_same(module, name, loosely):
    batch, losses = toy_batch(), {}
    for precision in (Precision(FP32, CPU), Precision(name, CPU)):
        method = made(module, batch)
        method.updates = Updates(precision.scaler())
        records = train(method, ToySet(batch), Plan(epochs=4, batch_size=3), Place(precision))
        losses[precision.name] = [record["loss"] for record in records]
        assert all(p.dtype == torch.float32 for p in method.net.parameters())
    assert losses[name] != losses[FP32]
    assert losses[name] == pytest.approx(losses[FP32], rel=loosely)


def test_fp16_skips_an_overflow_and_gives_up_when_the_scale_is_not_to_blame():
    method = made()
    scaler = method.updates.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20)
    weight = next(method.net.parameters())
    before = weight.detach().clone()
    huge = (weight * 1e37).sum()
    method.update(huge, AT, method.optimizer)
    assert scaler.get_scale() == 2.0**19
    assert torch.equal(weight, before)
    assert method.updates.grad_norm is None
    method.updates.scaler = torch.amp.GradScaler("cpu", init_scale=SMALLEST_SCALE / 2)
    with pytest.raises(NotFinite, match="length of the gradient is"):
        method.update((weight * 1e37).sum(), AT, method.optimizer)


def test_the_scale_of_fp16_is_part_of_a_checkpoint():
    one, other = (Updates(torch.amp.GradScaler("cpu", init_scale=s)) for s in (8.0, 2.0))
    other.load_state_dict(one.state_dict())
    assert other.scaler.get_scale() == 8
    assert Updates().state_dict() == {}


@pytest.mark.parametrize("limit", [0.1, 1e9, None])
def test_a_long_gradient_is_clipped_and_its_own_length_logged(limit):
    batch = toy_batch()
    method, free = made(batch=batch), made(batch=batch)
    method.updates = Updates(clip_norm=limit)
    for one in (method, free):
        one.step(batch, AT)
    norms = [
        torch.cat([p.grad.flatten() for p in one.net.parameters()]).norm().item() for one in (method, free)
    ]
    assert norms[0] == pytest.approx(min(norms[1], limit or 1e9), rel=1e-4)
    assert method.updates.grad_norm == free.updates.grad_norm == pytest.approx(norms[1], rel=1e-4)


def test_auto_is_the_best_that_a_device_has(monkeypatch):
    assert choose_precision("auto", CPU).name == FP32
    assert choose_precision(BF16, CPU).name == BF16
    gpu = torch.device("cuda")
    for has, wanted in ((True, BF16), (False, FP32)):
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda including_emulation=True, has=has: including_emulation or has,
        )
        assert choose_precision("auto", gpu).name == wanted
    with pytest.raises(UsageError, match="no bf16; use --precision fp16 or fp32"):
        choose_precision(BF16, gpu)
    assert choose_precision(FP32, CPU).scaler() is None
    assert choose_precision(BF16, CPU).scaler() is None


def test_a_compiled_network_is_the_same_under_the_same_names():
    batch = toy_batch()
    plain, compiled = made(batch=batch), made(batch=batch)
    compiled.net.compile(backend="eager")
    assert list(compiled.state_dict()["net"]) == list(plain.state_dict()["net"])
    logs = [
        [r["loss"] for r in train(m, ToySet(batch), Plan(epochs=3, batch_size=3), CPU)]
        for m in (plain, compiled)
    ]
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)
    other = made(batch=batch)
    other.load_state_dict(compiled.state_dict())
    assert same(other.state_dict()["net"], compiled.state_dict()["net"])


@pytest.mark.parametrize("size", [(24, 20), (6, 9, 8)])
def test_weights_lie_by_channel_in_2d_and_3d(size):
    batch = toy_batch(size=(24, 20))
    method = made(batch=batch)
    if len(size) == 3:
        method.net = torch.nn.Conv3d(3, 4, 3)
    order = torch.channels_last if len(size) == 2 else torch.channels_last_3d
    big = [p for p in method.to(CPU).net.parameters() if p.ndim > 3 and p.shape[2] > 1]
    assert big
    assert all(p.is_contiguous(memory_format=order) for p in big)
    plain = made(batch=batch).to(CPU, channels_last=False)
    assert all(p.is_contiguous() for p in plain.net.parameters())


@pytest.mark.parametrize(
    ("name", "kind"), [(FP32, torch.float32), (BF16, torch.bfloat16), (FP16, torch.float16)]
)
def test_products_are_of_the_kind_that_was_asked_for(name, kind):
    precision = Precision(name, CPU)
    with precision.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == kind
    assert (precision.scaler() is not None) == (name == FP16), "only fp16 loses small gradients"
