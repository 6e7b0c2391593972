"""The run folder: what it records, what resuming keeps, and what damage does."""

import json
import os
import shutil
from dataclasses import replace

import pytest
import torch
from small import small_dataset
from toy_training import log_of

from noisylabels.catalogue import MODES
from noisylabels.errors import InvalidData, NoisyLabelsError, UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import Dataset
from noisylabels.store.runs import RunRecord
from noisylabels_plugins.catalogue import METHODS
from noisylabels_plugins.predict import evaluate, validate
from noisylabels_plugins.run import Run, RunSpec, choose_device, read_spec, write_record
from noisylabels_plugins.trained import Trained

CPU = torch.device("cpu")
SMALL = {"width": 4, "depth": 1}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    mode = MODES.load("symmetric")
    recipe = Recipe(0, (Step.of("symmetric", mode, mode.Params(rate=0.3, unit="pixel")),))
    return noisy_dataset(small_dataset(folder / "clean"), recipe, folder / "noisy")


@pytest.fixture
def spec(noisy):
    return RunSpec(method="baseline", data=str(noisy.path), net_params=SMALL, epochs=3, validate_every=2)


def start(spec, folder):
    folder.mkdir()
    run = Run(spec, CPU)
    write_record(run, folder)
    return run


def finished(spec, folder):
    run = start(spec, folder)
    list(run.train(folder, lambda: False))
    return run


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_the_record_of_a_run(spec, noisy, tmp_path):
    jcas = replace(spec, method="jcas", params={"parts": "calc"}, seed=5)
    run = start(jcas, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert {k: record[k] for k in ("method", "labels", "params", "net", "net_params", "seed", "epochs")} == {
        "method": "jcas", "labels": "noisy", "params": {"parts": "calc"}, "net": "unet", "net_params": SMALL,
        "seed": 5, "epochs": 3,
    }  # fmt: skip
    assert record["noise"] == noisy.recipe.text
    assert (record["dataset"], record["data_digest"]) == ("small", noisy.digest)
    assert record["weights"] == sum(p.numel() for m in run.method.modules().values() for p in m.parameters())
    assert set(record["versions"]) == {"noisylabels", "torch"}
    assert not os.path.isabs(record["data"]), "the folder can be moved together with its data"  # noqa: PTH117
    text = (tmp_path / "run" / "run.json").read_text()
    assert str(tmp_path.parent) not in text
    opened = RunRecord.open(tmp_path / "run")
    assert (opened.method, opened.noise, opened.seed) == ("jcas", noisy.recipe.text, 5)
    back = read_spec(tmp_path / "run")
    assert Dataset.open(back.data).digest == noisy.digest
    assert replace(back, data=jcas.data) == replace(jcas, net="unet")


def test_the_upper_bound_has_no_noise(spec, tmp_path):
    start(replace(spec, labels="clean"), tmp_path / "run")
    record = RunRecord.open(tmp_path / "run")
    assert (record.labels, record.noise, record.info["noise"]) == ("clean", "", "")


def test_the_log_has_a_line_for_every_epoch(spec, tmp_path):
    run = start(spec, tmp_path / "run")
    records = list(run.train(tmp_path / "run", lambda: False))
    log = lines(tmp_path / "run")
    assert [(line["epoch"], line["step"]) for line in log] == [(0, 2), (1, 4), (2, 6)]
    for epoch, line in enumerate(log):
        own = [record["loss"] for record in records if record["epoch"] == epoch]
        assert line["loss"] == sum(own) / len(own)
        assert line["seconds"] >= 0
    assert ["val" in line for line in log] == [False, True, True], "every second epoch, and the last"
    assert set(log[-1]["val"]["dice"]) == {"liver", "vessel", "tumour"}
    assert log[-1]["val"] == validate(run)
    assert RunRecord.open(tmp_path / "run").log[-1]["step"] == 6


def test_no_validation_where_it_is_switched_off(spec, tmp_path):
    finished(replace(spec, validate_every=0), tmp_path / "run")
    assert not any("val" in line for line in lines(tmp_path / "run"))


@pytest.mark.parametrize(
    "tail",
    ["", '{"epoch": 2, "ste', '{"epoch": 2, "val": {"dice": {}', '{"epoch": 2, "step": 6, "loss": 99}\n'],
    ids=["nothing", "half a line", "half a line that ends like a whole one", "another line"],
)
def test_resuming_cuts_the_log_to_what_the_state_knows(spec, tmp_path, tail):
    """Killed after a line was written, or in the middle of one, but before the state was."""
    whole, part = tmp_path / "whole", tmp_path / "part"
    finished(spec, whole)
    run = start(spec, part)
    list(run.train(part, lambda: run.step == 3))
    log = part / "log.jsonl"
    log.write_text(log.read_text() + '{"epoch": 1, "step": 4, "loss": 99}\n' + tail)
    again = Run(read_spec(part), CPU)
    again.load_state(part)
    assert [line["step"] for line in lines(part)] == [2]
    list(again.train(part, lambda: False))
    assert log_of(part) == log_of(whole)


def test_what_a_method_draws_while_it_trains_goes_on_where_it_was(spec, tmp_path, monkeypatch):
    method = METHODS.load("baseline").Method
    step = method.step
    monkeypatch.setattr(method, "step", lambda self, *a: {**step(self, *a), "drawn": torch.rand(()).item()})
    finished(spec, tmp_path / "whole")
    run = start(spec, tmp_path / "part")
    list(run.train(tmp_path / "part", lambda: run.step == 3))
    torch.rand(100)
    again = Run(spec, CPU)
    again.load_state(tmp_path / "part")
    list(again.train(tmp_path / "part", lambda: False))
    assert log_of(tmp_path / "part") == log_of(tmp_path / "whole")
    assert len({line["drawn"] for line in log_of(tmp_path / "whole")}) == 3


def test_a_loss_that_is_not_finite_leaves_the_last_update(spec, tmp_path, monkeypatch):
    run = start(spec, tmp_path / "run")
    step = type(run.method).step

    def broken(self, batch, at):
        return {"loss": float("nan")} if at.step == 3 else step(self, batch, at)

    monkeypatch.setattr(type(run.method), "step", broken)
    with pytest.raises(NoisyLabelsError, match="The loss is nan at step 3"):
        list(run.train(tmp_path / "run", lambda: False))
    again = Run(spec, CPU)
    again.load_state(tmp_path / "run")
    assert again.step == 3


def test_a_model_predicts_the_same_when_it_is_read_again(spec, tmp_path):
    run = finished(replace(spec, method="jcas"), tmp_path / "run")
    other = Run(read_spec(tmp_path / "run"), CPU)
    other.load_model(tmp_path / "run")
    images = torch.randn(2, 3, 24, 30)
    for one in (run, other):
        one.method.train(False)
    with torch.inference_mode():
        assert torch.equal(run.method.predict(images), other.method.predict(images))


def test_evaluation_scores_every_case_and_writes_its_labels(spec, noisy, tmp_path):
    run = finished(spec, tmp_path / "run")
    scores = [
        score for case in evaluate(Trained(tmp_path / "run", CPU), run.dataset, "test") for score in case
    ]
    assert {score.case_id for score in scores} == set(noisy.ids("test"))
    assert {score.structure for score in scores} == {"liver", "vessel", "tumour"}
    assert set(RunRecord.open(tmp_path / "run").predictions) == set(noisy.ids("test"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_text("no state at all"),
        lambda p: p.write_bytes(p.read_bytes()[:-500]),
        lambda p: torch.save({"step": 1}, p),
        lambda p: torch.save([1, 2], p),
        lambda p: torch.save({**torch.load(p), "method": {"net": {}}}, p),
        lambda p: p.unlink(),
    ],
    ids=["empty", "text", "cut", "keys", "list", "other weights", "missing"],
)
def test_a_damaged_state_is_refused(spec, tmp_path, damage):
    run = start(spec, tmp_path / "run")
    list(run.train(tmp_path / "run", lambda: run.step == 2))
    log = (tmp_path / "run" / "log.jsonl").read_text()
    damage(tmp_path / "run" / "state.pt")
    with pytest.raises(InvalidData, match=r"state.pt cannot be read \(.*\); start the run anew") as error:
        Run(spec, CPU).load_state(tmp_path / "run")
    one_sentence(error)
    assert (tmp_path / "run" / "log.jsonl").read_text() == log


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_text("no model at all"),
        lambda p: p.write_bytes(p.read_bytes()[:-50]),
        lambda p: shutil.copy(p.parent.parent / "wider" / "model.safetensors", p),
    ],
    ids=["empty", "text", "cut", "other size"],
)
def test_a_damaged_model_is_refused(spec, tmp_path, damage):
    finished(replace(spec, epochs=1, net_params={"width": 5, "depth": 1}), tmp_path / "wider")
    finished(replace(spec, epochs=1), tmp_path / "run")
    damage(tmp_path / "run" / "model.safetensors")
    with pytest.raises(InvalidData, match=r"model.safetensors is damaged or belongs to another") as error:
        Run(spec, CPU).load_model(tmp_path / "run")
    one_sentence(error)


