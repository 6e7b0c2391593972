"""The contract of a method, for every one there is, at every combination of its choices."""

import copy
import json
from itertools import product

import pytest
import torch
from small import small_dataset
from toy_training import ODDITIES, ToySet, log_of, same, toy_batch, toy_task, untimed

from noisylabels.case import IGNORE
from noisylabels.catalogue import MODES, first_line
from noisylabels.errors import UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.params import attribute_texts, build, parameters
from noisylabels.recipe import Recipe, Step
from noisylabels_plugins import base
from noisylabels_plugins.catalogue import METHODS
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.run import Run, RunSpec

CPU = torch.device("cpu")


def settings(changes):
    """(method, parameters) for every combination of words with so many that are not the default.

    Words of parameters that all methods have are changed for one method only.
    """
    shared = {p.name for p in parameters(base.Params)}
    for name in METHODS.names():
        choices = [p for p in parameters(METHODS.load(name).Params) if p.choices]
        choices = [p for p in choices if name == "baseline" or p.name not in shared]
        for words in product(*(p.choices for p in choices)):
            if sum(word != p.default for word, p in zip(words, choices, strict=True)) <= changes:
                values = dict(zip([p.name for p in choices], words, strict=True))
                yield pytest.param(name, values, id="-".join([name, *words]))


every_setting = pytest.mark.parametrize(("name", "values"), list(settings(changes=9)))
every_change = pytest.mark.parametrize(("name", "values"), list(settings(changes=1)))
every_method = pytest.mark.parametrize("name", METHODS.names())


def make(name, values, batch, classes=4, seed=0):
    module = METHODS.load(name)
    torch.manual_seed(seed)
    return module.Method(build(module.Params, values, name), toy_task(batch, classes))


def drive(method, *batches, epochs=2, start=0):
    """The records of the real loop, without what only the clock decides."""
    plan = Plan(epochs=epochs, batch_size=len(batches[0].labels), schedule="constant")
    records = list(train(method, ToySet(*batches), plan, CPU, start=start))
    return [untimed(record) for record in records]


def test_there_are_methods():
    assert {"baseline", "jcas"} <= set(METHODS.names())


@every_method
def test_it_says_where_it_comes_from_and_what_it_changes(name):
    text = METHODS.load(name).__doc__
    for word in ("Paper:", "Code:", "Differs:"):
        assert text.count(f"\n{word}") == 1
    assert len(first_line(METHODS._ours()[name])) > 20
    params = METHODS.load(name).Params
    assert set(attribute_texts(params.__doc__)) <= {p.name for p in parameters(params)}
    assert all(p.help for p in parameters(params))
    assert isinstance(METHODS.load(name).Method.needs, frozenset)


@every_method
def test_unknown_parameters_are_refused(name):
    with pytest.raises(UsageError, match=r"no parameter of .*'lrr'; did you mean 'lr'"):
        build(METHODS.load(name).Params, {"lrr": 1}, f"method '{name}'")


@every_change
@pytest.mark.parametrize("oddity", ODDITIES)
def test_it_learns_from_every_legal_batch(name, values, oddity):
    special = ODDITIES[oddity]
    classes = special.get("classes", 4)
    batch = toy_batch(**special)
    before = copy.deepcopy(batch)
    method = make(name, values, batch, classes)
    weights = [p.detach().clone() for p in method.net.parameters()]
    log = drive(method, batch)
    for record in log:
        assert torch.isfinite(torch.tensor(record["loss"]))
        json.dumps(record)
    moved = any(not torch.equal(p, w) for p, w in zip(method.net.parameters(), weights, strict=True))
    assert moved or (batch.labels == IGNORE).all()
    for module in method.modules().values():
        assert all(torch.isfinite(p).all() for p in module.parameters())
    assert torch.equal(batch.image, before.image), "the batch belongs to the caller"
    assert torch.equal(batch.labels, before.labels)
    check_prediction(method, before.image, classes)


@every_change
def test_it_learns_from_volumes(name, values):
    batch = toy_batch(size=(8, 10, 9), batch=2)
    method = make(name, values, batch)
    weights = [p.detach().clone() for p in method.net.parameters()]
    assert all(torch.isfinite(torch.tensor(record["loss"])) for record in drive(method, batch))
    assert any(not torch.equal(p, w) for p, w in zip(method.net.parameters(), weights, strict=True))
    check_prediction(method, toy_batch(3, size=(9, 17, 16), batch=2).image, 4)


