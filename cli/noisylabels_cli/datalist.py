"""List the files of a dataset for MONAI."""

import json
from pathlib import Path

import click

from noisylabels_cli.say import data


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--split", metavar="NAME", help="Name of the split.  [default: the dataset's]")
def command(dataset: Path, split: str | None) -> None:
    """List the files of a dataset for MONAI, as JSON with paths relative to the present folder.

    monai.data.load_decathlon_datalist("list.json", data_list_key="training", base_dir=".") reads it. A noisy
    DATASET gives its noisy labels for training, and the clean ones to validate and test.
    """
    from noisylabels.store.datalists import datalist
    from noisylabels.store.dataset import Dataset

    data(json.dumps(datalist(Dataset.open(dataset), Path(), split), indent=1))
