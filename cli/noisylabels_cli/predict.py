"""Label the cases of a dataset with trained runs, as files or as readers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from noisylabels.case import Case
from noisylabels.errors import UsageError
from noisylabels.store.links import relative
from noisylabels_cli.extras import need
from noisylabels_cli.say import data, progress, say

if TYPE_CHECKING:
    from noisylabels.store.dataset import Dataset
    from noisylabels_plugins.readers import Fit, Reader

OWN_NAME = "\0"
"""What ``--as-reader`` without a name gives."""


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN...", type=click.Path(path_type=Path))
@click.option(
    "--data",
    "folder",
    required=True,
    metavar="TARGET",
    type=click.Path(path_type=Path),
    help="Dataset to label; it may be the one that the RUN was trained on.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to write.  [default: RUN/predicted-TARGET; with --as-reader ./TARGET-READER]",
)
@click.option("--part", metavar="A,B,...", help="Parts of the split to label.  [default: every case]")
@click.option(
    "--as-reader",
    "names",
    is_flag=False,
    flag_value=OWN_NAME,
    metavar="[NAME,...]",
    help="Write a dataset instead in which every RUN is a reader.  [default name: METHOD-SEED]",
)
@click.option("--scores", is_flag=True, help="With --as-reader: how sure it is of every class, too.")
@click.option(
    "--adapt",
    type=click.Choice(["none", "batchnorm"]),
    default="none",
    show_default=True,
    help="Fit the network to TARGET's training images, without labels.",
)
@click.option(
    "--normalise",
    type=click.Choice(["source", "target"]),
    default="source",
    show_default=True,
    help="Images by the mean and deviation of the RUN's training images, or of TARGET's.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
def command(
    runs: Sequence[Path], folder: Path, out: Path | None, part: str | None, names: str | None, scores: bool,
    device: str, **fit: str,
) -> None:  # fmt: skip
    """Label the cases of TARGET with every RUN.

    Writes one label map a case. With --as-reader it writes a dataset instead: TARGET, whose images stay where they
    are, with the RUN as one more reader, so that noisylabels corrupt --mode pseudo-label can make its labels the
    noisy ones. Prints the folders that it wrote.
    """
    need("train", "torch", "safetensors")
    from noisylabels.store.dataset import Dataset
    from noisylabels.store.write import refuse_existing
    from noisylabels_plugins.readers import Fit

    if not runs:
        raise UsageError("Name a RUN, before the flags: a word after --as-reader is the name of the reader.")
    if names is None and scores:
        raise UsageError("Scores are kept beside a reader's labels: ask for --as-reader too.")
    if names is None and out is not None and len(runs) > 1:
        raise UsageError("Every RUN has its own folder of label maps; name --out for one RUN at a time.")
    target = Dataset.open(folder)
    wanted = Wanted(target, _ids(target, part), part, Fit(**fit), device)
    if names is not None:
        data(str(_as_readers(runs, wanted, names, scores, out)))
        return
    outs = [out or run / f"predicted-{folder.resolve().name}" for run in runs]
    for place in outs:
        refuse_existing(place)
    for run, place in zip(runs, outs, strict=True):
        _as_files(run, wanted, place)
        data(str(place))


def _ids(target: "Dataset", part: str | None) -> list[str]:
    if part is None:
        return target.clean.ids()
    ids = sorted({case_id for one in part.split(",") for case_id in target.ids(one)})
    if not ids:
        raise UsageError(f"{target.path} has no case in the part {part} of its split.")
    return ids


@dataclass(frozen=True)
class Wanted:
    """What is asked of every run.

    Attributes:
        target: the dataset.
        ids: its cases that are labelled.
        part: how they were asked for.
        fit: how a run is fitted to them.
        device: where to compute.
    """

    target: "Dataset"
    ids: Sequence[str]
    part: str | None
    fit: "Fit"
    device: str

    def reader(self, run: Path) -> "Reader":
        """A run, ready to label."""
        from noisylabels.store.runs import MODEL, RunRecord
        from noisylabels_plugins.readers import Reader
        from noisylabels_plugins.run import choose_device

        record = RunRecord.open(run)
        if not record.finished and (run / MODEL).exists():
            say("Warning: {} was stopped after {} of {} {}.".format(run, *record.progress))
        return Reader(run, self.target, choose_device(self.device), self.fit)

    def facts(self, runs: Sequence[Path], readers: Mapping[str, "Reader"], out: Path, *more: str) -> Any:
        """What ``provenance.json`` says: the same for the same runs and data, wherever the folders lie together."""
        start = out.resolve().parent
        place = relative(self.target.path, start)
        words = ["noisylabels", "predict", *(relative(run, start) for run in runs), "--data", place, *more]
        words += ["--part", self.part] if self.part else []
        words += ["--adapt", self.fit.adapt, "--normalise", self.fit.normalise, "--out", out.name]
        return {
            "command": " ".join(words),
            "readers": {name: reader.facts(start) for name, reader in readers.items()},
        }


def _as_files(run: Path, wanted: Wanted, out: Path) -> None:
    from noisylabels.store.files import write_labels
    from noisylabels.store.write import own_version, temporary_folder, write_text

    reader, clean, ending = wanted.reader(run), wanted.target.clean, wanted.target.info.ending
    with temporary_folder(out) as folder, progress(f"predicting with {run.name}") as advance:
        for done, case_id in enumerate(wanted.ids, start=1):
            case = clean.load(case_id, readers=False)
            write_labels(folder / f"{case_id}{ending}", reader.read(case)[0], case.spacing)
            advance(done, len(wanted.ids), case_id)
        made = {"versions": {"noisylabels": own_version()}, "target": clean.digest}
        made |= wanted.facts([run], {reader.name: reader}, out)
        write_text(folder / "provenance.json", json.dumps(made, indent=2) + "\n")


def _as_readers(runs: Sequence[Path], wanted: Wanted, typed: str, scores: bool, out: Path | None) -> Path:
    """Write the dataset in which the runs are readers; its folder."""
    from noisylabels.metrics.overlap import confusion, dice, structure_counts
    from noisylabels.store.derived import check_new_readers, derived_dataset
    from noisylabels.store.write import refuse_existing
    from noisylabels_plugins.readers import with_predictions

    target, chosen = wanted.target, set(wanted.ids)
    if target.noisy:
        raise UsageError(
            f"{target.path} is noisy, and readers belong to a clean dataset; name {target.clean.path} with --data."
        )
    asked = None if typed == OWN_NAME else typed.split(",")
    if asked is not None and len(asked) != len(runs):
        few = "1 run needs 1 name" if len(runs) == 1 else f"{len(runs)} runs need {len(runs)} names"
        raise UsageError(f"{few} for readers, and --as-reader has {len(asked)}.")
    if asked is not None:
        check_new_readers(target, asked)
    if out is not None:
        refuse_existing(out)
    readers = [wanted.reader(run) for run in runs]
    names = asked or [reader.name for reader in readers]
    check_new_readers(target, names)
    out = out or Path(f"{target.path.resolve().name}-{'-'.join(names)}")
    named = list(zip(names, readers, strict=True))
    more = ["--as-reader", ",".join(names), *(["--scores"] if scores else [])]
    size = len(target.info.classes)
    counts = {name: np.zeros((size, size), np.int64) for name in names}

    def add(case: Case) -> Case:
        found = with_predictions(case, named, scores)
        for name in names:
            counts[name] += confusion(case.labels, found.readers[name], size)
        return found

    with progress("predicting") as advance:
        derived_dataset(
            target, chosen, add, out, wanted.facts(runs, dict(named), out, *more),
            lambda done, case_id: advance(done, len(target.entries), case_id),
        )  # fmt: skip
    for name, matrix in counts.items():
        found = [dice(*structure_counts(matrix, codes)) for codes in target.info.structures.values()]
        say(f"Reader {name}: mean Dice {sum(found) / len(found):.3f} to the labels, over all pixels.")
    return out
