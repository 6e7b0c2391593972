"""Write synthetic data: the embedded dataset, or a dataset in the raw layout of a public one."""

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from noisylabels.catalogue import DATASETS
from noisylabels.errors import UsageError, unknown
from noisylabels_cli.embedded import COUNT
from noisylabels_cli.say import columns, data, progress, say


@click.command()
@click.argument("name", required=False, metavar="[DATASET]")
@click.option(
    "--cases", type=click.IntRange(1), help=f"Number of cases.  [default: {COUNT}, raw layouts: 10]"
)
@click.option(
    "--size", default="128x160", show_default=True, metavar="YxX", help="Size of the embedded scenes in px."
)
@click.option(
    "--traps",
    default="",
    metavar="NAME,...",
    help="Faults of real raw data to add, or all; with DATASET only.",
)
@click.option(
    "--domain",
    default="source",
    show_default=True,
    metavar="NAME",
    help="Look of the embedded scenes: source, or target for other tissue, light, optics and instruments.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed gives other pictures.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to write.  [default: phantoms, phantoms-DOMAIN, DATASET-raw]",
)
def command(
    name: str | None, cases: int | None, size: str, traps: str, domain: str, seed: int, out: Path | None
) -> None:
    """Write synthetic data to try things with.

    Without a DATASET the embedded one, ready to be used: laparoscopic scenes. With one, files in the raw layout
    of that dataset, for noisylabels prepare; --traps help lists the faults they may have. Prints the folder
    that it wrote.
    """
    if name is None:
        if traps:
            raise UsageError("The embedded dataset has no traps; name a DATASET.")
        data(str(_embedded(out, cases or COUNT, size, seed, domain)))
        return
    if domain != "source":
        raise UsageError("The domains are those of the embedded dataset; leave the DATASET out.")
    writer = _writer(name)
    known: Mapping[str, str] = writer.TRAPS
    if traps == "help":
        data(columns(list(known.items()), ("trap", "what it is")))
        return
    chosen = tuple(known) if traps == "all" else tuple(word for word in traps.split(",") if word)
    for word in chosen:
        if word not in known:
            raise unknown(f"trap of {name}:", word, known)
    out = out or Path(f"{name}-raw")
    if out.exists():
        raise UsageError(
            f"{out} is already there; nothing is overwritten, so remove it or choose another name."
        )
    readable = writer.write_raw(out, cases or 10, seed, chosen)
    say(f"{len(readable)} cases can be read; prepare them with: noisylabels prepare {name} --raw {out}")
    data(str(out))


def _writer(name: str) -> Any:
    DATASETS.load(name)  # a mistyped name gets its suggestion here
    try:
        module = import_module(f"noisylabels.phantoms.{name.replace('-', '_')}")
        return module if hasattr(module, "TRAPS") else _none(name)
    except ModuleNotFoundError:
        return _none(name)


def _none(name: str) -> Any:
    raise UsageError(f"There are no phantoms in the raw layout of {name}.")


def _embedded(out: Path | None, cases: int, size: str, seed: int, domain: str) -> Path:
    match = re.fullmatch(r"(\d+)x(\d+)", size)
    if not match:
        raise UsageError(f"--size takes height and width as in 128x160, not '{size}'.")
    from noisylabels.phantoms import phantom_dataset
    from noisylabels.phantoms.embedded import name_of

    out = out or Path(name_of(domain))
    with progress("drawing phantoms") as advance:
        phantom_dataset(
            out,
            count=cases,
            size=(int(match[1]), int(match[2])),
            seed=seed,
            progress=lambda done, case_id: advance(done, cases, case_id),
            domain=domain,
        )
    return out
