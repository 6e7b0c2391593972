"""What end-to-end tests share: the command line, run in this process in an empty folder."""

from collections import namedtuple

import pytest

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
