"""What goes wrong in an update leaves the run after the last finished one, and is one sentence."""

import json
from dataclasses import replace

import pytest
import torch
from small import small_case, small_dataset, small_info, small_split
from toy_training import ToySet, log_of, same, toy_batch, toy_task

from noisylabels.catalogue import MODES
from noisylabels.errors import InvalidData, NoisyLabelsError, UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import write_dataset
from noisylabels_plugins import memory
from noisylabels_plugins.distributed import Group
from noisylabels_plugins.guards import Before, explained
from noisylabels_plugins.methods import baseline
from noisylabels_plugins.nets import unet
from noisylabels_plugins.run import Run, RunSpec, finished, write_record

CPU = torch.device("cpu")
NET = {"width": 4, "depth": 1}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guards")
    mode = MODES.load("symmetric")
    recipe = Recipe(0, (Step.of("symmetric", mode, mode.Params(rate=0.3, unit="pixel")),))
    return noisy_dataset(small_dataset(folder / "clean"), recipe, folder / "noisy")


@pytest.fixture
def spec(noisy):
    return RunSpec(method="baseline", data=str(noisy.path), net_params=NET, epochs=3, validate_every=0)


def start(spec, folder):
    folder.mkdir()
    run = Run(spec, CPU)
    write_record(run, folder)
    return run


def broken_at(moment, damage):
    """A step that damages the weights' input at one update."""
    step = baseline.Method.step

    def broken(self, batch, at):
        if at.step == moment:
            batch = damage(batch)
        return step(self, batch, at)

    return broken


def not_a_number(batch):
    return replace(batch, image=torch.full_like(batch.image, float("nan")))


def out_of_memory(batch):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_batch_leaves_the_last_update_to_go_on_from(spec, tmp_path, monkeypatch, workers):
    """Batch normalisation has seen the broken batch before the loss is known; its statistics are put back."""
    spec = replace(spec, workers=workers)
    whole = start(spec, tmp_path / "whole")
    list(whole.train(tmp_path / "whole", lambda: False))
    folder = tmp_path / "part"
    run = start(spec, folder)
    with monkeypatch.context() as patch:
        patch.setattr(baseline.Method, "step", broken_at(3, not_a_number))
        with pytest.raises(NoisyLabelsError, match="The loss is nan at step 3") as error:
            list(run.train(folder, lambda: False))
    note = json.loads((folder / "broken-batch.json").read_text())
    assert (note["finding"], note["epoch"], note["step"]) == ("The loss is nan", 1, 3)
    assert all(case_id in str(error.value) for case_id in note["cases"])
    again = Run(spec, CPU)
    again.load_state(folder)
    assert again.step == 3
    list(again.train(folder, lambda: False))
    assert (folder / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model.safetensors"
    ).read_bytes()
    assert log_of(folder) == log_of(tmp_path / "whole")
    assert sorted(p.name for p in folder.iterdir()) == ["log.jsonl", "model.safetensors", "run.json"]


def test_what_fails_between_two_optimisers_leaves_the_last_epoch(spec, tmp_path, monkeypatch):
    class TwoUpdates(baseline.Method):
        def step(self, batch, at):
            log = super().step(batch, at)
            if at.step == 3:
                self.update(self.net.head.weight.sum() * float("nan"), at, self.optimizer)
            return log

    monkeypatch.setattr(baseline, "Method", TwoUpdates)
    run = start(spec, tmp_path / "run")
    with pytest.raises(NoisyLabelsError, match="at step 3"):
        list(run.train(tmp_path / "run", lambda: False))
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 2
    assert not (tmp_path / "run" / "broken-batch.json").exists()


def test_the_state_before_a_batch_is_put_back():
    method = baseline.Method(baseline.Params(), toy_task(toy_batch()))
    method.count, method.seen = 3, [1]
    before = Before(method)
    before.keep()
    kept = {name: value.clone() for name, value in method.net.state_dict().items()}
    method.train()
    method.net(toy_batch().image)
    method.count = 4
    assert not same(method.net.state_dict(), kept)
    before.put_back()
    assert same(dict(method.net.state_dict()), kept)
    assert method.count == 3


