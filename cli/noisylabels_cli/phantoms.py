"""Write the embedded synthetic dataset, of any size."""

import re
from pathlib import Path

import click

from noisylabels.errors import UsageError
from noisylabels_cli.embedded import COUNT, FOLDER
from noisylabels_cli.say import data, progress


@click.command()
@click.option("--count", type=click.IntRange(1), default=COUNT, show_default=True, help="Number of cases.")
@click.option(
    "--size", default="128x160", show_default=True, metavar="YxX", help="Height and width in pixels."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed gives other scenes.")
@click.option("--out", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def command(count: int, size: str, seed: int, out: Path) -> None:
    """Write the embedded synthetic dataset, of any size. Prints the folder that it wrote."""
    match = re.fullmatch(r"(\d+)x(\d+)", size)
    if not match:
        raise UsageError(f"--size takes height and width as in 128x160, not '{size}'.")
    from noisylabels.phantoms import phantom_dataset

    with progress("drawing phantoms") as advance:
        phantom_dataset(
            out,
            count=count,
            size=(int(match[1]), int(match[2])),
            seed=seed,
            progress=lambda done, case_id: advance(done, count, case_id),
        )
    data(str(out))
