"""What the sections of the page share: sections, matrices, legends, and the colour of every group."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape as escape

from noisylabels.reports.groups import Group

_SERIES = ("s1", "s2", "s3", "s4", "s5", "s6")


def section(title: str, about: str, *body: str) -> str:
    """A section: heading and explanation (HTML) on one side, content on the other; "" without content."""
    content = "".join(f"<div>{part}</div>" for part in body if part)
    if not content:
        return ""
    return (
        f'<section><div class="about"><h2>{escape(title)}</h2>{about}</div>'
        f'<div class="body">{content}</div></section>\n'
    )


def styles(groups: Sequence[Group]) -> dict[Group, str]:
    """Style of every group: grey for the baseline, ink for the upper bound, a colour for each method.

    From the seventh method on the colours come again, with dotted lines.
    """
    found, methods = {}, 0
    for group in groups:
        if group.role == "method":
            again = " again" if methods >= len(_SERIES) else ""
            found[group] = f"{_SERIES[methods % len(_SERIES)]}{again}"
            methods += 1
        else:
            found[group] = "noisy" if group.role == "baseline" else "upper"
    return found


def legend(items: Iterable[tuple[str, str]]) -> str:
    """Names of lines: (style, text)."""
    entries = "".join(
        f'<li><svg aria-hidden="true"><line class="{style}" x1="2" x2="18" y1="6" y2="6"/></svg>'
        f"{escape(text)}</li>"
        for style, text in items
    )
    return f'<ul class="legend">{entries}</ul>'


def chips(items: Mapping[str, tuple[int, int, int]]) -> str:
    """Names of colours in pictures."""
    entries = "".join(
        f'<li><span class="chip" style="background: rgb{colour}"></span>{escape(text)}</li>'
        for text, colour in items.items()
    )
    return f'<ul class="legend">{entries}</ul>'


def matrix(title: str, rows: Sequence[Sequence[float]], names: Sequence[str], note: str = "") -> str:
    """A matrix [true, given] as a table whose cells are the darker the larger they are."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(_cell(value) for value in row)}</tr>'
        for name, row in zip(names, rows, strict=True)
    )
    caption = f"<figcaption>{note}</figcaption>" if note else ""
    return (
        f'<figure><div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}">'
        f'<table class="matrix"><caption>{escape(title)}</caption><thead><tr>'
        f'<th class="corner">true ↓ given →</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"{caption}</figure>"
    )


def _cell(value: float) -> str:
    deep = ' class="deep"' if value > 0.55 else ""
    text = f"{value:.3f}" if value else "0"
    return f'<td{deep} style="--v: {min(1.0, max(0.0, value)):.3f}">{text}</td>'


def percent(share: float, digits: int = 1) -> str:
    """A share in per cent.

    >>> percent(0.1234), percent(0.5, 0)
    ('12.3 %', '50 %')
    """
    return f"{100 * share:.{digits}f} %"


def notes(lines: Iterable[str]) -> str:
    """Small print, one paragraph per line of plain text."""
    return '<div class="notes">' + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</div>"
