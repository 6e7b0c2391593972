"""Sums over labelled pixels: what they leave out, and what they make of a class with next to nothing in it."""

import pytest
import torch

from noisylabels_plugins.parts.labelled import dice_of_classes, mean_present


def test_a_class_of_one_pixel_is_present_and_one_that_is_missed_has_a_dice_of_eps():
    targets = torch.zeros(1, 3, 10, dtype=torch.float64)
    targets[0, 0, :9] = targets[0, 1, 9] = 1.0
    probs = torch.zeros_like(targets)
    probs[0, 0] = 1.0
    dice, present = dice_of_classes(probs, targets)
    assert present.tolist() == [True, True, False]
    assert dice[1].item() == pytest.approx(1e-5 / (1 + 1e-5))
    assert dice[2].item() == 1
    assert mean_present(torch.tensor([0.2, 0.6, 5.0]), present).item() == pytest.approx(0.4)
