"""A frozen dataclass as flags: types become values, the ``Attributes:`` section becomes the help.

``radius_px: tuple[float, float]`` is ``--radius-px LOW:HIGH``, a tuple of classes is ``--classes A,B``, a
``Literal`` is a choice, and ``none`` says None where that is allowed. What is not given keeps the dataclass's
default.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from functools import partial
from typing import Any

import click

from noisylabels.errors import NoisyLabelsError
from noisylabels.params import NONE, Parameter, build, parameters


@dataclass(frozen=True, slots=True)
class Group:
    """A dataclass whose fields become flags.

    Attributes:
        heading: what help lists them under.
        kind: the dataclass.
        prefix: put before every name, as "net" in ``--net-width``; "" for none.
    """

    heading: str
    kind: type
    prefix: str = ""


Choose = Callable[[Mapping[str, Any]], "Sequence[Group]"]
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

    ``choose`` gets what was typed for the command's own parameters (None for what was not) and gives the groups of
    flags that follow from it. It may raise for an unknown word.
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
        own = {option: "the command" for parameter in self.params for option in _words(parameter)}
        ctx.meta["flags"] = {}
        for group in self.choose(glance.params):
            made = options(group.kind, group.prefix)
            self._refuse_hidden(group.heading, made, own)
            ctx.meta["flags"][group.heading] = made
        return super().parse_args(ctx, args)

    def _refuse_hidden(self, heading: str, made: list[click.Option], own: dict[str, str]) -> None:
        """One word, one meaning: click would give the value to both."""
        for option in made:
            for word in _words(option):
                if word in own:
                    raise NoisyLabelsError(
                        f"{heading}: {word} is a flag of {own[word]} too, so it cannot be typed; "
                        "whoever wrote this should give the parameter another name."
                    )
                own[word] = heading

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters and those that were chosen."""
        chosen = [option for group in ctx.meta.get("flags", {}).values() for option in group]
        return [*super().get_params(ctx), *chosen]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Chosen flags in a section of their own, the others under their headings, plain ones last."""
        sections: dict[str, list[click.Parameter]] = {k: [*v] for k, v in ctx.meta.get("flags", {}).items()}
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


def options(kind: type, prefix: str = "") -> list[click.Option]:
    """One option for every field of a dataclass of parameters; None when it was not given."""
    return [_option(parameter, prefix) for parameter in parameters(kind)]


def taken(kind: type, given: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Take the values of :func:`options` out of ``given``, by field name."""
    return {p.name: given.pop(f"{prefix}_{p.name}" if prefix else p.name, None) for p in parameters(kind)}


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


def _words(option: click.Parameter) -> tuple[str, ...]:
    return (*option.opts, *option.secondary_opts)


def _option(parameter: Parameter, prefix: str) -> click.Option:
    name = f"{prefix}_{parameter.name}" if prefix else parameter.name
    flag = "--" + name.replace("_", "-")
    default = parameter.default
    text = parameter.help
    if default is MISSING:
        text += "  [required]"
    elif default is not None and f"{_text(default)}" != "":
        text += f"  [default: {_text(default)}]"
    if parameter.scalar is bool and not parameter.optional and parameter.length is None:
        return click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help=text)
    return click.Option([flag, name], default=None, help=text, metavar=_metavar(parameter))


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
