"""The entry point: finds the commands by file name, and turns every error into one sentence and an exit code.

A command is a module of this package that defines ``command``; nothing is listed anywhere. The name and the
one-line help come from the source text, so ``noisylabels --help`` imports no command, and a command's heavy
libraries are loaded only when it runs.
"""

import ast
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click

from noisylabels.catalogue import first_line
from noisylabels.errors import NoisyLabelsError, unknown

INTERRUPTED = 130
EXAMPLE = """\b
A first look, in an empty folder:
  noisylabels corrupt --mode asymmetric
  noisylabels inspect phantoms-asymmetric
"""


@dataclass
class Settings:
    """What holds for every command.

    Attributes:
        quiet: say nothing but data and errors.
        debug: show tracebacks.
    """

    quiet: bool = False
    debug: bool = False


class Commands(click.Group):
    """A group whose commands are the modules beside this one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, sorted."""
        return sorted(_modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command and give it the options that every command has."""
        if cmd_name not in _modules():
            return None
        module = import_module(f"noisylabels_cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        for one in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            if not any(parameter.name == "debug" for parameter in one.params):
                one.params += [
                    _setting("quiet", "Say nothing but data and errors."),
                    _setting("debug", "Show where an error came from."),
                ]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed, or suggest one."""
        if args and not args[0].startswith("-") and args[0] not in _modules():
            raise unknown("command", args[0], _modules())
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the first line of their docstrings, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_line(path)) for name, path in sorted(_modules().items())])


@click.group(cls=Commands, invoke_without_command=True, epilog=EXAMPLE)
@click.version_option(package_name="noisylabels")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Label noise for medical image segmentation: made, measured, and trained against."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code; see ``docs/exit-codes.md``."""
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: what was typed after the program's name; None for ``sys.argv``.

    Returns:
        The exit code.
    """
    settings = Settings()
    try:
        result = cli.main(args, prog_name="noisylabels", standalone_mode=False, obj=settings)
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, click.Abort):
        return _fail(settings, "Interrupted.", INTERRUPTED)
    except click.ClickException as error:
        return _fail(settings, error.format_message(), error.exit_code)
    except NoisyLabelsError as error:
        return _fail(settings, str(error), error.exit_code)
    except Exception as error:
        what = f"{type(error).__name__}: {error}".strip().rstrip(":.").replace("\n", " ")
        return _fail(settings, f"A bug in noisylabels ({what}); run again with --debug to see where.", 1)


def _fail(settings: Settings, message: str, code: int) -> int:
    if settings.debug:
        traceback.print_exc()
    click.echo(f"noisylabels: {' '.join(message.split())}", err=True)
    return code


def _modules() -> dict[str, Path]:
    """The file of every command by its name."""
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    return {file.stem.replace("_", "-"): file for file in files if _is_command(file)}


def _is_command(file: Path) -> bool:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef) and node.name == "command" for node in body)


def _setting(name: str, text: str) -> click.Option:
    def store(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value and isinstance(ctx.obj, Settings):
            setattr(ctx.obj, name, True)

    return click.Option(
        [f"--{name}"], is_flag=True, expose_value=False, is_eager=True, callback=store, help=text
    )


if __name__ == "__main__":
    main()
