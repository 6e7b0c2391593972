"""Synthetic chests with nodules and four readers in the raw layout of LIDC-IDRI.

LIDC-IDRI-NNNN/<study>/<series>/1-001.dcm ...
tcia-lidc-xml/185/001.xml ...
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from noisylabels.draws import Draws
from noisylabels.phantoms.lidc_files import RATINGS, Mark, Roi, Scan, Slice, uid, write_slices, xml
from noisylabels.phantoms.lidc_traps import HARMLESS, spoil
from noisylabels.phantoms.lung import SLICE_MM, Chest, chest
from noisylabels.phantoms.outlines import outlines

_MORE = {
    "copy": "an annotation file that is there twice",
    "x-rays": "annotations and pictures of a chest X-ray",
    "beside": "an annotation file beside its images",
    "no-scan": "annotations of a scan that is not there",
    "two-series": "a patient with two CT series",
    "no-nodule": "a scan in which no reader marked anything",
}
_FATAL = {
    "no-xml": "a scan without annotations",
    "cut": "a slice that is cut short",
    "cut-xml": "an annotation file that is cut short",
    "entities": "an annotation file with entities that would grow without end",
    "contradiction": "two annotation files that differ for one scan",
    "mixed": "slices of another series in a folder",
    "foreign-xml": "annotations whose slices are all of another scan",
}
TRAPS = {**HARMLESS, **_MORE, **_FATAL}
"""What can be unusual or wrong, by name; the last seven make a scan of their own that cannot be read."""

_TWO_SERIES = "LIDC-IDRI-0132"
_BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'


def write_raw(
    folder: Path | str,
    cases: int = 10,
    seed: int = 0,
    traps: Sequence[str] = (),
    size: tuple[int, int, int] = (24, 256, 256),
) -> list[str]:
    """Write a raw tree.

    Args:
        folder: where it is made.
        cases: how many scans, to which some traps add their own.
        seed: of shapes, textures and readers.
        traps: names of :data:`TRAPS`; harmless ones are spread over the scans.
        size: (Z, Y, X) of the scans; real ones have 65 to 764 slices of 512x512.

    Returns:
        The names of the scans that can be read.
    """
    raw = Path(folder)
    names = [_patient(number) for number in range(cases)]
    good = list(names)
    scans = {name: make_scan(seed, name, size) for name in names}
    if cases:
        for number, trap in enumerate(t for t in HARMLESS if t in traps):
            name = names[number % cases]
            spoil(scans[name], trap, Draws(seed, "phantom", "lidc", name, trap))
    for number, scan in enumerate(scans.values()):
        beside = "beside" in traps and number == cases - 1
        _write(raw, scan, number, beside)
    for number, trap in enumerate(t for t in (*_MORE, *_FATAL) if t in traps):
        if trap in _ADD:
            good += _ADD[trap](raw, _patient(cases + number), seed, size)
    return good


def make_scan(seed: int, name: str, size: tuple[int, int, int], patient: str = "", nodules: int = 4) -> Scan:
    """A scan with its annotations, nothing wrong with it.

    Args:
        seed: of everything.
        name: of the scan; another one gives another scan.
        size: (Z, Y, X).
        patient: whose scan it is, if that is not its name.
        nodules: how many at most.
    """
    draws = Draws(seed, "phantom", "lidc", name)
    found = chest(draws, size, nodules)
    depth = size[0]
    slices = [
        Slice(uid(draws.at("sop", z)), SLICE_MM * z - 200.0, found.image[z], f"1-{depth - z:03d}.dcm")
        for z in range(depth)
    ]
    others = [
        [tuple(draws.at("other", k).integers(3, 0, n - 1).tolist()) for n in (min(size),)]
        for k in range(len(found.drawn))
    ]
    odd = int(draws.at("form").integers((), 0, 3))
    return Scan(
        patient or name,
        (uid(draws.at("study")), uid(draws.at("series")), uid(draws.at("frame"))),
        slices,
        [_session(found, reader, draws) for reader in range(len(found.drawn))],
        signed=odd % 2 == 0,
        implicit=odd > 1,
        other_points=[[(p[0], p[1], p[2]) for p in points] for points in others],
    )


def _session(found: Chest, reader: int, draws: Draws) -> list[Mark]:
    """The marks of a reader, in an order and with names of the reader's own."""
    own = draws.at("session", reader)
    seen = list(found.drawn[reader])
    order = [seen[n] for n in own.permutation(len(seen))]
    marks = []
    for count, nodule in enumerate(order):
        scores = own.at("scores", nodule).integers(len(RATINGS), 1, 5).tolist()
        ratings = dict(zip(RATINGS, scores, strict=True))
        ratings["subtlety"] = found.nodules[nodule].subtlety
        rois = [Roi(z, chain) for z, mask in found.drawn[reader][nodule].items() for chain in outlines(mask)]
        name = (f"Nodule {count + 1:03d}", f"IL057_{127364 + count}", str(count))[reader % 3]
        marks.append(Mark(name, ratings, rois))
    return marks


