"""Show what is in a dataset, and the measured noise of a noisy one."""

import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import click

from noisylabels_cli.say import columns, data


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(dataset: Path, as_json: bool) -> None:
    """Show what is in DATASET; of a noisy one, the measured noise beside what was asked for."""
    from noisylabels.store.dataset import Dataset

    opened = Dataset.open(dataset)
    facts = _noisy_facts(opened) if opened.noisy else _clean_facts(opened)
    if as_json:
        data(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        data(_noisy_text(facts) if opened.noisy else _clean_text(facts))


def _clean_facts(dataset: Any) -> dict[str, Any]:
    pixels: dict[str, int] = {}
    cases: dict[str, int] = {}
    for entry in dataset.entries.values():
        for name, count in entry.pixels.items():
            pixels[name] = pixels.get(name, 0) + count
            cases[name] = cases.get(name, 0) + (count > 0)
    parts = ("train", "val", "test")
    return {
        "name": dataset.info.name,
        "title": dataset.info.title,
        "licence": dataset.info.licence,
        "digest": dataset.digest,
        "cases": len(dataset.entries),
        "shapes": sorted({"x".join(map(str, entry.shape)) for entry in dataset.entries.values()}),
        "channels": list(dataset.info.channels),
        "classes": [{"class": name, "pixels": pixels[name], "cases": cases[name]} for name in pixels],
        "structures": {name: list(codes) for name, codes in dataset.info.structures.items()},
        "splits": {name: {part: len(dataset.ids(part, name)) for part in parts} for name in dataset.splits},
        "notes": sum(bool(entry.notes) for entry in dataset.entries.values()),
    }


def _clean_text(facts: dict[str, Any]) -> str:
    total = sum(row["pixels"] for row in facts["classes"]) or 1
    classes = [
        (row["class"], f"{row['pixels'] / total:.3%}", str(row["cases"]))
        for row in facts["classes"]
        if row["class"] != "ignore" or row["pixels"]
    ]
    splits = [(name, *(str(n) for n in parts.values())) for name, parts in facts["splits"].items()]
    shapes = facts["shapes"]
    lines = [
        f"{facts['name']}{': ' + facts['title'] if facts['title'] else ''}",
        f"{facts['cases']} cases of {shapes[0] if len(shapes) == 1 else f'{len(shapes)} shapes'}, "
        f"channels {', '.join(facts['channels'])}; digest {facts['digest'][:12]}",
        "",
        columns(classes, ("class", "share of pixels", "cases with it")),
        "",
        columns(splits, ("split", "train", "val", "test")),
    ]
    if facts["notes"]:
        lines += ["", f"{facts['notes']} cases have notes; see the column notes of cases.csv."]
    return "\n".join(lines)


def _noisy_facts(dataset: Any) -> dict[str, Any]:
    recipe = dataset.recipe
    return {
        "name": dataset.info.name,
        "digest": dataset.digest,
        "parent": dataset.document["noisylabels"]["parent"],
        "requested": {
            "seed": recipe.seed,
            "selection": recipe.selection.document(),
            "cases": recipe.selection.text or "all",
            "steps": [step.document() for step in recipe.steps],
            "target": recipe.target.text if recipe.target else None,
            "annotators": recipe.annotators,
        },
        "measured": dataset.measured,
    }


def _noisy_text(facts: dict[str, Any]) -> str:
    from noisylabels.metrics.noise import DEFINITIONS

    asked, found = facts["requested"], facts["measured"]
    grid = "x".join(map(str, found["grid"]))
    return "\n".join(
        [
            f"{facts['name']} with noise, seed {asked['seed']}; digest {facts['digest'][:12]}, "
            f"parent {facts['parent']['digest'][:12]} at {facts['parent']['path']}",
            "",
            _beside(asked, found),
            "",
            _by_class(found),
            "",
            "Transition matrix T[true, given]",
            _matrix(found["transition"], found["classes"]),
            "",
            f"Affinity matrix, on a {grid} grid",
            _matrix(found["affinity"], ("different", "same")),
            "",
            "The affinity matrix that independent flips by T would give",
            _matrix(found["affinity_expected"], ("different", "same")),
            "",
            *(_definition(name, text) for name, text in DEFINITIONS.items()),
        ]
    )


def _beside(asked: dict[str, Any], found: dict[str, Any]) -> str:
    rows = [
        (
            "cases",
            asked["cases"],
            f"{found['touched_cases']} of {found['cases']} have a wrong pixel",
        ),
        ("pixels", "", f"{found['wrong_share']:.3%} are wrong"),
        ("Dice to clean", "", f"{found['dice']:.4f}, mean over the cases"),
    ]
    if asked["target"]:
        met = found["target"]
        rows.append(("target", asked["target"], f"{met['reached']} of {met['aimed']} label maps reached it"))
    if asked["annotators"] > 1:
        agreed = found["annotators"]["dice_between"]
        rows.append(("annotators", str(asked["annotators"]), f"{agreed:.4f} mean Dice between them"))
    for number, step in enumerate(asked["steps"], start=1):
        if "one_of" in step:
            rows.append((f"step {number}", f"one of, per {step['per']}", ""))
            options = [(f"  {o['weight']:g} {o['mode']}", o) for o in step["one_of"]]
        else:
            options = [(step["mode"], step)]
        for place, (title, one) in enumerate(options):
            rows.append(("" if place or "one_of" in step else f"step {number}", title, ""))
            rows += [("", f"  {k} {_plain(v)}", "") for k, v in one.get("params", {}).items()]
    return columns(rows, ("", "requested", "realised"))


def _by_class(found: dict[str, Any]) -> str:
    unit = found["unit"]
    rows = [
        (
            name,
            f"{found['class_dice'][c]:.4f}",
            f"{found['displacement_mean'][c]:+.2f}",
            f"{found['displacement_sd'][c]:.2f}",
            f"{found['vanished'][c]} of {found['objects'][c]}",
        )
        for c, name in enumerate(found["classes"])
        if c
    ]
    return columns(rows, ("class", "Dice", f"displacement ({unit})", f"sd ({unit})", "vanished"))


def _matrix(values: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    rows = [(name, *(f"{v:.4f}" for v in row)) for name, row in zip(names, values, strict=True)]
    return columns(rows, ("true \\ given", *names))


def _definition(name: str, text: str) -> str:
    return fill(f"{name}: {text}", width=100, subsequent_indent="  ")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ":".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