def check_prediction(method, image, classes):
    method.train(False)
    untouched = image.clone()
    with torch.inference_mode():
        scores = method.predict(image)
        again = method.predict(image)
        alone = method.predict(image[:1])
    assert scores.shape == (len(image), classes, *image.shape[2:])
    assert torch.isfinite(scores).all()
    assert torch.equal(image, untouched)
    assert torch.equal(scores, again)
    torch.testing.assert_close(alone, scores[:1], rtol=1e-3, atol=1e-4)


@every_setting
def test_images_of_another_size_can_be_predicted(name, values):
    method = make(name, values, toy_batch())
    check_prediction(method, toy_batch(5, size=(31, 18)).image, 4)


@every_setting
def test_the_same_seed_gives_the_same_log_and_another_does_not(name, values):
    batches = toy_batch(1), toy_batch(2)
    logs = [drive(make(name, values, batches[0], seed=seed), *batches) for seed in (0, 0, 1)]
    assert len(logs[0]) == 4
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


@every_setting
def test_a_checkpoint_holds_everything(name, values, tmp_path):
    """At the last update before a method that warms up for half of the training changes."""
    batches = ToySet(toy_batch(1), toy_batch(2))
    whole, stop = Plan(epochs=3, batch_size=3), 3
    method = make(name, values, batches.batches[0])
    for record in train(method, batches, whole, CPU):
        if record["step"] == stop:
            break
    torch.save(method.state_dict(), tmp_path / "state.pt")
    other = make(name, values, batches.batches[0], seed=9)
    assert not same(other.state_dict(), method.state_dict())
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert same(other.state_dict(), method.state_dict())
    logs = [
        [untimed(record) for record in train(m, batches, whole, CPU, start=stop)] for m in (method, other)
    ]
    assert len(logs[0]) == 3
    assert logs[0] == logs[1]
    assert same(other.state_dict(), method.state_dict())


@every_method
def test_it_gets_better_at_what_it_sees(name):
    """Stripes under 15 % flipped labels: the loss falls, and most pixels are told apart."""
    batches = [toy_batch(seed) for seed in (1, 2)]
    method = make(name, {"lr": 0.01}, batches[0])
    log = drive(method, *batches, epochs=30)
    assert log[29]["loss"] < log[0]["loss"] - 0.1
    method.train(False)
    right = (method.predict(batches[0].image).argmax(1) == batches[0].labels)[batches[0].labels != 255]
    assert right.float().mean() > 0.6


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """Six training cases of 24 x 30 with noisy labels, some pixels IGNORE."""
    folder = tmp_path_factory.mktemp("resume")
    clean = small_dataset(folder / "clean", ignore=True)
    mode = MODES.load("symmetric")
    recipe = Recipe(0, (Step.of("symmetric", mode, mode.Params(rate=0.3, unit="pixel")),))
    return noisy_dataset(clean, recipe, folder / "noisy")


def spec(noisy, name, values):
    """Eight updates in four epochs; the last batch of an epoch is smaller."""
    small = {"width": 4, "depth": 1, "tap": 1}
    trusted = "2" if "trusted" in METHODS.load(name).Method.needs else ""
    return RunSpec(method=name, data=str(noisy.path), params=values, net="unet", net_params=small, trusted=trusted,
                   epochs=4, validate_every=3, augment=("flip", "intensity", "shift"), keep_state=True)  # fmt: skip


def trained(spec, folder, stops=()):
    """Train to the end, starting anew in every respect after each of the ``stops``."""
    folder.mkdir()
    for stop in (*stops, None):
        torch.manual_seed(4321)
        torch.rand(7)  # another process would have another state too
        run = Run(spec, CPU)
        if (folder / "state.pt").exists():
            run.load_state(folder)
        list(run.train(folder, lambda run=run, stop=stop: run.step == stop))
        assert run.step == (run.steps if stop is None else stop)
    return folder


def check_equal(one, other):
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    states = [torch.load(folder / "state.pt", weights_only=True) for folder in (one, other)]
    assert same(*states)
    assert log_of(one) == log_of(other)
    assert len(log_of(one)) == 4


@every_change
def test_stopped_in_the_middle_of_an_epoch_and_resumed(name, values, noisy, tmp_path):
    """Step 3 is inside the second epoch, before a method that warms up for half the training changes."""
    run = spec(noisy, name, values)
    check_equal(trained(run, tmp_path / "whole"), trained(run, tmp_path / "parts", stops=(3,)))


@every_method
def test_stopped_anywhere_and_resumed(name, noisy, tmp_path):
    run = spec(noisy, name, {})
    whole = trained(run, tmp_path / "whole")
    check_equal(whole, trained(run, tmp_path / "after every update", stops=range(8)))
    check_equal(whole, trained(run, tmp_path / "where the warm-up ends", stops=(4,)))
