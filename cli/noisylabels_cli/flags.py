"""A frozen dataclass as flags: types become values, the ``Attributes:`` section becomes the help.

``radius_px: tuple[float, float]`` is ``--radius-px LOW:HIGH``, a tuple of classes is ``--classes A,B``, a
``Literal`` is a choice, and ``none`` says None where that is allowed. What is not given keeps the dataclass's
default.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from functools import partial
from typing import Any

import click

from noisylabels.errors import NoisyLabelsError
from noisylabels.params import NONE, Parameter, build, parameters

Choose = Callable[[Mapping[str, Any]], "tuple[str, type] | None"]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PLAIN = "Options"
"""Heading of the options that name none."""


class Headed(click.Option):
    """An option that help lists under a heading of its own choice."""

    def __init__(self, *args: Any, heading: str = PLAIN, **more: Any) -> None:
        super().__init__(*args, **more)
        self.heading = heading


def under(heading: str) -> Callable[..., Decorator]:
    """``click.option`` for options that help lists together under a heading."""
    return partial(click.option, cls=Headed, heading=heading)


class FlagCommand(click.Command):
    """A command whose further flags depend on a word of the command line, as on the mode of ``corrupt``.

    ``choose`` gets what was typed for the command's own parameters (None for what was not) and gives a
    heading and the dataclass whose fields become flags; None gives none. It may raise for an unknown word.
    """

    def __init__(self, *args: Any, choose: Choose, **more: Any) -> None:
        super().__init__(*args, **more)
        self.choose = choose

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out which flags there are, then read them all."""
        glance = click.Context(
            self, resilient_parsing=True, ignore_unknown_options=True, allow_extra_args=True, obj=None
        )
        super().parse_args(glance, list(args))
        chosen = self.choose(glance.params)
        if chosen:
            ctx.meta["heading"], ctx.meta["flags"] = chosen[0], options(chosen[1])
            self._refuse_hidden(*chosen)
        return super().parse_args(ctx, args)

    def _refuse_hidden(self, heading: str, kind: type) -> None:
        """One word, one meaning: click would give the value to both."""
        own = {option for parameter in self.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for parameter in parameters(kind):
            if parameter.flag in own:
                raise NoisyLabelsError(
                    f"{heading}: {parameter.flag} is a flag of the command too, so it cannot be typed; "
                    "whoever wrote this should give the parameter another name."
                )

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters and those that were chosen."""
        return [*super().get_params(ctx), *ctx.meta.get("flags", [])]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Chosen flags in a section of their own, the others under their headings, plain ones last."""
        sections: dict[str, list[click.Parameter]] = {ctx.meta.get("heading", ""): ctx.meta.get("flags", [])}
        for option in super().get_params(ctx):
            sections.setdefault(getattr(option, "heading", PLAIN), []).append(option)
        for heading in sorted(sections, key=lambda name: name == PLAIN):
            records = [
                record
                for option in sections[heading]
                if isinstance(option, click.Option) and (record := option.get_help_record(ctx))
            ]
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def options(kind: type) -> list[click.Option]:
    """One option for every field of a dataclass of parameters; None when it was not given."""
    return [_option(parameter) for parameter in parameters(kind)]


def read(kind: type, given: Mapping[str, Any], what: str) -> Any:
    """An instance from the values of :func:`options`.

    A length in mm takes the place of the same length in pixels: ``--radius-mm 2:4`` sets ``radius_px`` to
    None.

    Args:
        kind: the dataclass.
        given: by field name; None for what was not typed.
        what: whose parameters they are, as in "mode 'dilate'".

    Raises:
        UsageError: a value is of the wrong kind or outside its range.
    """
    values = {name: value for name, value in given.items() if value is not None}
    for parameter in parameters(kind):
        if not parameter.name.endswith("_px") or not parameter.optional or parameter.name in values:
            continue
        if values.get(parameter.name.removesuffix("_px") + "_mm", NONE) != NONE:
            values[parameter.name] = NONE
    return build(kind, values, what)


def _option(parameter: Parameter) -> click.Option:
    default = parameter.default
    text = parameter.help
    if default is MISSING:
        text += "  [required]"
    elif default is not None and f"{_text(default)}" != "":
        text += f"  [default: {_text(default)}]"
    if parameter.scalar is bool and not parameter.optional and parameter.length is None:
        both = f"{parameter.flag}/--no-{parameter.flag[2:]}"
        return click.Option([both, parameter.name], default=None, help=text)
    return click.Option(
        [parameter.flag, parameter.name], default=None, help=text, metavar=_metavar(parameter)
    )


def _metavar(parameter: Parameter) -> str:
    one = {int: "N", float: "X", bool: "yes|no", str: "TEXT"}[parameter.scalar]
    if parameter.choices:
        one = "|".join(parameter.choices)
    if parameter.length is None:
        return one
    return "LOW:HIGH" if parameter.length == 2 else f"{one},{one},..."


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ":".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