def test_out_of_memory_is_one_sentence_and_the_state_is_saved(spec, tmp_path, monkeypatch):
    run = start(spec, tmp_path / "run")
    monkeypatch.setattr(baseline.Method, "step", broken_at(3, out_of_memory))
    with pytest.raises(NoisyLabelsError, match="memory of cpu does not suffice for 2 cases at once") as error:
        list(run.train(tmp_path / "run", lambda: False))
    assert "lower --batch-size" in str(error.value)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 3


def test_the_batch_that_would_fit_is_told_from_the_peaks_of_one_and_two_cases(monkeypatch):
    held = {1: 3000, 2: 4000}
    peak = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: peak.clear())
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: held[peak[-1]])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8000, 10000))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    fits = memory.measured(peak.append, 16, torch.device("cuda"))
    assert fits == 7, "3000 for the first, 1000 for every other, 9000 of 10000 counted on"
    place = type("Place", (), {"device": torch.device("cuda")})
    monkeypatch.setattr(memory, "measured", lambda step, cases, device: 7)
    place.group = Group(0, 2)
    text = memory.sentence(
        baseline.Method(baseline.Params(), toy_task(toy_batch())), toy_batch(batch=16), None, place, 2
    )
    assert "for 16 cases at once; about 7 would fit: use --batch-size 28, or --accumulate 5" in text
    assert "\n" not in text


def test_it_is_told_what_torch_refuses_because_of_a_setting():
    error = RuntimeError("upsample_x does not have a deterministic implementation, but you set\nsomething.")
    assert "leave out --deterministic" in str(explained(error))
    other = ValueError("something else")
    assert explained(other) is other


def test_a_network_that_needs_two_cases_never_gets_one(tmp_path, monkeypatch):
    monkeypatch.setattr(unet, "MIN_BATCH", 2)
    dataset = write_dataset(
        [small_case(i) for i in range(7)], small_info(), tmp_path / "d",
        {"default": {"train": [f"case_{i:03}" for i in range(5)], "test": ["case_005"], "val": ["case_006"]}},
    )  # fmt: skip
    spec = RunSpec(method="baseline", data=str(dataset.path), net_params=NET, epochs=1, batch_size=2)
    run = Run(spec, CPU)
    assert run.steps == 2
    assert [len(run.data.batch(0, i, 2).case_ids) for i in range(2)] == [2, 3], (
        "the last case joins the others"
    )
    with pytest.raises(UsageError, match="'unet' needs 2 cases in a batch, and --batch-size is 1"):
        Run(replace(spec, batch_size=1), CPU)


def test_a_single_case_is_refused_by_a_network_that_needs_two(tmp_path, monkeypatch):
    monkeypatch.setattr(unet, "MIN_BATCH", 2)
    parts = {"train": ["case_000"], "test": ["case_001"], "val": []}
    dataset = write_dataset([small_case(0), small_case(1)], small_info(), tmp_path / "d", {"default": parts})
    with pytest.raises(InvalidData, match="has 1 training case, and the network needs 2 in a batch"):
        Run(RunSpec(method="baseline", data=str(dataset.path), net_params=NET), CPU)


def test_a_checkpoint_of_another_method_or_of_other_classes_is_refused(spec, tmp_path):
    for name, method in (("one", "baseline"), ("other", "volmin")):
        run = start(replace(spec, method=method, epochs=1, keep_state=True), tmp_path / name)
        list(run.train(tmp_path / name, lambda: False))
    run = Run(spec, CPU)
    for load in (run.load_model, run.load_state):
        with pytest.raises(
            InvalidData, match="belongs to another model: its method is volmin, the run's baseline"
        ):
            load(tmp_path / "other")
    names = ("background", "liver", "vessel", "tumour", "duct")
    cases = [small_case(i, classes=names) for i in range(8)]
    few = write_dataset(cases, small_info(classes=names), tmp_path / "few", {"default": small_split(8)})
    run = Run(replace(spec, data=str(few.path)), CPU)
    with pytest.raises(InvalidData, match="belongs to another model: its classes is"):
        run.load_model(tmp_path / "one")


