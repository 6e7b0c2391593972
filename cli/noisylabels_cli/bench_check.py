"""Refuse, before a suite runs, what training, predicting or drawing phantoms would refuse hours later."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from noisylabels.errors import UsageError, unknown

if TYPE_CHECKING:
    from noisylabels.suite import Suite
    from noisylabels_cli.bench_tasks import Task

PREDICT = ("adapt", "normalise", "scores")
"""Flags of ``noisylabels predict`` that a suite may say."""
_COMMANDS = ("phantom", "train", "predict")
"""Those whose flags a suite may say; the others' are our own."""


def check_suite(suite: "Suite") -> None:
    """Refuse settings that training would refuse.

    Raises:
        UsageError: there is such a one; the message names the row or the noise.
    """
    from noisylabels.suite import merged
    from noisylabels_plugins.cells import check_settings

    for cell in {(c.row.key, c.noise_key): c for c in suite.cells()}.values():
        check_settings(
            cell.row.method, suite.settings_of(cell), f"row {cell.row.key}", clean=cell.noise is None
        )
    for noise in suite.noises:
        if noise.source:
            settings = merged(suite.settings, noise.source.settings)
            clean = noise.source.data is None
            check_settings(noise.source.method, settings, f"the source of noise {noise.key}", clean)
            for name in noise.source.predict:
                if name not in PREDICT:
                    raise unknown(f"flag of predict for noise {noise.key}:", name, PREDICT)


def check_commands(tasks: "Sequence[Task]") -> None:
    """Refuse flags that a command does not have or take; what many cells share is looked at once.

    Raises:
        UsageError: there is such a flag; the message names the task.
    """
    from noisylabels_cli.main import cli

    context, seen = click.Context(cli), set()
    for name, args in ((task.name, args) for task in tasks for args, _ in task.steps):
        flags = tuple(args[: args.index("--data")] if args[0] == "train" else args)
        command = cli.get_command(context, args[0]) if args[0] in _COMMANDS and flags not in seen else None
        seen.add(flags)
        try:
            if command:
                command.make_context(args[0], list(args[1:]))
        except click.ClickException as error:
            raise UsageError(f"In {name}: {error.format_message()}") from error
