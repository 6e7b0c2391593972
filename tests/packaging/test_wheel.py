"""The wheel: what is in it, and that it works alone in an environment without torch.

Needs the package index, as every installation does.
"""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
SOURCES = {
    "noisylabels": ROOT / "noisylabels",
    "noisylabels/datasets_manifest": ROOT / "datasets_manifest",
    "noisylabels_plugins": ROOT / "plugins" / "noisylabels_plugins",
    "noisylabels_cli": ROOT / "cli" / "noisylabels_cli",
}


def run(*words, folder, env=None):
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the tree, so that no older build directory gets into it."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc")
    for name in ("noisylabels", "plugins", "cli", "datasets_manifest"):
        shutil.copytree(ROOT / name, tree / name, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE", "setup.py", "MANIFEST.in"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tree / name)
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        folder,
        tree,
        folder=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_three_names_and_every_file_of_the_tree(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in held} == {"noisylabels", "noisylabels_plugins", "noisylabels_cli"}
    expected = {
        f"{package}/{file.relative_to(source).as_posix()}"
        for package, source in SOURCES.items()
        for file in source.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
    }
    assert sorted(expected - held) == [], "these files of the tree are not in the wheel"
    assert sorted(held - expected) == [], "these files of the wheel are not in the tree"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of an environment that holds the wheel and what it depends on, without extras."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS, wheel, folder=folder)
    return programs


def _clean_environment():
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "NOISYLABELS"))}


def test_it_corrupts_in_an_empty_folder_without_torch(installed, tmp_path):
    environment = _clean_environment()
    probe = "import importlib.util as u; print([n for n in ('torch', 'numba', 'pytest') if u.find_spec(n)])"
    assert run(installed / "python", "-c", probe, folder=tmp_path, env=environment).stdout.strip() == "[]"
    done = run(installed / "noisylabels", "corrupt", "--mode", "asymmetric", folder=tmp_path, env=environment)
    assert done.stdout == "phantoms-asymmetric\n"
    assert "./phantoms" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["phantoms", "phantoms-asymmetric"]
    assert (tmp_path / "phantoms-asymmetric" / "recipe.toml").is_file()
    shown = run(installed / "noisylabels", "inspect", "phantoms-asymmetric", folder=tmp_path, env=environment)
    assert "realised" in shown.stdout


MAKE = """
from noisylabels.store.dataset import Dataset
from noisylabels_cli.main import run

assert run("phantom --cases 9 --size 64x80 --out p --quiet".split()) == 0
for mode in ("asymmetric", "ellipse", "boundary"):
    assert run(f"corrupt p --mode {mode} --out {mode} --quiet".split()) == 0
    print(Dataset.open(mode).digest)
"""


def test_two_environments_make_the_same_datasets(installed, tmp_path):
    """This environment may have numba and other versions, that of the wheel has no numba: equal digests."""
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "plugins", "cli"))}
    found = []
    for name, python, environment in (
        ("here", sys.executable, here),
        ("there", installed / "python", _clean_environment()),
    ):
        (tmp_path / name).mkdir()
        found.append(run(python, "-c", MAKE, folder=tmp_path / name, env=environment).stdout)
    assert found[0] == found[1]
    assert len(set(found[0].split())) == 7, "four folders and three different digests"
