"""Readers and annotators: does the noise have the statistics that were asked for, and how fast is it?

    python benchmarks/readers.py                 # all tables; some minutes
    python benchmarks/readers.py --quick         # fewer seeds and sizes
    python benchmarks/readers.py --only like     # like | annotators | speed

Everything is made from seeds; nothing is read. Peers that are not installed are left out of the speed table.
"""

import argparse
import hashlib
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from noisylabels.case import Case
from noisylabels.corruptions import annotator, like, pseudo_label, reader
from noisylabels.draws import Draws
from noisylabels.metrics.displacement import Straying, Totals, read
from noisylabels.metrics.noise import measure, pool
from noisylabels.parts.profiles import ClassProfile
from noisylabels.parts.profiles import read as read_profile
from noisylabels.phantoms.laparoscopy import cases as phantoms

CLASSES = ("background", "nodule")
SPACING = (2.0, 0.8, 0.8)

DISCS = (
    "px; *: bias 0, object 0, outline 2, length 10, omission 0",
    "px; *: bias 1.5, object 1, outline 2, length 12, omission 0",
    "px; *: bias -1, object 0.5, outline 1, length 6, omission 0.2",
    "px; *: bias 0.5, object 1.5, outline 0, length 10, omission 0.5",
    "px; *: bias 0, object 0, outline 3, length 8, omission 0",
)
BALLS = (
    "mm; *: bias 0.5, object 0.8, outline 1, length 6, omission 0.1",
    "mm; *: bias -1, object 0, outline 1.5, length 10, omission 0",
)
SCENES = (
    "px; *: bias 1, object 0, outline 0, length 10, omission 0",
    "px; *: bias 0, object 0, outline 2, length 15, omission 0.1",
)


class Digest:
    """SHA-256 over all label maps that a table was made from."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def of(self, labels: Any) -> Any:
        """The map itself, after it was counted."""
        self._hash.update(str(labels.shape).encode() + labels.tobytes())
        return labels

    def __str__(self) -> str:
        return f"Digest of all noisy maps: {self._hash.hexdigest()[:16]}"


def discs(seed: int, count: int = 5, side: int = 130, low: float = 15, high: float = 50) -> Case:
    """A square of discs with a radius between two lengths, far apart."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((side, side)) - side // 2
    rows = [
        np.concatenate([y * y + x * x <= r * r for r in rng.uniform(low, high, count)], axis=1)
        for _ in range(count)
    ]
    return Case(case_id=f"discs_{seed}", labels=np.concatenate(rows).astype(np.uint8), classes=CLASSES)


