"""What end-to-end tests share: the command line, run in this process in an empty folder."""

from collections import namedtuple

import pytest
from small import small_dataset

from noisylabels.phantoms import phantom_dataset
from noisylabels_cli.main import run

Answer = namedtuple("Answer", "code out err")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder that is the present one."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def noisylabels(here, capsys):
    """The command line: ``noisylabels("modes", "ellipse")`` gives exit code, stdout and stderr."""

    def call(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in sorted(folder.rglob("*"))
        if not p.is_symlink()
    }


@pytest.fixture
def refused(noisylabels, here):
    """Run a command that must fail, and check what holds for every failure."""

    def call(code, finding, *words):
        before = tree(here)
        answer = noisylabels(*words)
        assert answer.code == code, answer.err
        assert answer.out == ""
        lines = [line for line in answer.err.splitlines() if line.startswith("noisylabels: ")]
        assert len(lines) == 1, answer.err
        assert finding in lines[0]
        assert "Traceback" not in answer.err
        assert "bug" not in answer.err
        assert tree(here) == before, "nothing is written, nothing is lost"
        return lines[0]

    return call


@pytest.fixture
def dataset(here):
    return small_dataset(here / "d")


@pytest.fixture
def few_phantoms(monkeypatch):
    """The embedded dataset with 12 small cases instead of its usual number."""

    def few(out, count, progress):
        return phantom_dataset(out, count=12, size=(32, 40), progress=progress)

    monkeypatch.setattr("noisylabels.phantoms.phantom_dataset", few)
