"""Write ``docs/presets.md`` from the presets themselves: ``python docs/make_presets.py`` from the repository root."""

from itertools import groupby
from pathlib import Path

from noisylabels import presets
from noisylabels.presets import Preset

FILE = Path(__file__).parent / "presets.md"

INTRODUCTION = """# Presets of noise

Made by `python docs/make_presets.py` from `noisylabels/presets/*.toml`; a new file there appears here.

`noisylabels corrupt DATASET --preset NAME` uses one, and flags that are typed beside it win over its values.
`noisylabels presets NAME > my.toml` gives it as a [recipe file](recipes.md) to be changed. No preset claims to
repeat the labels of a paper: most sources publish neither labels nor seeds, and what they leave open is said
under *our reading*.
"""


def section(family: str, members: list[Preset]) -> list[str]:
    """The part of a file: its texts, and the recipe in words for every variant."""
    first = members[0]
    lines = [f"## {family}", "", *([f"{first.title}.", ""] if len(members) == 1 else [])]
    lines += [f"**Source:** {first.source}.", "", f"**For:** {first.data}.", ""]
    for heading, texts in (
        ("The source states", [member.states for member in members]),
        ("Our reading", [member.reading for member in members]),
    ):
        shown = texts[:1] if len(set(texts)) == 1 else texts
        lines += (
            [f"**{heading}:** {' / '.join(shown)}", ""] if len(shown) == 1 else _each(heading, members, shown)
        )
    lines += ["| preset | recipe |", "|---|---|"]
    lines += [f"| `{member.name}` | {member.recipe.text.replace('|', '/')} |" for member in members]
    return [*lines, ""]


def _each(heading: str, members: list[Preset], texts: list[str]) -> list[str]:
    return [
        f"**{heading}:**",
        "",
        *(f"- `{m.name}`: {text}" for m, text in zip(members, texts, strict=True)),
        "",
    ]


def text() -> str:
    """The whole page."""
    families = groupby(presets.every(), key=lambda preset: preset.family)
    lines = [line for family, members in families for line in section(family, list(members))]
    return "\n".join([INTRODUCTION, *lines])


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
