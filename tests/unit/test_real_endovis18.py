"""Real frames in the layout of Endovis18, where ``--real-data DIR`` says that they are there."""

import numpy as np
import pytest

from noisylabels.adapters import endovis18
from noisylabels.facts import load_facts
from noisylabels.sources import cases

pytestmark = pytest.mark.real_data

FACTS = load_facts("endovis18")


def test_real_frames_hold_all_parts(real_data):
    raw = real_data / "endovis18"
    if not raw.is_dir():
        pytest.skip(f"{raw} is not there")
    found = list(cases(endovis18, raw, FACTS, endovis18.Options(labels="parts", size=(256, 320))))
    assert found
    for case in found:
        assert set(np.unique(case.labels)) == {0, 1, 2, 3}
        shaft, wrist, clasper = ((case.labels == code).sum() for code in (1, 2, 3))
        assert shaft > wrist
        assert shaft > clasper
        metal, tissue = (case.image[:, case.labels == code].astype(float) for code in (1, 0))
        assert np.ptp(metal.mean(axis=1)) < np.ptp(tissue.mean(axis=1)), "metal is greyer than tissue"
