"""Bring a dataset into the common format, from the files as their owner gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noisylabels.catalogue import DATASETS
from noisylabels.errors import InvalidData, UsageError, unknown
from noisylabels_cli import flags
from noisylabels_cli.say import brief, columns, data, progress, say

if TYPE_CHECKING:
    from noisylabels.facts import SourceFacts
    from noisylabels.prepare import Prepared
    from noisylabels.sources import Finding, Survey

_SHOWN = 20
"""So many findings are printed; all of them stand in ``provenance.json``."""


def _choose(typed: Mapping[str, Any]) -> list[flags.Group]:
    name = typed.get("name")
    return [flags.Group(f"Flags of {name}", DATASETS.load(name).Options)] if name else []


@click.command(cls=flags.FlagCommand, choose=_choose)
@click.argument("name", required=False, metavar="[DATASET]")
@click.option("--raw", type=click.Path(path_type=Path), help="Folder with the files of the source.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: ./DATASET]")
@click.option("--preset", metavar="NAME", help="The options of a paper: noisylabels datasets info DATASET.")
@click.option("--split", metavar="NAME", help="The split that is meant when none is named.")
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: all cores]")
@click.option("--dry-run", is_flag=True, help="Show what is there and what would be done; write nothing.")
def command(
    name: str | None,
    raw: Path | None,
    out: Path | None,
    preset: str | None,
    split: str | None,
    jobs: int | None,
    dry_run: bool,
    **given: Any,
) -> None:
    """Bring a dataset into the common format.

    Without a DATASET, lists those that there are. Prints the folder that it wrote. Damaged files are left out
    and listed, with exit code 3; a run that was stopped goes on where it was.

    See the flags of a dataset with: noisylabels prepare jsrt --help
    """
    if name is None:
        rows = [(entry.name, entry.origin, entry.summary) for entry in DATASETS.describe()]
        data(columns(rows, ("dataset", "origin", "summary")))
        return
    plan = _plan(name, raw, preset, split, given)
    survey = plan.adapter.survey(plan.raw, plan.facts, plan.options)
    _tell(survey.findings)
    if dry_run:
        files = sum(len(item.files) for item in survey.items)
        data(f"{len(survey.items)} items of {files} files would be read into {out or Path(name)}.")
        return
    prepared = _write(plan, survey, out or Path(name), jobs)
    _summarise(prepared, plan.facts)
    data(str(out or Path(name)))
    faulty = len(prepared.damaged) + sum(finding.kind == "damaged" for finding in survey.findings)
    if faulty:
        raise InvalidData(
            f"{faulty} damaged {'item is' if faulty == 1 else 'items are'} not in {out or Path(name)}; the "
            "rest is complete, and provenance.json says what is wrong."
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    adapter: Any
    raw: Path
    facts: "SourceFacts"
    options: Any
    split: str


def _plan(
    name: str, raw: Path | None, preset: str | None, split: str | None, given: Mapping[str, Any]
) -> _Plan:
    """What was asked for; typed flags win over a preset's options."""
    from noisylabels.facts import load_facts

    adapter = DATASETS.load(name)
    facts = load_facts(name)
    if preset is not None and preset not in facts.presets:
        raise unknown(f"preset of {name}:", preset, facts.presets)
    chosen = facts.presets[preset] if preset else None
    typed = {key: value for key, value in given.items() if value is not None}
    options = flags.read(
        adapter.Options, {**(chosen.options if chosen else {}), **typed}, f"dataset '{name}'"
    )
    if split is not None and split not in facts.splits:
        raise unknown(f"split of {name}:", split, facts.splits)
    if raw is None and getattr(adapter, "RAW_OPTIONAL", False):
        raw = Path()
    if raw is None:
        raise UsageError(f"Say where the files of {name} are with --raw FOLDER.")
    if not raw.is_dir():
        raise InvalidData(f"{raw} {'is a file' if raw.exists() else 'does not exist'}; --raw takes a folder.")
    return _Plan(adapter, raw, facts, options, split or (chosen.split if chosen else ""))


def _write(plan: _Plan, survey: "Survey", out: Path, jobs: int | None) -> "Prepared":
    from noisylabels.parallel import usable_cores
    from noisylabels.prepare import prepare

    with progress(f"preparing {plan.facts.name}") as advance:
        return prepare(
            plan.adapter,
            plan.raw,
            plan.facts,
            plan.options,
            out,
            default_split=plan.split,
            survey=survey,
            jobs=jobs or usable_cores(),
            progress=advance,
        )


def _summarise(prepared: "Prepared", facts: "SourceFacts") -> None:
    for text in list(prepared.damaged.values())[:_SHOWN]:
        say(f"damaged: {text}")
    dataset = prepared.dataset
    parts = ", ".join(f"{len(dataset.ids(part))} {part}" for part in ("train", "val", "test"))
    count = len(dataset.entries)
    say(f"{count} case{'s' if count > 1 else ''} ({parts}); licence: {facts.licence}.")


def _tell(findings: Sequence["Finding"]) -> None:
    for finding in findings[:_SHOWN]:
        say(f"{finding.kind}: {brief(finding.text)}")
    if len(findings) > _SHOWN:
        say(f"... and {len(findings) - _SHOWN} more findings.")
