"""What the tests and the documentation know of a mode beside its module: ``modes/<mode>.toml``.

plane          a volume of one slice gives what the plane gives
plane_except   values of parameters with which it does not
dims           numbers of axes that the mode takes
near           a pixel in a corner of the frame changes nothing in the middle
nests          parameters of which a larger value changes all that a smaller one changes
turns          for a mode without draws: rows and columns are treated alike
golden         parameters of the golden digests, besides the EXAMPLE
shown          caption, params and address of the draws of the pictures in the documentation
plot           what is plotted there: parameter, values, measure, other params
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "modes"


@dataclass(frozen=True)
class Facts:
    """The content of one file."""

    plane: bool = True
    plane_except: dict[str, list[str]] = field(default_factory=dict)
    dims: tuple[int, ...] = (2, 3)
    near: bool = True
    nests: tuple[str, ...] = ()
    turns: bool = True
    golden: tuple[dict[str, Any], ...] = ()
    shown: tuple[dict[str, Any], ...] = ()
    plot: dict[str, Any] | None = None


def facts(mode: str) -> Facts:
    """The facts of a mode; a mode must have some."""
    text = (FOLDER / f"{mode.replace('-', '_')}.toml").read_text(encoding="utf-8")
    known = tomllib.loads(text)
    return Facts(**{name: tuple(v) if isinstance(v, list) else v for name, v in known.items()})
