"""Scores on disk: ``scores.csv``, one line per case, structure and metric."""

import csv
import io
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from noisylabels.errors import InvalidData
from noisylabels.store.files import write_bytes

COLUMNS = ("case_id", "structure", "metric", "value", "note")


class CaseScore(NamedTuple):
    """One number about one structure of one case.

    Attributes:
        case_id: the case.
        structure: name of the structure.
        metric: ``dice``, ``jaccard``, ``hd95_mm`` ..., or the pixel counts ``tp``, ``fp``, ``fn`` behind
            them.
        value: always finite.
        note: why the value is a stated one ("missed", "invented", "absent in both"); empty otherwise.
    """

    case_id: str
    structure: str
    metric: str
    value: float
    note: str = ""


def write_scores(path: Path, scores: Iterable[CaseScore]) -> None:
    """Write ``scores.csv``; the file appears when it is complete.

    Args:
        path: file to write.
        scores: in the order to be kept; numbers are written so that reading gives the same bits.

    Raises:
        NoisyLabelsError: the file cannot be written, for instance because the disk is full.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case_id, structure, metric, value, note in scores:
        writer.writerow((case_id, structure, metric, repr(float(value)).removesuffix(".0"), note))
    write_bytes(path, buffer.getvalue().encode())


def read_scores(path: Path) -> list[CaseScore]:
    """Read ``scores.csv``; a file with nothing but its header gives an empty list.

    Raises:
        InvalidData: the file is missing or damaged, a value is no finite number, or a line comes twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidData(f"{path} cannot be read as scores ({error}).") from error
    lines = csv.reader(io.StringIO(text))
    if tuple(next(lines, ())) != COLUMNS:
        raise InvalidData(f"{path} is no table of scores: its first line must be {','.join(COLUMNS)}.")
    scores: dict[tuple[str, str, str], CaseScore] = {}
    for line in lines:
        try:
            case_id, structure, metric, value, note = line
            score = CaseScore(case_id, structure, metric, float(value), note)
        except ValueError:
            raise InvalidData(f"{path} is damaged in line {lines.line_num}: {','.join(line)!r}.") from None
        if not isfinite(score.value) or score[:3] in scores:
            finding = "comes twice" if score[:3] in scores else f"has the value {value}"
            raise InvalidData(
                f"{path} line {lines.line_num}: {metric} of {structure} in {case_id} {finding}."
            )
        scores[score[:3]] = score
    return list(scores.values())
