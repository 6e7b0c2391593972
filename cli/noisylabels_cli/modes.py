"""List the corruptions, or show one in full."""

import inspect

import click

from noisylabels.catalogue import MODES
from noisylabels_cli import flags
from noisylabels_cli.say import columns, data


@click.command()
@click.argument("mode", required=False)
def command(mode: str | None) -> None:
    """List the corruptions, or show one in full: noisylabels modes ellipse."""
    if mode is None:
        rows = [(entry.name, entry.origin, entry.summary) for entry in MODES.describe()]
        data(columns(rows, ("mode", "origin", "summary")))
        return
    module = MODES.load(mode)
    data(inspect.cleandoc(module.__doc__ or ""))
    data(f"\nVersion {module.VERSION}; flags of noisylabels corrupt --mode {mode.replace('_', '-')}:\n")
    formatter = click.HelpFormatter(width=110)
    with click.Context(command) as ctx, formatter.indentation():
        formatter.write_dl(
            [option.get_help_record(ctx) or ("", "") for option in flags.options(module.Params)]
        )
    data(formatter.getvalue().rstrip())
