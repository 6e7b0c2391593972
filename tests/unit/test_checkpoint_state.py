"""What a checkpoint holds beside weights, and which run it belongs to."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from small import small_dataset

from noisylabels.errors import InvalidData
from noisylabels_plugins import checkpoint
from noisylabels_plugins.run import Run, RunSpec
from noisylabels_plugins.selection import weights_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    data = small_dataset(tmp_path_factory.mktemp("checkpoint") / "data")
    return RunSpec(method="baseline", data=str(data.path), net_params={"width": 4, "depth": 1}, epochs=2,
                   validate_every=0)  # fmt: skip


def test_the_scale_of_fp16_goes_on_where_it_was(spec, tmp_path):
    spec = replace(spec, precision="fp16")
    run, again = Run(spec, CPU), Run(spec, CPU)
    run.method.updates.scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=7)
    assert again.method.updates.scaler.get_scale() != 8
    checkpoint.save_state(run, tmp_path)
    checkpoint.load_state(again, tmp_path)
    assert again.method.updates.scaler.get_scale() == 8
    assert again.method.updates.state_dict() == run.method.updates.state_dict()


def test_a_stop_within_an_epoch_keeps_its_sums_and_the_best_so_far(spec, tmp_path):
    run, again = Run(spec, CPU), Run(spec, CPU)
    run.step = 1
    run.epoch.add({"epoch": 0, "step": 1, "lr": 0.1, "loss": 2.5, "seconds": 1.0, "waited": 0.0})
    weights = {name: value.clone() for name, value in weights_of(run.method.modules()).items()}
    run.selection.best = {"epoch": 0, "step": 1, "score": 0.5, "weights": weights}
    checkpoint.save_state(run, tmp_path)
    checkpoint.load_state(again, tmp_path)
    assert (again.step, again.epoch.sums) == (1, run.epoch.sums)
    best = again.selection.best
    assert (best["epoch"], best["step"], best["score"]) == (0, 1, 0.5)
    assert best["weights"].keys() == weights.keys()
    assert all(torch.equal(best["weights"][name], value) for name, value in weights.items())


def test_a_model_that_was_selected_says_so_and_how_long_training_went_on(spec, tmp_path):
    run = Run(replace(spec, select="best-val", validate_every=1), CPU)
    chosen = {name: value.detach().clone() + 1 for name, value in weights_of(run.method.modules()).items()}
    run.step = 6
    run.selection.best = {"epoch": 1, "step": 4, "score": 0.5, "weights": chosen}
    checkpoint.save_model(run, tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        about = json.loads(file.metadata()["noisylabels"])
    classes = "background,liver,vessel,tumour"
    assert about == {
        "step": "4",
        "done": "6",
        "steps": str(run.steps),
        "select": "best-val",
        "method": "baseline",
        "net": "unet",
        "classes": classes,
    }
    assert checkpoint.done(tmp_path) == 6
    again = Run(spec, CPU)
    checkpoint.load_model(again, tmp_path)
    assert all(torch.equal(value, chosen[name]) for name, value in weights_of(again.method.modules()).items())


@pytest.mark.parametrize("name", ["method", "net", "classes"])
def test_a_checkpoint_of_another_kind_is_refused_though_its_weights_would_fit(
    spec, tmp_path, monkeypatch, name
):
    """Classes in another order are other classes."""
    run = Run(spec, CPU)
    other = checkpoint.names(run) | {
        name: "tumour,vessel,liver,background" if name == "classes" else "another"
    }
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "names", lambda run: other)
        checkpoint.save_state(run, tmp_path)
        checkpoint.save_model(run, tmp_path)
    for load in (checkpoint.load_state, checkpoint.load_model):
        with pytest.raises(
            InvalidData, match=f"belongs to another model: its {name} is {other[name]}, the run's"
        ):
            load(Run(spec, CPU), tmp_path)


def test_a_model_that_lacks_a_weight_is_refused(spec, tmp_path, monkeypatch):
    run = Run(spec, CPU)
    weights = weights_of(run.method.modules())
    weights.popitem()
    monkeypatch.setattr(checkpoint, "weights_of", lambda modules: weights)
    checkpoint.save_model(run, tmp_path)
    with pytest.raises(InvalidData, match="is damaged or belongs to another model"):
        checkpoint.load_model(run, tmp_path)
