"""The slices of a CT series, in their order in the body.

What is not a plain stack is settled by rule and written into the notes: a position that is taken twice, uneven gaps,
rows or columns that run the other way, overview pictures among the slices.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noisylabels.adapters._lidc_dicom import Header, hounsfield
from noisylabels.errors import InvalidData

_SAME_MM, _UNEVEN_MM, _LEVEL = 0.01, 0.1, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Slices from the feet to the head.

    Attributes:
        slices: one header for every position.
        index: number of the slice by SOP UID, those included that share their position with another.
        heights: of every slice, mm.
        spacing: mm along (z, y, x).
        thickness: of a slice, mm.
        shape: (Y, X) of a slice.
        flips: whether rows and columns are turned around, so that y grows to the back and x to the left.
        notes: what was settled, one sentence each.
    """

    slices: tuple[Header, ...]
    index: Mapping[str, int]
    heights: tuple[float, ...]
    spacing: tuple[float, float, float]
    thickness: float
    shape: tuple[int, int]
    flips: tuple[bool, bool]
    notes: tuple[str, ...]

    def turned(self, plane: NDArray[np.int16]) -> NDArray[np.int16]:
        """A stored plane (Y, X) with y to the back and x to the left."""
        return plane[:: -1 if self.flips[0] else 1, :: -1 if self.flips[1] else 1]

    def plane(self, number: int) -> NDArray[np.int16]:
        """HU of a slice, (Y, X).

        Raises:
            InvalidData: the file is damaged.
        """
        return np.ascontiguousarray(self.turned(hounsfield(self.slices[number])))

    def volume(self) -> NDArray[np.int16]:
        """HU of all slices, (Z, Y, X).

        Raises:
            InvalidData: a file is damaged.
        """
        volume = np.empty((len(self.slices), *self.shape), dtype=np.int16)
        for number, header in enumerate(self.slices):
            hounsfield(header, out=self.turned(volume[number]))
        return volume


def open_stack(headers: Sequence[Header], outlined: Collection[str] = ()) -> Stack:
    """Order the slices of a series; their pixels are not read.

    Args:
        headers: of the files of one series.
        outlined: SOP UIDs of slices with outlines; of two at one position such a one is kept.

    Raises:
        InvalidData: they are not one CT series of equal slices.
    """
    slices = [header for header in headers if not header.localizer]
    if not slices:
        raise InvalidData(f"{headers[0].path.parent} holds no CT slice.")
    first = slices[0]
    _check_one_series(slices)
    notes = []
    if len(slices) < len(headers):
        notes.append(f"{counted(len(headers) - len(slices), 'overview picture')} among the slices left out.")
    upright, flips, turned = _directions(first.orientation)
    notes += turned
    placed = [(_height(header, upright), header) for header in slices]
    placed.sort(key=lambda one: (one[0], one[1].number, one[1].sop_uid))
    kept, index, heights = list[Header](), dict[str, int](), list[float]()
    for height, header in placed:
        if heights and height - heights[-1] < _SAME_MM:
            if header.sop_uid in outlined and kept[-1].sop_uid not in outlined:
                kept[-1] = header
        else:
            kept.append(header)
            heights.append(height)
        index[header.sop_uid] = len(kept) - 1
    if len(kept) < len(placed):
        lost = counted(len(placed) - len(kept), "slice")
        notes.append(
            f"{lost} at a position that is already taken left out; of each pair one with outlines stays."
        )
    thickness = first.thickness
    step, uneven = _step(heights, thickness)
    notes += uneven
    if not thickness:
        thickness = step
        notes.append(
            f"The thickness of the slices is not given; their distance of {step:g} mm is taken for it."
        )
    if not step:
        raise InvalidData(
            f"{first.path} has neither neighbours nor a thickness, so its spacing is not known."
        )
    return Stack(
        slices=tuple(kept),
        index=index,
        heights=tuple(heights),
        spacing=(step, *first.spacing),
        thickness=thickness,
        shape=first.shape,
        flips=flips,
        notes=tuple(notes),
    )


def _check_one_series(slices: Sequence[Header]) -> None:
    first = slices[0]
    if first.modality != "CT":
        raise InvalidData(f"{first.path} is a picture of the kind {first.modality}, not CT.")
    if min(first.spacing) <= 0:
        raise InvalidData(f"{first.path} does not say how large its pixels are.")
    for header in slices:
        if header.series_uid != first.series_uid:
            raise InvalidData(
                f"{header.path} is of another series than {first.path.name}; give every series a folder of its own."
            )
        if header.position is None:
            raise InvalidData(f"{header.path} does not say where its slice lies.")
        if header.shape != first.shape or not np.allclose(header.spacing, first.spacing, rtol=0, atol=1e-4):
            raise InvalidData(
                f"{header.path} has pixels of another number or size than {first.path.name}; slices must fit together."
            )
        if not np.allclose(header.orientation, first.orientation, rtol=0, atol=_LEVEL):
            raise InvalidData(f"{header.path} is turned against {first.path.name}; slices must be parallel.")


def _directions(
    orientation: tuple[float, ...],
) -> tuple[NDArray[np.float64], tuple[bool, bool], list[str]]:
    """The direction across the slices, towards the head; which axes are turned around; and what to note."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    across = np.cross(row, column)
    across = across if across[2] > 0 else -across
    if max(abs(row[0]), abs(row[1])) != abs(row[0]) or across[2] < 0.5:
        raise InvalidData(
            f"Slices with the orientation {orientation} are not axial, as those of LIDC-IDRI are."
        )
    flips = (bool(column[1] < 0), bool(row[0] < 0))
    notes = []
    if any(flips):
        axes = " and ".join(name for name, turned in zip(("rows", "columns"), flips, strict=True) if turned)
        notes.append(f"Turned around so that y grows to the back and x to the left: {axes}.")
    if 1 - across[2] > _LEVEL:
        notes.append(
            "The slices are tilted against the axis of the body; the arrays are as they were scanned."
        )
    return across, flips, notes


def _height(header: Header, upright: NDArray[np.float64]) -> float:
    assert header.position is not None
    x, y, z = header.position
    return float(x * upright[0] + y * upright[1] + z * upright[2])


def _step(heights: Sequence[float], thickness: float) -> tuple[float, list[str]]:
    """The distance of neighbouring slices, mean of those that are regular, and what to note."""
    if len(heights) < 2:
        return thickness, []
    steps = np.diff(heights)
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    regular = np.abs(steps - usual) <= _UNEVEN_MM
    step = float(np.round(steps[regular].mean() if regular.any() else usual, 4))
    if regular.all():
        return step, []
    text = (
        f"{counted(int((~regular).sum()), 'gap')} between slices other than {step:g} mm, from {steps.min():.4g} to "
        f"{steps.max():.4g} mm; the spacing is {step:g} mm for all of them."
    )
    return step, [text]


def counted(number: int, what: str, verb: str = "") -> str:
    """A number of things, and a verb that agrees with it: "1 slice lies", "2 slices lie"."""
    one = number == 1
    action = {"lie": "lies", "are": "is", "enclose": "encloses"}.get(verb, verb) if one else verb
    return f"{number} {what}{'' if one else 's'} {action}".rstrip()
