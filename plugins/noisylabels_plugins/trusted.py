"""Which training cases are known to have clean labels, for methods that need some.

Three ways to know: the dataset itself says so (the noise left the case alone), a list says so, or clean labels are
given for a few cases, which is more than the other methods of a comparison have and stands in the run's record.
"""

from dataclasses import dataclass
from pathlib import Path

from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.store.dataset import Dataset

MANIFEST = "manifest"


@dataclass(frozen=True, slots=True)
class Trusted:
    """The cases.

    Attributes:
        ids: of the cases whose labels may be believed.
        replaced: those of them that get the clean parent's labels; the others keep what they have.
    """

    ids: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()


NOBODY = Trusted()


def choose(dataset: Dataset, how: str, seed: int) -> Trusted:
    """The trusted training cases.

    Args:
        dataset: noisy, or clean.
        how: "" for none; ``manifest`` for the cases whose labels equal the clean ones; a whole number N for N cases,
            drawn by ``seed``, that get their clean labels; else a text file with a case id on every line, which keep
            the labels they have.
        seed: of the draw.

    Raises:
        UsageError: there are none, not so many, or the list names others.
    """
    ids = dataset.ids("train")
    if not how:
        return NOBODY
    if how == MANIFEST:
        found = frozenset(i for i in ids if _digest(dataset, i) == dataset.clean.entries[i].labels_digest)
        if not found:
            raise UsageError(
                f"{dataset.path} has no training case with clean labels; make the noise with --fraction below 1, "
                "or give a few cases their clean labels with --trusted N."
            )
        return Trusted(found)
    if how.isdecimal():
        if not 0 < int(how) <= len(ids):
            raise UsageError(f"--trusted is 1 to {len(ids)}, the number of training cases, not {how}.")
        drawn = [ids[i] for i in Draws(seed, "trusted").permutation(len(ids))[: int(how)]]
        return Trusted(frozenset(drawn), frozenset(drawn))
    return Trusted(_listed(Path(how), ids))


def _digest(dataset: Dataset, case_id: str) -> str:
    entries = dataset.entries if case_id in dataset.entries else dataset.clean.entries
    return entries[case_id].labels_digest


def _listed(path: Path, ids: list[str]) -> frozenset[str]:
    try:
        found = frozenset(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--trusted is manifest, a number of cases or a text file of case ids; '{path}' is none of them."
        ) from error
    others = sorted(found - set(ids))
    if others or not found:
        what = f"names {others[0]}, which is no training case" if others else "names no case"
        raise UsageError(f"{path} {what}.")
    return found
