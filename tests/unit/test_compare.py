"""The command that puts evaluated runs beside each other."""

import re

import pytest
from fake_runs import write_run
from small import small_dataset

from noisylabels.catalogue import MODES
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels_cli.main import run as command_line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An evaluated run."""
    place, module = tmp_path_factory.mktemp("compare"), MODES.load("dilate")
    recipe = Recipe(0, (Step.of("dilate", module, module.Params()),))
    noisy = noisy_dataset(small_dataset(place / "clean"), recipe, place / "noisy")
    return str(write_run(place / "run", noisy, epochs=2))


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (["--metrics", "foo"], "There is no metric 'foo'; known: assd_px, dice, hd95_px, jaccard."),
        (["--metrics", "dice,hd95"], "There is no metric 'hd95'; did you mean 'hd95_px'?"),
        (["--metrics", "hd95_px", "--rule", "pooled"], "There is no pooled metric 'hd95_px'; known: dice, jaccard."),
    ],
)  # fmt: skip
def test_metrics_that_no_run_has_are_refused(folder, capsys, words, finding):
    assert command_line(["compare", folder, *words]) == 2
    said = capsys.readouterr()
    assert (said.out, finding in said.err) == ("", True)


def test_spaces_between_metrics_are_no_part_of_them(folder, capsys):
    assert command_line(["compare", folder, "--metrics", "jaccard, hd95_px"]) == 0
    assert re.search(r"^Jaccard .*^HD95 \(px\)", capsys.readouterr().out, re.DOTALL | re.MULTILINE)
