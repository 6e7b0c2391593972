"""Which cases are trusted: told by the dataset, drawn and given their clean labels, or listed."""

import numpy as np
import pytest
import torch
from small import small_dataset

from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels.selection import Selection
from noisylabels_plugins.api import Progress
from noisylabels_plugins.batches import TrainingSet
from noisylabels_plugins.catalogue import LOSSES
from noisylabels_plugins.record import facts
from noisylabels_plugins.run import Run, RunSpec
from noisylabels_plugins.trusted import NOBODY, choose

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Twelve cases, eight of them for training."""
    return small_dataset(tmp_path_factory.mktemp("trusted") / "clean", count=12)


@pytest.fixture(scope="module")
def noisy(clean):
    """Noise in half of the cases."""
    return corrupted(clean, "half", 0.5)


@pytest.fixture(scope="module")
def all_noisy(clean):
    return corrupted(clean, "all", 1.0)


def corrupted(clean, name, fraction):
    mode = MODES.load("symmetric")
    step = Step.of("symmetric", mode, mode.Params(rate=0.4, unit="pixel"))
    return noisy_dataset(clean, Recipe(0, (step,), Selection(fraction)), clean.path.parent / name)


def labels(dataset, case_id):
    return dataset.load(case_id, image=False).labels


def untouched(dataset):
    return {
        case_id
        for case_id in dataset.ids("train")
        if np.array_equal(labels(dataset, case_id), labels(dataset.clean, case_id))
    }


def test_nobody_unless_asked(noisy):
    assert choose(noisy, "", 0) == NOBODY


def test_the_manifest_knows_what_the_noise_left_alone(noisy, clean):
    found = choose(noisy, "manifest", 0)
    assert found.ids == untouched(noisy)
    assert 0 < len(found.ids) < len(noisy.ids("train"))
    assert not found.replaced
    assert choose(clean, "manifest", 0).ids == set(clean.ids("train"))


def test_where_all_is_noisy_the_manifest_has_nobody_and_says_what_to_do(all_noisy):
    assert not untouched(all_noisy)
    with pytest.raises(UsageError, match=r"no training case with clean labels.*--trusted N"):
        choose(all_noisy, "manifest", 0)


def test_a_number_of_cases_is_drawn_and_gets_clean_labels(all_noisy):
    found = choose(all_noisy, "3", 0)
    assert len(found.ids) == 3
    assert found.ids == found.replaced
    assert found.ids <= set(all_noisy.ids("train"))
    assert found == choose(all_noisy, "3", 0)
    assert found.ids < choose(all_noisy, "5", 0).ids, "more are the same and others"
    assert choose(all_noisy, "8", 0).ids == set(all_noisy.ids("train")), "all there are"
    assert len({choose(all_noisy, "3", seed).ids for seed in range(5)}) > 1
    data = TrainingSet(all_noisy, all_noisy, 0, (), "two-stream", found)
    for case_id in data.ids:
        source = all_noisy.clean if case_id in found.ids else all_noisy
        assert np.array_equal(data.labels[case_id], labels(source, case_id))


def test_a_list_of_cases_keeps_its_labels(all_noisy, tmp_path):
    ids = all_noisy.ids("train")
    (tmp_path / "ids.txt").write_text(f"{ids[3]}\n\n{ids[1]}\n", encoding="utf-8")
    found = choose(all_noisy, str(tmp_path / "ids.txt"), 0)
    assert found.ids == {ids[1], ids[3]}
    data = TrainingSet(all_noisy, all_noisy, 0, (), "two-stream", found)
    assert np.array_equal(data.labels[ids[1]], labels(all_noisy, ids[1]))


@pytest.mark.parametrize("count", ["0", "9", "1000"])
def test_more_cases_than_there_are_are_refused(noisy, count):
    with pytest.raises(UsageError, match="--trusted is 1 to 8, the number of training cases"):
        choose(noisy, count, 0)


@pytest.mark.parametrize("how", ["manifst", "-1", "1.5", "no/such/file.txt"])
def test_what_is_neither_word_nor_number_nor_file_is_refused(noisy, how):
    with pytest.raises(UsageError, match="manifest, a number of cases or a text file"):
        choose(noisy, how, 0)


def test_a_file_that_is_no_text_is_refused(noisy, tmp_path):
    (tmp_path / "ids.bin").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UsageError, match="text file of case ids"):
        choose(noisy, str(tmp_path / "ids.bin"), 0)


def test_a_list_of_others_or_of_nobody_is_refused(noisy, tmp_path):
    test_case = noisy.ids("test")[0]
    (tmp_path / "others.txt").write_text(test_case, encoding="utf-8")
    with pytest.raises(UsageError, match=f"names {test_case}, which is no training case"):
        choose(noisy, str(tmp_path / "others.txt"), 0)
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(UsageError, match="names no case"):
        choose(noisy, str(tmp_path / "empty.txt"), 0)


def spec(dataset, method="mtcl", **more):
    small = {"width": 4, "depth": 1}
    return RunSpec(method=method, data=str(dataset.path), net="unet", net_params=small, **more)


@pytest.mark.parametrize(("how", "count"), [("manifest", None), ("3", 3)])
def test_the_record_of_a_run_names_them(noisy, how, count):
    run = Run(spec(noisy, trusted=how), CPU)
    record = facts(run)
    assert record["trusted"] == how
    assert record["trusted_cases"] == sorted(choose(noisy, how, 0).ids)
    assert count in (None, len(record["trusted_cases"]))
    assert run.task.trusted == set(record["trusted_cases"])
    assert facts(Run(spec(noisy, "baseline"), CPU))["trusted_cases"] == []


def test_a_method_that_needs_some_is_refused_without(noisy):
    with pytest.raises(UsageError, match=r"'mtcl' needs training cases .* clean; say which with --trusted"):
        Run(spec(noisy), CPU)


def test_a_batch_that_cannot_hold_both_kinds_is_refused(noisy):
    with pytest.raises(UsageError, match="--batch-size 2 or more"):
        _ = Run(spec(noisy, trusted="2", batch_size=1), CPU).steps


@pytest.mark.parametrize("method", ["mtcl", "raunet", "lwanet", "css"])
def test_a_method_with_a_loss_of_its_own_takes_no_other(noisy, method):
    with pytest.raises(UsageError, match=f"'{method}' has a loss of its own; leave out --loss"):
        Run(spec(noisy, method, trusted="2", loss="gce"), CPU)


@pytest.mark.parametrize("method", ["baseline", "volmin", "sr", "jcas"])
def test_the_others_take_every_loss_there_is(noisy, method):
    for loss in LOSSES.names():
        run = Run(spec(noisy, method, loss=loss, epochs=2), CPU)
        batch = run.data.batch(0, 0, 4)
        at = Progress(epoch=0, step=0, steps=4, schedule=lambda fraction: 1.0)
        assert np.isfinite(run.method.step(batch, at)["loss"])
