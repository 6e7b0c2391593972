"""The client of the Imaging Data Commons, played by a small one of our own: there is no network here."""

import sys
from types import ModuleType

import pytest

from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels.idc import fetch_patients

SERVICE = {"collection": "LIDC-IDRI", "modality": "CT"}
ROWS = [
    ("lidc_idri", "CT", "P-1", "1.1", "1.2"),
    ("lidc_idri", "DX", "P-1", "1.1", "1.3"),
    ("lidc_idri", "CT", "P-2", "2.1", "2.2"),
    ("other", "CT", "P-9", "9.1", "9.2"),
]
COLUMNS = ("collection_id", "Modality", "PatientID", "StudyInstanceUID", "SeriesInstanceUID")


class Column(list):
    def __eq__(self, other):
        return [value == other for value in self]

    def isin(self, others):
        return [value in others for value in self]


class Table:
    """As much of a data frame as is used."""

    def __init__(self, rows):
        self.rows = rows

    def __getitem__(self, key):
        if isinstance(key, str):
            return Flags(Column(row[COLUMNS.index(key)] for row in self.rows))
        return Table([row for row, wanted in zip(self.rows, key, strict=True) if wanted])


class Flags(Column):
    def __eq__(self, other):
        return Flags(value == other for value in self)

    def __and__(self, other):
        return [a and b for a, b in zip(self, other, strict=True)]


@pytest.fixture
def client(monkeypatch):
    asked = {}

    class Client:
        index = Table(ROWS)

        def download_from_selection(self, seriesInstanceUID, downloadDir, dirTemplate):
            asked.update(series=seriesInstanceUID, template=dirTemplate)
            if asked.get("fails"):
                raise OSError("no route")
            for row in ROWS:
                if row[4] in seriesInstanceUID and not asked.get("loses"):
                    place = f"{downloadDir}/{row[2]}/{row[3]}/{row[4]}"
                    from pathlib import Path

                    Path(place).mkdir(parents=True)
                    (Path(place) / "1.dcm").touch()

    module = ModuleType("idc_index")
    module.IDCClient = Client
    monkeypatch.setitem(sys.modules, "idc_index", module)
    return asked


def test_the_series_of_a_modality_arrive_in_our_layout(client, tmp_path):
    assert fetch_patients(SERVICE, ["P-1", "P-2"], tmp_path) == [tmp_path / "P-1", tmp_path / "P-2"]
    assert client["series"] == ["1.2", "2.2"]
    assert (tmp_path / "P-1" / "1.1" / "1.2" / "1.dcm").is_file()


def test_what_goes_wrong_is_said(client, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="has no CT series of 'P-9'"):
        fetch_patients(SERVICE, ["P-9"], tmp_path)
    client["loses"] = True
    with pytest.raises(NoisyLabelsError, match=r"Series 1\.2 of P-1 did not arrive"):
        fetch_patients(SERVICE, ["P-1"], tmp_path)
    client["fails"] = True
    with pytest.raises(NoisyLabelsError, match="OSError: no route"):
        fetch_patients(SERVICE, ["P-1"], tmp_path)
    monkeypatch.setitem(sys.modules, "idc_index", None)
    with pytest.raises(UsageError, match=r"noisylabels\[idc\]"):
        fetch_patients(SERVICE, ["P-1"], tmp_path)
