"""The annotation files of LIDC-IDRI: who outlined what on which slice.

    LidcReadMessage                                       CT; IdriReadMessage annotates chest X-rays
        ResponseHeader: SeriesInstanceUid, StudyInstanceUID
        readingSession ...                                four as a rule
            unblindedReadNodule: noduleID, characteristics?, roi ...
                roi: imageZposition, imageSOP_UID, inclusion, edgeMap (xCoord, yCoord) ...
            nonNodule ...

A file that declares a document type is refused, so nothing can be expanded or fetched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree
from xml.parsers import expat

from noisylabels.errors import InvalidData

RATINGS = (
    "subtlety", "internalStructure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture",
    "malignancy",
)  # fmt: skip
"""The characteristics, from 1 to 5 or 6; meaningful as a number or as a kind, see the paper."""

_FARTHEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Roi:
    """An outline on one slice.

    Attributes:
        sop_uid: names the slice.
        inclusion: False for a hole.
        points: (y, x) of the outline's pixels in their order, counted from 0.
    """

    sop_uid: str
    inclusion: bool
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """What one reader says about one nodule.

    Attributes:
        name: the reader's own, free text.
        rated: whether the file has characteristics of it, which it has from 3 mm on.
        ratings: what they are, by name; may be empty.
        rois: its outlines; single points for nodules under 3 mm.
    """

    name: str
    rated: bool
    ratings: Mapping[str, str]
    rois: tuple[Roi, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A file.

    Attributes:
        series_uid: the CT series that was read.
        sessions: the marks of every reader, in the order of the file.
    """

    series_uid: str
    sessions: tuple[tuple[Mark, ...], ...]


Kind = Literal["ct", "x-ray", "other"]
_KINDS: Mapping[str, Kind] = {"LidcReadMessage": "ct", "IdriReadMessage": "x-ray"}
_SERIES = ("SeriesInstanceUid", "SeriesInstanceUID")
_HEAD = 1 << 13

Element = ElementTree.Element


def glance(path: Path) -> tuple[Kind, str]:
    """What kind of file it is, told by its first element, and which series it annotates; the rest is not read.

    Raises:
        InvalidData: it is damaged before that, or declares a document type.
    """
    names: list[str] = []
    text: list[str] = []

    def start(name: str, attributes: Mapping[str, str]) -> None:
        names.append(_local(name))
        text.clear()
        if _KINDS.get(names[0]) != "ct":
            raise _EnoughError

    def end(name: str) -> None:
        if _local(name) in (*_SERIES, "ResponseHeader"):
            names.append(_local(name))
            raise _EnoughError

    parser = _parser(path)
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = (
        start,
        end,
        text.append,
    )
    try:
        with path.open("rb") as stream:
            while block := stream.read(_HEAD):
                parser.Parse(block, False)
            parser.Parse(b"", True)
    except _EnoughError:
        kind = _KINDS.get(names[0], "other")
        uid = "".join(text).strip() if names[-1] in _SERIES else ""
        if kind == "ct" and not uid:
            raise InvalidData(f"{path} does not say which series it annotates.") from None
        return kind, uid
    except OSError as error:
        raise InvalidData(f"{path} cannot be read ({error.strerror}).") from error
    except expat.ExpatError as error:
        raise _damaged(path, error) from error
    return "other", ""


def read_reading(path: Path) -> Reading:
    """The annotations of a CT series.

    Raises:
        InvalidData: the file is missing, damaged, declares a document type, or annotates something else.
    """
    try:
        content = path.read_bytes()
        _parser(path).Parse(content, True)  # first: the tree builder below would expand entities
        root = ElementTree.fromstring(content)
    except OSError as error:
        raise InvalidData(f"{path} cannot be read ({error.strerror}).") from error
    except (expat.ExpatError, ElementTree.ParseError) as error:
        raise _damaged(path, error) from error
    if _KINDS.get(_local(root.tag)) != "ct":
        raise InvalidData(f"{path} holds no annotations of a CT series.")
    header = next(_children(root, "ResponseHeader"), root)
    series = [_text(one) for name in _SERIES for one in _children(header, name)]
    try:
        sessions = tuple(
            tuple(_mark(nodule) for nodule in _children(session, "unblindedReadNodule"))
            for session in _children(root, "readingSession")
        )
    except ValueError as error:
        raise InvalidData(f"{path} is not as LIDC's files are ({str(error)[:80]}).") from error
    if not sessions:
        raise InvalidData(f"{path} holds no reading session.")
    return Reading(series[0] if series else "", sessions)


class _EnoughError(Exception):
    """What was wanted has been read."""


def _parser(path: Path) -> expat.XMLParserType:
    """A parser that refuses document types, and with them all entities."""

    def refuse(*_: object) -> None:
        raise InvalidData(f"{path} declares a document type, which no file of LIDC does; it is not read.")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    return parser


def _damaged(path: Path, error: expat.ExpatError | ElementTree.ParseError) -> InvalidData:
    line = getattr(error, "lineno", None) or getattr(error, "position", (0,))[0]
    return InvalidData(f"{path} is damaged ({expat.ErrorString(error.code)} in line {line}).")


def _local(tag: str) -> str:
    """A name without its namespace."""
    return tag.rsplit("}", 1)[-1]


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _local(child.tag) == name)


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _mark(nodule: Element) -> Mark:
    name, rated, ratings, rois = "", False, dict[str, str](), list[Roi]()
    for child in nodule:
        kind = _local(child.tag)
        if kind == "noduleID":
            name = _text(child)
        elif kind == "characteristics":
            rated = True
            found = {_local(one.tag): _text(one) for one in child}
            ratings = {key: value for key, value in found.items() if key in RATINGS and value.isdigit()}
        elif kind == "roi":
            rois.append(_roi(child))
    return Mark(name, rated, ratings, tuple(rois))


def _roi(element: Element) -> Roi:
    sop_uid, word, points = "", "", []
    for child in element:
        kind = _local(child.tag)
        if kind == "edgeMap":
            points.append(_point(child))
        elif kind == "imageSOP_UID":
            sop_uid = _text(child)
        elif kind == "inclusion":
            word = _text(child).upper()
    if word not in ("TRUE", "FALSE"):
        raise ValueError(f"inclusion '{word}'")
    if not sop_uid:
        raise ValueError("an outline without its slice")
    return Roi(sop_uid, word == "TRUE", tuple(points))


def _point(element: Element) -> tuple[int, int]:
    found = {_local(child.tag): child.text for child in element}
    x, y = (int(found.get(name) or "nothing") for name in ("xCoord", "yCoord"))
    if max(abs(y), abs(x)) > _FARTHEST:
        raise ValueError(f"a point at ({y}, {x})")
    return y, x
