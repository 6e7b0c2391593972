from dataclasses import replace

from small import small_dataset

from noisylabels.store.dataset import Dataset
from noisylabels.store.derived import derived_dataset
from noisylabels.store.identity import cases_digest, split_digest


def test_a_further_reader_changes_neither_cases_nor_split(tmp_path):
    clean = small_dataset(tmp_path / "clean", count=6)

    def read(case):
        return replace(case, readers={**case.readers, "model": case.labels})

    more = derived_dataset(clean, clean.ids("train"), read, tmp_path / "more", {})
    assert more.digest != clean.digest
    assert (cases_digest(more), split_digest(more)) == (cases_digest(clean), split_digest(clean))
    other = small_dataset(tmp_path / "other", count=7)
    assert cases_digest(other) != cases_digest(clean)
    split = clean.path / "splits" / "default.json"
    split.write_text(
        split.read_text().replace('"val"', '"aside"').replace('"test"', '"val"').replace('"aside"', '"test"')
    )
    changed = Dataset.open(clean.path)
    assert (changed.digest, cases_digest(changed)) == (clean.digest, cases_digest(clean))
    assert split_digest(changed) != split_digest(more)
