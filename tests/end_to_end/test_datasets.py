"""Datasets listed, described, checked and fetched through the command line."""

import hashlib
import zipfile
from dataclasses import replace

import pytest
from servers import server

from noisylabels import facts
from noisylabels.facts import SourceFile
from noisylabels.phantoms.jsrt import write_raw


def test_list_and_info(noisylabels):
    listed = noisylabels("datasets", "list")
    assert listed.code == 0
    assert "jsrt" in listed.out
    told = noisylabels("datasets", "info", "jsrt")
    for word in ("licence", "citation", "registration", "split coseg", "preset coseg", "All247images.zip"):
        assert word in told.out
    assert "did you mean 'jsrt'" in noisylabels("datasets", "info", "jrst").err


def test_check_tells_what_is_there_and_what_is_damaged(noisylabels, tmp_path):
    write_raw(tmp_path / "raw", ["JPCLN001", "JPCLN002"], traps=("repacked",))
    good = noisylabels("datasets", "check", "jsrt", tmp_path / "raw")
    assert good.code == 0
    assert "8 files" in good.out
    assert "missing" in good.out
    (tmp_path / "raw" / "lung" / "JPCLN002.png").write_bytes(b"x")
    bad = noisylabels("datasets", "check", "jsrt", tmp_path / "raw")
    assert bad.code == 3
    assert "JPCLN002.png cannot be decoded" in bad.out
    assert noisylabels("datasets", "check", "jsrt", tmp_path / "nowhere").code == 3


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """JSRT as if a server on this machine offered an archive of it."""
    with zipfile.ZipFile(tmp_path / "masks.zip", "w") as archive:
        archive.writestr("lung/a.txt", "a")
    content = (tmp_path / "masks.zip").read_bytes()
    real = facts.load_facts

    def load(name):
        file = SourceFile(
            name="masks.zip",
            where="",
            channels=(f"{address}/forbidden/masks.zip", f"{address}/cut/masks.zip"),
            sha256=hashlib.sha256(content).hexdigest(),
            unpack=True,
        )
        by_hand = SourceFile(name="images.zip", where="the owner")
        steps = ("Register with the owner.", "Put images.zip into {raw}.")
        return replace(real(name), files=(file, by_hand), steps=steps, terms="Be kind.")

    with server(content) as (address, _, _):
        monkeypatch.setattr(facts, "load_facts", load)
        monkeypatch.setattr("noisylabels.download._PAUSE", 0.0)
        yield


def test_fetch_asks_for_consent_fetches_what_is_open_and_prints_the_steps(offered, noisylabels, here):
    refused = noisylabels("datasets", "fetch", "jsrt")
    assert refused.code == 5
    assert "Be kind. Say that you accept them with --accept-terms." in refused.err
    assert not list(here.iterdir())
    answer = noisylabels("datasets", "fetch", "jsrt", "--accept-terms")
    assert answer.code == 5
    assert answer.out == "1. Register with the owner.\n2. Put images.zip into raw/jsrt.\n"
    assert (here / "raw/jsrt/masks/lung/a.txt").read_text() == "a"
    assert "images.zip of jsrt can only be fetched by you" in answer.err
    (here / "raw/jsrt/images.zip").touch()
    done = noisylabels("datasets", "fetch", "jsrt", "--accept-terms")
    assert (done.code, done.out) == (0, "raw/jsrt\n")


def test_single_files_and_patients(offered, noisylabels, here):
    answer = noisylabels("datasets", "fetch", "jsrt", "--accept-terms", "--file", "masks.zip", "--raw", "r")
    assert (answer.code, answer.out) == (0, "r\n")
    wrong = noisylabels("datasets", "fetch", "jsrt", "--file", "mask.zip")
    assert "did you mean 'masks.zip'" in wrong.err
    assert (
        "not offered by patient"
        in noisylabels(
            "datasets", "fetch", "jsrt", "--accept-terms", "--file", "masks.zip", "--patient", "x"
        ).err
    )
