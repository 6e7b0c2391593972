import csv
import json
import shutil
import types

import numpy as np
import pytest
from small import small_case, small_dataset, small_info, small_split

from noisylabels import work
from noisylabels.apply import corrupted
from noisylabels.case import IGNORE
from noisylabels.catalogue import MODES, Catalogue
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, Mismatch, NoisyLabelsError, UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.metrics.noise import PooledNoise, measure, pool
from noisylabels.recipe import Recipe, Selection, Step
from noisylabels.store.dataset import Dataset, write_dataset


def step(mode="symmetric", **params):
    module = MODES.load(mode)
    return Step.of(mode, module, module.Params(**params))


def recipe(seed=0, fraction=1.0, **more):
    return Recipe(seed, (step(rate=0.4, unit="pixel"),), Selection(fraction), **more)


@pytest.fixture
def clean(tmp_path):
    return small_dataset(tmp_path / "clean", count=12, ignore=True)


def test_labels_are_the_modes_own_at_the_stated_address(clean, tmp_path):
    both = Recipe(5, (step(rate=0.3, unit="pixel"), step("ellipse")))
    noisy = noisy_dataset(clean, both, tmp_path / "noisy")
    case = clean.load("case_002")
    for number, (mode, one) in enumerate(zip(("symmetric", "ellipse"), both.steps, strict=True)):
        module = MODES.load(mode)
        draws = Draws(5, "corrupt", "small", str(number), "case_002")
        case = case.with_labels(module.corrupt(case, one.params_for(module), draws))
    np.testing.assert_array_equal(noisy.load("case_002").labels, case.labels)


def test_noisy_labels_come_with_the_parents_images_and_evaluation_is_clean(clean, tmp_path):
    noisy = Dataset.open(noisy_dataset(clean, recipe(), tmp_path / "noisy").path)
    assert noisy.ids() == noisy.ids("train") == clean.ids("train")
    assert (noisy.ids("val"), noisy.ids("test")) == (clean.ids("val"), clean.ids("test"))
    assert noisy.parent.digest == clean.digest == noisy.clean.digest
    assert clean.parent is None
    assert clean.clean is clean
    assert (clean.recipe, clean.measured) == (None, None)
    for case_id in noisy.ids("train"):
        there, here = clean.load(case_id), noisy.load(case_id)
        np.testing.assert_array_equal(here.image, there.image)
        np.testing.assert_array_equal(here.labels == IGNORE, there.labels == IGNORE)
        assert (here.labels != there.labels).any()
    for case_id in noisy.ids("test") + noisy.ids("val"):
        np.testing.assert_array_equal(noisy.load(case_id).labels, clean.load(case_id).labels)
    assert noisy.recipe == recipe()
    assert noisy.label_path("case_000").is_file()
    assert all(path.is_file() for path in noisy.image_paths("case_000"))


def test_what_was_measured_is_stored(clean, tmp_path):
    noisy = noisy_dataset(clean, recipe(fraction=0.5), tmp_path / "noisy")
    measures = {
        i: measure(clean.load(i).labels, noisy.load(i).labels, clean.info.classes, None) for i in noisy.ids()
    }
    found, want = PooledNoise.from_dict(noisy.measured), pool(measures.values())
    assert found.transition_counts == want.transition_counts
    assert found.wrong_share == pytest.approx(want.wrong_share, abs=1e-9)
    rows = {r["case_id"]: r for r in csv.DictReader((noisy.path / "cases.csv").read_text().splitlines())}
    for case_id, one in measures.items():
        assert {k: rows[case_id][k] for k in one.columns()} == one.columns()
        assert rows[case_id]["chosen"] == ("yes" if one.wrong_pixels else "no")
        assert noisy.entries[case_id].measured["wrong_pixels"] == str(one.wrong_pixels)


def test_other_parts_of_the_split_can_be_made_noisy(clean, tmp_path):
    noisy = noisy_dataset(clean, recipe(splits=("train", "val")), tmp_path / "noisy")
    assert noisy.ids() == sorted(clean.ids("train") + clean.ids("val"))
    case_id = noisy.ids("val")[0]
    assert (noisy.load(case_id).labels != clean.load(case_id).labels).any()


def test_a_noisy_dataset_is_no_parent(clean, tmp_path):
    noisy = noisy_dataset(clean, recipe(), tmp_path / "noisy")
    with pytest.raises(UsageError, match="already noisy"):
        noisy_dataset(noisy, recipe(), tmp_path / "more")


def test_a_lost_or_changed_parent_is_said(clean, tmp_path):
    noisy_dataset(clean, recipe(), tmp_path / "noisy")
    clean.path.rename(tmp_path / "moved")
    with pytest.raises(InvalidData, match="no longer at"):
        Dataset.open(tmp_path / "noisy").load("case_000")
    small_dataset(tmp_path / "clean", count=11)
    with pytest.raises(Mismatch, match="was made from a dataset with the digest"):
        Dataset.open(tmp_path / "noisy").load("case_000")


def test_both_folders_may_move_together(clean, tmp_path):
    noisy_dataset(clean, recipe(), tmp_path / "noisy")
    (tmp_path / "new").mkdir()
    for name in ("clean", "noisy"):
        (tmp_path / name).rename(tmp_path / "new" / name)
    assert Dataset.open(tmp_path / "new" / "noisy").load("case_000").image is not None


