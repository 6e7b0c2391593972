"""Write ``docs/methods.md`` from the methods, networks and losses themselves: ``make docs``.

Text and sources are the docstrings of the modules, the tables are their ``Params``. Run it from the repository root.
"""

import re
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent
sys.path += [str(FOLDER)]

from make_modes import as_markdown, kind, value  # noqa: E402

from noisylabels.catalogue import Catalogue  # noqa: E402
from noisylabels.params import parameters  # noqa: E402
from noisylabels_plugins import base  # noqa: E402
from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS  # noqa: E402

INTRODUCTION = """# Methods, networks and losses

Made by `make docs` from the modules in `plugins/noisylabels_plugins/{methods,nets,losses}/`; a new file there appears
here.

```
noisylabels train METHOD --data NOISY [--net NETWORK] [--loss LOSS] [flags of each]
```

A method says how to learn from labels that may be wrong; networks and losses can be exchanged, except where a row of a
paper's table is defined by them. All of it in one list, with flags: `noisylabels train METHOD --net NETWORK --loss LOSS
--help`. The upper bound is `noisylabels train baseline --labels clean`. How training works, whatever the method:
[training](training.md). Whole tables: [benchmarks](bench.md).
"""

COMMON = {p.name for p in parameters(base.Params)}
NEEDS = {"trusted": "clean cases (`--trusted`)", "transition": "labels made by `noisylabels corrupt`"}
"""What a method may need, as ``Method.needs`` calls it, in words."""
HEADS = ("Paper:", "Code:", "Differs:")


def reference(docstring: str) -> list[str]:
    """The docstring of a method: its text, then where it comes from and what it changes as a list."""
    text, _, rest = docstring.partition("\nPaper:")
    lines = as_markdown(text)
    block = [f"Paper:{rest}"] if rest else []
    for part in _split("".join(block)):
        head, _, words = part.partition(":")
        text = " ".join(words.split()).replace("``", "`")
        first, *numbered = re.split(r" (?=\d+\. )", text)
        lines += ["", f"**{head}:** {first}", *([""] if numbered else []), *numbered]
    return lines


def _split(text: str) -> list[str]:
    """The three parts of a reference, each with its word in front."""
    starts = sorted(place for word in HEADS if (place := text.find(word)) >= 0)
    return [text[a:b] for a, b in pairwise([*starts, len(text)])]


def table(module: ModuleType, prefix: str = "") -> list[str]:
    """The parameters of a module, without those that all methods have."""
    own = [p for p in parameters(module.Params) if prefix or p.name not in COMMON]
    if not own:
        return []
    lines = ["", "| option | value | default | meaning |", "|---|---|---|---|"]
    return lines + [
        f"| `--{prefix}{p.flag[2:]}` | {kind(p)} | {value(p)} | {p.help.replace('|', chr(92) + '|')} |"
        for p in own
    ]


def facts(module: ModuleType) -> list[str]:
    """What must be known before it is used."""
    method, said = getattr(module, "Method", None), []
    if method is not None:
        said += [f"network by default: `{method.DEFAULT_NET}`"]
        said += (
            [f"needs {' and '.join(NEEDS[word] for word in sorted(method.needs))}"] if method.needs else []
        )
        said += ["brings its own loss"] if method.OWN_LOSS else []
        said += ["one process only"] if not method.DISTRIBUTED else []
    if hasattr(module, "DIMS"):
        said += [" and ".join(f"{d}-D" for d in sorted(module.DIMS))]
        said += [f"at least {module.MIN_BATCH} cases in a batch"] if module.MIN_BATCH > 1 else []
    return ["", f"*{'; '.join(said)}.*"] if said else []


def chapter(title: str, catalogue: Catalogue, word: str) -> list[str]:
    """One kind of thing; ``word`` goes before its names, and before its flags."""
    headings = {name: f"{word} {name}".strip() for name in catalogue.names()}
    lines = [f"## {title}", ""]
    for name, heading in headings.items():
        first = (catalogue.load(name).__doc__ or "").split("\n")[0]
        lines.append(f"- [{name}](#{heading.lower().replace(' ', '-')}): {first}")
    for name, heading in headings.items():
        module = catalogue.load(name)
        text = module.__doc__ or ""
        lines += ["", f"### {heading}", "", text.split("\n")[0], *reference(text)]
        lines += facts(module) + table(module, {"Network": "net-", "Loss": "loss-"}.get(word, ""))
    return [*lines, ""]


def page() -> str:
    """The whole page."""
    lines = INTRODUCTION.split("\n")
    lines += chapter("Methods", METHODS, "")
    lines += ["### Flags of every method", "", "| option | value | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{p.flag}` | {kind(p)} | {value(p)} | {p.help} |" for p in parameters(base.Params)]
    lines += ["", *chapter("Networks", NETS, "Network"), *chapter("Losses", LOSSES, "Loss")]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    (FOLDER / "methods.md").write_text(page(), encoding="utf-8")
