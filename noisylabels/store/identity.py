"""What tells datasets apart where their digest says too much, or too little."""

from noisylabels.store.dataset import Dataset
from noisylabels.store.digests import combined_digest
from noisylabels.store.splits import PARTS


def cases_digest(dataset: Dataset) -> str:
    """Identity of the images and clean labels: another noise or a further reader does not change it."""
    entries = dataset.clean.entries.values()
    return combined_digest((one.case_id, f"{one.image_digest} {one.labels_digest}") for one in entries)


def split_digest(dataset: Dataset) -> str:
    """Identity of the default split, which is no part of the dataset's digest: which cases are in which part."""
    return combined_digest((case_id, part) for part in PARTS for case_id in dataset.ids(part))
