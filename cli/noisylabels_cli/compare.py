"""Put evaluated runs beside each other: mean and spread over seeds."""

from collections.abc import Sequence
from pathlib import Path

import click

from noisylabels.errors import InvalidData, unknown
from noisylabels_cli.say import data, say


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option(
    "--form",
    type=click.Choice(["text", "markdown", "latex"]),
    default="text",
    show_default=True,
    help="How to print the table.",
)
@click.option(
    "--metrics", default="dice,jaccard", show_default=True, metavar="A,B,...", help="Which columns."
)
@click.option(
    "--rule",
    type=click.Choice(["present", "pooled"]),
    default="present",
    show_default=True,
    help="Mean over the images that hold the structure, or over all their pixels at once.",
)
def command(runs: Sequence[Path], form: str, metrics: str, rule: str) -> None:
    """Put evaluated RUNs beside each other: mean and standard deviation over seeds.

    Runs that differ in nothing but the seed share a row; a row says in what it differs from others of its method.
    """
    from noisylabels.reports.tables import known_metrics, result_table, to_latex, to_markdown, to_text
    from noisylabels.scoring import RULES
    from noisylabels.store.runs import RunRecord

    records = [RunRecord.open(folder) for folder in runs]
    for record in records:
        if not record.scores:
            raise InvalidData(f"{record.path} has no scores yet; run: noisylabels evaluate {record.path}")
    asked, known = [name.strip() for name in metrics.split(",")], known_metrics(records, rule)
    for name in asked:
        if name not in known:
            raise unknown("metric" if rule == "present" else f"{rule} metric", name, known)
    table = result_table(records, metrics=asked, rule=rule)
    data({"text": to_text, "markdown": to_markdown, "latex": to_latex}[form](table))
    say(RULES[rule])
