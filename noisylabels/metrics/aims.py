"""One number of the noise at a time, cheap enough to be measured at every trial of a strength.

The numbers are those of :mod:`noisylabels.metrics.noise`, but only what changed is counted, and what they are
formed from are integers and exactly rounded sums: they decide how a search goes on, and so the labels.
"""

from collections.abc import Callable
from math import fsum, inf

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, LabelMap
from noisylabels.geometry import bounding_box, steps_mm, steps_px
from noisylabels.metrics._boundary import boundary, distances
from noisylabels.metrics._pixels import dice

Gauge = Callable[[LabelMap], float]
"""Noisy labels -> the number; infinite where every object vanished and there is nothing to measure."""


def gauge(metric: str, clean: LabelMap, num_classes: int, spacing: tuple[float, ...] | None) -> Gauge:
    """A way to measure noisy labels against these clean ones.

    ::

        dice               mean over the foreground classes in either map of 2 TP / (2 TP + FP + FN); 1 for none
        jaccard            the same of TP / (TP + FP + FN)
        wrong_pixels       wrong pixels / pixels that have a label
        wrong_foreground   wrong pixels / clean foreground pixels
        shift_px           mean distance from a boundary pixel of a noisy class to the clean boundary of the
        shift_mm           class, over all classes that are in both maps

    Args:
        metric: one of these.
        clean: labels before, (Y, X) or (Z, Y, X); the noisy ones ignore the same pixels.
        num_classes: K.
        spacing: mm along every axis; needed for shift_mm.
    """
    if metric in ("shift_px", "shift_mm"):
        steps = steps_mm(spacing) if metric == "shift_mm" and spacing else steps_px(clean.ndim)
        return lambda noisy: _shift(clean, noisy, num_classes, tuple(map(float, steps)))
    counts = np.bincount(clean.ravel(), minlength=256)
    true = counts[:num_classes].astype(np.int64)
    if metric == "wrong_pixels":
        total = int(true.sum())
        return lambda noisy: _share(int(np.count_nonzero(noisy != clean)), total)
    if metric == "wrong_foreground":
        foreground = int(true[1:].sum())
        return lambda noisy: _share(int(np.count_nonzero(noisy != clean)), foreground)
    return lambda noisy: _overlap(clean, noisy, true, metric)


def _share(wrong: int, of: int) -> float:
    return wrong / of if of else (inf if wrong else 0.0)


def _overlap(clean: LabelMap, noisy: LabelMap, true: NDArray[np.int64], metric: str) -> float:
    changed = noisy != clean
    lost = np.bincount(clean[changed], minlength=256)[: len(true)]
    won = np.bincount(noisy[changed], minlength=256)[: len(true)]
    values = []
    for t, fn, fp in zip(true[1:].tolist(), lost[1:].tolist(), won[1:].tolist(), strict=True):
        if t + fp:
            tp = t - fn
            values.append(dice(tp, fp, fn) if metric == "dice" else tp / (tp + fp + fn))
    return sum(values) / len(values) if values else 1.0


def _shift(clean: LabelMap, noisy: LabelMap, num_classes: int, steps: tuple[float, ...]) -> float:
    """In thousandths first: squared distances are then integers, and their roots exactly rounded."""
    parts, pixels, there = [], 0, False
    for c in range(1, num_classes):
        before = clean == c
        after = noisy == c
        box = bounding_box(before | after)
        if box is None:
            continue
        before, after = before[box], after[box]
        there |= bool(before.any())
        if before.any() and after.any():
            edge = boundary(after)
            pixels += int(np.count_nonzero(edge))
            if not np.array_equal(before, after):
                parts.append(fsum(distances(edge, boundary(before), steps).tolist()))
    if not pixels:
        return inf if there or (noisy[noisy != IGNORE] != 0).any() else 0.0
    return fsum(parts) / 1000 / pixels
