"""Charts as SVG texts that take their colours from the page's style sheet and so follow light and dark.

Every chart is drawn on a sheet 360 units wide, the width of a phone: there it is shown as it is, and two or
three stand side by side on a wide screen. Text is text, and nothing needs a script.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

WIDTH = 360
_HEIGHT = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 28, 34
_MOST_POINTS = 160  # more than one every two pixels cannot be seen


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart.

    Attributes:
        points: (x, y), x ascending; points that are not finite are left out.
        style: class of the style sheet that gives the colour.
        faint: whether it stands in the background, as a single seed behind the mean.
    """

    points: Sequence[tuple[float, float]]
    style: str
    faint: bool = False


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that enclose a range: steps of 1, 2 or 5 times a power of ten, about ``count`` of them.

    >>> ticks(0.62, 0.93)
    [0.6, 0.7, 0.8, 0.9, 1.0]
    """
    span = high - low or abs(high) or 1.0
    raw = span / max(1, count - 1)
    power = 10.0 ** floor(log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.99)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def line_chart(lines: Iterable[Line], x_label: str, y_label: str, alt: str) -> str:
    """A line chart; ``alt`` is read in its place by those who cannot see it.

    Returns:
        SVG text; "" when no line has a point.
    """
    shown = [(line, _thinned(line.points)) for line in lines]
    shown = [(line, points) for line, points in shown if points]
    if not shown:
        return ""
    xs = [x for _, points in shown for x, _ in points]
    ys = [y for _, points in shown for _, y in points]
    across, up = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    across = [t for t in across if min(xs) <= t <= max(xs)] or across
    x_of = _Scale(min(xs), max(xs), _LEFT, WIDTH - _RIGHT)
    y_of = _Scale(up[0], up[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(across, up, x_of, y_of, x_label, y_label)]
    for line, points in sorted(shown, key=lambda pair: not pair[0].faint):
        places = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        kind = f"line {line.style}{' faint' if line.faint else ''}"
        if len(points) == 1:
            x, y = points[0]
            parts.append(f'<circle class="dot {line.style}" cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3"/>')
        else:
            parts.append(f'<polyline class="{kind}" points="{places}"/>')
    return _sheet(parts, _HEIGHT, alt)


def histogram(
    values: Sequence[float], low: float, high: float, x_label: str, alt: str, bins: int = 20
) -> str:
    """A histogram of values over ``low`` .. ``high`` in equal bins, the last one closed; "" for no values."""
    if not values:
        return ""
    width = (high - low) / bins
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int((value - low) / width + 1e-9)))] += 1
    up = [t for t in ticks(0, max(counts), 4) if t == int(t)]
    x_of, y_of = _Scale(low, high, _LEFT, WIDTH - _RIGHT), _Scale(0, up[-1], _HEIGHT - _BOTTOM, _TOP)
    across = [t for t in ticks(low, high, 6) if low - 1e-9 <= t <= high + 1e-9]
    parts = [_frame(across, up, x_of, y_of, x_label, "cases")]
    for i, count in enumerate(counts):
        if count:
            left, right, top = x_of(low + i * width) + 0.75, x_of(low + (i + 1) * width) - 0.75, y_of(count)
            size = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{y_of(0) - top:.1f}"'
            parts.append(f'<rect class="bar" rx="1.5" {size}/>')
    middle = sorted(values)[len(values) // 2]
    x = x_of(min(max(middle, low), high))
    anchor = "end" if x > WIDTH / 2 else "start"
    upright = f'x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{_HEIGHT - _BOTTOM}"'
    parts.append(f'<line class="marker" {upright}/>')
    shift = -5 if anchor == "end" else 5
    where = f'x="{x + shift:.1f}" y="{_TOP - 8}" text-anchor="{anchor}"'
    parts.append(f'<text class="note" {where}>median {middle:.3f}</text>')
    return _sheet(parts, _HEIGHT, alt)


def strip(values: Sequence[float], mean: float, low: float, high: float, style: str, alt: str) -> str:
    """One row of a dot plot, as wide as its place: a dot per value and a bar at the mean."""
    place = _Scale(low, high, 1.5, 98.5)
    parts = ['<line class="rail" x1="0" x2="100%" y1="50%" y2="50%"/>']
    if len(values) > 1:
        ends = f'x1="{place(min(values)):.2f}%" x2="{place(max(values)):.2f}%"'
        parts.append(f'<line class="reach {style}" {ends} y1="50%" y2="50%"/>')
    parts += [f'<circle class="seed {style}" cx="{place(v):.2f}%" cy="50%" r="4.5"/>' for v in values]
    parts.append(
        f'<line class="mean {style}" x1="{place(mean):.2f}%" x2="{place(mean):.2f}%" y1="12%" y2="88%"/>'
    )
    return f'<svg class="strip" role="img" aria-label="{escape(alt)}">{"".join(parts)}</svg>'


def strip_axis(low: float, high: float, digits: int = 2) -> str:
    """The axis below rows of :func:`strip`."""
    place = _Scale(low, high, 1.5, 98.5)
    marks = []
    inner = ticks(low, high)
    inner = [t for t in inner if low - 1e-9 <= t <= high + 1e-9]
    for i, tick in enumerate(inner):
        anchor = "start" if i == 0 else "end" if i == len(inner) - 1 else "middle"
        marks.append(f'<text x="{place(tick):.2f}%" y="13" text-anchor="{anchor}">{tick:.{digits}f}</text>')
    return f'<svg class="strip axis" aria-hidden="true">{"".join(marks)}</svg>'


def interval(mean: float, sd: float, reach: float, alt: str) -> str:
    """Mean and one standard deviation to both sides on a scale from -reach to +reach, zero in the middle."""
    place = _Scale(-reach, reach, 1, 99)
    low, high = max(mean - sd, -reach), min(mean + sd, reach)
    style = "out" if mean > 0 else "in"
    return (
        f'<svg class="strip" role="img" aria-label="{escape(alt)}">'
        '<line class="rail" x1="0" x2="100%" y1="50%" y2="50%"/>'
        '<line class="zero" x1="50%" x2="50%" y1="0" y2="100%"/>'
        f'<line class="sd {style}" x1="{place(low):.2f}%" x2="{place(high):.2f}%" y1="50%" y2="50%"/>'
        f'<circle class="dot {style}" cx="{place(mean):.2f}%" cy="50%" r="5"/></svg>'
    )


class _Scale:
    """A linear map from low .. high to start .. end."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.start = low, start
        self.factor = (end - start) / (high - low) if high > low else 0.0

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) * self.factor


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    finite = [(x, y) for x, y in points if isfinite(x) and isfinite(y)]
    step = max(1, ceil(len(finite) / _MOST_POINTS))
    kept = finite[::step]
    return kept if not finite or kept[-1] == finite[-1] else [*kept, finite[-1]]


def _frame(
    across: Sequence[float], up: Sequence[float], x_of: _Scale, y_of: _Scale, x_label: str, y_label: str
) -> str:
    bottom = _HEIGHT - _BOTTOM
    parts = []
    for tick in up:
        y = y_of(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{y + 3.5:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in across:
        parts.append(f'<text x="{x_of(tick):.1f}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>')
    right = f'x="{WIDTH - _RIGHT}" y="{_HEIGHT - 3}" text-anchor="end"'
    parts.append(f'<text class="label" {right}>{escape(x_label)}</text>')
    parts.append(f'<text class="label" x="12" y="11">{escape(y_label)}</text>')
    return "".join(parts)


def _sheet(parts: Iterable[str], height: int, alt: str) -> str:
    head = f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(alt)}">'
    return f"{head}{''.join(parts)}</svg>"
