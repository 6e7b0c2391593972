"""A dataset as a list of files, in the form of the Medical Segmentation Decathlon that MONAI reads."""

import os
from pathlib import Path
from typing import Any

from noisylabels.store.dataset import Dataset

_KEYS = {"train": "training", "val": "validation", "test": "test"}


def datalist(dataset: Dataset, base: Path, split: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Image and label file of every case, for ``monai.data.load_decathlon_datalist``.

    Training cases of a noisy dataset have its noisy labels; what has none there comes with the clean ones.

    Args:
        dataset: clean or noisy.
        base: the folder that paths are relative to.
        split: name of the split; None for the default.

    Returns:
        ``{"training": [{"image": path or list of paths, "label": path, "id": case id}, ...], "validation": [...],
        "test": [...]}``; several paths where every channel is a file.

    Raises:
        UsageError: there is no such split.
    """

    def relative(path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), base.resolve())).as_posix()

    found: dict[str, list[dict[str, Any]]] = {}
    for part, key in _KEYS.items():
        found[key] = []
        for case_id in dataset.ids(part, split):
            images = [relative(path) for path in dataset.image_paths(case_id)]
            home = dataset if case_id in dataset.entries else dataset.clean
            label = relative(home.label_path(case_id))
            found[key].append(
                {"image": images if len(images) > 1 else images[0], "label": label, "id": case_id}
            )
    return found
