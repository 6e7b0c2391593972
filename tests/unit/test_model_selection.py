"""Which weights a run keeps, what its validations look at, and what the log says of it."""

import json
import sys
import types
from dataclasses import replace

import pytest
import torch
from small import small_case, small_dataset, small_info
from toy_training import log_of

from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import write_dataset
from noisylabels_plugins import selection
from noisylabels_plugins.log import Epoch, Log, cut, last_step
from noisylabels_plugins.run import Run, RunSpec, write_record

CPU = torch.device("cpu")
RULES = {"best-val": "val", "best-noisy-val": "noisy_val", "best-test": "test"}


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """One with noisy labels of its training cases, one of its validation cases too."""
    folder = tmp_path_factory.mktemp("selection")
    mode = MODES.load("symmetric")
    recipe = Recipe(0, (Step.of("symmetric", mode, mode.Params(rate=0.3, unit="pixel")),))
    clean = small_dataset(folder / "clean")
    more = replace(recipe, splits=("train", "val"))
    return noisy_dataset(clean, recipe, folder / "train"), noisy_dataset(clean, more, folder / "val")


@pytest.fixture
def spec(datasets):
    return RunSpec(method="baseline", data=str(datasets[1].path), net_params={"width": 4, "depth": 1}, epochs=4,
                   params={"lr": 0.05}, schedule="constant", validate_every=1)  # fmt: skip


def trained(spec, folder, stops=()):
    folder.mkdir()
    for stop in (*stops, None):
        run = Run(spec, CPU)
        if (folder / "state.pt").exists():
            run.load_state(folder)
        else:
            write_record(run, folder)
        list(run.train(folder, lambda run=run, stop=stop: run.step == stop))
    return run


@pytest.mark.parametrize("rule", RULES)
def test_the_best_epoch_by_the_rule_is_kept(spec, tmp_path, monkeypatch, rule):
    """Scores are made up, so that the third epoch of four is the best of them."""
    scores = iter([0.1, 0.3, 0.7, 0.7])
    looks, weights = selection.looks, []

    def made_up(run):
        found = looks(run)
        found[RULES[rule]]["mean_dice"] = next(scores)
        weights.append(selection.weights_of(run.method.modules())["net/head.weight"].clone())
        return found

    monkeypatch.setattr(selection, "looks", made_up)
    trained(replace(spec, select=rule), tmp_path / "run")
    log = log_of(tmp_path / "run")
    assert [line["best_epoch"] for line in log] == [0, 1, 2, 2]
    assert all(RULES[rule] in line for line in log)
    other = Run(replace(spec, select=rule), CPU, to_train=False)
    other.load_model(tmp_path / "run")
    assert torch.equal(other.method.net.head.weight, weights[2])
    assert not torch.equal(weights[2], weights[3])
    assert json.loads((tmp_path / "run" / "run.json").read_text())["select"] == rule


