"""Profiles measured from the readers of a dataset, and drawn again."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings

from noisylabels.case import Case
from noisylabels.corruptions import like
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.parts import profiles
from noisylabels.profile import measure
from noisylabels.recipe import Recipe, Step
from noisylabels.store.dataset import write_dataset
from noisylabels.store.index import DatasetInfo
from noisylabels_cli import main

few = settings(max_examples=25, deadline=None, derandomize=True)


def discs(number, count=4, side=70, low=14, high=24, spacing=None):
    """A square of so many discs in a row and column, far apart."""
    rng = np.random.default_rng(number)
    labels = np.zeros((count * side, count * side), np.uint8)
    y, x = np.indices((side, side)) - side // 2
    for k in range(count * count):
        r = rng.uniform(low, high)
        part = labels[(k // count) * side :, (k % count) * side :][:side, :side]
        part[y * y + x * x <= r * r] = 1
    return Case(
        case_id=f"case_{number:03d}", labels=labels, classes=("background", "nodule"), spacing=spacing,
        image=labels[None],
    )  # fmt: skip


def noisy(one, text, draws=None, **params):
    return like.corrupt(one, like.Params(profile=text, **params), draws or Draws(0, one.case_id))


# -- from a dataset and back ----------------------------------------------------------------------------------

ASKED = "px; nodule: bias 0.8, object 0.8, outline 1.2, length 8, omission 0.15"


@pytest.fixture(scope="module")
def read_by_many(tmp_path_factory):
    """A dataset of discs with three readers who were made by a known profile."""
    cases = []
    for number in range(6):
        one = discs(number, count=3, spacing=(2.0, 2.0))
        readers = {str(k): noisy(one, ASKED, Draws(0, "reader", one.case_id).at(k)) for k in (1, 2, 3)}
        cases.append(replace(one, readers=readers))
    ids = [one.case_id for one in cases]
    info = DatasetInfo(name="discs", classes=("background", "nodule"), channels=("grey",), ending=".png")
    splits = {"default": {"train": ids[:4], "val": ids[4:5], "test": ids[5:]}}
    return write_dataset(cases, info, tmp_path_factory.mktemp("profile") / "discs", splits)


def near(found, asked, factor=1.0):
    assert abs(found.bias - factor * asked.bias) < 0.3 * factor
    assert abs(found.object_sd - factor * asked.object_sd) < 0.25 * factor
    assert abs(found.outline_sd - factor * asked.outline_sd) < 0.15 * factor
    assert abs(found.length / (factor * asked.length) - 1) < 0.2


def test_the_readers_of_a_dataset(read_by_many):
    asked = profiles.read(ASKED).classes[0]
    found = measure(read_by_many, unit="px")
    near(found.profile.classes[0], asked)
    assert (found.cases, found.readers, found.classes[0].objects) == (6, ("1", "2", "3"), 54)
    assert found.classes[0].found.readings == 162
    in_mm = measure(read_by_many)
    assert in_mm.unit == "mm"
    near(in_mm.profile.classes[0], asked, 2.0)
    one = measure(read_by_many, ["2"], unit="px", part="train")
    assert (one.cases, one.classes[0].found.readings) == (4, 36)


def test_other_references(read_by_many):
    majority = measure(read_by_many, reference="majority", unit="px").profile.classes[0]
    others = measure(read_by_many, reference="others", unit="px").profile.classes[0]
    assert majority.bias < 0.5 < measure(read_by_many, unit="px").profile.classes[0].bias
    assert majority.outline_sd < 1.2 < others.outline_sd, (
        "a reader votes with the majority, not with the others"
    )


def test_a_profile_file_is_drawn_again(read_by_many, tmp_path):
    measured = measure(read_by_many, unit="px")
    text = measured.to_toml()
    document = tomllib.loads(text)
    assert document["profile"]["digest"] == read_by_many.digest
    assert profiles.read(text) == measured.profile
    step = Step.of("like", like, like.Params(profile=text))
    result = noisy_dataset(read_by_many, Recipe(0, (step,)), tmp_path / "noisy")
    again = measure(result, unit="px")
    assert again.readers == ("labels",)
    near(again.profile.classes[0], measured.profile.classes[0])


def test_what_cannot_be_measured_is_refused(read_by_many, tmp_path):
    for wrong in (
        {"readers": ["9"]}, {"reference": "best"}, {"unit": "cm"}, {"ranges": 0}, {"part": "all"},
    ):  # fmt: skip
        with pytest.raises(UsageError):
            measure(read_by_many, **wrong)
    one = discs(0, count=1)
    info = DatasetInfo(name="alone", classes=one.classes, channels=("grey",), ending=".png")
    alone = write_dataset([one], info, tmp_path / "alone", {"default": {"train": [one.case_id]}})
    with pytest.raises(InvalidData, match="no object"):
        measure(alone)
    with pytest.raises(UsageError, match="without a spacing"):
        measure(alone, unit="mm")


def test_command_line(read_by_many, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.run(["profile", str(read_by_many.path), "--out", "discs.toml", "--readers", "1,2"]) == 0
    table = capsys.readouterr().out
    assert "nodule" in table
    assert "missed" in table
    assert main.run(["profile", str(read_by_many.path), "--out", "discs.toml"]) == 2, "nothing is overwritten"
    assert (
        main.run(
            ["corrupt", str(read_by_many.path), "--mode", "like", "--profile", "discs.toml", "--out", "n"]
        )
        == 0
    )
    recipe = tomllib.loads((tmp_path / "n" / "recipe.toml").read_text())["recipe"]
    line = profiles.read((tmp_path / "discs.toml").read_text()).text
    assert recipe["steps"][0]["params"]["profile"] == line, "the recipe stands by itself"
    assert main.run(["profile", "n", "--out", "back.toml"]) == 0
    assert main.run(["profile", str(read_by_many.path), "--out", "no.toml", "--readers", "7"]) == 2
