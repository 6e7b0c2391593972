"""Bad words on the command line: one sentence, exit code 2, nothing written or lost."""

import shutil

import pytest

ELLIPSE = ["corrupt", "d", "--mode", "ellipse"]
SYMMETRIC = ["corrupt", "d", "--mode", "symmetric", "--unit", "pixel"]


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("no mode 'elipse'; did you mean 'ellipse'", ["corrupt", "d", "--mode", "elipse"]),
        ("no mode 'elipse'; did you mean 'ellipse'", ["corrupt", "d", "--mode", "elipse", "--help"]),
        ("no mode 'asymetric'; did you mean 'asymmetric'", ["modes", "asymetric"]),
        ("no dataset 'jrst'; did you mean 'jsrt'", ["prepare", "jrst", "--raw", "."]),
        ("no command 'corupt'; did you mean 'corrupt'", ["corupt"]),
        ("No such option '--rat'", ["corrupt", "d", "--mode", "symmetric", "--rat", "1"]),
        ("not 1.5", ["corrupt", "d", "--mode", "symmetric", "--rate", "1.5"]),
        ("not -0.1", ["corrupt", "d", "--mode", "asymmetric", "--rate", "-0.1"]),
        ("not nan", ["corrupt", "d", "--mode", "asymmetric", "--rate", "nan"]),
        ("--rate takes a number, not 'half'", ["corrupt", "d", "--mode", "symmetric", "--rate", "half"]),
        ("did you mean 'pixel'", ["corrupt", "d", "--mode", "symmetric", "--unit", "pixl"]),
        ("from 0 to 1, not 1.5", ["corrupt", "d", "--mode", "symmetric", "--fraction", "1.5"]),
        ("from 0 to 1, not -1.0", ["corrupt", "d", "--mode", "symmetric", "--fraction", "-1"]),
        ("--seed", ["corrupt", "d", "--mode", "symmetric", "--seed", "x"]),
        ("--jobs", ["corrupt", "d", "--mode", "symmetric", "--jobs", "0"]),
        ("one of --mode NAME", ["corrupt", "d"]),
        ("one of --mode NAME", ["corrupt", "d", "--mode", "ellipse", "--recipe", "r.toml"]),
        ("one of --mode NAME", ["corrupt", "d", "--mode", "ellipse", "--preset", "jcas-ellipse"]),
        ("no preset 'jcas-elipse'; did you mean 'jcas-ellipse'", ["corrupt", "d", "--preset", "jcas-elipse"]),
        ("'coseg-type1' alone; say which: coseg-type1-10, coseg-type1-20", ["presets", "coseg-type1"]),
        ("No such option '--fit'", ["corrupt", "d", "--preset", "jcas-ellipse", "--fit", "box"]),
        ("no class 'liverr'; did you mean 'liver'", [*ELLIPSE, "--classes", "liverr,tumour"]),
        ("--fraction and --count", [*ELLIPSE, "--fraction", "0.5", "--count", "2"]),
        ("9 touched cases are asked for, but there are only 6", [*ELLIPSE, "--count", "9"]),
        ("9 clean groups are asked for, but there are only 6", [*ELLIPSE, "--clean", "9", "--by", "group"]),
        ("whole number from 0 on, not -1", [*ELLIPSE, "--count", "-1"]),
        ("did you mean 'group'", [*ELLIPSE, "--by", "groups"]),
        ("known: floor, nearest", [*ELLIPSE, "--rounding", "up"]),
        ("share of objects is a number from 0 to 1, not 2", [*ELLIPSE, "--objects", "2"]),
        ("no part of a split 'training'; did you mean 'train'", [*ELLIPSE, "--split-parts", "training"]),
        ("there is none in the recipe's modes (ellipse)", [*ELLIPSE, "--target", "dice=0.7"]),
        ("METRIC=VALUE or METRIC=LOW:HIGH", [*ELLIPSE, "--target", "0.7"]),
        ("METRIC=VALUE or METRIC=LOW:HIGH", [*ELLIPSE, "--target", "dice=high"]),
        ("METRIC=VALUE or METRIC=LOW:HIGH", [*ELLIPSE, "--target", "dice=0.1:0.2:0.3"]),
        ("did you mean 'dice'", [*ELLIPSE, "--target", "dise=0.7"]),
        ("from 0 to 1, not 0.9:0.1", [*ELLIPSE, "--target", "dice=0.9:0.1"]),
        ("from 0 to 1, not nan:nan", [*ELLIPSE, "--target", "dice=nan"]),
        ("Case case_000 has no spacing", [*SYMMETRIC, "--target", "shift_mm=1"]),
        ("tolerance belongs to a target", [*ELLIPSE, "--tolerance", "0.1"]),
        ("The tolerance of a target", [*SYMMETRIC, "--target", "dice=0.7", "--tolerance", "-1"]),
        ("number of annotators", [*ELLIPSE, "--annotators", "-1"]),
        ("did you mean 'group'", [*ELLIPSE, "--share-draws", "groop"]),
        ("no executor 'dusk'; did you mean 'dask'", [*ELLIPSE, "--executor", "dusk"]),
        ("needs the address of a scheduler", [*ELLIPSE, "--executor", "dask"]),
        (
            "belongs to the executor dask, not to serial",
            [*ELLIPSE, "--executor", "serial", "--scheduler", "x:1"],
        ),
        ("--jobs belongs to the executor processes", [*ELLIPSE, "--executor", "serial", "--jobs", "2"]),
        ("--jobs belongs to the executor processes", [*ELLIPSE, "--scheduler", "x:1", "--jobs", "2"]),
        ("either --dry-run or --preview", [*ELLIPSE, "--dry-run", "--preview", "2"]),
        ("touches no case, so there is nothing to see", [*ELLIPSE, "--fraction", "0", "--preview", "2"]),
        ("--preview", [*ELLIPSE, "--preview", "0"]),
        ("r.toml cannot be read", ["corrupt", "d", "--recipe", "r.toml"]),
        ("unexpected extra argument", ["corrupt", "d", "e", "--mode", "ellipse"]),
        ("--size takes height and width", ["phantom", "--size", "12"]),
        ("at least 32 px", ["phantom", "--size", "8x8"]),
        ("--raw FOLDER", ["prepare", "jsrt"]),
        ("the size may be", ["prepare", "jsrt", "--raw", ".", "--size", "100"]),
        ("Missing argument", ["inspect"]),
    ],
)
def test_wrong_words(refused, dataset, finding, words):
    refused(2, finding, *words)


