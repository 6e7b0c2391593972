import json

import pytest

from noisylabels.errors import InvalidData
from noisylabels.scoring import CaseScore, write_scores
from noisylabels.store.runs import RunRecord

INFO = {
    "method": "jcas",
    "labels": "noisy",
    "dataset": "phantoms",
    "seed": 3,
    "noise": "ellipse",
    "epochs": 2,
}


def folder(tmp_path, info=INFO, log=None):
    path = tmp_path / "run"
    path.mkdir()
    (path / "run.json").write_text(info if isinstance(info, str) else json.dumps(info))
    if log is not None:
        (path / "log.jsonl").write_text(log)
    return path


def test_a_finished_run_is_read_back(tmp_path):
    path = folder(
        tmp_path, log='{"epoch": 0, "loss": 1.5}\n{"epoch": 1, "loss": 1.0, "val": {"mean_dice": 0.5}}\n'
    )
    scores = [CaseScore("a", "shaft", "dice", 0.5)]
    write_scores(path / "scores.csv", scores)
    (path / "predictions").mkdir()
    for name in ("a.png", "b.c.nii.gz", ".hidden.png", "notes.txt"):
        (path / "predictions" / name).write_bytes(b"")
    run = RunRecord.open(path)
    assert (run.method, run.labels, run.dataset, run.noise, run.seed) == (
        "jcas",
        "noisy",
        "phantoms",
        "ellipse",
        3,
    )
    assert [line["loss"] for line in run.log] == [1.5, 1.0]
    assert run.scores == scores
    assert {case_id: p.name for case_id, p in run.predictions.items()} == {"a": "a.png", "b.c": "b.c.nii.gz"}
    assert (run.progress, run.finished) == ((2, 2, "epochs"), True)


def test_a_run_that_has_only_begun_is_a_run(tmp_path):
    run = RunRecord.open(folder(tmp_path))
    assert (list(run.log), list(run.scores), dict(run.predictions)) == ([], [], {})
    assert (run.progress, run.finished) == ((0, 2, "epochs"), False)


def test_clean_labels_have_no_noise(tmp_path):
    assert RunRecord.open(folder(tmp_path, {**INFO, "labels": "clean"})).noise == ""


@pytest.mark.parametrize(
    ("info", "finding"),
    [
        ("{", "no JSON"),
        ("[]", "lacks 'method'"),
        ({k: v for k, v in INFO.items() if k != "seed"}, "lacks 'seed'"),
        ({**INFO, "seed": "3"}, "lacks 'seed'"),
        ({**INFO, "labels": "dirty"}, "'dirty'"),
    ],
)
def test_a_damaged_record_is_refused_in_a_sentence(tmp_path, info, finding):
    with pytest.raises(InvalidData, match=finding) as caught:
        RunRecord.open(folder(tmp_path, info))
    assert "run.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("log", "finding"),
    [
        ('{"epoch": 0}\n{"epoch": 1, "lo', "line 2"),
        ('{"loss": 1}\n', "line 1"),
        ("3\n", "line 1"),
        ('{"epoch": 1}\n{"epoch": 1}\n', "epoch 1 comes after epoch 1"),
    ],
)
def test_a_damaged_log_is_refused(tmp_path, log, finding):
    with pytest.raises(InvalidData, match=finding):
        RunRecord.open(folder(tmp_path, log=log))


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(InvalidData, match="does not exist"):
        RunRecord.open(tmp_path / "none")
    with pytest.raises(InvalidData, match=r"run\.json is missing"):
        RunRecord.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidData, match="is a file"):
        RunRecord.open(tmp_path / "file")


def test_damaged_scores_are_refused(tmp_path):
    path = folder(tmp_path)
    (path / "scores.csv").write_text("nothing\n")
    with pytest.raises(InvalidData, match=r"scores\.csv"):
        RunRecord.open(path)
