import json
from dataclasses import replace

import pytest

from noisylabels.errors import Mismatch, UsageError
from noisylabels.suites import load
from noisylabels_cli.bench_meaning import refuse_other_meaning
from noisylabels_cli.bench_tasks import Place, all_tasks
from noisylabels_plugins import cell_weights


def of_weights(folder, path):
    """The place and the tasks of a small grid with weights from a path."""
    suite = load("jcas-endovis18")
    suite = replace(suite, rows=tuple(r for r in suite.rows if r.key in ("sr", "raunet")), seeds=(0,))
    place = Place(folder, folder / "clean", "digest", "cpu")
    return place, all_tasks(cell_weights.with_weights(suite, path), place)


def test_weights_are_known_by_their_content(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("resnet101-1.pth", "resnet34-2.pth"):
            (tmp_path / folder / name).write_text(name)
    place, one = of_weights(tmp_path, tmp_path / "one")
    _, two = of_weights(tmp_path, tmp_path / "two")
    _, file = of_weights(tmp_path, tmp_path / "two" / "resnet34-2.pth")
    meanings = [{task.name: task.meaning for task in tasks} for tasks in (one, two, file)]
    assert meanings[0] == meanings[1]
    assert meanings[0]["raunet-ellipse-0"] == meanings[2]["raunet-ellipse-0"]
    assert meanings[0]["sr-ellipse-0"] != meanings[2]["sr-ellipse-0"]
    task = next(task for task in one if task.name == "sr-ellipse-0")
    assert str(tmp_path / "one") in task.steps[0][0]
    before = json.loads(json.dumps(task.document()))  # as it was written when paths stood in it
    before["meaning"]["net_params"]["encoder_weights"] = str(tmp_path / "two")
    record = place.work(task.name) / "task.json"
    record.parent.mkdir(parents=True)
    task.begun.mkdir(parents=True)
    record.write_text(json.dumps(before))
    refuse_other_meaning(one, place)
    (tmp_path / "two" / "resnet101-1.pth").rename(tmp_path / "two" / "resnet50.pth")
    with pytest.raises(Mismatch, match="encoder weights"):
        refuse_other_meaning(one, place)
    with pytest.raises(UsageError, match="no file whose name starts with resnet101"):
        of_weights(tmp_path, tmp_path / "two")


def test_other_weights_at_the_same_path_are_noticed(tmp_path):
    (tmp_path / "resnet101.pth").write_text("one")
    cell_weights._digest.cache_clear()
    before = cell_weights.by_content(
        {"method": "sr", "net": "deeplab", "net_params": {"encoder_weights": str(tmp_path)}}
    )
    (tmp_path / "resnet101.pth").write_text("two")
    cell_weights._digest.cache_clear()
    after = cell_weights.by_content(
        {"method": "sr", "net": "deeplab", "net_params": {"encoder_weights": str(tmp_path)}}
    )
    assert before != after
    with pytest.raises(UsageError, match="cannot be read"):
        cell_weights.by_content(
            {"method": "sr", "net_params": {"encoder_weights": str(tmp_path / "none.pth")}}
        )
