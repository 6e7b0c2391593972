"""One self-contained HTML page about a noisy dataset and its runs: no network, no script, one file."""

from collections.abc import Sequence
from pathlib import Path

from noisylabels.metrics.noise import PooledNoise
from noisylabels.reports.groups import group_runs
from noisylabels.reports.html_cases import Pictures, extremes, gallery
from noisylabels.reports.html_made import head, made
from noisylabels.reports.html_noise import noise_section
from noisylabels.reports.html_pieces import escape, styles
from noisylabels.reports.html_results import learned, results, training
from noisylabels.store.dataset import Dataset
from noisylabels.store.files import write_bytes
from noisylabels.store.runs import RunRecord


def write_report(
    out: Path | str,
    noisy: Dataset | None,
    runs: Sequence[RunRecord],
    title: str = "",
    commands: Sequence[str] = (),
) -> Path:
    """Write the report.

    A section appears where there is something to show: noise and gallery for a noisy dataset, results for
    runs with scores, curves for runs with a log, best and worst cases for runs with predictions.

    Args:
        out: HTML file to write; one that is there is replaced, since a report can be made again at any time.
        noisy: the noisy dataset; a clean one serves to show predictions; None for scores alone.
        runs: in any order; the page does not depend on it.
        title: heading; by default made from the dataset's name.
        commands: what was typed, shown as it is; the ``command`` of every run is added.

    Returns:
        The path of the file.

    Raises:
        InvalidData: a file of the dataset or a prediction is damaged.
        NoisyLabelsError: the file cannot be written.
    """
    groups = group_runs(runs)
    runs = [run for group in groups for run in group.runs]
    style = styles(groups)
    noise = PooledNoise.from_dict(noisy.measured) if noisy and noisy.measured else None
    pictures = Pictures()
    title = title or _title(noisy, runs)
    body = [
        head(title, noisy, noise, groups),
        results(groups, runs, style),
        noise_section(noisy, noise) if noisy and noise else "",
        gallery(noisy, pictures) if noisy and noise else "",
        training(groups, style),
        learned(groups, noise),
        extremes(groups, noisy.clean, pictures) if noisy else "",
        made(noisy, runs, commands),
    ]
    path = Path(out)
    write_bytes(path, page(title, "".join(body)).encode())
    return path


def page(title: str, body: str) -> str:
    """A whole HTML document around the sections, style sheet included."""
    sheet = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{escape(title)}</title>\n'
        f"<style>\n{sheet}</style>\n</head>\n"
        f'<body>\n<main class="page">\n{body}<footer>Made by noisylabels. '
        "Nothing on this page was typed by hand.</footer>\n</main>\n</body>\n</html>\n"
    )


def _title(noisy: Dataset | None, runs: Sequence[RunRecord]) -> str:
    if noisy:
        return (
            f"{noisy.clean.info.name}: training with noisy labels"
            if runs
            else f"{noisy.clean.info.name}: noisy labels"
        )
    return "Training with noisy labels" if runs else "Nothing to report"
