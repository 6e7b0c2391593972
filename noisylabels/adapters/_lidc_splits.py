"""Divide patients: by their number, or by draws until parts are as large as they should be."""

import re
from collections.abc import Mapping

from noisylabels.draws import Draws

_MCPM = {"train": 1906, "val": 300, "test": 1385}
_NUMBER = re.compile(r".*?(\d+)")

Parts = dict[str, tuple[str, ...]]


def by_number(ids: Mapping[str, str]) -> Parts:
    """Test if a patient's number ends in 4 or 9, validation if in 7, else training.

    Args:
        ids: patient of every case.
    """

    def part(patient: str) -> str:
        match = _NUMBER.fullmatch(patient)
        number = int(match[1]) if match else 0
        return "test" if number % 5 == 4 else "val" if number % 10 == 7 else "train"

    return _parts({case_id: part(patient) for case_id, patient in ids.items()})


def by_shares(ids: Mapping[str, str]) -> Parts:
    """Parts of MCPM's sizes, or of these shares where there are fewer cases.

    Patients come in the order of their draws. Each goes to the part that has the smallest share of its size, of equal
    ones to the largest; what is beyond that size is in no part.

    Args:
        ids: patient of every case.
    """
    total = sum(_MCPM.values())
    there = min(len(ids), total)
    sizes = {part: (count * there + total // 2) // total for part, count in _MCPM.items()}
    members: dict[str, list[str]] = {}
    for case_id in sorted(ids):
        members.setdefault(ids[case_id], []).append(case_id)
    ranked = sorted(members, key=lambda p: (int(Draws(0, "split", "mcpm", "lidc", p).words(1)[0]), p))
    filled: dict[str, list[str]] = {part: [] for part in sizes}
    for patient in ranked:
        lacking = [part for part in sizes if len(filled[part]) < sizes[part]]
        if not lacking:
            break
        part = min(lacking, key=lambda p: (len(filled[p]) / sizes[p], -sizes[p]))
        filled[part] += members[patient][: sizes[part] - len(filled[part])]
    return {part: tuple(chosen) for part, chosen in filled.items() if chosen}


def _parts(found: Mapping[str, str]) -> Parts:
    chosen = {part: tuple(i for i, own in found.items() if own == part) for part in ("train", "val", "test")}
    return {part: members for part, members in chosen.items() if members}
