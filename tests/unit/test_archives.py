"""Archives, honest and hostile."""

import hashlib
import io
import tarfile
import zipfile

import pytest

from noisylabels.archives import changed, unpack
from noisylabels.errors import InvalidData, NoisyLabelsError

FILES = {"a/one.txt": b"one" * 1000, "b.txt": b"two"}


def zipped(path, files=FILES, mode=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode:
                info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def tarred(path, files=FILES, kind=tarfile.REGTYPE, target=""):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_everything_comes_out_once(tmp_path, name):
    archive = (zipped if name.endswith("zip") else tarred)(tmp_path / name)
    folder = unpack(archive, tmp_path / "x")
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.txt")} == FILES
    stamp = (folder / "b.txt").stat().st_mtime_ns
    assert unpack(archive, folder) == folder
    assert (folder / "b.txt").stat().st_mtime_ns == stamp
    assert changed(folder) == []
    (folder / "b.txt").write_text("other")
    (folder / "a" / "one.txt").unlink()
    assert sorted(changed(folder)) == ["a/one.txt", "b.txt"]


HOSTILE = {
    "up.zip": lambda p: zipped(p, {"../out.txt": b"x"}),
    "root.zip": lambda p: zipped(p, {"/out.txt": b"x"}),
    "backslash.zip": lambda p: zipped(p, {"..\\out.txt": b"x"}),
    "drive.zip": lambda p: zipped(p, {"C:/out.txt": b"x"}),
    "link.zip": lambda p: zipped(p, {"link": b"/etc/passwd"}, 0o120777),
    "bomb.zip": lambda p: zipped(p, {"big": bytes(100 << 20)}),
    "up.tar": lambda p: tarred(p, {"a/../../out.txt": b"x"}),
    "root.tar": lambda p: tarred(p, {"/out.txt": b"x"}),
    "link.tar": lambda p: tarred(p, {"link": b""}, tarfile.SYMTYPE, "/etc/passwd"),
    "hard.tar": lambda p: tarred(p, {"link": b""}, tarfile.LNKTYPE, "../x"),
    "device.tar": lambda p: tarred(p, {"null": b""}, tarfile.CHRTYPE),
    "bomb.tar.gz": lambda p: tarred(p, {"big": bytes(100 << 20)}),
    "empty.zip": lambda p: zipped(p, {}),
    "empty.tar": lambda p: tarred(p, {}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(tmp_path, name):
    archive = HOSTILE[name](tmp_path / name)
    with pytest.raises(InvalidData):
        unpack(archive, tmp_path / "x")
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_a_damaged_archive_is_refused(tmp_path, name):
    archive = (zipped if name.endswith("zip") else tarred)(tmp_path / name)
    whole = archive.read_bytes()
    for damaged in (whole[:-30], whole[:40] + b"\xff" * 20 + whole[60:], b"no archive", b""):
        archive.write_bytes(damaged)
        with pytest.raises(InvalidData):
            unpack(archive, tmp_path / "x")
        assert not (tmp_path / "x").exists()


def test_the_same_name_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", "2")
    with pytest.raises(InvalidData, match="holds a twice"):
        unpack(tmp_path / "x.zip", tmp_path / "x")


def test_members_are_checked_where_their_hash_is_known(tmp_path):
    archive = zipped(tmp_path / "x.zip")
    unpack(archive, tmp_path / "x", {"b.txt": hashlib.sha256(b"two").hexdigest()})
    with pytest.raises(InvalidData, match=r"another b\.txt"):
        unpack(archive, tmp_path / "y", {"b.txt": "0"})


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(NoisyLabelsError, match="move it away"):
        unpack(zipped(tmp_path / "x.zip"), tmp_path / "x")
