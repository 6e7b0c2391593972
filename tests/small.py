"""Small datasets for tests: every legal oddity in a few kilobytes."""

import numpy as np

from noisylabels.case import IGNORE, Case
from noisylabels.store.dataset import write_dataset
from noisylabels.store.index import DatasetInfo
from noisylabels.store.splits import Split

CLASSES = ("background", "liver", "vessel", "tumour")


def small_labels(rng, shape):
    """Overlapping boxes of the classes 1 to 3."""
    labels = np.zeros(shape, np.uint8)
    for code in (1, 2, 3):
        corner = [int(rng.integers(0, max(1, n - 6))) for n in shape]
        labels[tuple(slice(c, c + int(rng.integers(4, 9))) for c in corner)] = code
    return labels


def small_case(
    number, shape=(24, 30), channels=3, spacing=None, ignore=False, dtype=np.uint8, classes=CLASSES
):
    rng = np.random.default_rng(number)
    labels = small_labels(rng, shape)
    if number % 5 == 4:
        labels[...] = 0  # a case without any structure
    if ignore:
        labels[..., :2] = IGNORE
    image = rng.integers(0, 200, (channels, *shape)).astype(dtype)
    return Case(case_id=f"case_{number:03d}", labels=labels, classes=classes, image=image, spacing=spacing)


def small_info(ending=".png", channels=3, **more):
    return DatasetInfo(
        **{"name": "small", "classes": CLASSES, "ending": ending, **more},
        channels=tuple(f"channel {i}" for i in range(channels)),
    )


def small_split(count):
    ids = [f"case_{i:03d}" for i in range(count)]
    test, val = max(1, count // 6), max(1, count // 6)
    return Split(
        parts={"train": ids[: -test - val], "val": ids[-test - val : -test], "test": ids[-test:]},
        rule="by number",
        source="tests",
    )


def small_dataset(out, count=8, ending=".png", channels=3, **case_options):
    """Write a dataset of ``count`` small cases."""
    cases = (small_case(i, channels=channels, **case_options) for i in range(count))
    return write_dataset(cases, small_info(ending, channels), out, {"default": small_split(count)})
