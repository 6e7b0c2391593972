"""Toy cases that one can read: label maps as text, '.' background, digits classes, 'x' IGNORE."""

import numpy as np

from noisylabels.case import IGNORE, Case

CLASSES = ("background", "shaft", "wrist", "clasper")

SCENE = """
..............................
.111111.......................
.11111111111........33........
..1111111111111...333.........
.....11111111122333...........
.........1111122233...........
...............22.3333........
.xx..................333......
.xx....................3......
..............................
.1.......22...................
........2222...............111
.......22222.....3........1111
........2222....3........11111
.........22....3.........11111
"""
"""Shafts whole and cut by the frame, two wrists, a V-shaped clasper, pixels that touch at corners, IGNORE."""

VOLUME = """
................  ................  ................  ................  ................
................  ....1111........  ..111111........  ....11..........  ................
......11........  ..11111111......  .1111111122.....  ..111111222.....  ........22......
......11........  ..11111111......  .1111111122..3..  ..11111122233...  ........23......
................  ....1111........  ..111111....33..  ....11....33....  ..........3.....
................  ................  ................  ................  ................
x...............  xx..............  xx............22  x.............22  ..............22
"""
"""Five slices: a body with a wedge at its side, a thread across slices, an object at the frame, IGNORE."""


def read(picture):
    """A picture as a label map."""
    rows = picture.strip().split("\n")
    values = {".": 0, "x": IGNORE}
    return np.array([[values[c] if c in values else int(c) for c in row] for row in rows], dtype=np.uint8)


def draw(labels):
    """A label map as a list of rows of text."""
    return [
        "".join("." if v == 0 else "x" if v == IGNORE else str(v) for v in row) for row in labels.tolist()
    ]


def case(labels, classes=CLASSES, spacing=None):
    """A case with an image of one channel and two readers: one is late by a pixel, one takes class 1 for 2."""
    places = np.indices(labels.shape)
    texture = 7 * places[-1] + 5 * places[-2] + 40 * (labels % 8).astype(np.int64)
    late = np.where((labels == IGNORE) | (np.roll(labels, 1, -1) == IGNORE), labels, np.roll(labels, 1, -1))
    others = {
        "1": late.astype(np.uint8),
        "2": np.where(labels == 1, min(2, len(classes) - 1), labels).astype(np.uint8),
    }
    return Case(
        case_id="toy",
        labels=labels,
        classes=classes,
        spacing=spacing,
        image=(texture % 251).astype(np.uint8)[None],
        readers=others,
        scores={name: sure(drawn, len(classes)) for name, drawn in others.items()},
    )


def sure(labels, num_classes):
    """Scores of a model that gives these labels, surer where the columns are even."""
    high = np.where(np.arange(labels.shape[-1]) % 2 == 0, 240, 150)
    given = np.stack([labels == c for c in range(num_classes)])
    return np.where(given, high, (255 - high) // (num_classes - 1)).astype(np.uint8)


def scene():
    """The picture above, (15, 30)."""
    return case(read(SCENE), spacing=(0.5, 0.5))


def volume():
    """The five slices above, (5, 7, 16), three times as thick as wide."""
    rows = [row.split() for row in VOLUME.strip().split("\n")]
    return case(np.stack([read("\n".join(one)) for one in zip(*rows, strict=True)]), spacing=(2.1, 0.7, 0.7))


def blobs(shape, number=0, count=6, radius=9, ignore=False, spacing=None):
    """Overlapping discs or balls of the classes 1 to 3, in integer arithmetic."""
    rng = np.random.default_rng(number)
    labels = np.zeros(shape, dtype=np.uint8)
    grid = np.indices(shape)
    for k in range(count):
        centre = [int(rng.integers(0, n)) for n in shape]
        r = int(rng.integers(1, radius + 1))
        far = sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True))
        labels[far <= r * r] = 1 + k % 3
    if ignore:
        labels[rng.integers(0, 20, shape) == 0] = IGNORE
    return case(labels, spacing=spacing)
