"""The real LA files, where ``--real-data DIR`` says that they are there."""

import numpy as np
import pytest

from noisylabels.adapters import la
from noisylabels.facts import load_facts
from noisylabels.sources import cases

pytestmark = pytest.mark.real_data

FACTS = load_facts("la")


@pytest.fixture(scope="module")
def found(real_data):
    raw = real_data / "la"
    if not raw.is_dir():
        pytest.skip(f"{raw} is not there")
    return raw, list(cases(la, raw, FACTS, la.Options()))


def test_volumes_are_as_published(found):
    """Over all 100 labels: mean 224,157 voxels, from 76,299 to 540,939."""
    voxels = [int((case.labels == 1).sum()) for case in found[1]]
    assert np.mean(voxels) == pytest.approx(224157, rel=0.05)
    assert min(voxels) >= 76299
    assert max(voxels) <= 540939


def test_all_listed_training_scans_are_known(found):
    groups = {case.case_id: case.group for case in found[1]}
    split = la.splits(groups, FACTS, la.Options())["uamt"]
    assert set(split.ids()) == set(groups)


def test_the_twins_have_the_same_label(found):
    by_id = {case.case_id: case for case in found[1]}
    if set(la.TWINS) <= set(by_id):
        assert np.array_equal(*(_cropped(by_id[i].labels) for i in la.TWINS))


def _cropped(labels):
    box = tuple(
        slice(where[0], where[-1] + 1)
        for where in (np.flatnonzero(labels.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3))
    )
    return labels[box]


def test_slices_run_along_the_first_axis(found):
    assert {case.labels.shape[0] for case in found[1]} == {88}
