"""Bring a public dataset into the common format, from the files as their owner gives them."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import click

from noisylabels.catalogue import DATASETS
from noisylabels.errors import InvalidData, UsageError
from noisylabels_cli import flags
from noisylabels_cli.say import columns, data, progress, say


def _choose(typed: Mapping[str, Any]) -> tuple[str, type] | None:
    name = typed.get("name")
    return (f"Flags of {name}", DATASETS.load(name).Options) if name else None


@click.command(cls=flags.FlagCommand, choose=_choose)
@click.argument("name", required=False, metavar="[DATASET]")
@click.option("--raw", type=click.Path(path_type=Path), help="Folder with the files of the source.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: ./DATASET]")
def command(name: str | None, raw: Path | None, out: Path | None, **given: Any) -> None:
    """Bring a public dataset into the common format.

    Without a DATASET, lists those that there are. Prints the folder that it wrote.

    See the flags of a dataset with: noisylabels prepare jsrt --help
    """
    if name is None:
        rows = [(entry.name, entry.origin, entry.summary) for entry in DATASETS.describe()]
        data(columns(rows, ("dataset", "origin", "summary")))
        return
    adapter = DATASETS.load(name)
    options = flags.read(adapter.Options, given, f"dataset '{name}'")
    if raw is None:
        raise UsageError(f"Say where the files of {name} are with --raw FOLDER.")
    if not raw.is_dir():
        raise InvalidData(f"{raw} {'is a file' if raw.exists() else 'does not exist'}; --raw takes a folder.")
    _write(adapter, name, raw, out or Path(name), options)


def _write(adapter: Any, name: str, raw: Path, out: Path, options: Any) -> None:
    from noisylabels.facts import load_facts
    from noisylabels.params import plain
    from noisylabels.store.dataset import write_dataset
    from noisylabels.store.write import refuse_existing

    refuse_existing(out)
    facts = load_facts(name)
    splits = adapter.splits(raw, facts, options)
    notes = adapter.notes(raw, facts, options)
    total = len({case_id for split in splits.values() for case_id in split.ids()})
    with progress(f"preparing {name}") as advance:
        dataset = write_dataset(
            adapter.cases(raw, facts, options),
            adapter.info(facts, options),
            out,
            splits,
            provenance={
                "adapter": name,
                "source": facts.version,
                "options": plain(options),
                "notes": list(notes),
            },
            progress=lambda done, case_id: advance(done, total, case_id),
        )
    for note in notes:
        say(shorten(note, 110, placeholder=" ... (in full in provenance.json)"))
    parts = ", ".join(f"{len(dataset.ids(part))} {part}" for part in ("train", "val", "test"))
    say(f"{len(dataset.entries)} cases ({parts}); licence: {facts.licence}.")
    data(str(out))
