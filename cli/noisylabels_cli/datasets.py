"""What datasets there are, how to get them, and whether a raw folder is complete."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noisylabels.catalogue import DATASETS
from noisylabels.errors import FetchByHand, InvalidData, UsageError
from noisylabels_cli.say import brief, bytes_progress, columns, data, progress, say

if TYPE_CHECKING:
    from noisylabels.facts import SourceFacts, SourceFile


@click.group()
def command() -> None:
    """What datasets there are, how to get them, and whether a raw folder is complete."""


@command.command("list")
def list_command() -> None:
    """List the datasets: cases, licence, access."""
    rows = []
    for entry in DATASETS.describe():
        facts = _facts(entry.name)
        if facts is None:
            rows.append((entry.name, "", "", entry.summary))
        else:
            rows.append((entry.name, f"{facts.num_cases or ''}", facts.access, facts.title))
    data(columns(rows, ("dataset", "cases", "access", "title")))


@command.command("info")
@click.argument("name")
@click.option(
    "--raw",
    type=click.Path(path_type=Path),
    help="Folder with the files of the source, to see what is there.",
)
def info_command(name: str, raw: Path | None) -> None:
    """Show everything that is known of a dataset."""
    facts = _known(name)
    rows = [
        ("title", facts.title),
        ("version", facts.version),
        ("home page", facts.homepage),
        ("cases", str(facts.num_cases or "as many as there are")),
        ("access", facts.access),
        ("licence", facts.licence),
        ("may be passed on", _redistribution(facts)),
        ("citation", facts.citation.strip()),
        ("terms", facts.terms or "none beyond the licence"),
    ]
    rows += [(f"classes, {key}", ", ".join(table.classes)) for key, table in facts.tables.items()]
    rows += [(f"split {key}", f"{split.rule} ({split.source})") for key, split in facts.splits.items()]
    rows += [(f"preset {key}", f"{preset.title} ({preset.source})") for key, preset in facts.presets.items()]
    rows += [(f"file {file.name}", _about(file, raw)) for file in facts.files]
    rows += [("not verified", text) for text in facts.unverified]
    data(columns(rows))


@command.command("fetch")
@click.argument("name")
@click.option("--raw", type=click.Path(path_type=Path), help="Folder for the files.  [default: raw/DATASET]")
@click.option("--accept-terms", is_flag=True, help="You have read the owner's terms and accept them.")
@click.option(
    "--file", "only", multiple=True, metavar="NAME", help="Only this file; may be given several times."
)
@click.option(
    "--patient",
    "patients",
    multiple=True,
    metavar="ID",
    help="Only this patient, where single ones are offered.",
)
@click.option(
    "--source",
    type=click.Choice(["nbia", "idc"]),
    default="nbia",
    show_default=True,
    help="Where patients come from: the archive's REST interface, or the Imaging Data Commons by idc-index.",
)
def fetch_command(
    name: str, raw: Path | None, accept_terms: bool, only: Sequence[str], patients: Sequence[str], source: str
) -> None:
    """Download what may be downloaded without a login; print the steps for the rest.

    What was cut off is resumed, what is there and undamaged is left alone. Exit code 5 says that a person
    has to do something.
    """
    facts = _known(name)
    folder = raw or Path("raw") / name
    chosen = _chosen(facts, only)
    open_files = [file for file in chosen if file.channels]
    if facts.terms and (open_files or patients) and not accept_terms:
        raise FetchByHand(f"{facts.title}: {facts.terms} Say that you accept them with --accept-terms.")
    for file in open_files:
        _fetch(file, folder)
    if patients:
        _fetch_patients(facts, patients, folder, source)
    by_hand = [file for file in chosen if not file.channels and not (folder / file.name).exists()]
    if facts.steps and by_hand and not (patients or only):
        for number, step in enumerate(facts.steps, start=1):
            data(f"{number}. {step.format(raw=folder)}")
        raise FetchByHand(
            f"{', '.join(file.name for file in by_hand)} of {name} can only be fetched by you; follow the steps above."
        )
    data(str(folder))


@command.command("check")
@click.argument("name")
@click.argument("raw", type=click.Path(path_type=Path))
def check_command(name: str, raw: Path) -> None:
    """Is a raw folder complete and undamaged? Nothing is converted."""
    facts = _known(name)
    adapter = DATASETS.load(name)
    if not raw.is_dir():
        raise InvalidData(
            f"{raw} {'is a file' if raw.exists() else 'does not exist'}; a raw folder is needed."
        )
    options = adapter.Options()
    survey = adapter.survey(raw, facts, options)
    findings = list(survey.findings)
    with progress("checking") as advance:
        for number, item in enumerate(survey.items, start=1):
            findings += adapter.probe(item, facts, options)
            advance(number, len(survey.items), item.key)
    files = sum(len(item.files) for item in survey.items)
    rows = [
        ("there", str(len(survey.items)), f"{files} files, of {facts.num_cases or 'any number of'} cases")
    ]
    rows += [(found.kind, Path(found.what).name, brief(found.text)) for found in findings]
    data(columns(rows, ("finding", "what", "text")))
    damaged = sum(found.kind == "damaged" for found in findings)
    if damaged:
        raise InvalidData(f"{raw} holds {damaged} damaged file{'s' if damaged > 1 else ''}; get them again.")


def _facts(name: str) -> "SourceFacts | None":
    from noisylabels.facts import load_facts

    try:
        return load_facts(name)
    except UsageError:
        return None


def _known(name: str) -> "SourceFacts":
    from noisylabels.facts import load_facts

    DATASETS.load(name)  # a mistyped name gets its suggestion here
    return load_facts(name)


def _chosen(facts: "SourceFacts", only: Sequence[str]) -> "list[SourceFile]":
    from noisylabels.errors import unknown

    names = {file.name: file for file in facts.files}
    for name in only:
        if name not in names:
            raise unknown(f"file of {facts.name}:", name, names)
    return [names[name] for name in only] if only else list(facts.files)


def _fetch(file: "SourceFile", folder: Path) -> None:
    from noisylabels.archives import unpack
    from noisylabels.download import fetch

    with bytes_progress(file.name) as advance:
        path = fetch(file, folder, advance)
    if file.unpack:
        with bytes_progress(f"unpacking {file.name}") as advance:
            unpack(path, folder / path.name.split(".")[0], file.members, advance)
    say(f"{path} is there{' and unpacked' if file.unpack else ''}.")


def _fetch_patients(facts: "SourceFacts", patients: Sequence[str], folder: Path, source: str) -> None:
    if not facts.service:
        raise UsageError(f"{facts.name} is not offered by patient; leave --patient out.")
    if source == "idc":
        from noisylabels.idc import fetch_patients

        for place in fetch_patients(facts.service, patients, folder):
            say(f"{place} is there.")
        return
    from noisylabels.nbia import fetch_series, series_of

    for series in series_of(facts.service, patients):
        with bytes_progress(f"{series.patient}, {series.images} images") as advance:
            place = fetch_series(facts.service, series, folder, advance)
        say(f"{place} is there.")


def _redistribution(facts: "SourceFacts") -> str:
    allowed: dict[str, Any] = {
        "images": facts.redistribution.images,
        "labels": facts.redistribution.labels,
        "labels derived from them": facts.redistribution.derived_labels,
    }
    return ", ".join(f"{what}: {'yes' if may else 'no'}" for what, may in allowed.items())


def _about(file: "SourceFile", raw: Path | None) -> str:
    size = f"{file.size:,} bytes; " if file.size else ""
    how = "fetched by this tool" if file.channels else f"by hand: {file.where}"
    here = "" if raw is None else " [here]" if (raw / file.name).exists() else " [not here]"
    return f"{size}{how}. {file.note}{here}"
