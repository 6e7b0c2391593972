"""The outlines of all readers on the slices of a scan, and the nodules that they belong to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from noisylabels.adapters._lidc_groups import group_marks
from noisylabels.adapters._lidc_outline import Mask, pixels_of
from noisylabels.adapters._lidc_stack import Stack, counted
from noisylabels.adapters._lidc_xml import Mark, Reading
from noisylabels.case import LabelMap
from noisylabels.errors import InvalidData

_LEAST_POINTS = 3
"""Fewer points are no outline."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one reader outlined of one nodule on one slice.

    Attributes:
        reader: 1, 2, ...
        top: row of the first pixel of ``mask``.
        left: its column.
        mask: the nodule's pixels.
        hollow: how many of the outlines enclose none.
    """

    reader: int
    top: int
    left: int
    mask: Mask
    hollow: int


@dataclass(slots=True)
class Nodule:
    """A nodule of at least 3 mm.

    Attributes:
        pieces: by slice.
        ratings: by name, then by reader.
        low: first row and column of its outlines.
        high: last ones.
    """

    pieces: dict[int, list[Piece]] = field(default_factory=dict)
    ratings: dict[str, dict[int, str]] = field(default_factory=dict)
    low: tuple[int, int] = (0, 0)
    high: tuple[int, int] = (0, 0)

    def readers(self, number: int | None = None) -> list[int]:
        """Who outlined it, on slice ``number`` or anywhere."""
        chosen = self.pieces.values() if number is None else [self.pieces.get(number, [])]
        return sorted({piece.reader for pieces in chosen for piece in pieces})


@dataclass(frozen=True, slots=True)
class Readers:
    """What all readers of a scan outlined.

    Attributes:
        count: how many readers there are.
        shape: (Y, X) of a slice.
        nodules: in the order of their lowest slice.
        notes: what is not in them, one sentence each.
        lost: how many outlines lie on slices that are not there.
    """

    count: int
    shape: tuple[int, int]
    nodules: Sequence[Nodule]
    notes: tuple[str, ...]
    lost: int = 0

    def on_slice(self, number: int) -> list[Nodule]:
        """The nodules that at least one reader outlined on a slice."""
        return [nodule for nodule in self.nodules if number in nodule.pieces]

    def planes(self, number: int) -> dict[int, LabelMap]:
        """The labels of every reader on a slice, each (Y, X)."""
        planes = {reader: np.zeros(self.shape, dtype=np.uint8) for reader in range(1, self.count + 1)}
        self.paint(number, planes)
        return planes

    def paint(self, number: int, planes: Mapping[int, LabelMap]) -> None:
        """Write the labels of every reader on a slice into empty planes."""
        for nodule in self.on_slice(number):
            for piece in nodule.pieces[number]:
                _paint(planes[piece.reader], piece)

    def hollow(self, number: int) -> int:
        """How many outlines on a slice enclose no pixel."""
        return sum(piece.hollow for nodule in self.on_slice(number) for piece in nodule.pieces[number])


def place(reading: Reading, stack: Stack) -> Readers:
    """Put the outlines of a file onto the slices of its scan.

    Raises:
        InvalidData: none of the outlined slices is in the scan.
    """
    marks = [(reader, m) for reader, session in enumerate(reading.sessions, start=1) for m in session]
    small = [mark for _, mark in marks if not mark.rated]
    notes = list(_told(small, [mark for _, mark in marks if mark.rated]))
    found, lost = list[tuple[int, Mark, dict[int, list[_Outline]]]](), 0
    for reader, mark in marks:
        outlines, gone = _on_slices(mark, stack) if mark.rated else ({}, 0)
        lost += gone
        if outlines:
            found.append((reader, mark, outlines))
    if lost and not found:
        raise InvalidData(
            f"{stack.slices[0].path.parent} holds none of the slices that were outlined in its scan; are the images "
            "complete?"
        )
    if lost:
        notes.append(f"{counted(lost, 'outline', 'lie')} on slices that are not in the scan; left out.")
    outside = sum(_outside(outlines, stack.shape) for _, _, outlines in found)
    if outside:
        notes.append(f"{counted(outside, 'point', 'lie')} outside of the slice, which cuts the outline off.")
    groups = group_marks([_indices(outlines) for _, _, outlines in found], stack.thickness)
    nodules = [_nodule([found[member] for member in group]) for group in groups]
    nodules.sort(key=lambda nodule: (min(nodule.pieces), nodule.low, nodule.high))
    return Readers(len(reading.sessions), stack.shape, nodules, tuple(notes), lost)


_Outline = tuple[bool, NDArray[np.int64]]


def _told(small: Sequence[Mark], rated: Sequence[Mark]) -> Iterator[str]:
    """What is left out whatever the scan."""
    drawn = sum(any(len(roi.points) >= _LEAST_POINTS for roi in mark.rois) for mark in small)
    if len(small) > drawn:
        yield f"Left out: {counted(len(small) - drawn, 'mark')} of nodules under 3 mm, points without extent."
    if drawn:
        yield f"Left out: {counted(drawn, 'outline')} without characteristics, which nodules of 3 mm have."
    points = sum(len(roi.points) < _LEAST_POINTS for mark in rated for roi in mark.rois)
    if points:
        yield f"Left out: {counted(points, 'outline')} of one or two points, which enclose nothing."


def _on_slices(mark: Mark, stack: Stack) -> tuple[dict[int, list[_Outline]], int]:
    """The outlines of a mark by slice, and how many lie on slices that are not there."""
    found, lost = dict[int, list[_Outline]](), 0
    last = np.array(stack.shape) - 1
    for roi in mark.rois:
        if len(roi.points) < _LEAST_POINTS:
            continue
        number = stack.index.get(roi.sop_uid)
        if number is None:
            lost += 1
            continue
        points = np.array(roi.points, dtype=np.int64)
        if (points < -last).any() or (points > 2 * last).any():
            raise InvalidData(
                f"{stack.slices[number].path} has {last[1] + 1}x{last[0] + 1} pixels, and the outline '{mark.name}' on "
                "it reaches far beyond them; images and annotations do not fit."
            )
        points = np.where(np.array(stack.flips), last - points, points)
        found.setdefault(number, []).append((roi.inclusion, points))
    return found, lost


def _outside(outlines: Mapping[int, list[_Outline]], shape: tuple[int, int]) -> int:
    every = np.concatenate([points for own in outlines.values() for _, points in own])
    return int(((every < 0) | (every >= shape)).any(axis=1).sum())


def _indices(outlines: Mapping[int, list[_Outline]]) -> NDArray[np.int64]:
    """Slice, row and column of all points of a mark, (N, 3)."""
    every = [np.insert(points, 0, number, axis=1) for number, own in outlines.items() for _, points in own]
    return np.concatenate(every)


def _nodule(members: Sequence[tuple[int, Mark, dict[int, list[_Outline]]]]) -> Nodule:
    nodule = Nodule()
    every = np.concatenate([p for _, _, outlines in members for own in outlines.values() for _, p in own])
    low, high = every.min(axis=0).tolist(), every.max(axis=0).tolist()
    nodule.low, nodule.high = (low[0], low[1]), (high[0], high[1])
    for reader, mark, outlines in members:
        for number, own in outlines.items():
            (top, left), mask, hollow = pixels_of(own)
            nodule.pieces.setdefault(number, []).append(Piece(reader, top, left, mask, hollow))
        for name, value in mark.ratings.items():
            nodule.ratings.setdefault(name, {})[reader] = value
    return nodule


def _paint(plane: LabelMap, piece: Piece) -> None:
    """Set the pixels of a piece, as far as they are inside the plane."""
    rows, columns = np.nonzero(piece.mask)
    rows, columns = rows + piece.top, columns + piece.left
    inside = (rows >= 0) & (rows < plane.shape[0]) & (columns >= 0) & (columns < plane.shape[1])
    plane[rows[inside], columns[inside]] = 1
