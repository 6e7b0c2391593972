"""Every loss: finite everywhere, blind to IGNORE, with the right gradient."""

import pytest
import torch
from loss_examples import example, make, value
from torch.autograd import gradcheck

from noisylabels.case import IGNORE
from noisylabels.catalogue import first_line
from noisylabels.errors import UsageError
from noisylabels.params import parameters
from noisylabels_plugins.catalogue import LOSSES
from noisylabels_plugins.losses import cel_dice, dice_ce, focal, gce, nr_dice, sce, t_loss

every_loss = pytest.mark.parametrize("name", LOSSES.names())

SETTINGS = [(name, {}) for name in LOSSES.names()] + [
    ("gce", {"q": 1.0}),
    ("gce", {"q": 1e-4}),
    ("focal", {"gamma": 0.5}),
    ("focal", {"gamma": 6.0}),
    ("cel-dice", {"classes": "all"}),
    ("nr-dice", {"gamma": 1.0}),
    ("nr-dice", {"gamma": 2.0}),
]
every_setting = pytest.mark.parametrize(("name", "values"), SETTINGS)


@every_loss
def test_it_says_where_it_comes_from(name):
    text = LOSSES.load(name).__doc__
    assert text.count("\nSource: ") == 1
    assert len(first_line(LOSSES._ours()[name])) > 20
    assert all(p.help for p in parameters(LOSSES.load(name).Params))


PUBLISHED = {
    "ce": {},
    "cel-dice": {"a": 0.2, "classes": "present"},
    "dice-ce": {"dice_weight": 1.0},
    "focal": {"gamma": 2.0, "constant": False},
    "gce": {"q": 0.7},
    "lovasz": {},
    "mae": {},
    "nce-rce": {"a": 1.0, "b": 1.0, "log_zero": -4.0},
    "nr-dice": {"gamma": 1.5},
    "sce": {"a": 0.1, "b": 1.0, "log_zero": -4.0},
    "t-loss": {"nu": 1.0},
}


@every_loss
def test_unless_told_otherwise_a_loss_is_that_of_its_source(name):
    module = LOSSES.load(name)
    assert {p.name: getattr(module.Params(), p.name) for p in parameters(module.Params)} == PUBLISHED[name]


@every_setting
@pytest.mark.parametrize("classes", [2, 4])
def test_gradients_against_finite_differences(name, values, classes):
    logits, labels = example(classes=classes, size=(3, 4))
    loss = make(name, classes, **values)
    logits.requires_grad_()
    assert gradcheck(lambda x: value(loss, x, labels), logits, atol=1e-6, rtol=1e-4, fast_mode=True)


@every_setting
def test_a_volume_is_worth_what_its_pixels_are(name, values):
    logits, labels = example(size=(3, 4, 2))
    loss = make(name, **values)
    flat = value(loss, logits.flatten(3), labels.flatten(2)).item()
    assert value(loss, logits, labels).item() == pytest.approx(flat, rel=1e-12)


@every_setting
def test_pixels_without_a_label_count_nothing(name, values):
    logits, labels = example()
    loss, other = make(name, **values), logits.clone()
    other[0, :, 0, :3] += 5 * torch.randn(4, 3, dtype=torch.float64)
    other.requires_grad_()
    result = value(loss, other, labels)
    assert result.item() == pytest.approx(value(loss, logits, labels).item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(result, other)
    assert (gradient[0, :, 0, :3] == 0).all()
    assert (gradient[1] != 0).any()


@every_setting
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_any_label_it_is_0_with_a_gradient(name, values, dtype):
    logits = torch.randn(2, 4, 5, 6, dtype=dtype, requires_grad=True)
    result = value(make(name, **values), logits, torch.full((2, 5, 6), IGNORE))
    assert result.dtype == dtype
    assert abs(result.item()) < 1e-9
    (gradient,) = torch.autograd.grad(result, logits)
    assert (gradient == 0).all()


@every_setting
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", [1, -1], ids=["sure and right", "sure and wrong"])
def test_sure_predictions_have_finite_values_and_gradients(name, values, dtype, sign):
    labels = example(missing=(2,))[1]
    logits = torch.zeros(2, 4, 5, 6, dtype=dtype)
    logits.scatter_(1, labels.masked_fill(labels == IGNORE, 0)[:, None], sign * 1000.0)
    logits.requires_grad_()
    loss = make(name, **values)
    result = value(loss, logits, labels)
    gradients = torch.autograd.grad(result, [logits, *loss.parameters()])
    assert torch.isfinite(result)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@every_setting
def test_it_prefers_the_given_labels(name, values):
    logits, labels = example(missing=(2,))
    right = torch.nn.functional.one_hot(labels.masked_fill(labels == IGNORE, 0), 4).movedim(-1, 1)
    loss = make(name, **values)
    better, worse = (value(loss, logits + sign * right, labels) for sign in (1, -1))
    assert better < value(loss, logits, labels) < worse


@every_loss
def test_float32_agrees_with_float64(name):
    logits, labels = example(size=(40, 50))
    loss = make(name)
    exact = value(loss, logits, labels).item()
    assert value(loss.float(), logits.float(), labels).item() == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize(
    ("module", "values"),
    [
        (gce, {"q": 0.0}), (gce, {"q": 1.1}), (gce, {"q": float("nan")}), (sce, {"a": -1.0}),
        (sce, {"log_zero": 0.0}), (LOSSES.load("nce-rce"), {"b": -1.0}), (focal, {"gamma": -1.0}),
        (dice_ce, {"dice_weight": -1.0}), (cel_dice, {"a": 1.5}), (nr_dice, {"gamma": 0.5}), (t_loss, {"nu": 0.0}),
    ],
)  # fmt: skip
def test_values_that_mean_nothing_are_refused(module, values):
    with pytest.raises(UsageError, match=str(next(iter(values))).replace("_", "-")):
        module.Params(**values)
