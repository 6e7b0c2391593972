"""Laparoscopic scenes with instruments: the embedded synthetic dataset.

One to three instruments, each made of shaft, wrist and clasper in much the same grey, over textured wet
tissue; with shadows, smoke, defocus, vignette, sensor noise, and parts hidden behind a fold of tissue,
another instrument or the edge of the optics. Cases come in sequences: the frames of one share tissue and
instruments, which move a little.

Everything is drawn at the address (seed, "phantom", sequence, ...) in units of the frame height, and made by
exactly rounded operations: equal arguments give equal arrays on every machine, and another size shows the
same scene.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import Case, LabelMap
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.phantoms import light
from noisylabels.phantoms.domains import SOURCE, Domain, domain_of
from noisylabels.phantoms.instrument import Piece, moved, pieces
from noisylabels.phantoms.metal import paint
from noisylabels.phantoms.scene import Scene, draw_scene
from noisylabels.phantoms.texture import Array, blur, step

CLASSES = ("background", "shaft", "wrist", "clasper")
SMALLEST = 32


def cases(
    count: int, size: tuple[int, int] = (256, 320), seed: int = 0, frames: int = 4, domain: str = "source"
) -> Iterator[Case]:
    """Scenes one after the other, in sequences.

    Args:
        count: how many cases; 0 gives none.
        size: (Y, X) in px, each at least 32; instruments scale with Y.
        seed: another seed gives other scenes.
        frames: how many cases show the same tissue and instruments; the last sequence may be shorter.
        domain: how they look: one of ``domains.DOMAINS``.

    Yields:
        Cases ``phantom_0000``, ... with an image (3, Y, X) uint8 in red, green, blue, labels (Y, X) of the
        classes background, shaft, wrist, clasper, and the sequence as ``group``.

    Raises:
        UsageError: a size below 32, a negative count, no frame in a sequence, or an unknown domain.
    """
    if count < 0 or frames < 1 or min(size) < SMALLEST:
        raise UsageError(
            f"Cannot make {count} phantoms of {size[0]}x{size[1]} px in sequences of {frames}; "
            f"the count must be 0 or more, sides at least {SMALLEST} px and sequences at least 1 frame."
        )
    return _sequences(count, size, seed, frames, domain_of(domain))


def _sequences(count: int, size: tuple[int, int], seed: int, frames: int, domain: Domain) -> Iterator[Case]:
    for first in range(0, count, frames):
        group = f"sequence_{first // frames:04d}"
        address = (group,) if domain is SOURCE else (domain.name, group)
        scene = draw_scene(Draws(seed, "phantom", *address), size, frames, domain)
        for frame in range(min(frames, count - first)):
            image, labels = _render(scene, size, frame)
            name = f"phantom_{first + frame:04d}"
            yield Case(case_id=name, labels=labels, classes=CLASSES, image=image, group=group)


def _render(scene: Scene, size: tuple[int, int], frame: int) -> tuple[NDArray[np.uint8], LabelMap]:
    height, width = size
    dy, dx = (int(frame * speed * height) for speed in scene.drift)
    image = scene.canvas[:, dy : dy + height, dx : dx + width].copy()
    labels = np.zeros(size, dtype=np.uint8)
    tools = [moved(tool, frame) for tool in scene.tools]
    stacks = [pieces(tool, size) for tool in tools]
    image *= 0.25 + 0.75 * _past(stacks, scene, size)
    flat = image.reshape(3, -1)
    for tool, stack in zip(tools, stacks, strict=True):
        for piece in stack:
            colour, opacity = paint(piece, tool, scene.lamp, height)
            flat[:, piece.pixels] += opacity * (colour - flat[:, piece.pixels])
            labels.reshape(-1)[piece.pixels[piece.distance <= 0]] = piece.label
    if scene.fold is not None:
        _cover(image, labels, scene.fold, scene.canvas)
    image = light.veiled(light.reddened(image, scene.lit), scene.smoke)
    image = blur(light.bloom(image, 0.012 * height), scene.defocus * height)
    gain = np.array(scene.domain.gain)[:, None, None]
    image = (image + scene.domain.haze) * gain * scene.aperture
    labels[scene.aperture < 0.5] = 0
    image = light.sensor(scene.draws.at("sensor", frame), image, scene.noise)
    return np.floor(np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8), labels


def _past(stacks: list[list[Piece]], scene: Scene, size: tuple[int, int]) -> Array:
    """Light that reaches the tissue past the instruments."""
    coverage = np.zeros(size[0] * size[1])
    for stack in stacks:
        for piece in stack:
            coverage[piece.pixels] = np.maximum(coverage[piece.pixels], np.clip(0.5 - piece.distance, 0, 1))
    shift = int(np.floor(-0.10 * scene.lamp[1] * size[0])), int(np.floor(-0.10 * scene.lamp[0] * size[0]))
    return light.shadow(coverage.reshape(size), shift, 0.018 * size[0])


def _cover(image: Array, labels: LabelMap, fold: Array, canvas: Array) -> None:
    """Lay a fold of tissue over one side of the frame, in place; ``fold`` is the depth under its edge."""
    height, width = labels.shape
    image *= 1 - 0.55 * step(-0.07, 0.01, fold)
    tissue = canvas[:, :height, :width][:, ::-1, ::-1]
    rim = step(-0.002, 0.015, fold) * step(0.06, 0.015, fold)
    image += np.clip(fold * height + 0.5, 0, 1) * (
        tissue * (0.85 + 0.15 * step(0.0, 0.02, fold)) + 0.10 * rim - image
    )
    labels[fold >= 0] = 0
