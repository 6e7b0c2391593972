"""A few training cases of a dataset as a dataset of its own: what a source model for pseudo-labels may learn from."""

from pathlib import Path

from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.store.dataset import Dataset, write_dataset
from noisylabels.store.splits import Split


def few_cases(clean: Dataset, count: int, seed: int, out: Path) -> Dataset:
    """Write ``count`` training cases, drawn by ``seed``, and all validation cases.

    Args:
        clean: where they come from; with images.
        count: training cases, at least 1.
        seed: of the draw.
        out: the folder to make; it must not exist.

    Returns:
        The dataset, opened; it has one split and no test cases.

    Raises:
        UsageError: there are not so many, or ``out`` is already there.
    """
    ids = clean.ids("train")
    if not 1 <= count <= len(ids):
        raise UsageError(f"A source of {count} cases was asked for; {clean.path} has {len(ids)} to train on.")
    drawn = [ids[i] for i in Draws(seed, "source cases").permutation(len(ids))[:count].tolist()]
    parts = {"train": tuple(drawn), "val": tuple(clean.ids("val"))}
    split = Split(parts=parts, rule=f"{count} training cases, drawn with seed {seed}", source="noisylabels")
    cases = (clean.load(case_id) for case_id in sorted([*parts["train"], *parts["val"]]))
    return write_dataset(cases, clean.info, out, {clean.info.default_split: split}, {"parent": clean.digest})
