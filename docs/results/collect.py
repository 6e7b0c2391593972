"""Print what the pages in docs/results need of some runs: the table, each run's mean Dice, and the last matrices.

python docs/results/collect.py RUN [RUN ...]
"""

import sys

from noisylabels.reports.groups import group_runs, share_of_gap
from noisylabels.reports.tables import result_table, to_markdown
from noisylabels.scoring import summarise
from noisylabels.store.runs import RunRecord


def main() -> None:
    """Print Markdown."""
    records = [RunRecord.open(path) for path in sys.argv[1:]]
    print(to_markdown(result_table(records)))
    print("\n| run | seed | mean Dice | learned T, rows |\n|---|---|---|---|")
    for record in records:
        mean = summarise(record.scores).mean["dice"]
        rows = record.log[-1].get("t_class", []) if record.log else []
        matrix = " / ".join(" ".join(f"{value:.2f}" for value in row) for row in rows)
        name = f"{record.method}, {record.noise.split(',')[0] or 'clean'}"
        print(f"| {name} | {record.seed} | {mean:.3f} | {matrix} |")
    groups = group_runs(records)
    for group in groups:
        closed = share_of_gap(group, groups, "dice", "present")
        if closed is not None:
            print(f"\n{group.title}: {closed:.0%} of the gap closed.")


if __name__ == "__main__":
    main()