def test_finished_cases_are_not_made_again(clean, tmp_path, monkeypatch):
    want = noisy_dataset(clean, recipe(), tmp_path / "want").digest
    made = []

    def interrupted(case, *rest):
        if len(made) == 4:
            raise KeyboardInterrupt
        made.append(case.case_id)
        return corrupted(case, *rest)

    monkeypatch.setattr(work, "corrupted", interrupted)
    with pytest.raises(KeyboardInterrupt):
        noisy_dataset(clean, recipe(), tmp_path / "noisy")
    assert not (tmp_path / "noisy").exists()
    monkeypatch.undo()
    seen = []
    noisy = noisy_dataset(clean, recipe(), tmp_path / "noisy", progress=lambda *a: seen.append(a))
    assert noisy.digest == want
    assert seen[0] == (4, 8, "done before")
    assert [case_id for _, _, case_id in seen[1:]] == clean.ids("train")[4:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clean", "noisy", "want"]


def _interrupt_after(monkeypatch, count):
    left = iter(range(count))

    def interrupted(*words):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return corrupted(*words)

    monkeypatch.setattr(work, "corrupted", interrupted)


def test_damaged_left_overs_are_made_again(clean, tmp_path, monkeypatch):
    want = noisy_dataset(clean, recipe(), tmp_path / "want").digest
    _interrupt_after(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt):
        noisy_dataset(clean, recipe(), tmp_path / "noisy")
    monkeypatch.undo()
    part = tmp_path / ".noisy.part"
    records, labels = sorted((part / "records").iterdir()), sorted((part / "result" / "labelsTr").iterdir())
    records[0].write_text(records[0].read_text()[:30])
    labels[1].write_bytes(labels[1].read_bytes()[:30])
    shutil.copy(labels[3], labels[2])
    labels[4].unlink()
    (part / "result" / "labelsTr" / ".case_001.png.77.part").write_bytes(b"half a fi")
    noisy = noisy_dataset(clean, recipe(), tmp_path / "noisy")
    assert noisy.digest == want
    assert {p.name for p in noisy.path.rglob("*")} == {p.name for p in (tmp_path / "want").rglob("*")}


def test_left_overs_of_another_recipe_are_not_used(clean, tmp_path, monkeypatch):
    _interrupt_after(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        noisy_dataset(clean, recipe(seed=1), tmp_path / "noisy")
    monkeypatch.undo()
    assert noisy_dataset(clean, recipe(), tmp_path / "noisy").digest == (
        noisy_dataset(clean, recipe(), tmp_path / "want").digest
    )


def test_a_folder_that_is_not_ours_is_left_alone(clean, tmp_path):
    (tmp_path / ".noisy.part").mkdir()
    (tmp_path / ".noisy.part" / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match=r"not ours: it holds thesis\.tex"):
        noisy_dataset(clean, recipe(), tmp_path / "noisy")
    assert (tmp_path / ".noisy.part" / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize(
    ("broken", "finding"),
    [
        (lambda labels: labels[:-1], "same shape"),
        (lambda labels: labels.astype(np.int64), "same shape and type"),
        (lambda labels: None, "something else"),
        (lambda labels: np.zeros_like(labels), "no label"),
        (lambda labels: np.where(labels == IGNORE, labels, np.uint8(9)), "not declared"),
    ],
)
def test_a_mode_that_breaks_its_contract_is_named(clean, tmp_path, monkeypatch, broken, finding):
    good = MODES.load("symmetric")
    module = types.SimpleNamespace(
        VERSION=1, Params=good.Params, corrupt=lambda case, params, draws: broken(case.labels)
    )
    monkeypatch.setattr(Catalogue, "load", lambda self, name: module)
    with pytest.raises(
        NoisyLabelsError, match=f"mode 'symmetric' broke its contract on case case_000.*{finding}"
    ):
        noisy_dataset(clean, recipe(), tmp_path / "noisy")
    assert [p.name for p in tmp_path.iterdir()] == ["clean"]


def test_wrong_parameters_are_refused_before_anything_is_written(clean, tmp_path):
    wrong = Recipe(0, (Step("symmetric", {"rate": 3}, 1),))
    with pytest.raises(UsageError):
        noisy_dataset(clean, wrong, tmp_path / "noisy")
    assert [p.name for p in tmp_path.iterdir()] == ["clean"]


def test_cases_with_and_without_spacing_are_not_pooled(tmp_path):
    cases = [small_case(0), small_case(1, spacing=(1.0, 1.0))]
    parts = {"default": {"train": [c.case_id for c in cases]}}
    mixed = write_dataset(cases, small_info(), tmp_path / "mixed", parts)
    with pytest.raises(InvalidData, match="no common unit"):
        noisy_dataset(mixed, recipe(), tmp_path / "noisy")
    assert [p.name for p in tmp_path.iterdir()] == ["mixed"]


def test_an_empty_part_is_said(tmp_path):
    empty = write_dataset([small_case(0)], small_info(), tmp_path / "d", {"default": {"test": ["case_000"]}})
    with pytest.raises(InvalidData, match="no case in the split part train"):
        noisy_dataset(empty, recipe(), tmp_path / "noisy")


def test_the_note_of_the_parent_is_relative(clean, tmp_path):
    noisy = noisy_dataset(clean, recipe(), tmp_path / "deeper" / "noisy")
    document = json.loads((noisy.path / "dataset.json").read_text())
    assert document["noisylabels"]["parent"]["path"] == "../../clean"
    assert small_split(12).ids()
    assert noisy.parent.digest == clean.digest
