"""Print what the pages in docs/results need of a bench folder: the table in short, matrices, memorising, digests.

python docs/results/collect_bench.py FOLDER           (after noisylabels bench ... --table)
python docs/results/collect_bench.py FOLDER --full    the page with all of the table and all matrices
"""

import csv
import json
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

Rows = list[dict[str, str]]
LEARNERS = {"jcas": "JCAS", "calc": "w/ CALC", "volmin": "VolMin"}
"""Rows of the table that learn a matrix, by key."""
FULL = """
All of the table as `noisylabels bench` writes it, best in bold and second best underlined, and every transition matrix
at the end of training beside the measured one: rows are the true class (or whether two pixels of the affinity grid have
one class), columns the given one. Means over the seeds; in brackets the largest difference between two of them.
Written by `python docs/results/collect_bench.py {folder} --full`.
"""


def spread(values: Iterable[float]) -> str:
    """Mean and standard deviation of several runs, one digit."""
    values = list(values)
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def table(rows: Rows) -> None:
    """Dice by class and mean, and the share of the gap."""
    columns = list(dict.fromkeys(row["column"] for row in rows))
    print(f"| Dice, % | {' | '.join(columns)} | gap | seeds |\n|---|{'--:|' * (len(columns) + 2)}")
    noise = ""
    for key in dict.fromkeys((row["noise"], row["row"]) for row in rows):
        if key[0] != noise:
            noise = key[0]
            print(f"| **{noise}** |{' |' * (len(columns) + 2)}")
        own = [row for row in rows if (row["noise"], row["row"]) == key and row["metric"] == "dice"]
        cells = []
        for row in own:
            value = f"{float(row['mean']):.1f}" + (f" ± {float(row['sd']):.1f}" if row["sd"] else "")
            cells.append(f"**{value}**" if row["rank"] == "1" else value)
        gap = f"{100 * float(own[-1]['gap_closed']):.0f} %" if own[-1]["gap_closed"] else "–"
        print(f"| {key[1]} | {' | '.join(cells)} | {gap} | {own[0]['seeds']} |")


def lines(run: Path) -> list[dict[str, Any]]:
    """The log of a run."""
    return [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def runs_of(folder: Path, row: str, noise: str) -> list[Path]:
    """The finished runs of a cell, by seed."""
    return sorted(path.parent for path in folder.glob(f"runs/{row}-{noise}-*/scores.csv"))


def learned(folder: Path, noise: str, key: str) -> dict[str, list[list[list[float]]]]:
    """The matrices at the end of training, by row of the table and seed."""
    found = {row: [lines(run)[-1].get(key) for run in runs_of(folder, row, noise)] for row in LEARNERS}
    return {
        LEARNERS[row]: [matrix for matrix in seeds if matrix] for row, seeds in found.items() if any(seeds)
    }


def matrices(folder: Path, noise: str, measured: dict[str, Any]) -> None:
    """Every row of the learned matrices, mean over the seeds, beside the true one; and how far they lie apart."""
    for key, true, names in (
        ("t_class", "transition", measured["classes"]),
        ("t_pair", "affinity", ["different classes", "same class"]),
    ):
        if not (found := learned(folder, noise, key)):
            continue
        print(f"\n| {noise} | measured | {' | '.join(found)} |\n|---|---|{'---|' * len(found)}")
        for index, name in enumerate(names):
            cells = [" ".join(f"{value:.2f}" for value in measured[true][index])]
            for seeds in found.values():
                entries = list(zip(*[matrix[index] for matrix in seeds], strict=True))
                apart = max(max(entry) - min(entry) for entry in entries)
                cells.append(" ".join(f"{mean(entry):.2f}" for entry in entries) + f" ({apart:.2f})")
            print(f"| {name} | {' | '.join(cells)} |")


def memorising(folder: Path, noises: Iterable[str], names: Iterable[str]) -> None:
    """Mean Dice on clean validation cases at its best and at the end, and to the given labels of training cases."""
    print("\n| noise | row | best epoch | val, best | val, last | given, first | given, last |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for noise in noises:
        for row in names:
            seen = [[line for line in lines(run) if "val" in line] for run in runs_of(folder, row, noise)]
            if not seen:
                continue
            best = [max(looks, key=lambda line: line["val"]["mean_dice"]) for looks in seen]
            cells = [
                "/".join(str(line["epoch"] + 1) for line in best),
                spread(100 * line["val"]["mean_dice"] for line in best),
                spread(100 * looks[-1]["val"]["mean_dice"] for looks in seen),
                *(
                    spread(100 * looks[at]["train_given"]["mean_dice"] for looks in seen)
                    if all("train_given" in looks[at] for looks in seen)
                    else "–"
                    for at in (0, -1)
                ),
            ]
            print(f"| {noise} | {row} | {' | '.join(cells)} |")


def curves(folder: Path, noise: str, names: Iterable[str]) -> None:
    """Mean Dice on clean validation cases and to the given labels of training cases, against the epoch."""
    seen = {
        row: [[line for line in lines(run) if "val" in line] for run in runs_of(folder, row, noise)]
        for row in names
    }
    seen = {row: seeds for row, seeds in seen.items() if seeds}
    print(f"\n{noise}: validation, clean (training, given)")
    shown: tuple[int, ...] = ()
    for row, seeds in sorted(seen.items(), key=lambda item: -len(item[1][0])):
        epochs = tuple(line["epoch"] + 1 for line in seeds[0])
        if epochs != shown:
            print(f"\n| row | {' | '.join(map(str, epochs))} |\n|---|{'--:|' * len(epochs)}")
            shown = epochs
        cells = []
        for looks in zip(*seeds, strict=True):
            clean = mean(100 * line["val"]["mean_dice"] for line in looks)
            given = [100 * line["train_given"]["mean_dice"] for line in looks if "train_given" in line]
            cells.append(f"{clean:.0f}" + (f" ({mean(given):.0f})" if given else ""))
        print(f"| {row} | {' | '.join(cells)} |")


def full(folder: Path) -> None:
    """Print the page with all of the table, and the matrices of every noise."""
    title, _, rest = (folder / "table.md").read_text(encoding="utf-8").partition("\n")
    print(f"{title}: all of it\n{FULL.format(folder=folder.name)}\n{rest.strip()}\n\n## Matrices")
    for name, measured in noises_of(folder):
        matrices(folder, name, measured)


def noises_of(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every noise and what was measured of it."""
    texts = {
        recipe.parent.name: recipe.read_text(encoding="utf-8") for recipe in folder.glob("data/*/recipe.toml")
    }
    return [
        (name.rpartition("-")[0], tomllib.loads(text)["measured"]) for name, text in sorted(texts.items())
    ]


def main() -> None:
    """Print Markdown."""
    folder = Path(sys.argv[1])
    if "--full" in sys.argv:
        full(folder)
        return
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table(rows)
    for name, measured in noises_of(folder):
        matrices(folder, name, measured)
    noises, names = (list(dict.fromkeys(row[key] for row in rows)) for key in ("noise", "row"))
    memorising(folder, noises, names)
    for noise in noises:
        curves(folder, noise, names)
    print()
    for record in sorted(folder.glob("runs/baseline-*-0/run.json")):
        info = json.loads(record.read_text(encoding="utf-8"))
        print(
            f"{record.parent.name}: {info['data_digest'][:12]}, clean {info['clean_digest'][:12]}, {info['commit']}"
        )


if __name__ == "__main__":
    main()
