"""Downloads from a server that misbehaves."""

import hashlib

import pytest
from servers import server

from noisylabels import download
from noisylabels.errors import InvalidData, NoisyLabelsError
from noisylabels.facts import SourceFile

CONTENT = bytes(range(256)) * 2000
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(download, "_PAUSE", 0.0)


@pytest.fixture(scope="module")
def site():
    with server(CONTENT) as running:
        yield running


def file(address, *ways, **known):
    known = {"sha256": SHA, **known}
    return SourceFile(name="file.bin", where="", channels=tuple(f"{address}/{w}/file" for w in ways), **known)


@pytest.mark.parametrize("way", ["good", "plain", "cut", "cut_plain", "busy", "moved", "changed"])
def test_what_can_be_had_is_had(site, tmp_path, way):
    site[1].clear()
    seen = []
    path = download.fetch(file(site[0], way), tmp_path, lambda there, total: seen.append((there, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin"]


def test_a_cut_file_is_resumed_by_range(site, tmp_path):
    site[1].clear()
    site[2].clear()
    download.fetch(file(site[0], "cut"), tmp_path)
    half, more = len(CONTENT) // 2, len(CONTENT) * 3 // 4
    assert site[2] == [None, f"bytes={half}-", f"bytes={more}-"]


def test_a_later_run_resumes_what_an_earlier_one_left(site, tmp_path, monkeypatch):
    site[1].clear()
    monkeypatch.setattr(download, "TRIES", 1)
    with pytest.raises(NoisyLabelsError, match="the connection broke, 1 times in a row"):
        download.fetch(file(site[0], "cut"), tmp_path)
    assert (tmp_path / "file.bin.part").stat().st_size == 256000
    site[1]["cut"] = 2
    site[2].clear()
    assert download.fetch(file(site[0], "cut"), tmp_path).read_bytes() == CONTENT
    assert site[2] == ["bytes=256000-"]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("wrong", "the file is another one, its SHA256 is"),
        ("forbidden", "it answers 403 (a login is needed)"),
        ("gone", "it answers 404"),
        ("login", "it answers with a web page instead of the file"),
        ("always_cut", "the connection broke, 5 times in a row"),
    ],
)
def test_the_next_channel_is_tried_and_reasons_are_given(site, tmp_path, way, reason):
    with pytest.raises(NoisyLabelsError) as caught:
        download.fetch(file(site[0], way), tmp_path)
    assert reason in str(caught.value)
    assert not (tmp_path / "file.bin").exists()
    assert download.fetch(file(site[0], way, "good"), tmp_path).read_bytes() == CONTENT


def test_a_silent_and_an_absent_server(site, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT", (0.2, 0.2))
    monkeypatch.setattr(download, "TRIES", 2)
    with pytest.raises(NoisyLabelsError, match="it is silent, 2 times"):
        download.fetch(file(site[0], "silent"), tmp_path)
    with pytest.raises(NoisyLabelsError, match="the connection broke, 2 times"):
        download.fetch(file("http://127.0.0.1:9", "good"), tmp_path)


def test_another_size_is_noticed_before_the_bytes_come(site, tmp_path):
    with pytest.raises(NoisyLabelsError, match="it offers 512000 bytes, and the file has 7"):
        download.fetch(file(site[0], "good", size=7), tmp_path)


def test_a_file_that_is_there_is_checked_and_not_fetched(site, tmp_path):
    site[1].clear()
    (tmp_path / "file.bin").write_bytes(CONTENT)
    assert download.fetch(file(site[0], "good"), tmp_path) == tmp_path / "file.bin"
    assert not site[1]
    (tmp_path / "file.bin").write_bytes(b"something else")
    with pytest.raises(InvalidData, match="move it away"):
        download.fetch(file(site[0], "good"), tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == b"something else"


def test_without_a_channel_there_is_nothing_to_fetch(tmp_path):
    with pytest.raises(NoisyLabelsError, match="no channel is known"):
        download.fetch(SourceFile(name="x", where="by hand"), tmp_path)


def test_md5_serves_where_it_is_all_there_is(site, tmp_path):
    good = file(site[0], "good", sha256="", md5=hashlib.md5(CONTENT).hexdigest())
    assert download.fetch(good, tmp_path).read_bytes() == CONTENT
    assert download.difference(tmp_path / "file.bin", SourceFile(name="x", where="", md5="00")).startswith(
        "its MD5"
    )
