"""Measure how real readers stray from a reference, for the mode like."""

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from noisylabels_cli.say import columns, data, progress, say

if TYPE_CHECKING:
    from noisylabels.profile import ReaderProfile

_FEW = 20
"""Readings below which spreads say little."""


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The profile to write, TOML.",
)
@click.option("--readers", metavar="A,B,...", help="Whose profile, pooled.  [default: all readers]")
@click.option(
    "--reference",
    default="labels",
    metavar="labels|majority|others",
    help="What they are compared with: the labels of the dataset, the majority of these readers, or for each of "
    "them the majority of the others.  [default: labels]",
)
@click.option("--unit", metavar="px|mm", help="Of all lengths.  [default: mm if every case has a spacing]")
@click.option("--part", metavar="NAME", help="Part of the default split, as train.  [default: all cases]")
@click.option(
    "--ranges",
    type=int,
    default=3,
    metavar="N",
    help="Of sizes, each with an omission of its own.  [default: 3]",
)
def command(
    dataset: Path,
    out: Path,
    readers: str | None,
    reference: str,
    unit: str | None,
    part: str | None,
    ranges: int,
) -> None:
    """Measure the profile of the readers of DATASET and write it to a file.

    How far their outlines lie from a reference, object by object and along the outline, and which objects they
    miss, by size. Draw noise of that profile onto another dataset with:

    noisylabels corrupt OTHER --mode like --profile FILE
    """
    from noisylabels.profile import measure
    from noisylabels.store.dataset import Dataset
    from noisylabels.store.write import refuse_existing, write_text

    refuse_existing(out)
    names = [name.strip() for name in readers.split(",") if name.strip()] if readers else None
    choices: dict[str, Any] = {"reference": reference, "unit": unit}
    with progress("measuring") as advance:
        opened = Dataset.open(dataset)
        found = measure(opened, names, part=part, ranges=ranges, progress=advance, **choices)
    write_text(out, found.to_toml())
    data(_text(found, opened.noisy))
    say(f"{out} is written; draw it with: noisylabels corrupt DATASET --mode like --profile {out}")


def _text(found: "ReaderProfile", noisy: bool) -> str:
    from noisylabels.metrics.displacement import DEFINITION

    unit = found.unit
    head = ["class", "objects", "readings", "missed", "added"]
    head += [f"{name} {unit}" for name in ("bias", "object sd", "outline sd", "length", "rough")]
    rows, missed = [], []
    for one in found.classes:
        drawn, all_of = one.profile, one.found
        counts = (one.objects, all_of.readings, all_of.missed, all_of.added)
        lengths = (drawn.bias, drawn.object_sd, drawn.outline_sd, drawn.length, all_of.field.rough)
        rows.append((drawn.name, *map(str, counts), *(f"{x:.3f}" for x in lengths)))
        edges = [*(f"below {size:g}" for size in drawn.sizes), "larger" if drawn.sizes else "all"]
        missed += [(drawn.name, e, f"{rate:.1%}") for e, rate in zip(edges, drawn.omission, strict=True)]
    whom = {"majority": "the majority of all of them", "others": "the majority of the others"}
    whom["labels"] = "the clean labels" if noisy else "the labels"
    few = min(one.found.readings for one in found.classes) < _FEW
    return "\n".join(
        [
            f"{found.cases} cases of {found.dataset}, readers {', '.join(found.readers)}, compared with "
            f"{whom[found.reference]}",
            "",
            columns(rows, head),
            "",
            columns(missed, ("class", f"diameter {unit}", "missed")),
            "",
            *(
                [f"With fewer than {_FEW} readings of a class, its spreads and length are rough guesses.", ""]
                * few
            ),
            fill(DEFINITION, 100),
        ]
    )