def test_resuming_keeps_the_best_so_far(spec, tmp_path):
    spec = replace(spec, select="best-val")
    trained(spec, tmp_path / "whole")
    trained(spec, tmp_path / "parts", stops=(3, 6))
    for name in ("model.safetensors", "run.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "parts")


def test_noisy_and_clean_validation_labels_score_apart(spec, tmp_path):
    trained(replace(spec, select="best-noisy-val", epochs=1), tmp_path / "run")
    (line,) = log_of(tmp_path / "run")
    assert line["noisy_val"]["dice"].keys() == line["val"]["dice"].keys()
    assert line["noisy_val"] != line["val"]


def test_the_memory_of_the_noise_is_followed(spec, tmp_path):
    run = trained(replace(spec, track_train=True, epochs=2), tmp_path / "run")
    for line in log_of(tmp_path / "run"):
        assert 0 <= line["train_given"]["mean_dice"] <= 1
        assert line["train_given"] != line["train_clean"]
    ids = [f"case_{i:03d}" for i in range(40)]
    some = selection.tracked(ids, 0)
    assert len(some) == len(set(some)) == selection.TRACKED
    assert some == selection.tracked(ids, 0) != selection.tracked(ids, 1)
    assert set(selection.tracked(run.data.ids, 0)) == set(run.data.ids)


def test_a_rule_without_its_cases_or_labels_is_refused(spec, datasets, tmp_path):
    with pytest.raises(UsageError, match="has no noisy labels of its validation cases; make them with"):
        Run(replace(spec, data=str(datasets[0].path), select="best-noisy-val"), CPU)
    parts = {"train": ["case_000"], "val": [], "test": []}
    bare = write_dataset([small_case(0)], small_info(), tmp_path / "bare", {"default": parts})
    for rule, part in (("best-val", "val"), ("best-noisy-val", "val"), ("best-test", "test")):
        with pytest.raises(UsageError, match=f"--select {rule} needs {part} cases"):
            Run(replace(spec, data=str(bare.path), select=rule), CPU)
    Run(replace(spec, data=str(bare.path)), CPU)


def test_an_epoch_is_a_mean_over_its_updates_and_a_sum_of_their_times():
    epoch = Epoch()
    for step, loss in ((1, 2.0), (2, 4.0)):
        record = {"epoch": 0, "step": step, "lr": 0.1 * step, "loss": loss, "seconds": 0.5, "waited": 0.1}
        epoch.add(record | ({"grad_norm": 3.0} if step == 2 else {}))
    line = epoch.line(record | {"epoch_done": {"matrix": [[1]]}})
    assert line == {"epoch": 0, "step": 2, "lr": 0.2, "loss": 3.0, "seconds": 1.0, "waited": 0.2, "grad_norm": 3.0,
                    "matrix": [[1]]}  # fmt: skip


def test_the_log_is_cut_to_a_step(tmp_path):
    log = Log(tmp_path)
    for step in (2, 4, 6):
        log.write({"epoch": step // 2 - 1, "step": step})
    with log.path.open("a") as file:
        file.write('{"step": 8, "lo')
    assert last_step(tmp_path) == 6
    cut(tmp_path, 4)
    assert [json.loads(line)["step"] for line in log.path.read_text().splitlines()] == [2, 4]
    assert last_step(tmp_path / "nowhere") == 0


def test_tensorboard_gets_every_number_of_a_line(tmp_path, monkeypatch):
    written = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def flush(self):
            written.append("flushed")

        def close(self):
            written.append("closed")

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    log = Log(tmp_path, tensorboard=True, step=4)
    log.write({"epoch": 2, "step": 6, "loss": 0.5, "val": {"dice": {"liver": 0.25}}, "t_class": [[1.0]]})
    log.close()
    assert written == [
        (str(tmp_path / "tensorboard"), 4), ("epoch", 2, 6), ("step", 6, 6), ("loss", 0.5, 6),
        ("val/dice/liver", 0.25, 6), "flushed", "closed",
    ]  # fmt: skip


def test_without_tensorboard_it_is_one_sentence(spec, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"install noisylabels\[tensorboard\]"):
        Run(replace(spec, tensorboard=True), CPU)


def test_the_best_so_far_is_kept_with_its_place_as_a_copy():
    seen, weight = selection.Selection("best-val"), torch.zeros(2)
    for epoch, score in enumerate((0.5, 0.25, 0.75, 0.75)):
        line = {"epoch": epoch, "step": 10 * epoch + 7, "val": {"mean_dice": score}}
        weight.fill_(epoch)
        seen.see(line, {"net/w": weight})
    weights = seen.best.pop("weights")
    assert seen.best == {"epoch": 2, "step": 27, "score": 0.75}
    assert weights["net/w"].tolist() == [2, 2]


def test_every_validation_case_needs_noisy_labels_for_the_noisy_rule(datasets):
    noisy = datasets[1]
    selection.check("best-noisy-val", noisy)
    some = type("Some", (), {"noisy": True, "entries": noisy.entries, "path": "d", "clean": noisy.clean})
    some.ids = lambda part: [*noisy.ids(part), "case_007"]  # a test case, whose labels stay clean
    with pytest.raises(UsageError, match="no noisy labels of its validation cases"):
        selection.check("best-noisy-val", some)
