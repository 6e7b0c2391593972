"""A small plot for every mode: what came out against what was asked for, as a file of its own (SVG)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from mode_facts import facts
from mode_pictures import volume, with_readers

from noisylabels.case import Case, LabelMap
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.metrics.aims import gauge
from noisylabels.params import build
from noisylabels.phantoms.laparoscopy import cases

WIDTH, HEIGHT, LEFT, BOTTOM = 420, 240, 56, 44
FACTORS = (0.25, 0.5, 1.0, 1.5, 2.0)
"""Multiples of the example's strength, for a mode that names no parameter of its own."""

WORDS = {
    "wrong_share": "wrong pixels, share",
    "one_minus_dice": "1 - Dice to the clean labels",
    "shift_px": "displacement of the outline, px",
}


def subjects(dims: Sequence[int]) -> list[Case]:
    """Eight scenes, or two abdomens for a mode that needs slices."""
    if 2 not in dims:
        return [volume(1), volume(6)]
    return [with_readers(case) for case in cases(8, (128, 160), seed=2, frames=1)]


def plot(name: str) -> str | None:
    """The plot of a mode as SVG; None for a mode without a strength."""
    module, known = MODES.load(name), facts(name)
    what = known.plot or {}
    measure = what.get("measure", "one_minus_dice")
    settings: list[tuple[float, Any]]
    if what:
        values = [(v[-1] if isinstance(v, list) else v, v) for v in what["values"]]
        base = what.get("params", {})
        settings = [(float(x), build(module.Params, {**base, what["parameter"]: v}, name)) for x, v in values]
        label = what["parameter"].replace("_", " ")
    elif hasattr(module, "scaled"):
        settings = [(f, module.scaled(module.EXAMPLE, f)) for f in FACTORS]
        label = "strength, as a multiple of the example's"
    else:
        return None
    points = []
    chosen = subjects(known.dims)
    for x, params in settings:
        found = []
        for number, case in enumerate(chosen):
            plain = replace(case, case_id=f"case_{number}")
            noisy = module.corrupt(plain, params, Draws(0, "docs", "plot", str(number)))
            found.append(_measured(measure, plain, noisy))
        finite = [value for value in found if isfinite(value)]
        if finite:
            points.append((x, sum(finite) / len(finite), min(finite), max(finite)))
    return _drawn(points, label, WORDS[measure], diagonal=measure == "wrong_share" and label == "rate")


def _measured(measure: str, case: Case, noisy: LabelMap) -> float:
    metric = {"wrong_share": "wrong_pixels", "one_minus_dice": "dice", "shift_px": "shift_px"}[measure]
    value = gauge(metric, case.labels, case.num_classes, case.spacing)(noisy)
    return 1 - value if measure == "one_minus_dice" else value


def _drawn(
    points: list[tuple[float, float, float, float]], x_label: str, y_label: str, diagonal: bool
) -> str:
    """Means joined by a line, with the smallest and largest of the cases; a dashed line where both are equal."""
    right, top = WIDTH - 14, 14
    x_high, y_high = max(p[0] for p in points) * 1.05, (max(p[3] for p in points) or 1.0) * 1.1

    def x(value: float) -> float:
        return round(LEFT + (right - LEFT) * value / x_high, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - top) * value / y_high, 1)

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for tick in _ticks(y_high):
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(tick)}" y2="{y(tick)}" stroke="#e4e6e8"/>')
        parts.append(_text(LEFT - 6, y(tick) + 4, f"{tick:g}", "end"))
    parts += [_text(x(tick), HEIGHT - BOTTOM + 16, f"{tick:g}", "middle") for tick in _ticks(x_high)]
    if diagonal:
        end = min(x_high, y_high)
        parts.append(
            f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(end)}" y2="{y(end)}" stroke="#8a9096" stroke-dasharray="4 4"/>'
        )
    for px, _, low, high in points:
        parts.append(
            f'<line x1="{x(px)}" x2="{x(px)}" y1="{y(low)}" y2="{y(high)}" stroke="#9cc3ea" stroke-width="5"/>'
        )
    line = " ".join(f"{x(px)},{y(mean)}" for px, mean, *_ in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#2f6fb0" stroke-width="2"/>')
    parts += [f'<circle cx="{x(px)}" cy="{y(mean)}" r="3.5" fill="#2f6fb0"/>' for px, mean, *_ in points]
    parts.append(_text((LEFT + right) / 2, HEIGHT - 8, x_label, "middle"))
    middle = (HEIGHT - BOTTOM + top) / 2
    parts.append(f'<g transform="translate(14 {middle}) rotate(-90)">{_text(0, 0, y_label, "middle")}</g>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return "\n".join(
        [f'{head} font-family="sans-serif" font-size="12" fill="#26292d">', *parts, "</svg>", ""]
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _ticks(high: float) -> list[float]:
    """Round numbers from 0 to at most ``high``, four to eight of them."""
    step = next(s for s in _steps() if high / s <= 8)
    return [round(step * k, 10) for k in range(int(high / step) + 1)]


def _steps() -> Iterator[float]:
    return (base * 10.0**power for power in range(-6, 7) for base in (1, 2, 5))
