"""What is unusual or wrong in files of LIDC-IDRI, put into a scan that is neither."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from noisylabels.draws import Draws
from noisylabels.phantoms.lidc_files import Mark, Roi, Scan, Slice, uid
from noisylabels.phantoms.lung import SLICE_MM
from noisylabels.phantoms.outlines import enclosed, outlines

HARMLESS = {
    "hole": "a nodule with a hole, as an outline that excludes",
    "two-outlines": "a nodule with two outlines on one slice",
    "open": "an outline that ends three pixels before its beginning",
    "jumps": "an outline with missing pixels in between",
    "touching": "an outline that runs out and back along the same pixels",
    "twice-round": "an outline that is walked twice",
    "hollow": "an outline that encloses no pixel",
    "points": "outlines of one and of two points in a nodule that has characteristics",
    "comments": "comments inside of nodules and of numbers",
    "unrated": "empty characteristics",
    "wrong-heights": "slices that only their UID tells apart, because the heights in the XML are wrong",
    "eight-sessions": "eight readers",
    "three-sessions": "three readers",
    "lost-slice": "an outline on a slice that is not there",
    "small": "marks of nodules under 3 mm, which are single points without characteristics",
    "padding": "-2000 outside of the field of view",
    "unsigned": "the same as unsigned 63536",
    "twice-there": "two slices at the same place",
    "gap": "slices with a gap of 38 mm between them",
    "prone": "rows and columns that run the other way",
    "overview": "an overview picture among the slices",
    "unsorted": "file names in another order than the slices",
}
"""Scans with them can be read."""


def spoil(scan: Scan, trap: str, draws: Draws) -> None:
    """Put something unusual into a scan."""
    _WAYS[trap](scan, draws)


def _longest(scan: Scan) -> tuple[Mark, Roi]:
    """The longest outline and its mark."""
    every = [(mark, roi) for marks in scan.sessions for mark in marks if mark.ratings for roi in mark.rois]
    return max(every, key=lambda one: len(one[1].points))


def _hole(scan: Scan, draws: Draws) -> None:
    mark, roi = _longest(scan)
    from scipy.ndimage import binary_erosion

    inside = enclosed([roi.points], scan.slices[0].hounsfield.shape)
    deep = binary_erosion(inside, iterations=2)
    core = np.zeros_like(inside)
    core[tuple(np.argwhere(deep)[len(np.argwhere(deep)) // 2])] = True
    for chain in outlines(core):
        mark.rois.append(Roi(roi.slice, chain, inclusion=False))


def _two_outlines(scan: Scan, draws: Draws) -> None:
    mark, roi = _longest(scan)
    points = np.array(roi.points)
    middle = points.mean(axis=0).astype(int)
    low, high = points.min(axis=0), points.max(axis=0)
    width = scan.slices[0].hounsfield.shape[1]
    x = high[1] + 4 if high[1] + 8 < width else low[1] - 5
    beside = np.zeros(scan.slices[0].hounsfield.shape, dtype=bool)
    beside[middle[0] : middle[0] + 2, x : x + 2] = True
    mark.rois += [Roi(roi.slice, chain) for chain in outlines(beside)]


def _open(scan: Scan, draws: Draws) -> None:
    roi = _longest(scan)[1]
    del roi.points[-3:]


def _jumps(scan: Scan, draws: Draws) -> None:
    roi = _longest(scan)[1]
    del roi.points[4:6]


def _touching(scan: Scan, draws: Draws) -> None:
    roi = _longest(scan)[1]
    y, x = roi.points[0]  # the topmost one: above it is nothing
    roi.points[1:1] = [(y - 1, x), (y - 2, x), (y - 1, x), (y, x)]


def _twice_round(scan: Scan, draws: Draws) -> None:
    roi = _longest(scan)[1]
    roi.points += roi.points[1:]


def _hollow(scan: Scan, draws: Draws) -> None:
    mark, roi = _longest(scan)
    beside = roi.slice + 1 if roi.slice + 1 < len(scan.slices) else roi.slice - 1
    y, x = np.array(roi.points).mean(axis=0).astype(int).tolist()
    mark.rois.append(Roi(beside, [(y, x), (y, x + 1), (y, x + 2), (y, x + 1), (y, x)]))


def _points(scan: Scan, draws: Draws) -> None:
    mark, roi = _longest(scan)
    mark.rois += [Roi(roi.slice, roi.points[:1]), Roi(roi.slice, roi.points[:2])]


def _comments(scan: Scan, draws: Draws) -> None:
    for mark in (mark for marks in scan.sessions for mark in marks):
        mark.comment = True


def _unrated(scan: Scan, draws: Draws) -> None:
    _longest(scan)[0].ratings = {}


def _wrong_heights(scan: Scan, draws: Draws) -> None:
    scan.heights_wrong = True


def _eight_sessions(scan: Scan, draws: Draws) -> None:
    scan.sessions += [list(marks) for marks in scan.sessions]
    scan.other_points += scan.other_points


def _three_sessions(scan: Scan, draws: Draws) -> None:
    del scan.sessions[3:]


def _lost_slice(scan: Scan, draws: Draws) -> None:
    mark, roi = _longest(scan)
    mark.rois.append(replace(roi, sop_uid=uid(draws.at("lost"))))


def _small(scan: Scan, draws: Draws) -> None:
    height, width = scan.slices[0].hounsfield.shape
    for reader, marks in enumerate(scan.sessions):
        z = int(draws.at(reader).integers((), 0, len(scan.slices) - 1))
        marks.append(Mark(f"small {reader}", None, [Roi(z, [(height // 3, width // 4)])]))


def _padding(scan: Scan, draws: Draws) -> None:
    scan.signed, scan.padding = True, -2000


def _unsigned(scan: Scan, draws: Draws) -> None:
    scan.signed, scan.padding = False, 63536


def _twice_there(scan: Scan, draws: Draws) -> None:
    number = _longest(scan)[1].slice
    old = scan.slices[number]
    again = replace(old, sop_uid=uid(draws.at("again")), name=old.name.replace(".dcm", "-again.dcm"))
    scan.slices.append(again)


def _gap(scan: Scan, draws: Draws) -> None:
    for one in scan.slices[len(scan.slices) // 2 :]:
        one.height += 38 - SLICE_MM


def _prone(scan: Scan, draws: Draws) -> None:
    scan.prone = True
    height, width = scan.slices[0].hounsfield.shape
    every = (roi for marks in scan.sessions for mark in marks for roi in mark.rois)
    for roi in {id(roi): roi for roi in every}.values():  # sessions may share them
        roi.points = [(height - 1 - y, width - 1 - x) for y, x in roi.points]


def _overview(scan: Scan, draws: Draws) -> None:
    picture = np.zeros((20, 30), dtype=np.int16)
    scan.slices.append(Slice(uid(draws.at("overview")), 0.0, picture, "0-000.dcm", "LOCALIZER"))


def _unsorted(scan: Scan, draws: Draws) -> None:
    for one, name in zip(scan.slices, draws.permutation(len(scan.slices)), strict=True):
        one.name = f"{name:08x}-0000.dcm"


_WAYS: Mapping[str, Callable[[Scan, Draws], None]] = {
    "hole": _hole,
    "two-outlines": _two_outlines,
    "open": _open,
    "jumps": _jumps,
    "touching": _touching,
    "twice-round": _twice_round,
    "hollow": _hollow,
    "points": _points,
    "comments": _comments,
    "unrated": _unrated,
    "wrong-heights": _wrong_heights,
    "eight-sessions": _eight_sessions,
    "three-sessions": _three_sessions,
    "lost-slice": _lost_slice,
    "small": _small,
    "padding": _padding,
    "unsigned": _unsigned,
    "twice-there": _twice_there,
    "gap": _gap,
    "prone": _prone,
    "overview": _overview,
    "unsorted": _unsorted,
}
