"""The real JSRT files in the re-packed layout, where ``--real-data DIR`` says that they are there."""

import numpy as np
import pytest

from noisylabels.adapters import jsrt
from noisylabels.facts import load_facts
from noisylabels.sources import cases as stream

pytestmark = pytest.mark.real_data

FACTS = load_facts("jsrt")


@pytest.fixture(scope="module")
def found(real_data):
    raw = real_data / "jsrt256"
    if not raw.is_dir():
        pytest.skip(f"{raw} is not there")
    return raw, list(stream(jsrt, raw, FACTS, jsrt.Options()))


def test_structures_cover_what_is_published(found):
    """Area shares of the whole set: lung .305, heart .0906, clavicle .0192; a part may differ by 3 %."""
    _, cases = found
    structures = jsrt.info(FACTS, jsrt.Options()).structures
    shares = {k: np.mean([np.isin(c.labels, codes).mean() for c in cases]) for k, codes in structures.items()}
    assert shares == pytest.approx({"lung": 0.30505, "heart": 0.09063, "clavicle": 0.01917}, rel=0.03)


def test_lung_and_clavicle_overlap_in_every_image(found):
    assert all((case.labels == 5).any() for case in found[1])


def test_lungs_are_bright_as_in_the_raw_files(found):
    brighter = [
        case.image[0][case.labels == 1].mean() > case.image[0][case.labels == 2].mean() for case in found[1]
    ]
    assert np.mean(brighter) > 0.99


def test_halves_are_those_of_coseg(found):
    _, cases = found
    split = jsrt.splits({c.case_id: c.group for c in cases}, FACTS, jsrt.Options())["coseg"]
    assert len(split.parts["train"]) + len(split.parts["test"]) == len(cases)
    if len(cases) == FACTS.num_cases:
        assert (len(split.parts["train"]), len(split.parts["test"])) == (124, 123)


@pytest.mark.parametrize("size", [128, 64])
def test_reduction_hardly_changes_areas(found, size):
    raw, cases = found
    smaller = list(stream(jsrt, raw, FACTS, jsrt.Options(size=size)))
    for case, small in zip(cases[:20], smaller, strict=False):
        assert (small.labels > 0).mean() == pytest.approx((case.labels > 0).mean(), rel=0.03)
