"""What is typed beside ``--resume`` agrees with the run, or is refused by name; nothing else is asked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from noisylabels.errors import UsageError
from noisylabels_cli.resumed import refuse_other_settings
from noisylabels_plugins.spec import RunSpec

RUN = RunSpec(
    method="jcas",
    data="d",
    params={"lr": 0.002},
    net="unet",
    net_params={"width": 4},
    epochs=3,
    augment=("flip", "shift"),
)
OTHERS = [
    ("epochs", {"epochs": 5}, "--epochs is 5 here and 3 in the run of r, which"),
    ("method", {"method": "sr", "net": "raunet"}, "METHOD is sr here and jcas in"),
    ("lr", {"params": {}}, "--lr is the default here and 0.002 in"),
    ("parts", {"params": {"lr": 0.002, "parts": "dar"}}, "--parts is dar here and the default in"),
    ("net_width", {"net_params": {"width": 8}}, "--net-width is 8 here and 4 in"),
    ("augment", {"augment": ()}, "--augment is none here and flip,shift in"),
    ("loss", {"loss": "gce"}, "--loss is gce here and the default in"),
    ("clip_norm", {"clip_norm": 1.0}, "--clip-norm is 1.0 here and the default in"),
]


@pytest.mark.parametrize(("typed", "changed", "message"), OTHERS)
def test_another_setting_is_refused_by_its_flag(typed, changed, message):
    asked = replace(RUN, **changed)
    with pytest.raises(UsageError) as caught:
        refuse_other_settings(Path("r"), RUN, asked, {typed, "out", "resume"})
    assert str(caught.value).startswith(message)
    refuse_other_settings(Path("r"), RUN, asked, {"out", "resume"})


def test_the_method_is_named_first():
    with pytest.raises(UsageError, match=r"^METHOD is sr"):
        refuse_other_settings(Path("r"), RUN, replace(RUN, method="sr", epochs=9), {"method", "epochs"})


def test_the_same_place_may_be_written_in_other_words(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r").mkdir()
    every = {"method", "data", "epochs", "lr", "net_width", "augment"}
    asked = replace(RUN, data=str(tmp_path / "r" / ".." / "d"), augment=["flip", "shift"])
    refuse_other_settings(Path("r"), RUN, asked, every)
    with pytest.raises(UsageError, match=r"--data is .*/e here and .*/d in"):
        refuse_other_settings(Path("r"), RUN, replace(RUN, data="e"), every)
