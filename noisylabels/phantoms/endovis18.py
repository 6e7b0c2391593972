"""Synthetic laparoscopic scenes in the raw layout of Endovis18.

miccai_challenge_2018_release_1/labels.json
miccai_challenge_2018_release_1/seq_N/{left_frames,labels}/frameNNN.png
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from noisylabels.draws import Draws
from noisylabels.facts import load_facts
from noisylabels.phantoms.laparoscopy import cases as scenes
from noisylabels.phantoms.texture import clouds

TRAPS = {
    "alpha": "labels with a transparency channel",
    "ghosts": "the files that a file browser leaves (__MACOSX, ._*)",
    "partial-table": "a labels.json that names only some classes",
    "repairs": "a corrected label in an archive of its own",
    "test": "a test sequence, nested and with another kind of labels.json",
    "archives": "a release as the archive that was downloaded",
    "colour": "a label with a colour that no table names",
    "no-label": "a frame without its label",
    "cut": "a label file that is cut short",
}
"""What can be wrong or unusual, by name; a spoilt frame is the last of its sequence."""

SHAPE = (1024, 1280)
_RELEASE = "miccai_challenge_2018_release_1"
_SEQUENCES = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16)
_ORDER = (
    "background-tissue",
    "instrument-shaft",
    "instrument-wrist",
    "instrument-clasper",
    "kidney-parenchyma",
)
_FRAMES = 3


def write_raw(
    folder: Path | str, cases: int = 9, seed: int = 0, traps: Sequence[str] = (), coarse: int = 1
) -> list[str]:
    """Write a raw tree of 1280x1024 frames, three to a sequence.

    Args:
        folder: where the release is made.
        cases: how many frames.
        seed: of the scenes.
        traps: names of :data:`TRAPS`.
        coarse: scenes are drawn so many times smaller and enlarged, which is faster: 1, 2, 4 or 8.

    Returns:
        The ids of the frames that can be read.
    """
    folder = Path(folder)
    release = folder / _RELEASE
    colours = {name: tuple(colour) for name, colour in load_facts("endovis18").colours.items()}
    good = []
    for number, (image, names) in enumerate(_frames(cases, seed, coarse)):
        sequence, frame = _SEQUENCES[number // _FRAMES % len(_SEQUENCES)], number % _FRAMES
        place = release / f"seq_{sequence}"
        _write(place / "left_frames" / f"frame{frame:03d}.png", image)
        _write(place / "labels" / f"frame{frame:03d}.png", _coloured(names, colours, "alpha" in traps))
        good.append(f"seq_{sequence:02d}_frame{frame:03d}")
    _write_table(release / "labels.json", colours, "partial-table" in traps)
    last = release / f"seq_{int(good[-1][4:6])}" / "labels" / f"frame{int(good[-1][-3:]):03d}.png"
    if "test" in traps:
        good.append(_write_test(folder, release, colours))
    if "repairs" in traps:
        _write_repair(folder, release)
    if "ghosts" in traps:
        for ghost in (folder / "__MACOSX" / "._labels.json", release / "seq_1" / "labels" / "._frame000.png"):
            ghost.parent.mkdir(parents=True, exist_ok=True)
            ghost.write_bytes(b"Mac OS X")
    good = _spoil(last, good, traps)
    if "archives" in traps:
        shutil.make_archive(str(release), "zip", folder, _RELEASE)
        shutil.rmtree(release)
    return sorted(good)


def _frames(cases: int, seed: int, coarse: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Images (Y, X, 3), and for every pixel which name of ``_ORDER`` it has."""
    size = (SHAPE[0] // coarse, SHAPE[1] // coarse)
    for case in scenes(cases, size, seed, _FRAMES):
        assert case.image is not None
        tissue = clouds(Draws(seed, "phantom", "endovis18", case.group), size, 2.0, 3)
        organ = (tissue > 0.62) & (case.labels == 0)
        image = np.moveaxis(case.image, 0, -1).astype(np.float64)
        image = np.where(organ[..., None], image * np.array([0.85, 0.75, 1.1]), image)
        names = np.where(organ, np.uint8(len(_ORDER) - 1), case.labels)
        pixels = np.clip(image, 0, 255).astype(np.uint8)
        yield _enlarged(pixels, coarse), _enlarged(names, coarse)


def _enlarged(pixels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def _coloured(
    names: NDArray[np.uint8], colours: Mapping[str, tuple[int, ...]], alpha: bool
) -> NDArray[np.uint8]:
    table = np.array([colours[name] for name in _ORDER], dtype=np.uint8)
    coloured = table[names]
    return np.dstack([coloured, np.full(names.shape, 255, np.uint8)]) if alpha else coloured


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)


def _write_table(path: Path, colours: Mapping[str, tuple[int, ...]], partial: bool) -> None:
    rows = [
        {"name": name, "color": list(colour), "classid": number}
        for number, (name, colour) in enumerate(colours.items())
        if not partial or number < 5
    ]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _write_test(folder: Path, release: Path, colours: Mapping[str, tuple[int, ...]]) -> str:
    """The first frame once more, as the only frame of a test sequence."""
    top = folder / "test_data" / "seq_1-20180921T1-001"
    for kind in ("left_frames", "labels"):
        (top / "seq_1" / kind).mkdir(parents=True)
        shutil.copy(release / "seq_1" / kind / "frame000.png", top / "seq_1" / kind / "frame000.png")
    rows = [{"name": name, "color": [*colour, 255], "active": True} for name, colour in colours.items()]
    (folder / "test_data" / "labels.json").write_text(json.dumps({"classes": rows}), encoding="utf-8")
    return "test_seq_01_frame000"


def _write_repair(folder: Path, release: Path) -> None:
    """The second label of the first sequence, corrected to that of its first frame, in an archive."""
    (folder / "repairs").mkdir()
    shutil.copy(release / "seq_1" / "labels" / "frame000.png", folder / "repairs" / "seq_1_frame001.png")
    shutil.make_archive(str(folder / "repairs"), "zip", folder / "repairs")
    shutil.rmtree(folder / "repairs")


def _spoil(last: Path, good: list[str], traps: Sequence[str]) -> list[str]:
    """Spoil the last labels of as many sequences as there are such traps; the ids that are still good."""
    spoilt = set()
    for number, trap in enumerate(t for t in ("colour", "no-label", "cut") if t in traps):
        key = [k for k in good if not k.startswith("test_")][-1 - number]
        path = last.parents[2] / f"seq_{int(key[4:6])}" / "labels" / f"frame{int(key[-3:]):03d}.png"
        if trap == "no-label":
            path.unlink()
        elif trap == "cut":
            path.write_bytes(path.read_bytes()[:500])
        else:
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB")).copy()
            pixels[10:14, 10:15] = (1, 2, 3)
            Image.fromarray(pixels).save(path, compress_level=1)
        spoilt.add(key)
    return [key for key in good if key not in spoilt]