def _patient(number: int) -> str:
    """The numbers of the real set, without those of patients with two series."""
    number += 1
    for taken in (132, 151, 315, 332, 355, 365, 442, 484):
        number += number >= taken
    return f"LIDC-IDRI-{number:04d}"


def _write(raw: Path, scan: Scan, number: int, beside: bool = False) -> Path:
    """Write slices and annotations; the annotation file."""
    write_slices(scan, raw)
    path = scan.folder(raw) / f"{number:03d}.xml" if beside else _annotations(raw, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(xml(scan, number=number), encoding="utf-8")
    return path


def _annotations(raw: Path, number: int) -> Path:
    return raw / "tcia-lidc-xml" / str(185 + number // 300) / f"{number % 300:03d}.xml"


def _number(name: str) -> int:
    return 1000 + int(name[-4:])


def _add_copy(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    scan = make_scan(seed, name, size)
    _write(raw, scan, _number(name))
    path = _annotations(raw, _number(name) + 300)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(xml(scan, number=7).replace("\n", "\n  "), encoding="utf-8")
    return [name]


def _add_x_rays(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    scan = make_scan(seed, name, size)
    _write(raw, scan, _number(name))
    path = _annotations(raw, _number(name) + 600)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(xml(scan, "IdriReadMessage"), encoding="utf-8")
    draws = Draws(seed, "phantom", "lidc", name, "x-ray")
    picture = Slice(uid(draws.at("sop")), 0.0, np.zeros((30, 20), dtype=np.int16), "1-1.dcm")
    write_slices(Scan(name, (uid(draws), uid(draws.at("s")), uid(draws.at("f"))), [picture], []), raw, "DX")
    return [name]


def _add_no_scan(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    path = _annotations(raw, _number(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(xml(make_scan(seed, name, size)), encoding="utf-8")
    return []


def _add_two_series(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    found = []
    for number in (0, 1):
        scan = make_scan(seed, f"{_TWO_SERIES}-{number}", size, patient=_TWO_SERIES)
        _write(raw, scan, _number(name) + number * 300)
        found.append(f"{_TWO_SERIES}_{scan.uids[1][-6:]}")
    return found


def _add_no_nodule(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    _write(raw, make_scan(seed, name, size, nodules=0), _number(name))
    return [name]


def _add_no_xml(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    write_slices(make_scan(seed, name, size), raw)
    return []


def _add_cut(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    scan = make_scan(seed, name, size)
    _write(raw, scan, _number(name))
    path = scan.folder(raw) / scan.slices[len(scan.slices) // 2].name
    path.write_bytes(path.read_bytes()[:-100])
    return []


def _add_cut_xml(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    path = _write(raw, make_scan(seed, name, size), _number(name))
    path.write_bytes(path.read_bytes()[:-100])
    return []


def _add_entities(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    path = _write(raw, make_scan(seed, name, size), _number(name))
    first, rest = path.read_text(encoding="utf-8").split("\n", 1)
    path.write_text(f"{first}\n{_BOMB}{rest.replace('Second unblinded read', '&b;')}", encoding="utf-8")
    return []


def _add_contradiction(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    scan = make_scan(seed, name, size)
    _write(raw, scan, _number(name))
    scan.sessions.reverse()
    scan.sessions[0].append(Mark("one more", None, [Roi(0, [(3, 3)])]))
    path = _annotations(raw, _number(name) + 300)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(xml(scan), encoding="utf-8")
    return []


def _add_mixed(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    scan, other = make_scan(seed, name, size), make_scan(seed, f"{name}-other", size, patient=name)
    _write(raw, scan, _number(name))
    del other.slices[2:]
    for path in write_slices(other, raw):
        path.rename(scan.folder(raw) / f"other-{path.name}")
    return []


def _add_foreign_xml(raw: Path, name: str, seed: int, size: tuple[int, int, int]) -> list[str]:
    scan, other = make_scan(seed, name, size), make_scan(seed, f"{name}-other", size)
    path = _write(raw, scan, _number(name))
    other.uids = scan.uids
    path.write_text(xml(other), encoding="utf-8")
    return []


_ADD: Mapping[str, Callable[[Path, str, int, tuple[int, int, int]], list[str]]] = {
    "copy": _add_copy,
    "x-rays": _add_x_rays,
    "no-scan": _add_no_scan,
    "two-series": _add_two_series,
    "no-nodule": _add_no_nodule,
    "no-xml": _add_no_xml,
    "cut": _add_cut,
    "cut-xml": _add_cut_xml,
    "entities": _add_entities,
    "contradiction": _add_contradiction,
    "mixed": _add_mixed,
    "foreign-xml": _add_foreign_xml,
}
