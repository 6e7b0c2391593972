"""The suites that come along, and the settings of any as the flags of a training."""

import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from noisylabels.errors import UsageError
from noisylabels.suite import merged
from noisylabels.suites import load, names, place, read
from noisylabels_plugins.catalogue import METHODS
from noisylabels_plugins.cell_weights import with_weights
from noisylabels_plugins.cells import check_settings, train_flags
from noisylabels_plugins.samplers import SAMPLERS


@pytest.mark.parametrize("name", names())
def test_every_suite_that_comes_along_builds(name):
    found = load(name)
    for cell in {(c.row.key, c.noise_key): c for c in found.cells()}.values():
        settings = found.settings_of(cell)
        check_settings(cell.row.method, settings, cell.name)
        assert train_flags(cell.row.method, settings)
    for noise in found.noises:
        if noise.source:
            check_settings(noise.source.method, merged(found.settings, noise.source.settings), noise.key)
    assert found.baseline in [row.key for row in found.rows]
    assert any(row.clean for row in found.rows)


def test_weights_reach_every_network_that_takes_some():
    suite, folder = load("jcas-endovis18"), Path("imagenet")
    found = with_weights(suite, folder)
    for before, after in zip(suite.cells(), found.cells(), strict=True):
        old, new = suite.settings_of(before), found.settings_of(after)
        taken = before.row.key != "mtcl"  # its U-Net has no such encoder
        assert ("imagenet" in train_flags(after.row.method, new)) == taken
        old.setdefault("net_params", {})
        new["net_params"] = {k: v for k, v in new.get("net_params", {}).items() if k != "encoder_weights"}
        assert new == old
        check_settings(after.row.method, found.settings_of(after), after.name)


def test_weights_that_no_network_takes_are_refused():
    with pytest.raises(UsageError, match=r"No row of the suite jcas-jsrt has a network that takes weights"):
        with_weights(load("jcas-jsrt"), Path("imagenet"))


@pytest.mark.parametrize(
    ("name", "cases", "trusted", "wanted"),
    [("jcas-phantoms", 144, 16, (1080, 1088)), ("jcas-endovis18", 1639, 164, (None, 30_258))],
)
def test_trusted_cases_in_every_batch_do_not_make_a_training_longer(name, cases, trusted, wanted):
    """An epoch of MTCL ends when the other cases, of which a batch has but half as many, have been seen."""
    suite, updates, found = load(name), {}, {}
    ids = [f"{i:04}" for i in range(cases)]
    data = SimpleNamespace(ids=ids, trusted=set(ids[:trusted]), seed=0)
    for cell in suite.cells():
        settings = found[cell.row.key] = suite.settings_of(cell)
        sampler = METHODS.load(cell.row.method).Method.SAMPLER
        if sampler != "repeat-factor":
            batches = SAMPLERS[sampler](data, 0, settings["batch_size"])
            updates[cell.row.key] = settings["epochs"] * len(batches)
    assert updates["mtcl"] == wanted[1]
    assert {settings["trusted"] for settings in found.values() if "trusted" in settings} == {str(trusted)}
    assert wanted[0] in (None, updates["baseline"])


def test_the_table_of_the_poster_is_whole():
    found = load("jcas-endovis18")
    assert [row.name for row in found.rows] == [row.name for row in load("jcas-phantoms").rows]
    paper, ablation = found.paper, {"affinity", "dar", "calc"}
    assert paper.test_selected
    for noise in found.noises:
        rows = {row for key, row, metric in paper.figures if key == noise.key and metric == "dice"}
        missing = {row.key for row in found.rows if not row.clean} - rows
        assert missing == (set() if noise.key == "ellipse" else ablation)
    assert paper.of("clean", "upper", "jaccard", "mean") == 63.648
    for (_, _, _), values in paper.figures.items():
        assert sum(values[:3]) / 3 == pytest.approx(values[3], abs=0.002)


def test_the_suite_in_the_documentation_can_be_read(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "bench.md").read_text(encoding="utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]
    found = read(tomllib.loads(text), tmp_path / "mine.toml")
    assert [noise.key for noise in found.noises] == ["ellipse", "flips", "several-steps", "pseudo-labels"]
    assert found.paper.of("ellipse", "dar", "jaccard", "mean") == 83.2
    assert found.noises[2].recipe.text.startswith("dilate, then polygon, fraction 0.5")
    for name in names():
        assert f"| `{name}` |" in page


def test_flags_say_what_the_settings_say():
    settings = {
        "net_params": {"width": 4},
        "params": {"lr": 0.01, "parts": "dar", "volume_weight": None},
        "augment": [],
        "batch_size": 2,
        "track_train": True,
        "tensorboard": False,
    }
    words = " ".join(train_flags("jcas", settings))
    assert words == (
        "--net-width 4 --lr 0.01 --parts dar --volume-weight none --augment none --batch-size 2 --track-train"
    )


@pytest.mark.parametrize(
    ("method", "settings", "finding"),
    [
        ("jcass", {}, "did you mean 'jcas'"),
        ("jcas", {"epoch": 3}, "did you mean 'epochs'"),
        ("jcas", {"epochs": 0}, "at least 1"),
        ("jcas", {"epochs": "1"}, "epochs takes a whole number, not '1'"),
        ("jcas", {"batch_size": 4.5}, "batch_size takes a whole number"),
        ("jcas", {"validate_every": True}, "validate_every takes a whole number"),
        ("jcas", {"clip_norm": "1"}, "clip_norm takes a number"),
        ("jcas", {"track_train": "yes"}, "track_train takes true or false"),
        ("jcas", {"augment": "flip"}, "augment is a list of texts"),
        ("jcas", {"augment": [3]}, "augment takes a list of texts"),
        ("jcas", {"net": 3}, "net takes a text, not 3"),
        ("jcas", {"select": "bst-val"}, "select: 'bst-val'; did you mean 'best-val'"),
        ("jcas", {"schedule": "cosin"}, "did you mean 'cosine'"),
        ("lwanet", {"net": "lwanet", "batch_size": 1}, "needs 2 cases in a batch, and batch_size is 1"),
        ("mtcl", {}, "say which by trusted"),
        ("jcas", {"net": "unett"}, "did you mean 'unet'"),
        ("jcas", {"net_params": {"widht": 4}}, "did you mean 'width'"),
        ("jcas", {"params": {"part": "dar"}}, "did you mean 'parts'"),
        ("jcas", {"params": {"parts": "half"}}, "--parts"),
        ("css", {"loss": "ce"}, "a loss of its own"),
        ("baseline", {"loss": "gcee"}, "did you mean 'gce'"),
        ("baseline", {"seed": 3}, "no setting"),
    ],
)
def test_settings_that_training_would_refuse_are_refused_before(method, settings, finding):
    with pytest.raises(UsageError, match=finding) as caught:
        check_settings(method, settings, "row one")
    assert "row one" in str(caught.value)


def test_settings_that_training_takes_are_let_through():
    check_settings("mtcl", {"trusted": 12, "clip_norm": 1, "augment": ["flip"], "cache": "none"}, "row one")
    check_settings("forward", {}, "row one")
    with pytest.raises(UsageError, match="row one: method 'forward' needs the transition matrix"):
        check_settings("forward", {}, "row one", clean=True)


def test_the_file_of_a_suite_is_where_it_says():
    assert place("jcas-jsrt").name == "jcas-jsrt.toml"
