"""Confident learning: what is flagged, against the definition written down pixel by pixel."""

import math

import numpy as np
import pytest
import torch

from noisylabels_plugins.parts.confident import confident_joint, probably_wrong


def guesses(seed, n=300, classes=4, sure=2.0, flips=0.3, missing=()):
    """Predictions that are often right, and labels of which some are flipped."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    given = np.where(rng.random(n) < flips, rng.integers(0, classes, n), true)
    for code in missing:
        given[given == code] = (code + 1) % classes
    logits = rng.normal(size=(n, classes)) + sure * np.eye(classes)[true]
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return probs, given, true


def joint_by_hand(probs, given):
    """Pixel by pixel: (given, true) counts of confident predictions, scaled to the number of given labels."""
    k = probs.shape[1]
    thresholds = [probs[given == c, c].mean() if (given == c).any() else math.inf for c in range(k)]
    joint = np.zeros((k, k))
    for row, label in zip(probs, given, strict=True):
        above = [c for c in range(k) if row[c] >= thresholds[c] - 1e-6]
        if above:
            joint[label, max(above, key=lambda c: row[c])] += 1
    for c in range(k):
        joint[c] = joint[c] if joint[c].sum() else np.eye(k)[c]
        joint[c] = joint[c] * (given == c).sum() / joint[c].sum()
    return joint


def wrong_by_hand(probs, given):
    joint, k = joint_by_hand(probs, given), probs.shape[1]
    by_class, by_pair = set(), set()
    for c in range(k):
        own = [i for i in range(len(given)) if given[i] == c]
        others = int(joint[c].sum() - joint[c, c])
        by_class |= set(sorted(own, key=lambda i: probs[i, c])[:others])
        for other in range(k):
            if other != c:
                ahead = sorted(own, key=lambda i: probs[i, c] - probs[i, other])
                by_pair |= set(ahead[: int(joint[c, other])])
    return {i for i in by_class & by_pair if probs[i].argmax() != given[i]}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("classes", "missing"), [(2, ()), (4, ()), (4, (2,)), (4, (1, 2, 3))])
def test_confident_learning_by_its_definition(seed, classes, missing):
    probs, given, _ = guesses(seed, classes=classes, missing=missing)
    tensors = torch.from_numpy(probs), torch.from_numpy(given)
    joint = confident_joint(*tensors)
    np.testing.assert_allclose(joint, joint_by_hand(probs, given), rtol=1e-12)
    np.testing.assert_allclose(joint.sum(1), np.bincount(given, minlength=classes))
    flagged = set(probably_wrong(*tensors).nonzero()[:, 0].tolist())
    assert flagged == wrong_by_hand(probs, given)


def test_flips_are_found_when_predictions_are_good():
    probs, given, true = guesses(0, n=5000, sure=5.0)
    flagged = probably_wrong(torch.from_numpy(probs), torch.from_numpy(given)).numpy()
    wrong = given != true
    assert (flagged & wrong).sum() > 0.9 * wrong.sum()
    assert (flagged & ~wrong).sum() < 0.02 * flagged.sum()


@pytest.mark.parametrize("n", [0, 1, 7])
def test_few_pixels_and_labels_that_agree_are_not_flagged(n):
    probs, _, _ = guesses(0, n=n)
    given = probs.argmax(1) if n else np.zeros(0, int)
    assert not probably_wrong(torch.from_numpy(probs), torch.from_numpy(given)).any()


def rows(*groups):
    """Probabilities and given labels from (how many, label, probabilities)."""
    probs = [row for count, _, row in groups for _ in range(count)]
    return torch.tensor(probs, dtype=torch.float64), torch.tensor(
        [g for count, g, _ in groups for _ in range(count)]
    )


def test_equal_probabilities_are_as_large_as_their_mean():
    """The mean of three times 0.1 comes out above 0.1."""
    probs, given = rows(
        (3, 0, (0.1, 0.5, 0.4)), (2, 1, (0.05, 0.8, 0.15)), (1, 2, (0.1, 0.6, 0.3)), (1, 2, (0.0, 0.1, 0.9))
    )
    assert confident_joint(probs, given)[2].tolist() == [1, 0, 1]


def test_counts_that_are_whole_numbers_stay_whole():
    """11 of 22 confident pixels, of 30 in all, are 15; 30 / 22 * 11 comes out below."""
    probs, given = rows((11, 0, (0.1, 0.9)), (11, 0, (0.9, 0.1)), (8, 0, (0.45, 0.55)), (5, 1, (0.2, 0.8)))
    assert confident_joint(probs, given)[0].tolist() == [15, 15]


def test_a_single_pixel_is_flagged():
    probs, given = rows((9, 0, (0.9, 0.1)), (1, 0, (0.05, 0.95)), (10, 1, (0.1, 0.9)))
    assert probably_wrong(probs, given).nonzero()[:, 0].tolist() == [9]


def test_a_label_that_is_the_most_probable_class_is_never_flagged():
    """The last pixel of class 0 is confident of class 1 alone, and yet 0 is more probable."""
    probs, given = rows((3, 0, (0.9, 0.05, 0.05)), (1, 0, (0.5, 0.45, 0.05)), (2, 1, (0.3, 0.4, 0.3)))
    assert confident_joint(probs, given)[0].tolist() == [3, 1, 0]
    assert not probably_wrong(probs, given).any()