def test_a_finished_run_keeps_its_state_only_where_that_is_asked_for(spec, tmp_path):
    for name, keep in (("small", False), ("large", True)):
        run = start(replace(spec, keep_state=keep), tmp_path / name)
        list(run.train(tmp_path / name, lambda: False))
        assert (tmp_path / name / "state.pt").exists() == keep
        assert finished(tmp_path / name, Run(spec, CPU))


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ({"accumulate": 0}, "accumulate must be at least 1"),
        ({"accumulate": 5}, "A batch of 4 cannot be cut into 5 parts"),
        ({"workers": -1}, "workers at least 0"),
        ({"clip_norm": 0.0}, "clip-norm must be above 0"),
        ({"select": "best-val", "validate_every": 0}, "--validate-every 0 has none"),
        ({"sync_batchnorm": True}, "--sync-batchnorm works on GPUs only"),
        ({"compile": "inducter"}, "no backend of torch.compile 'inducter'; did you mean 'inductor'"),
    ],
)
def test_settings_that_cannot_be_are_refused(spec, values, finding):
    with pytest.raises(UsageError, match=finding):
        Run(replace(spec, **values), CPU)


def test_what_only_a_training_needs_is_not_asked_for_to_predict(spec):
    odd = replace(spec, sync_batchnorm=True, compile="eager", precision="bf16")
    run = Run(odd, CPU, to_train=False)
    assert (run.spec.compile, run.place.precision.name) == (None, "fp32")


def test_a_method_says_before_starting_that_it_cannot_be_shared(spec, monkeypatch):
    monkeypatch.setattr(baseline.Method, "DISTRIBUTED", False)
    with pytest.raises(UsageError, match="'baseline' cannot share its training between 2 processes"):
        Run(spec, CPU, Group(0, 2))


def test_deterministic_is_for_the_time_of_a_training(spec, tmp_path, monkeypatch):
    seen = []
    step = baseline.Method.step

    def watched(self, batch, at):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return step(self, batch, at)

    monkeypatch.setattr(baseline.Method, "step", watched)
    run = start(replace(spec, deterministic=True), tmp_path / "run")
    list(run.train(tmp_path / "run", lambda: False))
    assert seen == [True] * 6
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_toy_set_is_what_a_training_set_is_to_the_loop():
    assert ToySet(toy_batch()).steps_per_epoch(3) == 1


def test_what_is_changed_in_place_is_put_back_too():
    method = baseline.Method(baseline.Params(), toy_task(toy_batch()))
    method.matrix, method.seen, method.by_case = torch.zeros(2), ["a"], {"a": 1}
    before = Before(method)
    before.keep()
    method.matrix += 1
    method.seen.append("b")
    method.by_case["a"] = 2
    before.put_back()
    assert torch.equal(method.matrix, torch.zeros(2))
    assert (method.seen, method.by_case) == (["a"], {"a": 1})


def test_nothing_is_undone_once_an_optimiser_has_made_its_step():
    """Buffers from before and weights from after would belong to no update at all."""
    method = baseline.Method(baseline.Params(), toy_task(toy_batch()))
    method.count = 3
    before = Before(method)
    before.keep()
    method.count = 4
    method.updates.settled = False
    before.put_back()
    assert method.count == 4


@pytest.mark.parametrize("module", ["torch._dynamo.exc", "torch._inductor.exc"])
def test_a_failure_to_compile_is_one_sentence(module):
    error = type("Unsupported", (RuntimeError,), {"__module__": module})("no such\nthing")
    told = explained(error)
    assert isinstance(told, UsageError)
    assert "torch.compile failed (no such thing); leave out --compile" in str(told)
