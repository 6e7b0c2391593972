"""Phantoms: equal arrays for equal arguments, statistics near those of surgery, sequences kept whole."""

import numpy as np
import pytest
from scipy.ndimage import label

from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.phantoms import phantom_dataset
from noisylabels.phantoms.instrument import turned
from noisylabels.phantoms.jsrt import chest
from noisylabels.phantoms.laparoscopy import CLASSES, cases
from noisylabels.phantoms.texture import blur, cells, cloud
from noisylabels.store.digests import combined_digest, content_digest


@pytest.fixture(scope="module")
def scenes():
    return list(cases(60, (64, 80), seed=0, frames=1))


def test_a_case_is_what_it_says(scenes):
    case = scenes[3]
    assert (case.case_id, case.group, case.classes) == ("phantom_0003", "sequence_0003", CLASSES)
    assert case.image.shape == (3, 64, 80)
    assert case.image.dtype == np.uint8
    assert case.labels.flags.c_contiguous


def test_digests_are_those_of_every_machine():
    found = combined_digest(
        (f"{case.case_id} {name}", content_digest(array))
        for case in cases(6, (64, 80), seed=0)
        for name, array in (("image", case.image), ("labels", case.labels))
    )
    assert found == "575c45f17760f5d95d5fec682e13ab65919b8e71f959719a3dabca3b5c7b50f5"


def test_fewer_cases_are_the_first_ones():
    many, few = list(cases(6, (48, 60), seed=3)), list(cases(5, (48, 60), seed=3))
    for a, b in zip(many, few, strict=False):
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.labels, b.labels)
    assert len(few) == 5


def test_another_seed_gives_other_scenes():
    a, b = (next(cases(1, (48, 60), seed)) for seed in (0, 1))
    assert not np.array_equal(a.labels, b.labels)


def test_frames_of_a_sequence_move_a_little():
    first, second, *_, other = cases(5, (64, 80), seed=0)
    assert first.group == second.group != other.group
    share = (first.labels != second.labels).mean()
    assert 0 < share < 0.12
    assert share < (first.labels != other.labels).mean()


def test_size_shows_the_same_scene():
    small, large = next(cases(1, (64, 80))), next(cases(1, (128, 160)))
    assert (small.labels != large.labels[::2, ::2]).mean() < 0.05


def test_class_shares_are_near_those_of_surgery(scenes):
    counts = sum(np.bincount(case.labels.ravel(), minlength=4) for case in scenes)
    background, shaft, wrist, clasper = counts / counts.sum()
    assert 0.80 < background < 0.87
    assert 0.07 < shaft < 0.11
    assert 0.02 < wrist < 0.04
    assert 0.035 < clasper < 0.06


def test_an_ellipse_around_an_open_clasper_labels_several_times_its_area():
    ratios = []
    for case in cases(60, (128, 160), seed=0, frames=1):
        numbered, count = label(case.labels == CLASSES.index("clasper"))
        for k in range(1, count + 1):
            points = np.argwhere(numbered == k)
            if len(points) >= 200:
                ratios.append(4 * np.pi * np.sqrt(np.linalg.det(np.cov(points.T))) / len(points))
    assert 3 < np.median(ratios) < 8


def test_parts_look_alike(scenes):
    grey = {
        k: np.concatenate([case.image.mean(axis=0)[case.labels == k] for case in scenes]) for k in (1, 2, 3)
    }
    for k in (1, 3):
        assert abs(grey[2].mean() - grey[k].mean()) < grey[2].std()


@pytest.mark.parametrize(("count", "size", "frames"), [(-1, (64, 80), 4), (1, (31, 80), 4), (1, (64, 80), 0)])
def test_impossible_requests_are_refused(count, size, frames):
    with pytest.raises(UsageError, match="Cannot make"):
        cases(count, size, frames=frames)


def test_no_case_is_fine():
    assert list(cases(0)) == []


def test_dataset_keeps_sequences_whole(tmp_path):
    dataset = phantom_dataset(tmp_path / "phantoms", count=30, size=(32, 40), seed=1)
    parts = {part: dataset.ids(part) for part in ("train", "val", "test")}
    assert sorted(case_id for ids in parts.values() for case_id in ids) == sorted(
        f"phantom_{i:04d}" for i in range(30)
    )
    groups = [{dataset.entries[i].group for i in ids} for ids in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert {part: len({*found}) for part, found in zip(parts, groups, strict=True)} == {
        "train": 5,
        "val": 1,
        "test": 2,
    }
    assert dataset.info.name == "phantoms"
    original = list(cases(30, (32, 40), seed=1))[7]
    assert np.array_equal(dataset.load("phantom_0007").image, original.image)


def test_too_few_for_a_split(tmp_path):
    with pytest.raises(UsageError, match="at least 9"):
        phantom_dataset(tmp_path / "phantoms", count=8, size=(32, 40))
    assert not list(tmp_path.iterdir())


def test_turns_keep_lengths():
    x, y = turned((0.6, 0.8), 0.37)
    assert x * x + y * y == pytest.approx(1)
    assert turned((1.0, 0.0), 1.0) == (0.0, 1.0)


def test_cloud_is_smooth_and_centred():
    found = np.stack([cloud(Draws(seed, "cloud"), (90, 120), 6) for seed in range(20)])
    assert found.mean() == pytest.approx(0.5, abs=0.05)
    assert found.std() == pytest.approx(0.25, abs=0.05)
    assert np.abs(np.diff(found, axis=1)).max() < 0.15


def test_cells_know_the_nearest_points():
    y, x = np.meshgrid(np.linspace(3, 9, 40), np.linspace(5, 11, 50), indexing="ij")
    first, second = cells(Draws(0, "cells"), y, x)
    points_y, points_x = (Draws(0, "cells", axis).uniform((32, 32), 0.1, 0.9) for axis in "yx")
    all_y, all_x = points_y + np.arange(32)[:, None], points_x + np.arange(32)
    distances = np.sqrt((all_y.ravel() - y[..., None]) ** 2 + (all_x.ravel() - x[..., None]) ** 2)
    assert first == pytest.approx(distances.min(axis=-1))
    near = second < 1  # farther ones may lie outside the nine lattice cells that are searched
    assert second[near] == pytest.approx(np.sort(distances, axis=-1)[..., 1][near])


@pytest.mark.parametrize("radius", [0.3, 1.0, 2.6])
def test_blur_keeps_the_light_and_spreads_it(radius):
    image = np.zeros((21, 31))
    image[10, 15] = 1
    found = blur(image, radius)
    assert found.sum() == pytest.approx(1)
    assert found == pytest.approx(found[::-1, ::-1])
    assert found.max() < 1
    assert blur(np.full((5, 7), 0.4), radius) == pytest.approx(np.full((5, 7), 0.4))


def test_chests_overlap_as_real_ones():
    for name in ("JPCLN001", "JPCNN093"):
        image, structures = chest(Draws(0, "phantom", "chest", name), 128)
        lung, heart, clavicle = structures.values()
        assert (lung & heart).any()
        assert (lung & clavicle).any()
        assert not (heart & clavicle).any()
        assert image[lung].mean() > 2 * image[heart].mean()
