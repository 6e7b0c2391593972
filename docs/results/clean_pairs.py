"""`noisylabels train jcas ...`, with the labels of pixel pairs taken from the clean dataset; classes stay as given.

    python docs/results/clean_pairs.py --parts affinity --data NOISY --augment none ...

An experiment and no method: it tells wrong pairs from other reasons why a row with an affinity is better or worse.
Clean labels are not augmented along with the image, so there must be no augmentation.
"""

import sys
from collections.abc import Mapping

import torch
from torch import Tensor

from noisylabels.store.dataset import Dataset
from noisylabels_cli.main import run
from noisylabels_plugins.api import Batch, Progress
from noisylabels_plugins.methods.jcas import Method
from noisylabels_plugins.parts.affinity import labels_at

words = sys.argv[1:]
if "--data" not in words or "none" not in words:
    sys.exit("Needs --data NOISY and --augment none.")
clean = Dataset.open(words[words.index("--data") + 1]).clean
kept: dict[str, Tensor] = {}
now: dict[str, Tensor] = {}
step = Method.step


def of_pairs(case_ids: tuple[str, ...]) -> Tensor:
    """Clean labels of cases, (B, *S)."""
    for one in case_ids:
        if one not in kept:
            kept[one] = torch.from_numpy(clean.load(one, image=False).labels.astype("int64"))
    return torch.stack([kept[one] for one in case_ids])


def with_clean_pairs(self: Method, batch: Batch, at: Progress) -> Mapping[str, float]:
    """A step whose pairs know the truth."""
    now["labels"] = of_pairs(batch.case_ids)
    return step(self, batch, at)


def on_the_grid(self: Method, given: Tensor) -> Tensor:
    """Clean labels at the positions of the affinity, (B, N); those that are given count for nothing."""
    return labels_at(now["labels"], self._grid(given[:, None]))


if __name__ == "__main__":
    Method.step, Method._grid_labels = with_clean_pairs, on_the_grid
    sys.exit(run(["train", "jcas", *words]))
