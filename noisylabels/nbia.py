"""Fetch DICOM series of single patients from an archive that speaks the NBIA REST interface.

    getSeries?Collection=LIDC-IDRI&PatientID=LIDC-IDRI-0001   ->  JSON, one object a series
    getImage?SeriesInstanceUID=1.3.6...                       ->  a ZIP with the files of the series

A series becomes the folder ``<patient>/<study>/<series>``, which appears when it is complete.

Source: Clark et al., The Cancer Imaging Archive, Journal of Digital Imaging 26 (2013).
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from noisylabels.archives import unpack
from noisylabels.download import fetch
from noisylabels.errors import InvalidData, NoisyLabelsError, UsageError
from noisylabels.facts import SourceFile

_TIMEOUT = (10.0, 60.0)


@dataclass(frozen=True, slots=True)
class Series:
    """One series of images.

    Attributes:
        patient: its id in the archive.
        study: UID of the study.
        uid: UID of the series.
        images: how many files it has.
    """

    patient: str
    study: str
    uid: str
    images: int


def series_of(service: Mapping[str, str], patients: Iterable[str]) -> list[Series]:
    """The series of some patients.

    Args:
        service: ``base`` (address), ``collection`` and ``modality``, from a manifest.
        patients: ids as the archive has them.

    Returns:
        In the order of the patients, then of the UIDs.

    Raises:
        UsageError: the archive has nothing of a patient.
        NoisyLabelsError: the archive does not answer as it should.
    """
    found: list[Series] = []
    for patient in patients:
        query = {"Collection": service["collection"], "PatientID": patient, "Modality": service["modality"]}
        rows = _ask(f"{service['base']}/getSeries?{urlencode(query)}")
        series = sorted(_series(row, patient) for row in rows)
        if not series:
            raise UsageError(f"{service['collection']} has no {service['modality']} series of '{patient}'.")
        found += [Series(*one) for one in series]
    return found


def fetch_series(
    service: Mapping[str, str],
    series: Series,
    folder: Path,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Fetch and unpack a series, unless it is there.

    Args:
        service: as in :func:`series_of`.
        series: what to fetch.
        folder: the raw folder; the series becomes ``<patient>/<study>/<series>`` in it.
        progress: called as bytes arrive.

    Returns:
        The folder of the series.

    Raises:
        NoisyLabelsError: it could not be fetched.
        InvalidData: it is damaged, or holds fewer files than the archive says.
    """
    place = folder / series.patient / series.study / series.uid
    if place.is_dir():
        return place
    url = f"{service['base']}/getImage?{urlencode({'SeriesInstanceUID': series.uid})}"
    zipped = fetch(SourceFile(name=f"{series.uid}.zip", where=url, channels=(url,)), place.parent, progress)
    unpack(zipped, place)
    zipped.unlink()
    count = sum(1 for path in place.rglob("*") if path.suffix.lower() == ".dcm")
    if count < series.images:
        shutil.rmtree(place)
        raise InvalidData(
            f"Series {series.uid} came with {count} images, and the archive counts {series.images}; fetch it again."
        )
    return place


def _ask(url: str) -> Iterator[Mapping[str, Any]]:
    import requests

    try:
        answer = requests.get(url, timeout=_TIMEOUT)
        answer.raise_for_status()
        rows = answer.json() if answer.content.strip() else []
    except (requests.RequestException, ValueError) as error:
        raise NoisyLabelsError(f"{url} does not answer as it should ({type(error).__name__}).") from error
    if not isinstance(rows, list):
        raise NoisyLabelsError(f"{url} gives something else than a list of series.")
    yield from rows


def _series(row: Mapping[str, Any], patient: str) -> tuple[str, str, str, int]:
    try:
        return (
            patient,
            str(row["StudyInstanceUID"]),
            str(row["SeriesInstanceUID"]),
            int(row.get("ImageCount", 0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoisyLabelsError(f"The archive describes a series of {patient} without {error}.") from error
