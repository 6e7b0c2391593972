"""The forward correction with the known matrix: what it equals, what it finds, and where it is refused."""

from dataclasses import replace

import pytest
import torch
from small import small_dataset
from toy_training import ToySet, toy_batch, toy_task, untimed

from noisylabels.catalogue import MODES
from noisylabels.errors import UsageError
from noisylabels.generate import noisy_dataset
from noisylabels.recipe import Recipe, Step
from noisylabels_plugins.loop import Plan, train
from noisylabels_plugins.losses import ce
from noisylabels_plugins.methods import baseline, forward
from noisylabels_plugins.parts.transition import log_given
from noisylabels_plugins.run import Run, RunSpec

CPU = torch.device("cpu")


def logged(module, task, *batches):
    torch.manual_seed(0)
    method = module.Method(module.Params(), task)
    plan = Plan(epochs=2, batch_size=3)
    return [untimed(record) for record in train(method, ToySet(*batches), plan, CPU)]


def test_with_the_identity_it_is_the_baseline():
    batches = toy_batch(1), toy_batch(2)
    task = toy_task(batches[0])
    eye = tuple(map(tuple, torch.eye(4).tolist()))
    plain, corrected = (
        logged(baseline, task, *batches),
        logged(forward, replace(task, transition=eye), *batches),
    )
    assert [r["loss"] for r in corrected] == pytest.approx([r["loss"] for r in plain], rel=1e-5)
    skewed = logged(forward, task, *batches)
    assert skewed[0]["loss"] != pytest.approx(plain[0]["loss"], rel=1e-3)


def test_labels_that_follow_from_the_image_are_fitted_as_they_are():
    """The loss at a pixel is least where T[k, given] is largest: at the given class, or at one that turns into it."""
    kept = torch.tensor([[0.9, 0.1, 0.0], [0.3, 0.6, 0.1], [0.25, 0.15, 0.6]])
    overrun = torch.tensor([[0.4, 0.6, 0.0], [0.1, 0.5, 0.4], [0.0, 0.1, 0.9]])
    sure = 40 * torch.eye(3).reshape(3, 3, 1, 1)  # one pixel, certain of class k, for every k
    loss = ce.Loss(ce.Params(), 3)
    for matrix, best in ((kept, [0, 1, 2]), (overrun, [0, 0, 2])):
        for given, expected in enumerate(best):
            labels = torch.full((1, 1, 1), given)
            costs = [loss(log_given(sure[k : k + 1], matrix), labels).item() for k in range(3)]
            assert costs.index(min(costs)) == expected


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forward")
    mode = MODES.load("symmetric")
    recipe = Recipe(0, (Step.of("symmetric", mode, mode.Params(rate=0.3, unit="pixel")),))
    return noisy_dataset(small_dataset(folder / "clean"), recipe, folder / "noisy")


def test_it_takes_the_matrix_that_was_measured(noisy):
    run = Run(RunSpec(method="forward", data=str(noisy.path), net_params={"width": 4, "depth": 1}), CPU)
    torch.testing.assert_close(run.method.matrix, torch.tensor(noisy.measured["transition"]))


@pytest.mark.parametrize("which", ["clean labels", "a clean dataset"])
def test_without_a_measured_matrix_it_is_refused(noisy, which):
    spec = RunSpec(method="forward", data=str(noisy.path), labels="clean")
    if which == "a clean dataset":
        spec = RunSpec(method="forward", data=str(noisy.clean.path))
    with pytest.raises(
        UsageError, match=r"needs the transition matrix of the noise, which is known for labels"
    ):
        Run(spec, CPU)
