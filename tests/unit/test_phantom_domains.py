"""The two looks of the embedded scenes: what they share, and what they do not."""

import numpy as np
import pytest

from noisylabels.errors import UsageError
from noisylabels.phantoms import phantom_dataset
from noisylabels.phantoms.laparoscopy import CLASSES, cases
from noisylabels.store.digests import combined_digest, content_digest


@pytest.fixture(scope="module")
def looks():
    return {name: list(cases(40, (64, 80), seed=0, frames=1, domain=name)) for name in ("source", "target")}


def _digest(found):
    return combined_digest(
        (f"{case.case_id} {name}", content_digest(array))
        for case in found
        for name, array in (("image", case.image), ("labels", case.labels))
    )


def test_digests_are_those_of_every_machine(looks):
    assert _digest(cases(6, (64, 80), seed=0, domain="target")) == (
        "c2bb1feccedb61713ff98a144f436dddadfeb1153b0fbf74c55ebbb986d691a7"
    )
    assert _digest(cases(6, (64, 80), seed=0, domain="source")) == _digest(cases(6, (64, 80), seed=0))


def test_a_target_shows_other_scenes_of_the_same_classes(looks):
    source, target = looks.values()
    assert {case.classes for case in target} == {CLASSES}
    assert all(not np.array_equal(a.labels, b.labels) for a, b in zip(source, target, strict=True))
    shares = [
        np.bincount(np.stack([case.labels for case in found]).ravel(), minlength=4)
        for found in (source, target)
    ]
    for own, other in zip(*shares, strict=True):
        assert 0.6 < other / own < 1.5


def test_the_look_is_another_one(looks):
    """Red tissue against yellow, grey shafts against blue ones, and more noise."""
    colours, rough = {}, {}
    for name, found in looks.items():
        images = np.stack([case.image for case in found]).astype(float)
        tissue = np.stack([case.labels for case in found]) == 0
        shafts = np.stack([case.labels for case in found]) == 1
        channel = np.moveaxis(images, 1, 0)
        colours[name] = (
            channel[0][tissue].mean() / channel[1][tissue].mean(),
            channel[2][shafts].mean() / channel[0][shafts].mean(),
        )
        rough[name] = np.median(np.abs(np.diff(images, 2, axis=-1)))
    assert colours["source"][0] > 1.4 * colours["target"][0]
    assert colours["target"][1] > 1.2 * colours["source"][1]
    assert rough["target"] > 1.2 * rough["source"]


def test_datasets_are_told_apart(tmp_path):
    target = phantom_dataset(tmp_path / "t", count=9, size=(32, 40), domain="target")
    source = phantom_dataset(tmp_path / "s", count=9, size=(32, 40))
    assert (source.info.name, target.info.name) == ("phantoms", "phantoms-target")
    assert (source.info.classes, source.info.channels) == (target.info.classes, target.info.channels)
    assert '"domain": "target"' in (target.path / "provenance.json").read_text()
    assert "domain" not in (source.path / "provenance.json").read_text()


def test_an_unknown_domain_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no domain 'targt'; did you mean 'target'"):
        phantom_dataset(tmp_path / "t", count=9, size=(32, 40), domain="targt")
    assert not list(tmp_path.iterdir())
