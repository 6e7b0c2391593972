"""List the presets of noise, or show one in full."""

import textwrap

import click

from noisylabels_cli.say import columns, data

_WIDTH = 100


@click.command()
@click.argument("name", required=False, metavar="[PRESET]")
def command(name: str | None) -> None:
    """List the presets of noise, or show one in full: noisylabels presets jcas-ellipse.

    A preset is a setting of a paper or of a public generator. What is shown is a recipe file: noisylabels presets
    jcas-ellipse > my.toml, to be changed and used with noisylabels corrupt --recipe my.toml
    """
    from noisylabels import presets

    if name is None:
        data(columns([(preset.name, preset.title) for preset in presets.every()], ("preset", "what it is")))
        return
    preset = presets.load(name)
    texts = (
        f"{preset.name}: {preset.title}",
        f"Source: {preset.source}",
        f"The source states: {preset.states}",
        f"Our reading: {preset.reading}",
        f"For: {preset.data}",
    )
    for text in texts:
        data(
            textwrap.fill(text, _WIDTH, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)
        )
    data(f"\n{preset.recipe.to_toml().rstrip()}")
