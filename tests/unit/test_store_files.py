import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from noisylabels.case import IGNORE
from noisylabels.errors import InvalidData, NoisyLabelsError
from noisylabels.store import files

SHAPES = st.one_of(
    st.tuples(*[st.integers(1, 7)] * 2), st.tuples(st.integers(2, 5), *[st.integers(1, 6)] * 2)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@settings(max_examples=60, deadline=None)
@given(labels=SHAPES.flatmap(lambda s: arrays(np.uint8, s, elements=st.sampled_from([0, 1, 2, 3, IGNORE]))))
@pytest.mark.parametrize("ending", files.ENDINGS)
def test_labels_come_back(folder, ending, labels):
    if ending == ".png" and labels.ndim == 3:
        return
    spacing = (0.5, 0.25, 0.125)[: labels.ndim] if ending == ".nii.gz" else None
    path = folder / f"labels{ending}"
    files.write_labels(path, labels, spacing, ignore=4)
    back, back_spacing = files.read_labels(path, ignore=4)
    assert back.dtype == np.uint8
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, labels)
    assert back_spacing == spacing
    raw, _ = files.read_labels(path)
    assert set(np.unique(raw)) <= {0, 1, 2, 3, 4}, "on disk the ignore label comes right after the classes"


@pytest.mark.parametrize(
    ("ending", "channels", "shape", "dtype"),
    [
        (".png", 1, (5, 7), np.uint8),
        (".png", 3, (5, 7), np.uint8),
        (".png", 2, (5, 7), np.uint8),
        (".png", 1, (5, 7), np.uint16),
        (".png", 4, (5, 3), np.uint16),
        (".nii.gz", 1, (5, 7), np.int16),
        (".nii.gz", 2, (4, 5, 7), np.float32),
        (".nii.gz", 3, (4, 5, 3), np.uint8),
        (".nii.gz", 1, (1, 5, 3), np.uint16),
    ],
)
def test_images_come_back(tmp_path, ending, channels, shape, dtype):
    low, high = (-1000, 3000) if np.dtype(dtype).kind in "if" else (0, np.iinfo(dtype).max)
    image = np.random.default_rng(0).integers(low, high, (channels, *shape)).astype(dtype)
    files.write_image(tmp_path, "a", ending, image, None)
    names = files.image_names("a", ending, channels)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    back = files.read_image([tmp_path / name for name in names], len(shape))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, image)


def test_a_nifti_file_is_x_y_z_with_millimetres(tmp_path):
    import nibabel

    labels = np.zeros((2, 3, 5), np.uint8)
    labels[1, 2, 4] = 1
    files.write_labels(tmp_path / "a.nii.gz", labels, (3.0, 2.0, 1.0))
    picture = nibabel.load(tmp_path / "a.nii.gz")
    assert picture.shape == (5, 3, 2)
    assert picture.header.get_zooms() == (1.0, 2.0, 3.0)
    assert np.asarray(picture.dataobj)[4, 2, 1] == 1
    np.testing.assert_array_equal(picture.affine, np.diag([-1.0, -2.0, 3.0, 1.0]))


def test_equal_arrays_give_equal_bytes_in_another_process_and_under_another_name(tmp_path):
    labels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    script = (
        "import sys, numpy as np; from pathlib import Path; from noisylabels.store.files import write_labels;"
        "[write_labels(Path(sys.argv[1]) / f'other{e}', np.arange(20, dtype=np.uint8).reshape(4, 5))"
        " for e in ('.png', '.nii.gz')]"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    for ending in files.ENDINGS:
        files.write_labels(tmp_path / f"one{ending}", labels)
        assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"other{ending}").read_bytes()


def _good(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    files.write_labels(path, np.random.default_rng(0).integers(0, 4, (40, 50)).astype(np.uint8))
    return path


@pytest.mark.parametrize("ending", files.ENDINGS)
@pytest.mark.parametrize("kept", [0, 1, 9, 60, 0.5, 0.98])
def test_truncated_files_are_named(tmp_path, ending, kept):
    path = _good(tmp_path, ending)
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(InvalidData, match=r"a\.(png|nii\.gz) .*damaged") as caught:
        files.read_labels(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", files.ENDINGS)
def test_missing_files_folders_and_other_content_are_named(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    with pytest.raises(InvalidData, match="is missing"):
        files.read_labels(path)
    path.mkdir()
    with pytest.raises(InvalidData, match="cannot be read"):
        files.read_labels(path)
    path.rmdir()
    path.write_text("hello")
    with pytest.raises(InvalidData, match="damaged"):
        files.read_labels(path)


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path):
    """No exception but ours, whatever single byte is damaged."""
    for ending in files.ENDINGS:
        path = _good(tmp_path, ending)
        whole = bytearray(path.read_bytes())
        for place in range(0, len(whole), max(1, len(whole) // 60)):
            damaged = bytearray(whole)
            damaged[place] ^= 0x55
            path.write_bytes(damaged)
            try:
                files.read_labels(path)
            except InvalidData:
                continue


def test_colour_pictures_and_fractions_are_no_labels(tmp_path):
    files.write_image(tmp_path, "rgb", ".png", np.zeros((3, 4, 5), np.uint8))
    with pytest.raises(InvalidData, match="channels"):
        files.read_labels(tmp_path / "rgb_0000.png")
    files.write_image(tmp_path, "f", ".nii.gz", np.full((1, 4, 5), 0.5, np.float32))
    with pytest.raises(InvalidData, match="whole numbers"):
        files.read_labels(tmp_path / "f_0000.nii.gz")
    files.write_image(tmp_path, "g", ".nii.gz", np.full((1, 4, 5), 3, np.int16))
    assert files.read_labels(tmp_path / "g_0000.nii.gz")[0].dtype == np.uint8


def test_what_a_png_cannot_hold_is_refused(tmp_path):
    for image in (
        np.zeros((1, 4, 5), np.int16),
        np.zeros((1, 2, 4, 5), np.uint8),
        np.zeros((3, 4, 5), np.uint16),
    ):
        with pytest.raises(InvalidData, match=r"\.nii\.gz"):
            files.write_image(tmp_path, "a", ".png", image)
    assert list(tmp_path.iterdir()) == []


def test_slices_are_counted(tmp_path):
    path = tmp_path / "a.nii.gz"
    files.write_labels(path, np.zeros((3, 4, 5), np.uint8))
    with pytest.raises(InvalidData, match="3 slices"):
        files.read_labels(path, ndim=2)
    files.write_labels(path, np.zeros((1, 4, 5), np.uint8))
    assert files.read_labels(path, ndim=3)[0].shape == (1, 4, 5)
    assert files.read_labels(path)[0].shape == (4, 5)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    files.write_bytes(path, b"old")
    write = Path.write_bytes

    def full(self, data):
        write(self, data[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NoisyLabelsError, match="No space left on device; make room"):
        files.write_bytes(path, b"new content")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_gzip_header_holds_no_time_and_no_name(tmp_path):
    path = _good(tmp_path, ".nii.gz")
    data = path.read_bytes()
    assert data[3] == 0, "no file name"
    assert data[4:8] == b"\0\0\0\0", "no time"
    shutil.copy(path, tmp_path / "b.gz")
    assert gzip.decompress(data)[:4] == (348).to_bytes(4, "little")
