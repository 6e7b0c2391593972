"""Series of single patients from a small copy of the archive's interface."""

import io
import json
import zipfile
from urllib.parse import parse_qs, urlparse

import pytest
from servers import Handler, server

from noisylabels.errors import InvalidData, NoisyLabelsError, UsageError
from noisylabels.nbia import Series, fetch_series, series_of

ROWS = {
    "P-1": [{"StudyInstanceUID": "1.1", "SeriesInstanceUID": uid, "ImageCount": 2} for uid in ("1.3", "1.2")],
    "P-2": [{"SeriesInstanceUID": "2.2"}],
}


class Archive(Handler):
    """Answers as NBIA does: rows as JSON, nothing at all where there are none, a ZIP for a series."""

    def way_v4(self):
        parts = urlparse(self.path)
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        if parts.path.endswith("getSeries"):
            assert (query["Collection"], query["Modality"]) == ("C", "CT")
            rows = ROWS.get(query["PatientID"])
            self.answer(json.dumps(rows).encode() if rows else b"", resumes=False)
            return
        names = ["1.dcm", "2.dcm", "LICENSE"] if query["SeriesInstanceUID"] == "1.2" else ["1.dcm"]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name in names:
                archive.writestr(name, name)
        self.answer(packed.getvalue(), resumes=False)


@pytest.fixture(scope="module")
def service():
    with server(b"", Archive) as (address, _, _):
        yield {"kind": "nbia", "base": f"{address}/v4", "collection": "C", "modality": "CT"}


def test_series_come_in_order(service):
    assert [one.uid for one in series_of(service, ["P-1"])] == ["1.2", "1.3"]
    assert series_of(service, []) == []


def test_what_the_archive_cannot_say_is_an_error(service):
    with pytest.raises(UsageError, match="C has no CT series of 'P-9'"):
        series_of(service, ["P-9"])
    with pytest.raises(NoisyLabelsError, match="without 'StudyInstanceUID'"):
        series_of(service, ["P-2"])
    with pytest.raises(NoisyLabelsError, match="does not answer as it should"):
        series_of({**service, "base": service["base"].replace("v4", "gone")}, ["P-1"])


def test_a_series_is_fetched_once(service, tmp_path):
    series = Series("P-1", "1.1", "1.2", 2)
    place = fetch_series(service, series, tmp_path)
    assert place == tmp_path / "P-1" / "1.1" / "1.2"
    assert sorted(p.name for p in place.glob("*.dcm")) == ["1.dcm", "2.dcm"]
    assert fetch_series({**service, "base": "http://127.0.0.1:9"}, series, tmp_path) == place
    assert not list(place.parent.glob("*.zip*"))


def test_a_series_that_lacks_images_is_noticed(service, tmp_path):
    with pytest.raises(InvalidData, match="came with 1 images, and the archive counts 2"):
        fetch_series(service, Series("P-1", "1.1", "1.3", 2), tmp_path)
    assert not (tmp_path / "P-1" / "1.1" / "1.3").exists()
