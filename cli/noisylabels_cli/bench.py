"""Run a grid of methods, noises and seeds, and write its table."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noisylabels.errors import InvalidData, UsageError
from noisylabels_cli.extras import need
from noisylabels_cli.say import columns, data, say

if TYPE_CHECKING:
    from noisylabels.suite import Suite
    from noisylabels_cli.bench_runner import Ended
    from noisylabels_cli.bench_tasks import Place, Task


@click.command()
@click.argument("suite", required=False, metavar="[SUITE]")
@click.option(
    "--data", "folder", type=click.Path(path_type=Path), help="Clean dataset, in place of the suite's."
)
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Dataset for source models of pseudo-labels, in place of the suite's.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True),
    help="Folder with torchvision's weight files, which encoders start from.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for everything.  [default: ./bench-SUITE]"
)
@click.option(
    "--shard", default="", metavar="I/N", help="Every N-th cell from the I-th on, as in 1/8 to 8/8."
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Cells as ROW, ROW/NOISE or ROW/NOISE/SEED; * stands for anything; more than once for more.",
)
@click.option(
    "--jobs", type=click.IntRange(1), help="Cells at a time.  [default: 1 on a GPU, else cores / threads]"
)
@click.option(
    "--threads", type=click.IntRange(1), help="Threads of each.  [default: 1 on a CPU, else as torch likes]"
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--dry-run", is_flag=True, help="Say what would be run, and what is there; run nothing.")
@click.option("--table", "only_table", is_flag=True, help="Write the table of what is finished; run nothing.")
@click.option("--list", "listed", is_flag=True, help="List the suites that come along.")
@click.option("--show", is_flag=True, help="Print the suite's file, to be changed into one of your own.")
def command(
    suite: str | None,
    folder: Path | None,
    source: Path | None,
    weights: Path | None,
    out: Path | None,
    shard: str,
    only: Sequence[str],
    only_table: bool,
    listed: bool,
    show: bool,
    **given: Any,
) -> None:
    """Run the grid of SUITE: every method under every noise with every seed.

    SUITE is a TOML file or one that comes along; without it, jcas-phantoms, which needs no data. Finished cells are
    not run again, so the same command goes on after whatever stopped it, and several machines can share a folder.
    Writes table.md, .tex, .csv and .html into the folder and prints the table.
    """
    from noisylabels.suite import chosen
    from noisylabels.suites import DEFAULT, load, place

    if listed or show:
        data(_list() if listed else place(suite or DEFAULT).read_text(encoding="utf-8").rstrip())
        return
    need("train", "torch", "safetensors")
    found = load(suite or DEFAULT)
    found = found.with_source(source) if source else found
    from noisylabels_cli.bench_check import check_commands, check_suite

    check_suite(found)
    if weights:
        from noisylabels_plugins.cell_weights import with_weights

        found = with_weights(found, weights)
    cells = {cell.name for cell in chosen(found.cells(), _split(only), shard)}
    from noisylabels_cli.bench_meaning import refuse_other_meaning
    from noisylabels_cli.bench_tasks import all_tasks, place_of

    where = place_of(found, out or Path(f"bench-{found.name}"), folder, given["device"])
    if only_table and not where.out.is_dir():
        raise InvalidData(
            f"There is no folder {where.out} to make a table from; name that of a bench by --out."
        )
    tasks = all_tasks(found, where)
    check_commands(tasks)
    refuse_other_meaning(tasks, where, read_only=only_table or given["dry_run"])
    if given["dry_run"]:
        data(_plan(tasks, cells))
        return
    failed: list[Ended] = []
    if not only_table:
        failed = _run(_wanted(tasks, cells), where, given)
    _table(found, where)
    if failed:
        lost = _cells(sum(end.task.cell is not None for end in failed))
        first = next((end for end in failed if end.state == "failed"), failed[0])
        raise InvalidData(
            f"{lost} could not be finished: {first.task.name} failed first, see {first.log}; "
            "the same command tries again."
        )


def _list() -> str:
    from noisylabels.suites import load, names

    suites = [load(name) for name in names()]
    rows = [(s.name, str(len(s.cells())), "own" if s.phantom else "--data", s.title) for s in suites]
    return columns(rows, ("suite", "cells", "data", "what it is"))


def _split(only: Sequence[str]) -> list[str]:
    patterns = [[one.strip() for one in text.split(",") if one.strip()] for text in only]
    if not all(patterns):
        raise UsageError(
            "--only names no cell; leave it out for all, or say which, as in --only 'jcas,*/ellipse/0'."
        )
    return [one for several in patterns for one in several]


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


def _wanted(tasks: Sequence["Task"], cells: set[str]) -> list["Task"]:
    """The cells that are meant and not done, with what they need, in order."""
    by_name = {task.name: task for task in tasks}
    names: set[str] = set()
    todo = [task for task in tasks if task.name in cells and not task.done]
    while todo:
        task = todo.pop()
        if task.name not in names:
            names.add(task.name)
            todo += [by_name[name] for name in task.needs]
    return [task for task in tasks if task.name in names]


def _plan(tasks: Sequence["Task"], cells: set[str]) -> str:
    rows = []
    for task in tasks:
        if task.cell is None or task.name not in cells:
            continue
        state = "finished" if task.done else "begun" if task.begun.exists() else "open"
        rows.append((task.name, state, f"noisylabels {shlex.join(task.steps[0][0])}"))
    open_cells = sum(row[1] != "finished" for row in rows)
    return columns(rows, ("cell", "state", "command")) + f"\n{open_cells} of {len(rows)} cells are to be run."


def _run(tasks: Sequence["Task"], place: "Place", given: Mapping[str, Any]) -> list["Ended"]:
    """Run the tasks; returns those that failed."""
    from noisylabels_cli.bench_progress import Progress
    from noisylabels_cli.bench_runner import Runner, child_environment, largest_child_gib

    jobs, threads = _how_many(given)
    shown = Progress(sum(task.cell is not None for task in tasks), jobs)
    runner = Runner(place.work, jobs, child_environment(threads), shown.ended, shown.running)
    if tasks:
        say(f"{_cells(shown.total)} to run, {jobs} at a time, into {place.out}.")
    try:
        ended = runner.run(tasks)
    except KeyboardInterrupt:
        say("Stopped; the same command goes on.")
        raise
    busy = [end.task.name for end in ended if end.state == "busy"]
    if busy:
        say(f"Other processes are at {_cells(len(busy))}, {busy[0]} for one.")
    if ended:
        say(f"The largest cell took {largest_child_gib():.1f} GiB of memory.")
    return [end for end in ended if end.state in ("failed", "left out")]


def _how_many(given: Mapping[str, Any]) -> tuple[int, int | None]:
    """Jobs and threads, None for as many as torch likes."""
    from noisylabels.parallel import usable_cores
    from noisylabels_plugins.run import choose_device

    if choose_device(given["device"]).type != "cpu":
        return given["jobs"] or 1, given["threads"]
    threads = given["threads"] or 1
    return given["jobs"] or max(1, usable_cores() // threads), threads


def _table(suite: "Suite", place: "Place") -> None:
    from noisylabels_cli.bench_results import write_reports, write_tables

    write_reports(suite, place)
    data(write_tables(suite, place))