def balls(seed: int) -> Case:
    """Four balls of 20 to 36 mm with slices of 2 mm and pixels of 0.8 mm."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((30, 160, 160), np.uint8)
    z, y, x = np.indices(labels.shape)
    for k in range(4):
        middle = (15, 40 + 80 * (k // 2), 40 + 80 * (k % 2))
        r = rng.uniform(10, 18)
        far = sum(((axis - m) * s) ** 2 for axis, m, s in zip((z, y, x), middle, SPACING, strict=True))
        labels[far <= r * r] = 1
    return Case(case_id=f"balls_{seed}", labels=labels, classes=CLASSES, spacing=SPACING)


def scenes(count: int, size: tuple[int, int] = (256, 320)) -> list[Case]:
    """Laparoscopic phantoms, whose three classes touch."""
    return list(phantoms(count, size, seed=0))


def drawn_and_measured(text: str, cases: list[Case], seed: int, digest: Digest, value: int = 1) -> Straying:
    """The profile of noise that was drawn with one."""
    unit_mm = text.startswith("mm")
    params = like.Params(profile=text)
    total = Totals(min(SPACING) if unit_mm else 1.0)
    for case in cases:
        noisy = digest.of(like.corrupt(case, params, Draws(seed, "benchmark", case.case_id)))
        spacing = case.spacing if unit_mm else None
        total.add(read(case.labels, noisy, value, spacing), spacing, case.labels.shape)
    return total.result()


def row_of(asked: ClassProfile, found: list[Straying]) -> str:
    """Asked for, and the mean and standard deviation over seeds of what was measured."""
    cells = []
    for want, values in (
        (asked.bias, [f.bias for f in found]),
        (asked.object_sd, [f.object_sd for f in found]),
        (asked.outline_sd, [f.field.sd for f in found]),
        (asked.length if asked.outline_sd else None, [f.field.length for f in found]),
        (asked.omission[0], [f.missed / f.readings for f in found]),
    ):
        if want is None:
            cells.append("")
        else:
            cells.append(f"{want:g} / {np.mean(values):.2f} ± {np.std(values):.2f}")
    return " | ".join(cells)


def like_tables(quick: bool) -> Iterator[str]:
    """Agreement of the measured profile with the one asked for."""
    seeds, digest = range(3 if quick else 8), Digest()
    yield "| cases | unit | bias | object sd | outline sd | length | missed |"
    yield "|---|---|---|---|---|---|---|"
    for text in DISCS:
        asked = read_profile(text).classes[0]
        found = [drawn_and_measured(text, [discs(10 * s + k) for k in range(4)], s, digest) for s in seeds]
        yield f"| 100 discs | px | {row_of(asked, found)} |"
    for text in BALLS:
        asked = read_profile(text).classes[0]
        found = [drawn_and_measured(text, [balls(10 * s + k) for k in range(8)], s, digest) for s in seeds]
        yield f"| 32 balls, 3-D | mm | {row_of(asked, found)} |"
    for text in SCENES:
        asked = read_profile(text).classes[0]
        shown = scenes(8 if quick else 24)
        for value in (1, 2, 3):
            found = [drawn_and_measured(text, shown, s, digest, value) for s in seeds]
            yield f"| phantoms, {shown[0].classes[value]} | px | {row_of(asked, found)} |"
    yield f"\n{digest}"


def annotator_tables(quick: bool) -> Iterator[str]:
    """The measured confusion matrix of every style, and how annotators go together."""
    shown = scenes(8 if quick else 24)
    names, digest = shown[0].classes, Digest()
    yield "| style | true class | " + " | ".join(names) + " | asked for | Dice | displacement px |"
    yield "|---|---|" + "---|" * (len(names) + 3)
    for style in annotator.STYLES:
        params = annotator.Params(styles=(style,))
        noise = pool(
            measure(
                case.labels, digest.of(annotator.corrupt(case, params, Draws(0, "a", case.case_id))), names
            )
            for case in shown
        ).to_dict()
        wanted = annotator.confusion_of(shown[0], params, style)
        for c in range(len(names)):
            row = " | ".join(f"{v:.3f}" for v in noise["transition"][c])
            asked = "" if wanted is None else " ".join(f"{v:g}" for v in wanted[c])
            moved = f"{noise['displacement_mean'][c]:+.2f} ± {noise['displacement_sd'][c]:.2f}" if c else ""
            dice = f"{noise['class_dice'][c]:.3f}" if c else ""
            yield f"| {style if c == 0 else ''} | {names[c]} | {row} | {asked} | {dice} | {moved} |"
    yield ""
    yield "| correlation asked for | offsets of `over` | missed by `omitter` | Dice between two `careless` |"
    yield "|---|---|---|---|"
    one = discs(0, 10 if quick else 20, 60, 10, 14)
    for rho in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield f"| {rho:g} | {' | '.join(f'{v:.2f}' for v in _together(one, rho, digest))} |"
    yield f"\n{digest}"


def _together(case: Case, rho: float, digest: Digest) -> tuple[float, float, float]:
    def two(**more: Any) -> list[Any]:
        params = annotator.Params(correlation=rho, **more)
        return [digest.of(annotator.corrupt(case, params, Draws(0, "pair").reader(k))) for k in range(2)]

    def means(noisy: Any) -> Any:
        found = read(case.labels, noisy, 1)
        return np.bincount(found.owner, found.shifts) / np.bincount(found.owner)

    offsets = np.corrcoef(*[means(noisy) for noisy in two(styles=("over",), offset_px=4.0, spread=0.4)])[0, 1]
    missed = np.corrcoef(
        *[read(case.labels, noisy, 1).missed for noisy in two(styles=("omitter",), omit=0.5)]
    )
    first, second = two(styles=("careless",), omit=0.0)
    return (
        float(offsets),
        float(missed[0, 1]),
        float(2 * (first & second).sum() / (first.sum() + second.sum())),
    )


def speed_table(quick: bool) -> Iterator[str]:
    """Milliseconds a case, one thread, beside what else there is."""
    sizes = [(256, 320)] if quick else [(256, 320), (1024, 1280)]
    made: list[tuple[str, Case]] = [("x".join(map(str, s)), scenes(1, s)[0]) for s in sizes]
    made.append(("60x160x160", balls(0)))
    draws = Draws(0, "speed")
    yield "| size | mode | ms | peer | its ms | same labels |"
    yield "|---|---|---|---|---|---|"
    for size, case in made:
        maps = {
            str(k): annotator.corrupt(case, annotator.Params(styles=("careless",)), Draws(0, "m").reader(k))
            for k in range(5)
        }
        case = Case(
            case_id="speed", labels=case.labels, classes=case.classes, spacing=case.spacing, readers=maps
        )
        jobs: list[tuple[str, Callable[[], Any]]] = [
            ("like", lambda c=case: like.corrupt(c, like.Params(), draws)),
            ("reader, per object", lambda c=case: reader.corrupt(c, reader.Params(per="object"), draws)),
            ("pseudo-label, 5 vote", lambda c=case: pseudo_label.corrupt(c, pseudo_label.Params(), draws)),
        ]
        for style in annotator.STYLES[1:]:
            params = annotator.Params(styles=(style,))
            jobs.append((f"annotator, {style}", lambda c=case, p=params: annotator.corrupt(c, p, draws)))
        for name, job in jobs:
            peers = _voting(list(maps.values()), case) if "vote" in name else []
            times, results = _raced([job, *(run for _, run in peers)], 5 if quick else 15)
            others = "; ".join(label for label, _ in peers)
            theirs = "; ".join(f"{t:.2f}" for t in times[1:])
            same = "; ".join("yes" if np.array_equal(results[0], r) else "no" for r in results[1:])
            yield f"| {size} | {name} | {times[0]:.2f} | {others} | {theirs} | {same} |"


def _voting(maps: list[Any], case: Case) -> list[tuple[str, Callable[[], Any]]]:
    """Other ways to take the majority."""

    def one_hot() -> Any:
        counts = np.stack([sum((m == c).astype(np.uint8) for m in maps) for c in range(case.num_classes)])
        return counts.argmax(axis=0).astype(np.uint8)

    def mode() -> Any:
        from scipy.stats import mode as most_frequent

        return most_frequent(np.stack(maps), axis=0).mode

    peers: list[tuple[str, Callable[[], Any]]] = [("numpy one-hot argmax", one_hot)]
    if case.labels.size < 10**6:
        peers.append(("scipy.stats.mode", mode))
    try:
        import SimpleITK as sitk
    except ImportError:
        return peers
    images = [sitk.GetImageFromArray(m) for m in maps]
    peers.append(("SimpleITK LabelVoting", lambda: sitk.GetArrayFromImage(sitk.LabelVoting(images, 0))))
    return peers


def _raced(jobs: list[Callable[[], Any]], runs: int) -> tuple[list[float], list[Any]]:
    """Medians of interleaved runs after a first call, in milliseconds, and what each gave."""
    results = [job() for job in jobs]
    times = np.zeros((runs, len(jobs)))
    for k in range(runs):
        for j, job in enumerate(jobs):
            start = time.perf_counter()
            job()
            times[k, j] = time.perf_counter() - start
    return (1000 * np.median(times, axis=0)).tolist(), results


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer seeds and sizes")
    parser.add_argument("--only", choices=("like", "annotators", "speed"), help="one of the tables")
    given = parser.parse_args()
    known = []
    for name in ("numpy", "scipy", "numba", "SimpleITK"):
        try:
            known.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    print(f"Python {platform.python_version()}, {', '.join(known)}\n")
    tables = {"like": like_tables, "annotators": annotator_tables, "speed": speed_table}
    for name, table in tables.items():
        if given.only in (None, name):
            print(f"## {name}\n")
            for line in table(given.quick):
                print(line, flush=True)
            print()


if __name__ == "__main__":
    main()
