"""Runs on volumes."""

import pytest
import torch
from small import small_dataset

from noisylabels.errors import UsageError
from noisylabels_plugins.nets import unet
from noisylabels_plugins.predict import predictions
from noisylabels_plugins.run import Run, RunSpec

CPU = torch.device("cpu")
VOLUMES = {"ending": ".nii.gz", "channels": 1, "shape": (6, 9, 8), "spacing": (2.0, 1.0, 1.0)}


@pytest.mark.parametrize("method", ["baseline", "jcas"])
def test_volumes_are_trained_and_predicted(method, tmp_path):
    small_dataset(tmp_path / "d", **VOLUMES)
    run = Run(
        RunSpec(method=method, data=str(tmp_path / "d"), net_params={"width": 4, "depth": 1}, epochs=1), CPU
    )
    (tmp_path / "run").mkdir()
    list(run.train(tmp_path / "run", lambda: False))
    (case, predicted), *_ = predictions(run, run.dataset.clean, run.dataset.ids("test"))
    assert predicted.shape == case.labels.shape


def test_a_volume_is_refused_by_a_network_for_images(tmp_path, monkeypatch):
    monkeypatch.setattr(unet, "DIMS", frozenset({2}))
    small_dataset(tmp_path / "d", **VOLUMES)
    with pytest.raises(UsageError, match="is 3-D, but the network 'unet' is not"):
        Run(RunSpec(method="baseline", data=str(tmp_path / "d")), CPU)
