"""Fetch DICOM series of single patients from the Imaging Data Commons, through its own client idc-index.

A series becomes the folder ``<patient>/<study>/<series>``, as with :mod:`noisylabels.nbia`; the client's index says
which series there are without asking anybody.

Source: Fedorov et al., National Cancer Institute Imaging Data Commons, RadioGraphics 43 (2023).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels.store.files import disk_errors

_FOLDERS = "%PatientID/%StudyInstanceUID/%SeriesInstanceUID"


def fetch_patients(service: Mapping[str, str], patients: Sequence[str], folder: Path) -> list[Path]:
    """Fetch all series of a modality of some patients; what is there is left alone by the client.

    Args:
        service: ``collection`` and ``modality`` of a manifest.
        patients: ids as the archive has them.
        folder: the raw folder.

    Returns:
        The folders of the patients.

    Raises:
        UsageError: idc-index is not installed, or the archive has nothing of a patient.
        NoisyLabelsError: the client failed, or a series is not there afterwards.
    """
    try:
        from idc_index import IDCClient
    except ImportError as error:
        raise UsageError("Fetching from the IDC needs its client: pip install 'noisylabels[idc]'.") from error
    client: Any = IDCClient()
    collection = service["collection"].lower().replace("-", "_")
    known = client.index
    here = known[(known["collection_id"] == collection) & (known["Modality"] == service["modality"])]
    for patient in patients:
        if patient not in set(here["PatientID"]):
            raise UsageError(f"{service['collection']} has no {service['modality']} series of '{patient}'.")
    wanted = here[here["PatientID"].isin(list(patients))]
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        client.download_from_selection(
            seriesInstanceUID=list(wanted["SeriesInstanceUID"]), downloadDir=str(folder), dirTemplate=_FOLDERS
        )
    except Exception as error:  # the client raises whatever its transfer raises
        raise NoisyLabelsError(f"The IDC client failed ({type(error).__name__}: {error}).") from error
    for patient, study, series in zip(
        wanted["PatientID"], wanted["StudyInstanceUID"], wanted["SeriesInstanceUID"], strict=True
    ):
        if not any((folder / patient / study / series).glob("*.dcm")):
            raise NoisyLabelsError(f"Series {series} of {patient} did not arrive; run the same again.")
    return [folder / patient for patient in patients]