def test_recipes_with_mistakes(refused, dataset, here):
    good = '[recipe]\nseed = 0\n[[recipe.steps]]\nmode = "ellipse"\nversion = 1\n'
    for change, code, finding in [
        (("ellipse", "elipse"), 2, "did you mean 'ellipse'"),
        (("seed", "sead"), 2, "did you mean 'seed'"),
        (("version = 1", "version = 99"), 4, "version 99 of the mode 'ellipse'"),
        (("version = 1", "version = 1\nparams = { fit = 'bx' }"), 2, "did you mean 'box'"),
        (("[recipe]", "[recipe"), 2, "not TOML"),
    ]:
        (here / "r.toml").write_text(good.replace(*change))
        refused(code, finding, "corrupt", "d", "--recipe", "r.toml")


def test_dask_that_is_not_installed(refused, dataset, monkeypatch):
    monkeypatch.setattr("noisylabels.parallel.find_spec", lambda name: None)
    refused(2, "pip install 'noisylabels[cluster]'", *ELLIPSE, "--scheduler", "tcp://127.0.0.1:1")


def test_a_scheduler_that_does_not_answer(refused, dataset, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("noisylabels.parallel.CONNECT_SECONDS", 0.2)
    refused(1, "No dask scheduler answers at tcp://127.0.0.1:1", *ELLIPSE, "--scheduler", "tcp://127.0.0.1:1")


def test_a_mode_without_the_readers_that_it_needs(refused, dataset):
    refused(2, "case_000", "corrupt", "d", "--mode", "reader")


def test_a_look_at_damaged_cases(refused, dataset, here):
    """The same sentence as in earnest, also out of the process that measures."""
    shutil.rmtree(dataset.path / "imagesTr")
    refused(3, "imagesTr/case_000_0000.png is missing", *ELLIPSE, "--preview", 2)
    for case_id in dataset.ids("train"):
        path = dataset.path / "labelsTr" / f"{case_id}.png"
        path.write_bytes(path.read_bytes()[:-30])
    refused(3, "is damaged", *ELLIPSE, "--dry-run")


def test_a_preview_overwrites_nothing_but_previews(refused, dataset, here):
    for damage in (
        lambda p: p.write_text("precious"),
        lambda p: shutil.copy(here / "d/labelsTr/case_000.png", p),
    ):
        damage(here / "d-ellipse-preview.png")
        refused(2, "d-ellipse-preview.png is already there", *ELLIPSE, "--preview", 2)
    refused(2, "d is already there", *ELLIPSE, "--out", "d", "--dry-run")