def test_a_run_without_a_model_is_refused(spec, tmp_path):
    run = start(spec, tmp_path / "run")
    with pytest.raises(InvalidData, match="holds no trained model yet") as error:
        run.load_model(tmp_path / "run")
    one_sentence(error)


@pytest.mark.parametrize("text", [None, "", "[1, 2]", '"run"', "{}", '{"method": "jcas"}', "\x00\xff"])
def test_a_folder_that_is_no_run_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidData, match="is not a run of noisylabels") as error:
        read_spec(tmp_path)
    one_sentence(error)


@pytest.mark.parametrize(("field", "value"), [("augment", None), ("data", 5), ("epochs", "many")])
def test_a_record_with_a_field_of_another_kind_is_refused(spec, tmp_path, field, value):
    start(spec, tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(InvalidData, match="is not a run of noisylabels"):
        read_spec(tmp_path / "run")


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ({"epochs": 0}, "at least 1"),
        ({"batch_size": 0}, "at least 1"),
        ({"validate_every": -1}, "at least 0"),
        ({"augment": ("flip", "rotate")}, "no augmentation 'rotate'; known: flip, intensity, shift"),
        ({"method": "jcass"}, "no method 'jcass'; did you mean 'jcas'"),
        ({"net": "unett"}, "no network 'unett'; did you mean 'unet'"),
        ({"params": {"lrr": 1}}, "did you mean 'lr'"),
        ({"net_params": {"widht": 1}}, "did you mean 'width'"),
        ({"net_params": {"width": 0}}, "width must be at least 1"),
        ({"net_params": {"depth": -1}}, "depth and tap at least 0"),
        ({"params": {"lr": 0.0}}, "lr must be above 0"),
        ({"method": "jcas", "params": {"warmup": 1.5}}, "must be 0 .. 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(spec, values, finding):
    with pytest.raises(UsageError, match=finding):
        Run(replace(spec, **values), CPU)


def test_devices():
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda")
    for name in ("gpu", "cuda:99", "cpu:1:2"):
        with pytest.raises(UsageError, match=f"no device '{name}' here"):
            choose_device(name)


def test_the_seed_decides_the_first_weights_and_nothing_before_it_does(spec):
    runs = []
    for seed, noise in ((0, 1), (0, 2), (1, 2)):
        torch.manual_seed(noise)
        runs.append(Run(replace(spec, seed=seed), CPU).method.net.head.weight)
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
