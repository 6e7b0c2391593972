"""The head of the page, and the section that says how everything on it was made."""

from collections.abc import Sequence
from typing import Any

from noisylabels.metrics.noise import PooledNoise
from noisylabels.recipe import Recipe
from noisylabels.reports.groups import Group, noises, share_of_gap
from noisylabels.reports.html_pieces import escape, percent, section
from noisylabels.reports.html_results import RULE
from noisylabels.store.dataset import Dataset
from noisylabels.store.runs import RunRecord


def head(title: str, noisy: Dataset | None, noise: PooledNoise | None, groups: Sequence[Group]) -> str:
    """Title, the outcome in a sentence or two, and a few figures."""
    leads = [_what(noisy), _outcome(groups)]
    runs = [run for group in groups for run in group.runs]
    facts = []
    if noise:
        facts += [
            (percent(noise.wrong_share), "of the pixels wrong"),
            (f"{noise.dice:.3f}", "mean Dice of noisy to clean labels"),
        ]
        gone, objects = sum(noise.vanished), sum(noise.objects)
        facts.append((f"{gone}<small>/ {objects}</small>", "objects vanished"))
    best = _best(groups)
    if best and best[1] is not None:
        facts.append((percent(best[1], 0), f"of the gap closed by {escape(best[0].name)}"))
    if runs:
        seeds = len({run.seed for run in runs})
        facts.append((f"{len(runs)}", f"runs, {seeds} seed{'s' if seeds > 1 else ''}"))
    figures = "".join(f"<div><dt>{text}</dt><dd>{number}</dd></div>" for number, text in facts)
    lead = " ".join(filter(None, leads))
    return (
        f'<header><p class="kicker">noisylabels report</p><h1>{escape(title)}</h1>'
        + (f'<p class="lead">{lead}</p>' if lead else "")
        + (f'<dl class="facts">{figures}</dl>' if figures else "")
        + "</header>\n"
    )


def made(noisy: Dataset | None, runs: Sequence[RunRecord], commands: Sequence[str]) -> str:
    """Recipe, digests, commands and settings of the runs: what one needs to make the same again."""
    entries: list[tuple[str, str]] = []
    if noisy:
        clean, recipe = noisy.clean, noisy.recipe
        entries.append(("dataset", f"{escape(clean.info.name)}, {len(clean.entries)} cases"))
        entries.append(("its digest", _mono(clean.digest)))
        if recipe:
            entries.append(("noisy labels", f"{len(noisy.entries)} cases, {escape(noisy.path.name)}"))
            entries += [("their digest", _mono(noisy.digest)), ("recipe digest", _mono(recipe.digest))]
    facts = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in entries)
    parts = [f'<dl class="made">{facts}</dl>' if facts else ""]
    if noisy and noisy.recipe:
        parts.append(f"<h3>Recipe</h3>{_code(noisy.recipe.to_toml())}")
    typed = [*commands, *(str(run.info["command"]) for run in runs if run.info.get("command"))]
    if typed:
        parts.append(f"<h3>Commands</h3>{_code(chr(10).join(dict.fromkeys(typed)))}")
    if runs:
        parts.append(_runs(runs))
    about = "<p>The same recipe on the same dataset gives the same digests, on any machine.</p>"
    return section("How it was made", about, *parts)


def _what(noisy: Dataset | None) -> str:
    if noisy is None:
        return ""
    recipe: Recipe | None = noisy.recipe
    name = escape(noisy.clean.info.title or noisy.clean.info.name)
    return f"{name}, with labels made noisy by <b>{escape(recipe.text)}</b>." if recipe else f"{name}."


def _outcome(groups: Sequence[Group]) -> str:
    """How the best method did against baseline and upper bound, in words."""
    best = _best(groups)
    if best is None:
        return ""
    group, closed = best
    value = group.mean("dice", RULE).mean
    base = next((g for g in groups if g.role == "baseline" and g.noise == group.noise), None)
    low = base.mean("dice", RULE).mean if base else None
    if low is None or value is None:
        return f"<b>{escape(group.name)}</b> reaches a mean Dice of {value:.3f}." if value is not None else ""
    name = escape(group.name)
    noise = f" ({escape(group.noise)})" if len(noises(groups)) > 1 else ""
    text = f"On noisy labels{noise}, <b>{name}</b> reaches a mean Dice of {value:.3f} on clean test labels"
    if value <= low:
        return f"{text}, which is not above the baseline, {low:.3f}."
    gap = (
        f": {percent(closed, 0)} of the gap to training on clean labels is closed"
        if closed is not None
        else ""
    )
    return f"{text}, against {low:.3f} of the baseline{gap}."


def _best(groups: Sequence[Group]) -> tuple[Group, float | None] | None:
    known = [(m, g) for g in groups if g.role == "method" and (m := g.mean("dice", RULE).mean) is not None]
    if not known:
        return None
    group = max(known, key=lambda pair: pair[0])[1]
    return group, share_of_gap(group, groups, "dice", RULE)


def _runs(runs: Sequence[RunRecord]) -> str:
    columns = ("run", "method", "labels", "seed", "net", "epochs", "parameters", "data digest")
    rows = []
    for run in runs:
        info: dict[str, Any] = dict(run.info)
        params = ", ".join(f"{k} {v}" for k, v in (info.get("params") or {}).items())
        digest = str(info.get("data_digest") or "")[:12]
        cells = [
            run.path.name,
            run.method,
            run.labels,
            run.seed,
            info.get("net", "–"),
            info.get("epochs", "–"),
            params or "–",
        ]
        rows.append(
            "".join(f"<td>{escape(str(c))}</td>" for c in cells) + f'<td class="mono">{escape(digest)}</td>'
        )
    head_row = "".join(f'<th scope="col">{c}</th>' for c in columns)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        '<h3>Runs</h3><div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="plain">'
        f"<thead><tr>{head_row}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _mono(text: str) -> str:
    return f'<span class="mono">{escape(text)}</span>'


def _code(text: str) -> str:
    return f'<pre tabindex="0">{escape(text.strip())}</pre>'
