"""Write ``docs/modes.md`` and its pictures from the modes themselves: ``make docs``.

Text, formula and source are the docstrings of the modules, the tables are their ``Params``; pictures and plots
are made by their ``corrupt`` on phantoms, with the settings in ``tests/modes``. Run it from the repository root.
"""

import sys
from dataclasses import MISSING
from itertools import chain
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path += [str(FOLDER), str(FOLDER.parent / "tests")]

from mode_pictures import SIZE, VOLUME, picture, scene, volume  # noqa: E402
from mode_plots import plot  # noqa: E402

from noisylabels.catalogue import MODES  # noqa: E402
from noisylabels.params import Parameter, parameters  # noqa: E402


def as_markdown(docstring: str) -> list[str]:
    """A module's docstring without its first line: indented blocks as code, the source in bold."""
    lines: list[str] = []
    for block in docstring.strip().split("\n\n")[1:]:
        code = block.startswith("    ")
        if code and lines and lines[-1] == "```":
            lines[-1:] = ["", *block.split("\n"), "```"]
        elif code:
            lines += ["", "```", *block.split("\n"), "```"]
        else:
            text = " ".join(block.split("\n")).replace("::", ":").replace("``", "`")
            lines += ["", text.replace("Source:", "**Source:**", 1) if text.startswith("Source:") else text]
    return lines


def kind(parameter: Parameter) -> str:
    """The type of a parameter in words."""
    word = {int: "whole number", float: "number", bool: "yes or no", str: "text"}[parameter.scalar]
    if parameter.choices:
        word = " \\| ".join(parameter.choices)
    if parameter.length is not None:
        word = {0: f"list of {word}s", 2: "range low:high"}.get(
            parameter.length, f"{parameter.length} {word}s"
        )
    return word


def value(parameter: Parameter) -> str:
    """The default of a parameter as one types it."""
    default = parameter.default
    if default is None or default is MISSING:
        return "-"
    if isinstance(default, bool):
        return "yes" if default else "no"
    return ":".join(map(str, default)) if isinstance(default, tuple) else str(default)


def section(name: str) -> list[str]:
    """The part of one mode."""
    module = MODES.load(name)
    lines = [f"## {name}", "", (module.__doc__ or "").split("\n")[0], "", f"![{name}](modes/{name}.png)"]
    lines += as_markdown(module.__doc__ or "")
    if (FOLDER / "modes" / f"{name}.svg").exists():
        lines += ["", f"![what came out of {name}](modes/{name}.svg)"]
    lines += ["", "| option | value | default | meaning |", "|---|---|---|---|"]
    for p in parameters(module.Params):
        lines.append(f"| `{p.flag}` | {kind(p)} | {value(p)} | {p.help} |")
    return [*lines, ""]


INTRODUCTION = f"""# Modes of corruption

Made by `make docs` from the modules in `noisylabels/corruptions/`; a new file there appears here.

Every mode is shown on the same two phantoms: a laparoscopic scene ({SIZE[0]} x {SIZE[1]} px; shaft green, wrist
yellow, clasper blue), and an abdomen in 3-D ({VOLUME[0]} slices; liver green, tumours yellow) as an axial slice above a
frontal cut. On the left the image with its clean outlines, then the noisy labels for several options, with the clean
outlines in black.

The plot says what came out: the mean over eight scenes (two abdomens for modes that need slices), and the smallest
and largest of them, against what was asked for. Dashed: both are equal.

All modes leave pixels of value 255 (ignore) alone, and give no class that was not declared. Classes that were not
chosen stay as they are, unless `--over all` or an ellipse of a higher class covers them. Objects are connected
components, whose pixels may touch at corners. How modes are joined, restricted to some cases or objects, and solved
for a target is described in [recipes.md](recipes.md).
"""


def main() -> None:
    """Write everything, or the modes that are named."""
    plane, solid = scene(), volume()
    (FOLDER / "modes").mkdir(exist_ok=True)
    names = MODES.names()
    for name in sys.argv[1:] or names:
        picture(name, plane, solid).save(FOLDER / "modes" / f"{name}.png", optimize=True)
        drawn = plot(name)
        if drawn:
            (FOLDER / "modes" / f"{name}.svg").write_text(drawn, encoding="utf-8")
    contents = " · ".join(f"[{name}](#{name})" for name in names)
    text = [INTRODUCTION, contents, "", *chain.from_iterable(section(name) for name in names)]
    (FOLDER / "modes.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
